import type { PostLocationOutput } from '../../shared/call-types.js'
import type { Hello } from '../../shared/events.js'

/*
 * An answer may come from a proxy, a wrong server or a broken one. No answer may make the client retry without a
 * pause, wait for hours, or grow without bound.
 */

/** The largest message of a stream and the largest answer, in characters. A snapshot of a full default room has 3.3 MB. */
const largestLength = 8 * 2 ** 20

/** @throws Error when a message or an answer that is still arriving is longer than a client reads. */
export function checkLength(length: number): void {
  if (length > largestLength) throw new Error('The server sent more than 8 MiB in one piece.')
}

/** Returns a number that the server sent, but at most `max`; `usual` when it is below `min` or not a number at all. */
export const clamped = <T>(value: unknown, min: number, max: number, usual: T): number | T =>
  typeof value === 'number' && value >= min ? Math.min(value, max) : usual

/** The timing that a hello may set. A heartbeat interval below 100 ms is a mistake: then the default holds. */
export function timingOf(hello: Pick<Hello, 'beatMs' | 'leaseMs' | 'postMs' | 'presenceMs' | 'features' | 'locks'>) {
  const beatMs = clamped(hello.beatMs, 100, 600_000, 10_000)
  // Two posts are at most a heartbeat interval apart, because a connection posts at least once in each interval.
  const spacing = (ms: unknown, usual: number) => Math.min(clamped(ms, 0, beatMs, usual), beatMs)
  return {
    beatMs,
    leaseMs: clamped(hello.leaseMs, 0, 86_400_000, 3 * beatMs),
    postMs: spacing(hello.postMs, 50),
    presenceMs: spacing(hello.presenceMs, 100),
    features: Array.isArray(hello.features) ? hello.features : [],
    // The numbers in `locks` are checked where locks are used (lock-watch.ts).
    locks: hello.locks,
  }
}

/** Returns the reply to a post. @throws Error when a field that we use has the wrong type. */
export function checkedReply(reply: PostLocationOutput): PostLocationOutput {
  const { seq, connectionId, memberId } = reply
  if (Number.isSafeInteger(seq) && typeof connectionId === 'string' && typeof memberId === 'string') return reply
  throw new Error('The answer to a post does not follow the protocol.')
}
