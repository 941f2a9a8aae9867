import type { Clock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import type { LimitedCaller } from '../options/caller.js'
import type { Limits } from '../options/limits.js'
import { nameInLogs, type Logger } from '../options/logger.js'
import { TokenBuckets, type Rate } from './token-buckets.js'

/** What may be done only so often. */
export type ChargedAction = 'post' | 'read' | 'leave' | 'connect' | 'stream'

const quietMs = 10_000

/** How often anyone may do what: a bucket for each deed and member, and one for each deed and address. */
export class RateLimits {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #quietUntil = new Map<ChargedAction, number>()
  readonly #members: Record<ChargedAction, TokenBuckets>
  readonly #addresses: Record<ChargedAction, TokenBuckets>

  constructor(limits: Limits, clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
    this.#members = bucketsOf(limits, 1)
    this.#addresses = bucketsOf(limits, limits.addressTimes)
  }

  /** @throws LocationError `rate-limited` when the member, or the address, does this too often. */
  charge(deed: ChargedAction, { memberId, address }: LimitedCaller, cost = 1): void {
    const now = this.#clock.now()
    const waitMs =
      (address === null ? 0 : this.#addresses[deed].take(address, now, cost)) ||
      (memberId === null ? 0 : this.#members[deed].take(memberId, now, cost))
    if (waitMs === 0) return
    this.#report(deed, memberId, now)
    throw tooOften(deed, waitMs)
  }

  /** Says so now and then: who floods a server must not flood its log. */
  #report(deed: ChargedAction, memberId: string | null, now: number): void {
    if (now < (this.#quietUntil.get(deed) ?? 0)) return
    this.#quietUntil.set(deed, now + quietMs)
    this.#logger.info('a caller is over a limit', { deed, ...(memberId !== null && { member: nameInLogs(memberId) }) })
  }

  /** How many buckets there are, for whoever watches memory. */
  get size(): number {
    const all = [...Object.values(this.#members), ...Object.values(this.#addresses)]
    return all.reduce((sum, { size }) => sum + size, 0)
  }
}

function bucketsOf(limits: Limits, times: number): Record<ChargedAction, TokenBuckets> {
  const buckets = ({ perSecond, burst }: Rate) =>
    new TokenBuckets({ perSecond: perSecond * times, burst: burst * times })
  const perMinute = (each: number, burst: number) => buckets({ perSecond: each / 60, burst })
  return {
    post: buckets({ perSecond: limits.postsPerSecond, burst: limits.postBurst }),
    read: buckets({ perSecond: limits.readsPerSecond, burst: limits.readBurst }),
    leave: perMinute(limits.leavesPerMinute, limits.leaveBurst),
    connect: perMinute(limits.connectionsPerMinute, limits.connectionBurst),
    stream: perMinute(limits.streamsPerMinute, limits.streamBurst),
  }
}

const nounOf = { post: 'posts', read: 'queries', leave: 'leaves', connect: 'new connections', stream: 'new streams' }

const tooOften = (deed: ChargedAction, retryAfterMs: number) =>
  new LocationError('rate-limited', `Too many ${nounOf[deed]}: try again in ${retryAfterMs} ms.`, { retryAfterMs })
