import type { Clock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import type { FeatureInfo, Hello } from '../../shared/events.js'
import type { LimitedCaller } from '../options/caller.js'
import type { Limits } from '../options/limits.js'
import type { LiveRoom } from './live-room.js'

import type { Metrics } from '../options/metrics.js'
import type { Timing } from '../options/timing.js'

import { StreamLimits } from './stream-limits.js'
import { Subscriber } from './subscriber.js'
import { maxSlots, TimerWheel } from './timer-wheel.js'

/** One function that all streams share: there are thousands of streams, and a function for each would take 64 bytes. */
const nothing = (): void => {}
/** The smallest number of timer-wheel slots over which heartbeats are spread. */
const minBeatSlots = 100
/** The number of steps in which a draining process closes its streams. */
const drainSteps = 100

export type StreamOptions = {
  room: LiveRoom
  /** The connection that opens the stream; `null` when the stream only watches. */
  connectionId: string | null
  memberId: string | null
  /** The key under which the stream counts towards the limit of streams per address; absent or `null`: it counts towards none. */
  address?: string | null
  lastEventId: string | null | undefined
  /** The time at which the caller's identity expires, by the wall clock; `null`: never. */
  expiresAt: Date | null
  /** Resolves to whether the caller may still read the room. */
  recheck: () => Promise<boolean>
  /**
   * True for a stream on a WebSocket, which carries several streams and posts. Such a stream does not rotate. When the
   * member has too many streams, it is refused instead of replacing the oldest. The socket, not the stream, finds out
   * whether the client is alive. Default: false.
   */
  isOnSocket?: boolean
}

/** The deadlines and checks of one stream. */
type Upkeep = {
  rotateAt: number
  /** The time by which the first frame of the stream must have been taken. */
  beginBy: number
  recheckAt: number
  /** The time at which the connection of the stream was last seen present; `null` while it has never been. */
  presentAt: number | null
  recheck: () => Promise<boolean>
  expiresAt: Date | null
  /** Cancels the timer for `expiresAt`. */
  cancelExpiry: () => void
  isOnSocket: boolean
}

type StreamRegistryOptions = {
  clock: Clock
  timing: Timing
  limits: Limits
  metrics: Metrics
  /** The features that each `hello` lists, with the settings that clients need for them. */
  features: FeatureInfo
}

/** The open streams of this process. Sends their heartbeats and ends them at their deadlines. */
export class StreamRegistry {
  readonly #clock: Clock
  readonly #features: FeatureInfo
  readonly #timing: Timing
  readonly #metrics: Metrics
  readonly #limits: StreamLimits
  readonly #upkeep = new Map<Subscriber, Upkeep>()
  /**
   * The slot in which each stream gets its heartbeat. The slots spread the heartbeats, so that they are not all sent at
   * once.
   */
  readonly #beats: TimerWheel<Subscriber>
  readonly #beatSlots: number
  #isDraining = false
  readonly #onClosed = (closed: Subscriber, by: 'peer' | 'server') => this.#detach(closed, by)

  constructor({ clock, timing, limits, metrics, features }: StreamRegistryOptions) {
    this.#features = features
    this.#clock = clock
    this.#metrics = metrics
    this.#timing = timing
    this.#limits = new StreamLimits(limits, timing.beatMs)
    // Rooms are swept by the same turns, so a turn must come at least every `sweepMs`.
    this.#beatSlots = Math.min(maxSlots, Math.max(minBeatSlots, Math.ceil(timing.beatMs / timing.sweepMs)))
    this.#beats = new TimerWheel(this.#beatSlots)
  }

  get size(): number {
    return this.#upkeep.size
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  /** The interval at which `turn` must be called, in milliseconds. */
  get turnMs(): number {
    return this.#timing.beatMs / this.#beatSlots
  }

  /**
   * Checks that one more stream may open.
   *
   * @throws LocationError `unavailable` when this process drains or is full, `rate-limited` when the caller is at a
   * limit.
   */
  assertOneMore(who: LimitedCaller, room: string): void {
    if (this.#isDraining) throw new LocationError('unavailable', 'This server is shutting down: connect again.')
    this.#limits.assertOneMore(who, room)
  }

  /**
   * Opens a stream and attaches it to its room.
   *
   * @throws LocationError as `assertOneMore` does; `room-full` on a WebSocket when the member has too many streams in
   * the room.
   */
  open(options: StreamOptions): Subscriber {
    const {
      room,
      connectionId,
      memberId,
      address = null,
      lastEventId,
      expiresAt,
      recheck,
      isOnSocket = false,
    } = options
    this.assertOneMore({ memberId, address }, room.id)
    const oldest = this.#limits.oldestTooMany(memberId, room.id)
    if (oldest && isOnSocket)
      throw new LocationError('room-full', 'You have too many open streams in this room: close one.')
    oldest?.end('replaced')
    const { beatMs, leaseMs, postMs, requestMs, rotateMs, recheckMs } = this.#timing
    const hello: Hello = { type: 'hello', protocol: 1, connectionId, beatMs, leaseMs, postMs, ...this.#features }
    const version = room.timeline.resumable(lastEventId)
    const subscriber = new Subscriber({ room, connectionId, memberId, hello, version, onClosed: this.#onClosed })
    const now = this.#clock.now()
    const rotateAt = isOnSocket ? Infinity : now + rotateMs * (0.8 + 0.2 * Math.random())
    const deadlines = { rotateAt, beginBy: now + requestMs, recheckAt: now + recheckMs, presentAt: null }
    const upkeep: Upkeep = { ...deadlines, recheck, expiresAt, cancelExpiry: nothing, isOnSocket }
    this.#upkeep.set(subscriber, upkeep)
    this.#awaitExpiry(subscriber, upkeep)
    this.#limits.add(subscriber, address)
    this.#beats.add(subscriber)
    room.subscribers.add(subscriber)
    return subscriber
  }

  /** Serves the next slot: sends heartbeats, and ends the streams that have reached a deadline. */
  turn(): void {
    const now = this.#clock.now()
    for (const subscriber of this.#beats.turn()) {
      const upkeep = this.#upkeep.get(subscriber)!
      // The expiry is checked here too, because the wall clock may have been stepped since the timer for it was set.
      if (this.#isExpired(upkeep)) subscriber.end('expired')
      else if (now >= upkeep.rotateAt) subscriber.end('rotated')
      else if (this.#isAbandoned(subscriber, upkeep, now)) subscriber.end('slow')
      // When an app disables streams in tRPC, tRPC drops the iterable that the resolver returned without closing it.
      else if (!subscriber.hasBegun && now >= upkeep.beginBy) subscriber.close()
      else subscriber.beat()
      if (subscriber.isOpen && now >= upkeep.recheckAt) void this.#recheck(subscriber, upkeep)
    }
  }

  /**
   * Sends a heartbeat to every stream at once, so that clients need not wait for its slot to learn that the backend is
   * unreachable.
   */
  beatAll(): void {
    for (const subscriber of this.#upkeep.keys()) subscriber.beat()
  }

  /** Ends a member's streams with a final error, in one room or in all. */
  revoke(memberId: string, room?: string): void {
    for (const subscriber of this.#upkeep.keys()) {
      if (room !== undefined && subscriber.room.id !== room) continue
      if (subscriber.reader === memberId) revoke(subscriber)
    }
  }

  /**
   * Refuses new streams and ends the open ones, spread over `drainMs` so that their clients do not all reconnect at
   * once.
   */
  async drain(): Promise<void> {
    this.#isDraining = true
    const leaving = [...this.#upkeep.keys()]
    const steps = Math.min(leaving.length, drainSteps)
    // All steps end the same number of streams, to within one.
    const before = (step: number) => Math.floor((step * leaving.length) / steps)
    for (let step = 0; step < steps; step++) {
      await new Promise<void>((resolve) => this.#clock.after(this.#timing.drainMs / drainSteps, resolve))
      for (const subscriber of leaving.slice(before(step), before(step + 1))) subscriber.end('draining')
    }
    // Waits for one more step, because the last streams still have to write their bye.
    await new Promise<void>((resolve) => this.#clock.after(this.#timing.drainMs / drainSteps, resolve))
  }

  /** Ends every stream at once. */
  close(): void {
    this.#isDraining = true
    for (const subscriber of this.#upkeep.keys()) subscriber.end('draining')
  }

  /**
   * True when the stream's connection has been gone for `closedMs`: its client is dead, and only a proxy holds the
   * socket.
   */
  #isAbandoned(subscriber: Subscriber, upkeep: Upkeep, now: number): boolean {
    if (subscriber.connectionId === null || upkeep.isOnSocket) return false
    if (ownsConnection(subscriber)) {
      upkeep.presentAt = now
      return false
    }
    return upkeep.presentAt !== null && now - upkeep.presentAt >= this.#timing.closedMs
  }

  #isExpired({ expiresAt }: Upkeep): boolean {
    return expiresAt !== null && expiresAt <= this.#clock.date()
  }

  /**
   * Ends the stream when its identity expires. When the wall clock was stepped back meanwhile, the timer is early and
   * is set again.
   */
  #awaitExpiry(subscriber: Subscriber, upkeep: Upkeep): void {
    if (upkeep.expiresAt === null) return
    const leftMs = upkeep.expiresAt.getTime() - this.#clock.date().getTime()
    upkeep.cancelExpiry = this.#clock.after(leftMs, () => {
      if (this.#isExpired(upkeep)) subscriber.end('expired')
      else this.#awaitExpiry(subscriber, upkeep)
    })
  }

  async #recheck(subscriber: Subscriber, upkeep: Upkeep): Promise<void> {
    upkeep.recheckAt = this.#clock.now() + this.#timing.recheckMs
    // Only a clear refusal ends a stream. When the app cannot answer now, it is asked again after `recheckMs`.
    const mayRead = await upkeep.recheck().catch((error: unknown) => !isRefusal(error))
    if (!mayRead) revoke(subscriber)
  }

  #detach(subscriber: Subscriber, by: 'peer' | 'server'): void {
    const { room, connectionId } = subscriber
    this.#upkeep.get(subscriber)?.cancelExpiry()
    this.#upkeep.delete(subscriber)
    this.#limits.delete(subscriber)
    this.#beats.delete(subscriber)
    room.subscribers.delete(subscriber)
    this.#metrics.streamEnded(subscriber.endedBy ?? 'closed')
    // A reader that disconnected may be gone, or may be reconnecting. The end of a stream that the server ended says
    // nothing about its reader.
    if (by === 'peer' && connectionId !== null && ownsConnection(subscriber))
      room.act({ type: 'shorten', connectionId, leaseMs: this.#timing.closedMs }).catch(() => {})
  }
}

/**
 * Returns whether the stream's connection is present and belongs to the member of the stream. Somebody who learned a
 * connectionKey may have opened a stream with it while the owner of the key was away. Once the owner is back, such a
 * stream only watches.
 */
function ownsConnection({ memberId, connectionId, room }: Subscriber): boolean {
  const known = connectionId === null ? undefined : room.timeline.connection(connectionId)
  return known !== undefined && (memberId === null || known.memberId === memberId)
}

const revoke = (subscriber: Subscriber) =>
  subscriber.end(
    'revoked',
    new LocationError('forbidden', 'You may no longer read this room: ask its owner for access.'),
  )

const isRefusal = (error: unknown) =>
  error instanceof LocationError && (error.code === 'forbidden' || error.code === 'unauthorized')
