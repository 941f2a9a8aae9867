import type { Clock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import type { Hello } from '../../shared/events.js'
import type { LimitedCaller } from '../options/caller.js'
import type { Limits } from '../options/limits.js'
import type { LiveRoom } from './live-room.js'
import type { Metrics } from '../options/metrics.js'
import { StreamLimits } from './stream-limits.js'
import { Subscriber } from './subscriber.js'
import type { Timing } from '../options/timing.js'
import { TimerWheel } from './timer-wheel.js'

const minBeatSlots = 100
const drainSteps = 100

export type StreamOptions = {
  room: LiveRoom
  /** Whose stream it is; `null` when it only watches. */
  connectionId: string | null
  memberId: string | null
  /** Where it is counted; `null`: nowhere. */
  address?: string | null
  lastEventId: string | null | undefined
  /** When the caller's identity ends, in milliseconds since the epoch. */
  expiresAt: number | null
  /** Whether the caller may still read. */
  recheck: () => Promise<boolean>
}

/** What a stream has to expect, apart from frames. */
type Upkeep = {
  rotateAt: number
  /** Whoever opened it takes its first frame until then. */
  beginBy: number
  recheckAt: number
  /** When its connection was last seen present; `null` before. */
  presentAt: number | null
  recheck: () => Promise<boolean>
  callOffExpiry: () => void
}

/** The open streams of this process: their beats, and their ends. */
export class StreamRegistry {
  readonly #clock: Clock
  readonly #timing: Timing
  readonly #metrics: Metrics
  readonly #shares: StreamLimits
  readonly #upkeep = new Map<Subscriber, Upkeep>()
  /** Everyone hears a beat in a slot of their own, so that there is no herd. */
  readonly #beats: TimerWheel<Subscriber>
  readonly #beatSlots: number
  #isDraining = false

  constructor({ clock, timing, limits, metrics }: { clock: Clock; timing: Timing; limits: Limits; metrics: Metrics }) {
    this.#clock = clock
    this.#metrics = metrics
    this.#timing = timing
    this.#shares = new StreamLimits(limits, timing.beatMs)
    // Rooms are swept by the same turns, so these come at least that often.
    this.#beatSlots = Math.max(minBeatSlots, Math.ceil(timing.beatMs / timing.sweepMs))
    this.#beats = new TimerWheel(this.#beatSlots)
  }

  get size(): number {
    return this.#upkeep.size
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  /** How often `turn` is to be called. */
  get turnMs(): number {
    return this.#timing.beatMs / this.#beatSlots
  }

  /** @throws LocationError `unavailable` when this process drains or is full, `rate-limited` when the caller has enough. */
  assertOneMore(who: LimitedCaller, room: string): void {
    if (this.#isDraining) throw new LocationError('unavailable', 'This server is going down: connect again.')
    this.#shares.assertOneMore(who, room)
  }

  /** Opens a stream, attached to its room from now on. */
  open({ room, connectionId, memberId, address = null, lastEventId, expiresAt, recheck }: StreamOptions): Subscriber {
    this.assertOneMore({ memberId, address }, room.id)
    this.#shares.oldestTooMany(memberId, room.id)?.end('replaced')
    const { beatMs, leaseMs, postMs, requestMs, rotateMs, recheckMs } = this.#timing
    const hello: Hello = { type: 'hello', protocol: 1, connectionId, beatMs, leaseMs, postMs }
    const version = room.timeline.resumable(lastEventId)
    const onClosed = (closed: Subscriber, by: 'peer' | 'server') => this.#detach(closed, by)
    const subscriber = new Subscriber({ room, connectionId, memberId, hello, version, onClosed })
    const now = this.#clock.now()
    const callOffExpiry =
      expiresAt === null ? () => {} : this.#clock.after(expiresAt - now, () => subscriber.end('expired'))
    const rotateAt = now + rotateMs * (0.8 + 0.2 * Math.random())
    const upkeep = { rotateAt, beginBy: now + requestMs, recheckAt: now + recheckMs, presentAt: null }
    this.#upkeep.set(subscriber, { ...upkeep, recheck, callOffExpiry })
    this.#shares.add(subscriber, address)
    this.#beats.add(subscriber, Math.random())
    room.subscribers.add(subscriber)
    return subscriber
  }

  /** Serves the next slot: beats, and the streams whose time is over. */
  turn(): void {
    const now = this.#clock.now()
    for (const subscriber of this.#beats.turn()) {
      const upkeep = this.#upkeep.get(subscriber)!
      if (now >= upkeep.rotateAt) subscriber.end('rotated')
      else if (this.#isForsaken(subscriber, upkeep, now)) subscriber.end('slow')
      // tRPC with its streams switched off refuses what the resolver gave it, and tells nobody.
      else if (!subscriber.hasBegun && now >= upkeep.beginBy) subscriber.close()
      else subscriber.beat()
      if (now >= upkeep.recheckAt) void this.#recheck(subscriber, upkeep)
    }
  }

  /** A beat to everybody, out of turn: what it says is not to wait. */
  beatAll(): void {
    for (const subscriber of this.#upkeep.keys()) subscriber.beat()
  }

  /** Ends a member's streams for good. */
  revoke(memberId: string, room?: string): void {
    for (const subscriber of this.#upkeep.keys()) {
      if (room !== undefined && subscriber.room.id !== room) continue
      if (memberOf(subscriber) === memberId) revoke(subscriber)
    }
  }

  /** Takes no more streams and ends the open ones, spread so that their clients do not all come back at once. */
  async drain(): Promise<void> {
    this.#isDraining = true
    const leaving = [...this.#upkeep.keys()]
    const steps = Math.min(leaving.length, drainSteps)
    // As many in each step, to within one.
    const before = (step: number) => Math.floor((step * leaving.length) / steps)
    for (let step = 0; step < steps; step++) {
      await new Promise<void>((resolve) => this.#clock.after(this.#timing.drainMs / drainSteps, resolve))
      for (const subscriber of leaving.slice(before(step), before(step + 1))) subscriber.end('draining')
    }
    // The last of them are still writing their bye.
    await new Promise<void>((resolve) => this.#clock.after(this.#timing.drainMs / drainSteps, resolve))
  }

  /** Ends every stream at once. */
  close(): void {
    this.#isDraining = true
    for (const subscriber of this.#upkeep.keys()) subscriber.end('draining')
  }

  /** Its connection answered beats and was lost since: nobody reads at the other end, but a proxy that keeps the socket. */
  #isForsaken({ room, connectionId }: Subscriber, upkeep: Upkeep, now: number): boolean {
    if (connectionId === null) return false
    if (room.timeline.connection(connectionId)) upkeep.presentAt = now
    return upkeep.presentAt !== null && now - upkeep.presentAt >= this.#timing.closedMs
  }

  async #recheck(subscriber: Subscriber, upkeep: Upkeep): Promise<void> {
    upkeep.recheckAt = this.#clock.now() + this.#timing.recheckMs
    // An app that cannot answer now is asked again; only a clear no ends a stream.
    const mayRead = await upkeep.recheck().catch((error: unknown) => !isRefusal(error))
    if (!mayRead) revoke(subscriber)
  }

  #detach(subscriber: Subscriber, by: 'peer' | 'server'): void {
    const { room, connectionId } = subscriber
    this.#upkeep.get(subscriber)?.callOffExpiry()
    this.#upkeep.delete(subscriber)
    this.#shares.delete(subscriber)
    this.#beats.delete(subscriber)
    room.subscribers.delete(subscriber)
    this.#metrics.streamEnded(subscriber.endedBy ?? 'closed')
    // Its reader may be gone, or only moving elsewhere. A stream that the server cuts says nothing about its reader.
    if (by === 'peer' && connectionId !== null)
      room.act({ type: 'shorten', connectionId, leaseMs: this.#timing.closedMs }).catch(() => {})
  }
}

/** Whose stream it is: where nobody has a name, the member that its connection belongs to. */
function memberOf({ memberId, connectionId, room }: Subscriber): string | null {
  if (memberId !== null || connectionId === null) return memberId
  return room.timeline.connection(connectionId)?.memberId ?? null
}

const revoke = (subscriber: Subscriber) =>
  subscriber.end(
    'revoked',
    new LocationError('forbidden', 'You may no longer read this room: ask its owner for access.'),
  )

const isRefusal = (error: unknown) =>
  error instanceof LocationError && (error.code === 'forbidden' || error.code === 'unauthorized')
