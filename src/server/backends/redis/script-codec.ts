import type { PostOutcome } from '../../../shared/call-types.js'
import type { LeftReason, Activity } from '../../../shared/events.js'
import type { Action, Commit, Outcome, RoomState } from '../../rules/backend.js'
import { decodeLockOutcome, encodeLockAction, locksByConnection } from './lock-codec.js'

/* Encodes the arguments of the room script and decodes its replies. room.lua documents the format. */

/** The maximum number of actions in one call of the script, so that one room does not block Redis for all others. */
export const maxActions = 200

/** The arguments of the script that precede the actions. */
export type Header = {
  freshEpoch: string
  /** The time in microseconds; `null` for the clock of Redis. */
  nowMicros: number | null
  outageMs: number
  renews: boolean
  tombstoneMs: number
  roomConnections: number
  memberConnections: number
  keepMs: number
  reads: boolean
  lockMs: number
  claimMs: number
  connectionLocks: number
  roomLocks: number
}

export function encodeCall(header: Header, actions: readonly Action[]): string[] {
  const { freshEpoch, nowMicros, outageMs, renews, tombstoneMs, roomConnections, memberConnections, keepMs, reads } =
    header
  const args = [
    freshEpoch,
    nowMicros === null ? '' : String(nowMicros),
    String(outageMs),
    flag(renews),
    String(tombstoneMs),
    String(roomConnections),
    String(memberConnections),
    String(keepMs),
    flag(reads),
    String(header.lockMs),
    String(header.claimMs),
    String(header.connectionLocks),
    String(header.roomLocks),
  ]
  for (const action of actions) args.push(...encodeAction(action))
  return args
}

const flag = (yes: boolean) => (yes ? '1' : '0')
/** Members are stored as JSON, which has no raw line breaks and is copied into commits unchanged; '' if unknown. */
const memberJson = (memberId: string | null) => (memberId === null ? '' : JSON.stringify(memberId))

function encodeAction(action: Action): string[] {
  switch (action.type) {
    case 'post': {
      const {
        connectionId,
        memberId,
        owned,
        seq,
        location,
        profile,
        activity,
        presence,
        leaseMs,
        used = false,
      } = action
      const who = [connectionId, memberJson(memberId), flag(owned), seq === undefined ? '' : String(seq)]
      const agoMicros = String(Math.round((action.activeAgoMs ?? 0) * 1_000))
      const how = [activity ?? '', String(leaseMs), flag(used), agoMicros, presence?.json ?? '']
      return ['p', ...who, location.json, profile?.json ?? '', ...how]
    }
    case 'leave': {
      const { connectionId, memberId, seq, graceMs } = action
      return ['l', connectionId, memberJson(memberId), seq === undefined ? '' : String(seq), String(graceMs)]
    }
    case 'shorten':
      return ['s', action.connectionId, String(action.leaseMs)]
    case 'revoke':
      return ['r', memberJson(action.memberId)]
    case 'sweep':
      return ['w']
    default:
      return encodeLockAction(action)
  }
}

/** The decoded reply of one call. */
export type Reply = {
  epoch: string
  version: number
  /** Milliseconds until a lease ends or a tombstone may be purged; `Infinity` for never. */
  dueMs: number
  /** The commit of the call, as it is announced; '' when nothing visible changed. */
  commit: string
  outcomes: Outcome[]
  /** The whole room, if it was requested. */
  state: RoomState | null
}

export function decodeReply(raw: unknown): Reply {
  const [epoch, version, due, commit, outcomes, read] = raw as [string, string, string, string, string[], RawState?]
  const decoded = { epoch, version: Number(version), dueMs: due === '' ? Infinity : Number(due), commit }
  return {
    ...decoded,
    outcomes: outcomes.map((outcome) => decodeOutcome(outcome, decoded.version)),
    state: read ? decodeState(epoch, decoded.version, read) : null,
  }
}

function decodeOutcome(text: string, version: number): Outcome {
  const [first, second, third] = text.split('\n') as [string, string?, string?]
  switch (first) {
    case 'left':
    case 'leaving':
    case 'owned':
    case 'done':
      // A post that arrives after its connection left is also answered `left`, with the owner of the connection.
      if (third === undefined) return { type: first }
      break
    case 'full':
      return { type: 'full', of: second as 'room' | 'member' }
    case 'lock':
    case 'unlock':
    case 'released':
    case 'lockChecked':
      return decodeLockOutcome(text)
    default:
  }
  const outcome = first as PostOutcome
  const memberId = JSON.parse(third!) as string
  return { type: 'posted', outcome, memberId, seq: Number(second), version: outcome === 'applied' ? version : 0 }
}

/** A whole room in a reply: the floor, then three hashes as flat lists of keys and values. */
type RawState = [floor: string, connections: string[], tombstones: string[], locks: string[]]

function decodeState(epoch: string, version: number, [floor, connections, tombstones, flat]: RawState): RoomState {
  const locks = locksByConnection(pairs(flat))
  const state: RoomState = { epoch, version, floor: Number(floor), connections: [], left: [] }
  for (const [connectionId, lines] of pairs(connections)) {
    const [at, activeAt, , , , activity, member, profile, location, presence] = lines
    const held = locks.get(connectionId)
    state.connections.push({
      connectionId,
      memberId: JSON.parse(member!) as string,
      profile: JSON.parse(profile!) as unknown,
      location: JSON.parse(location!) as unknown,
      activity: activity as Activity,
      ...(presence !== '{}' && { presence: JSON.parse(presence!) as unknown }),
      at: Number(at),
      ...(activeAt !== at && { activeAt: Number(activeAt) }),
      ...(held && { locks: held }),
    })
  }
  for (const [connectionId, [at, , reason, shown]] of pairs(tombstones))
    if (shown === '1') state.left.push({ connectionId, at: Number(at), reason: reason as LeftReason })
  return state
}

function* pairs(flat: string[]): Generator<[string, string[]]> {
  for (let i = 0; i < flat.length; i += 2) yield [flat[i]!, flat[i + 1]!.split('\n')]
}

/** An announced commit. `open()` parses its body, which is not needed for ordering. */
export type Announced = { epoch: string; prev: number; version: number; open(): Commit }

const announcement = /^([^|]*)\|(\d+)\|(\d+)\|/

/** Decodes an announcement. Returns `null` for a message that the room script did not publish. */
export function decodeCommit(text: string): Announced | null {
  const [head, epoch, prev, version] = announcement.exec(text) ?? []
  if (head === undefined || epoch === undefined) return null
  const at = { epoch, prev: Number(prev), version: Number(version) }
  return {
    ...at,
    open: () => ({ ...at, ...(JSON.parse(text.slice(head.length)) as Pick<Commit, 'entered' | 'changed' | 'left'>) }),
  }
}
