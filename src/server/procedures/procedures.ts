import { LocationError } from '../../shared/errors.js'
import type {
  CountMembersInput,
  CountMembersOutput,
  GetLocationsInput,
  GetLocationsOutput,
  LeaveRoomInput,
  LeaveRoomOutput,
  OnLocationInput,
  PostLocationInput,
  PostLocationOutput,
} from '../../shared/call-types.js'
import type { BroadcastToRoomOutput } from '../../shared/broadcast-types.js'
import { normalName } from '../../shared/name-rule.js'
import type { Access, RoomAction } from '../access/access-types.js'
import { ignoreErrors } from '../access/app-callbacks.js'
import { addressKey, invalidAddress } from '../access/client-address.js'
import { Gate, type Caller } from '../access/gate.js'
import { assertPosted, ownedError } from '../access/outcome-errors.js'
import type { ChargedAction } from '../access/rate-limits.js'
import type { Hub } from '../hub/hub.js'
import type { LimitedCaller } from '../options/caller.js'
import type { LiveRoom } from '../rooms/live-room.js'
import type { Subscriber } from '../rooms/subscriber.js'
import type { StoredValue } from '../rules/backend.js'
import { LockCalls } from './lock-calls.js'
import { answerWith } from './frame-answer.js'
import { chargeOnce, isSocketSignal } from './socket-calls.js'
import { anonymousMemberIdOf, connectionIdOf, defaultConnectionIdOf, generateKey } from '../rules/ids.js'

/**
 * Returns the IP address of the caller's own machine, with or without a port. `undefined`: the caller is not limited by
 * address. Callers whose value is not an IP address share one limit.
 */
export type ClientIp<Ctx> = (options: { ctx: Ctx }) => string | undefined

/** The size of an answer of `getLocations`, in characters of JSON, that costs as much as one more query. */
const charactersPerRead = 16 * 1024
/** The number of rooms that `countMembers` counts for the price of one query. */
const roomsPerRead = 10

/** The work of the procedures: identifies the caller, checks rights and limits, and acts in the room. */
export class Procedures {
  readonly #hub: Hub
  readonly #gate: Gate<unknown>
  readonly #clientIp: ClientIp<unknown> | undefined
  readonly locks: LockCalls
  #hasWarnedOfAddress = false

  constructor(hub: Hub, access: Access<unknown, unknown>, clientIp: ClientIp<unknown> | undefined) {
    const { clock, logger, timing } = hub
    const parseProfile = (profile: unknown) => hub.parseProfile(profile)
    this.#hub = hub
    this.#clientIp = clientIp
    this.#gate = new Gate(access, { clock, logger, parseProfile, hookMs: timing.hookMs, recheckMs: timing.recheckMs })
    this.locks = new LockCalls(hub, this.#gate)
    hub.onRevoke((memberId) => this.#gate.forget(memberId))
  }

  /** Charges an action to the caller's address. @throws LocationError `rate-limited` */
  chargeAddress(ctx: unknown, action: ChargedAction): void {
    this.#hub.rateLimits.charge(action, { memberId: null, address: this.#address(ctx) })
  }

  async post(ctx: unknown, input: PostLocationInput): Promise<PostLocationOutput> {
    const hub = this.#hub
    const { generation } = this.#gate
    const caller = await this.#gate.caller(ctx)
    const { room, seq, activity, used, activeAgoMs } = input
    const leaseMs = hub.leaseOf(input.leaseMs)
    const location = hub.keepLocation(input.location)
    const profile = this.#profile(caller, input)
    const presence = input.presence === undefined ? undefined : hub.keepPresence(input.presence)
    const { generatedKey, ...poster } = posterOf(caller, input)
    this.#chargeMember(poster.memberId, 'post')
    await this.#gate.admit(ctx, caller, room, 'post')
    const limited = { memberId: caller.memberId, address: this.#address(ctx) }
    const { outcome, id, postMs } = await hub.use(room, async (live) => {
      const endCharge = this.#chargeConnection(live, poster.connectionId, limited)
      try {
        const own = { seq, location, profile, activity, presence, used, activeAgoMs, leaseMs }
        const outcome = await live.act({ type: 'post', ...poster, ...own })
        assertPosted(outcome)
        await this.#removeIfRevoked(live, ctx, caller, poster.connectionId, generation)
        return { outcome, id: live.timeline.id(outcome.version), postMs: live.postMs }
      } finally {
        endCharge()
      }
    })
    const mayRead = outcome.outcome === 'applied' && (await this.#mayRead(ctx, caller, room))
    return {
      outcome: outcome.outcome,
      connectionId: poster.connectionId,
      memberId: outcome.memberId,
      seq: outcome.seq,
      ...(mayRead && { id }),
      ...(postMs !== undefined && { postMs }),
      ...(generatedKey !== undefined && { connectionKey: generatedKey }),
    }
  }

  async broadcast(ctx: unknown, input: BroadcastInput): Promise<BroadcastToRoomOutput> {
    const { room, name, payload, to, nonce } = input
    const caller = await this.#gate.caller(ctx)
    const connectionId = connectionIdIn(caller.memberId, input.connectionKey, 'sends')
    this.#chargeMember(caller.memberId, 'broadcast')
    await this.#gate.admit(ctx, caller, room, 'post')
    return this.#hub.use(room, async (live) => {
      const sender = await presentConnection(live, connectionId)
      if (!sender) return { outcome: 'absent' }
      const { memberId } = sender
      if (caller.memberId === null) this.#chargeMember(memberId, 'broadcast')
      else if (caller.memberId !== memberId) throw ownedError()
      const target = to === undefined ? undefined : normalName(to)
      await this.#hub.broadcasting.send(live, { name, payload, connectionId, memberId, to: target, nonce })
      return { outcome: 'sent' }
    })
  }

  async leave(ctx: unknown, input: LeaveRoomInput): Promise<LeaveRoomOutput> {
    const caller = await this.#gate.caller(ctx)
    const { memberId } = caller
    this.#chargeMember(memberId, 'leave')
    const connectionId = connectionIdIn(memberId, input.connectionKey, 'leaves')
    if (!(await this.#mayLeave(ctx, caller, input.room, connectionId))) return { outcome: 'left' }
    const graceMs = Math.min(input.graceMs ?? 0, this.#hub.timing.graceMaxMs)
    const outcome = await this.#hub.act(input.room, { type: 'leave', connectionId, memberId, seq: input.seq, graceMs })
    if (outcome.type === 'owned') throw ownedError()
    return { outcome: outcome.type === 'leaving' ? 'leaving' : 'left' }
  }

  async get(ctx: unknown, { room, lastEventId }: GetLocationsInput): Promise<GetLocationsOutput> {
    const caller = await this.#gate.caller(ctx)
    this.#chargeMember(caller.memberId, 'read')
    await this.#gate.admit(ctx, caller, room, 'read')
    return this.#hub.use(room, async (live) => {
      await live.catchUpWith(lastEventId)
      const { timeline, frames } = live
      const version = timeline.resumable(lastEventId)
      const frame = version === null ? frames.snapshot() : frames.since(version)
      // The caller was already charged for one query, before the size of the answer was known.
      const more = Math.floor(frame.size / charactersPerRead)
      if (more > 0)
        this.#hub.rateLimits.charge('read', { memberId: caller.memberId, address: this.#address(ctx) }, more)
      return answerWith(frame, this.#hub.features)
    })
  }

  async count(ctx: unknown, input: CountMembersInput): Promise<CountMembersOutput> {
    const rooms = [...new Set(input.rooms)]
    const caller = await this.#gate.caller(ctx)
    // The address was already charged for one query, before the number of rooms was known.
    const more = Math.floor(rooms.length / roomsPerRead)
    this.#hub.rateLimits.charge('read', { memberId: null, address: this.#address(ctx) }, more)
    this.#chargeMember(caller.memberId, 'read', 1 + more)
    const count = async (room: string) => {
      // A room that the caller may not read is left out: callers keep lists of rooms, and one forbidden room must not
      // hide all others.
      if (!(await this.#mayRead(ctx, caller, room))) return []
      return [{ room, members: await this.#hub.use(room, ({ timeline }) => timeline.memberCount) }]
    }
    return (await Promise.all(rooms.map(count))).flat()
  }

  /**
   * Returns the member that a context belongs to; `null` when callers are anonymous. @throws LocationError as a call
   * does.
   */
  async memberIdOf(ctx: unknown): Promise<string | null> {
    return (await this.#gate.caller(ctx)).memberId
  }

  /**
   * Returns the key of a context's address; `null` when no per-address limits apply to it. @throws LocationError
   * `unavailable`
   */
  addressOf(ctx: unknown): string | null {
    return this.#address(ctx)
  }

  /** @param signal the signal of the call; it tells whether the stream is sent over a WebSocket. */
  async subscribe(ctx: unknown, input: OnLocationInput, signal: AbortSignal | undefined): Promise<Subscriber> {
    const hub = this.#hub
    const isOnSocket = isSocketSignal(signal)
    const { room, connectionKey, lastEventId } = input
    const { generation } = this.#gate
    const caller = await this.#gate.caller(ctx)
    const { memberId, expiresAt } = caller
    chargeOnce(signal, 'member', () => this.#chargeMember(memberId, 'stream'))
    await this.#gate.admit(ctx, caller, room, 'read', true)
    const address = this.#address(ctx)
    const connectionId = connectionKey === undefined ? null : connectionIdOf(connectionKey)
    const recheck = () => this.#mayRead(ctx, caller, room, true)
    const options = { connectionId, memberId, address, lastEventId, expiresAt, recheck, isOnSocket }
    const subscriber = await hub.subscribe(room, options)
    // A revocation while the stream was being opened found no stream to end: the right is checked again.
    if (this.#gate.generation !== generation && !(await recheck())) {
      subscriber.close()
      throw new LocationError('forbidden', 'You may no longer read this room: ask its owner for access.')
    }
    return subscriber
  }

  #mayRead(ctx: unknown, caller: Caller, room: string, isFresh = false): Promise<boolean> {
    return this.#may(ctx, caller, room, 'read', isFresh)
  }

  async #may(ctx: unknown, caller: Caller, room: string, action: RoomAction, isFresh = false): Promise<boolean> {
    try {
      await this.#gate.admit(ctx, caller, room, action, isFresh)
      return true
    } catch (error) {
      if (error instanceof LocationError && error.code === 'forbidden') return false
      throw error
    }
  }

  /**
   * Returns whether a leave has to be carried out. A caller without rights in a room can leave it only if the
   * connection is present: otherwise a leave could open any room that a caller names.
   */
  async #mayLeave(ctx: unknown, caller: Caller, room: string, connectionId: string): Promise<boolean> {
    if (await this.#hub.openConnection(room, connectionId)) return true
    try {
      return (await this.#mayRead(ctx, caller, room)) || (await this.#may(ctx, caller, room, 'post'))
    } catch {
      // The app's access check failed. The leave is carried out: it affects only the caller's connection, and clients
      // do not send it again.
      return true
    }
  }

  /**
   * Checks the right to post again when rights were revoked during a post, and removes the connection if the right is
   * gone: the revocation may have run before the connection entered.
   */
  async #removeIfRevoked(live: LiveRoom, ctx: unknown, caller: Caller, connectionId: string, generation: number) {
    if (this.#gate.generation === generation) return
    try {
      await this.#gate.admit(ctx, caller, live.id, 'post', true)
    } catch (error) {
      await live.act({ type: 'leave', connectionId, memberId: caller.memberId, seq: undefined, graceMs: 0 })
      throw error
    }
  }

  #chargeMember(memberId: string | null, action: ChargedAction, cost = 1): void {
    this.#hub.rateLimits.charge(action, { memberId, address: null }, cost)
  }

  /**
   * Returns the key of the caller's address; `null` when no per-address limits apply to it.
   *
   * @throws LocationError `unavailable` when `clientIp` fails.
   */
  #address(ctx: unknown): string | null {
    try {
      const ip: unknown = this.#clientIp?.({ ctx })
      if (ip === undefined || typeof ip === 'string') {
        const key = addressKey(ip)
        if (key === invalidAddress) this.#warnOfInvalidAddress()
        return key
      }
      ignoreErrors(ip)
      throw new TypeError('clientIp() must return a string or undefined, not a promise.')
    } catch (cause) {
      this.#hub.logger.warn('clientIp() threw', { error: cause })
      throw new LocationError('unavailable', 'Limits could not be checked: try again.', { cause })
    }
  }

  #warnOfInvalidAddress(): void {
    if (this.#hasWarnedOfAddress) return
    this.#hasWarnedOfAddress = true
    this.#hub.logger.warn(
      'clientIp() returned a value that is not an IP address: all such callers share one per-address limit.',
    )
  }

  /**
   * Charges for a connection that is not in the room yet, and adds it to the caller's memberships.
   *
   * @returns a function to call when the post has settled: from then on the membership lasts while the connection is
   * present.
   */
  #chargeConnection(live: LiveRoom, connectionId: string, limited: LimitedCaller): () => void {
    const isPresent = () => live.timeline.connection(connectionId) !== undefined
    if (isPresent()) return () => {}
    this.#hub.rateLimits.charge('connect', limited)
    let isPosting = true
    this.#hub.membershipLimits.take(limited, live.id, { isConnection: true, isHeld: () => isPosting || isPresent() })
    return () => {
      isPosting = false
    }
  }

  /** Returns the profile of a post: the one from `identify`, or else the one that the member sent. */
  #profile(caller: Caller, { profile }: PostLocationInput): StoredValue | undefined {
    return caller.profile ?? (profile === undefined ? undefined : this.#hub.keepProfile(profile))
  }
}

/** The input of `broadcastToRoom`, whose payload matches the app's schema. */
export type BroadcastInput = {
  room: string
  connectionKey?: string | undefined
  name: string
  payload: unknown
  to?: string | undefined
  nonce?: string | undefined
}

/**
 * Returns a connection of the room. When this process does not know the connection, the room is refreshed first: the
 * connection may have entered through another process.
 */
async function presentConnection(live: LiveRoom, connectionId: string) {
  const known = live.timeline.connection(connectionId)
  if (known) return known
  await live.refresh()
  return live.timeline.connection(connectionId)
}

/**
 * Returns the connection that an input names: the key's, or a member's default connection.
 *
 * @throws LocationError `bad-input`
 */
function connectionIdIn(memberId: string | null, connectionKey: string | undefined, does: 'leaves' | 'sends'): string {
  if (connectionKey !== undefined) return connectionIdOf(connectionKey)
  if (memberId !== null) return defaultConnectionIdOf(memberId)
  throw new LocationError('bad-input', `connectionKey: required here, to name the connection that ${does}.`)
}

/**
 * Returns the connection and the member that a post is for. `generatedKey` is the new key of an anonymous caller who
 * sent none. `owned`: the member is certain, so a connection of another member is refused.
 */
function posterOf(caller: Caller, { connectionKey, memberKey }: PostLocationInput) {
  if (caller.memberId !== null) {
    const { memberId } = caller
    const connectionId = connectionKey === undefined ? defaultConnectionIdOf(memberId) : connectionIdOf(connectionKey)
    return { connectionId, memberId, owned: true, generatedKey: undefined }
  }
  const generatedKey = connectionKey === undefined ? generateKey() : undefined
  const key = connectionKey ?? generatedKey!
  // The holder of the key controls the connection. Without a memberKey, the connection keeps the member that it has.
  const owned = memberKey !== undefined
  return { connectionId: connectionIdOf(key), memberId: anonymousMemberIdOf(memberKey ?? key), owned, generatedKey }
}
