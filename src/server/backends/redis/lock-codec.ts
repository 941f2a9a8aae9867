import type {
  ConnectionLock,
  LockHolder,
  LockLocationOutput,
  UnlockLocationOutput,
} from '../../../shared/lock-types.js'
import type { CheckLockAction, LockAction, Outcome, ReleaseAction, UnlockAction } from '../../rules/backend.js'

/* Encodes the actions about locks for the room script, and decodes the replies of the script about locks. */

/** Encodes an action about locks. */
export function encodeLockAction(action: LockAction | UnlockAction | ReleaseAction | CheckLockAction): string[] {
  const { location } = action
  if (action.type === 'release') return ['f', location.json]
  if (action.type === 'checkLock') return ['c', location.json, JSON.stringify(action.memberId), String(action.fence)]
  const { connectionId, memberId, lockSeq } = action
  const who = [connectionId, memberId === null ? '' : JSON.stringify(memberId), location.json, String(lockSeq)]
  if (action.type === 'unlock') return ['u', ...who, String(action.fence)]
  return ['k', ...who, action.claim === undefined ? '' : String(action.claim), action.takeOver ? '1' : '0']
}

/**
 * Decodes the outcome of an action about locks. The first line is the kind of the outcome; each further line is a field
 * of that kind.
 */
export function decodeLockOutcome(text: string): Outcome {
  const [type, outcome = '', ...rest] = text.split('\n')
  switch (type) {
    case 'lock':
      return { type, reply: decodeLock(outcome as LockLocationOutput['outcome'], rest) }
    case 'unlock':
      return { type, reply: decodeUnlock(outcome as UnlockLocationOutput['outcome'], rest) }
    case 'released':
      return { type, wasHeld: outcome === '1' }
    default:
      return { type: 'lockChecked', isHeld: outcome === '' ? null : outcome === '1' }
  }
}

function decodeLock(outcome: LockLocationOutput['outcome'], rest: string[]): LockLocationOutput {
  if (outcome === 'locked') return { outcome, fence: Number(rest[0]) }
  if (outcome !== 'taken') return { outcome }
  const holder = holderOf(rest)
  return holder ? { outcome, holder } : { outcome, holder: null, retryAfterMs: Number(rest[2]) }
}

function decodeUnlock(outcome: UnlockLocationOutput['outcome'], rest: string[]): UnlockLocationOutput {
  const holder = holderOf(rest)
  return outcome === 'gone' && holder ? { outcome, holder } : { outcome }
}

const holderOf = ([connectionId, member]: string[]): LockHolder | null =>
  connectionId ? { memberId: JSON.parse(member!) as string, connectionId } : null

/** Groups the stored locks by the connection that holds them, in the order of their fences. */
export function locksByConnection(fields: Iterable<[string, string[]]>): Map<string, ConnectionLock[]> {
  const byConnection = new Map<string, ConnectionLock[]>()
  for (const [field, [fence, connectionId]] of fields) {
    if (!field.startsWith('L')) continue
    const lock = { location: JSON.parse(field.slice(1)) as unknown, fence: Number(fence) }
    const held = byConnection.get(connectionId!)
    if (held) held.push(lock)
    else byConnection.set(connectionId!, [lock])
  }
  for (const held of byConnection.values()) held.sort((a, b) => a.fence - b.fence)
  return byConnection
}
