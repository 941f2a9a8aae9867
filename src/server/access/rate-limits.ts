import type { Clock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import { networkKey, networkTimes, type LimitedCaller } from '../options/caller.js'
import type { Limits } from '../options/limits.js'
import { nameInLogs, type Logger } from '../options/logger.js'
import { TokenBuckets, type Rate } from './token-buckets.js'

/** An action that is rate-limited. */
export type ChargedAction = 'post' | 'read' | 'leave' | 'connect' | 'stream' | 'broadcast'

/** The least time between two log lines about the same action, in milliseconds. */
const quietMs = 10_000

/** The rate limits of a process: a token bucket for each action and member, address, and /48 network of IPv6. */
export class RateLimits {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #quietUntil = new Map<ChargedAction, number>()
  readonly #members: Record<ChargedAction, TokenBuckets>
  readonly #addresses: Record<ChargedAction, TokenBuckets>
  readonly #networks: Record<ChargedAction, TokenBuckets>
  readonly #roomBroadcasts: TokenBuckets

  constructor(limits: Limits, clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
    this.#members = bucketsOf(limits, 1)
    this.#addresses = bucketsOf(limits, limits.addressTimes)
    this.#networks = bucketsOf(limits, limits.addressTimes * networkTimes)
    const perRoom = limits.roomBroadcastsPerSecond
    this.#roomBroadcasts = new TokenBuckets({ perSecond: perRoom, burst: Math.max(1, perRoom) })
  }

  /** Charges a broadcast to its room. @throws LocationError `rate-limited` when the room is over the limit. */
  chargeRoom(room: string): void {
    const waitMs = this.#roomBroadcasts.take(room, this.#clock.now())
    if (waitMs > 0) throw tooMany('broadcast', waitMs)
  }

  /**
   * Charges an action to the caller.
   *
   * @throws LocationError `rate-limited` when the member, or the address, is over the limit.
   */
  charge(action: ChargedAction, { memberId, address }: LimitedCaller, cost = 1): void {
    const now = this.#clock.now()
    const network = address === null ? null : networkKey(address)
    const waitMs =
      (network === null ? 0 : this.#networks[action].take(network, now, cost)) ||
      (address === null ? 0 : this.#addresses[action].take(address, now, cost)) ||
      (memberId === null ? 0 : this.#members[action].take(memberId, now, cost))
    if (waitMs === 0) return
    this.#report(action, memberId, now)
    throw tooMany(action, waitMs)
  }

  /** Logs at most one line for each action in `quietMs`, so that a flood of calls does not flood the log. */
  #report(action: ChargedAction, memberId: string | null, now: number): void {
    if (now < (this.#quietUntil.get(action) ?? 0)) return
    this.#quietUntil.set(action, now + quietMs)
    this.#logger.info('a caller is over a limit', {
      action,
      ...(memberId !== null && { member: nameInLogs(memberId) }),
    })
  }

  /** The number of buckets in memory. */
  get size(): number {
    const all = [this.#members, this.#addresses, this.#networks].flatMap((each) => Object.values(each))
    return all.reduce((sum, { size }) => sum + size, this.#roomBroadcasts.size)
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
    broadcast: buckets({ perSecond: limits.broadcastsPerSecond, burst: limits.broadcastBurst }),
  }
}

const nounOf = {
  post: 'posts',
  read: 'queries',
  leave: 'leaves',
  connect: 'new connections',
  stream: 'new streams',
  broadcast: 'broadcasts',
}

/**
 * When an app's errorFormatter drops `retryAfterMs`, clients read it from the end of the message: `again in <n> ms.`
 */
const tooMany = (action: ChargedAction, retryAfterMs: number) =>
  new LocationError('rate-limited', `Too many ${nounOf[action]}: try again in ${retryAfterMs} ms.`, { retryAfterMs })
