import { LocationError } from '../../shared/errors.js'
import { networkKey, networkTimes, type LimitedCaller } from '../options/caller.js'
import type { Limits } from '../options/limits.js'
import type { Subscriber } from './subscriber.js'

type StreamLimitOptions = Pick<Limits, 'streams' | 'memberStreams' | 'memberRoomStreams' | 'addressStreams'>

/** Limits the open streams of this process, of each member and of each address. */
export class StreamLimits {
  readonly #limits: StreamLimitOptions
  readonly #retryAfterMs: number
  /** The open streams of each member, in the order in which they were opened. */
  readonly #ofMember = new Map<string, Set<Subscriber>>()
  /** The number of open streams, by address and by /48 network of IPv6. */
  readonly #ofAddress = new Map<string, number>()
  readonly #addressOf = new Map<Subscriber, string | null>()

  /**
   * @param retryAfterMs how long a refused caller is told to wait, in milliseconds. It is fixed, because the end of a
   * stream cannot be predicted.
   */
  constructor(limits: StreamLimitOptions, retryAfterMs: number) {
    this.#limits = limits
    this.#retryAfterMs = retryAfterMs
  }

  get size(): number {
    return this.#addressOf.size
  }

  /**
   * Checks that the caller may open one more stream.
   *
   * @throws LocationError `unavailable` when this process is full, `rate-limited` when the member or the address is at
   * its limit.
   */
  assertOneMore({ memberId, address }: LimitedCaller, room: string): void {
    const { streams, memberStreams, addressStreams } = this.#limits
    if (this.size >= streams)
      throw new LocationError('unavailable', 'This server has reached its limit of streams: try again later.')
    if (address !== null && (this.#ofAddress.get(address) ?? 0) >= addressStreams)
      throw this.#tooMany('Your address', addressStreams)
    const network = address === null ? null : networkKey(address)
    if (network !== null && (this.#ofAddress.get(network) ?? 0) >= addressStreams * networkTimes)
      throw this.#tooMany('Your network', addressStreams * networkTimes)
    const own = memberId === null ? undefined : this.#ofMember.get(memberId)
    if (own && own.size >= memberStreams && !this.oldestTooMany(memberId, room))
      throw this.#tooMany('You', memberStreams)
  }

  /** Returns the member's oldest stream in a room, when it must end because the member opens one more there. */
  oldestTooMany(memberId: string | null, room: string): Subscriber | undefined {
    if (memberId === null) return undefined
    const here = Array.from(this.#ofMember.get(memberId) ?? []).filter((subscriber) => subscriber.room.id === room)
    return here.length >= this.#limits.memberRoomStreams ? here[0] : undefined
  }

  add(subscriber: Subscriber, address: string | null): void {
    const { memberId } = subscriber
    this.#addressOf.set(subscriber, address)
    for (const key of keysOf(address)) this.#ofAddress.set(key, (this.#ofAddress.get(key) ?? 0) + 1)
    if (memberId === null) return
    const own = this.#ofMember.get(memberId) ?? new Set()
    this.#ofMember.set(memberId, own.add(subscriber))
  }

  delete(subscriber: Subscriber): void {
    const address = this.#addressOf.get(subscriber) ?? null
    if (!this.#addressOf.delete(subscriber)) return
    for (const key of keysOf(address)) {
      const others = this.#ofAddress.get(key)! - 1
      if (others === 0) this.#ofAddress.delete(key)
      else this.#ofAddress.set(key, others)
    }
    const { memberId } = subscriber
    const own = memberId === null ? undefined : this.#ofMember.get(memberId)
    own?.delete(subscriber)
    if (own?.size === 0) this.#ofMember.delete(memberId!)
  }

  /**
   * When an app's errorFormatter drops `retryAfterMs`, clients read it from the end of the message: `again in <n> ms.`
   */
  #tooMany(subject: 'You' | 'Your address' | 'Your network', limit: number): LocationError {
    const have = subject === 'You' ? 'have' : 'has'
    const message = `${subject} ${have} ${limit} open streams, which is the limit: close one, or try again in ${this.#retryAfterMs} ms.`
    return new LocationError('rate-limited', message, { retryAfterMs: this.#retryAfterMs })
  }
}

/** Returns the keys under which a stream of an address is counted. */
function keysOf(address: string | null): string[] {
  if (address === null) return []
  const network = networkKey(address)
  return network === null ? [address] : [address, network]
}
