import type { Clock } from '../../shared/clock.js'
import { backgroundClock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import { memberProfile } from '../../shared/locations.js'
import type { Out, Schema, Unchanged } from '../../shared/schema-types.js'
import type { Action, Backend, StoredValue, Outcome } from '../rules/backend.js'
import { memoryBackend } from '../backends/memory.js'
import { hubRoom, type HubRoom } from './hub-room.js'
import { safeLogger, safeMetrics } from '../access/app-callbacks.js'
import { parseInput } from '../validation/parse-input.js'
import { assertPlainSchema } from '../validation/plain-schema.js'
import { toStoredValue } from '../validation/stored-value.js'
import { defaultLimits, type Limits } from '../options/limits.js'
import type { LiveRoom } from '../rooms/live-room.js'
import { nameInLogs, silentLogger, type Logger } from '../options/logger.js'
import { noMetrics, type Metrics, type Readings } from '../options/metrics.js'
import { mergeNumbers } from '../options/number-options.js'
import { RoomRegistry } from '../rooms/room-registry.js'
import { RateLimits } from '../access/rate-limits.js'
import { ownedError } from '../access/outcome-errors.js'
import { MembershipLimits } from '../access/membership-limits.js'
import { StreamRegistry, type StreamOptions } from '../rooms/stream-registry.js'
import type { Subscriber } from '../rooms/subscriber.js'
import { timingOf, type Timing, type TimingOptions } from '../options/timing.js'

export interface HubOptions<SL extends Schema, SP extends Schema> {
  /** What a location is: any zod 4 schema, classic or mini, whose input and output are the same plain JSON. */
  location: SL & Unchanged<SL>
  /** What others may know of a member. Default `memberProfile`: name, color?, avatar?. */
  profile?: SP & Unchanged<SP>
  /** What carries the rooms. Default `memoryBackend()`: one process. */
  backend?: Backend
  /** What anyone may use of this process; each has a default. */
  limits?: Partial<Limits>
  /** Durations of one's own, or all of them scaled; each has a default. */
  timing?: TimingOptions
  /** Default: the machine's. */
  clock?: Clock
  /** Default: silent. pino fits through `pinoLogger`. */
  logger?: Logger
  /** Default: nothing is counted. `prometheusMetrics()` of `hereabouts/server/prometheus` is one. */
  metrics?: Metrics
}

/** `degraded`: the backend is out of reach. `draining`: no more streams are taken. */
export type HubHealth = 'ready' | 'degraded' | 'draining'

export interface LocationHub<L, P> {
  /** Carries types, never a value. */
  readonly '~types'?: { location: L; profile: P }
  room(room: string): HubRoom<L, P>
  /** Ends a member's connections, streams and cached rights, in one room or in all, on every process. */
  revoke(memberId: string, room?: string): Promise<void>
  /**
   * Asks the backend whether it can do its work; `listen()` of a LocationServer does so. Resolves also when it is only out
   * of reach.
   *
   * @throws LocationError `misconfigured`: what its server lacks.
   */
  ready(): Promise<void>
  /** Whether a load balancer should send anybody here: what `/readyz` says, but for the event loop. */
  health(): HubHealth
  /** Takes no more streams and ends the open ones, spread over 20 seconds. Resolves when the last one is cut. */
  drain(): Promise<void>
  /** Ends everything at once. */
  close(): Promise<void>
}

/**
 * Makes the hub: the rooms of this process, and the rules they go by.
 *
 * @throws LocationError `misconfigured` for a schema that transforms, or that is more than JSON.
 */
export function createLocationHub<SL extends Schema, SP extends Schema = typeof memberProfile>(
  options: HubOptions<SL, SP>,
): LocationHub<Out<SL>, Out<SP>> {
  return new Hub(options as unknown as HubOptions<Schema, Schema>)
}

/** What `createLocationHub` makes, with what the router needs of it. */
export class Hub<L, P> implements LocationHub<L, P> {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly limits: Limits
  readonly timing: Timing
  readonly location: Schema
  readonly profile: Schema
  readonly rates: RateLimits
  readonly seats: MembershipLimits
  readonly streams: StreamRegistry
  readonly #backend: Backend
  readonly #rooms: RoomRegistry
  readonly #forgetters = new Set<(memberId: string) => void>()
  readonly #unlisten: (() => void)[]
  #isClosed = false

  constructor(options: HubOptions<Schema, Schema>) {
    const { location, profile = memberProfile } = options
    assertPlainSchema(location, 'location')
    assertPlainSchema(profile, 'profile')
    this.location = location
    this.profile = profile
    this.clock = options.clock ?? backgroundClock
    this.logger = options.logger ? safeLogger(options.logger) : silentLogger
    this.metrics = options.metrics ? safeMetrics(options.metrics) : noMetrics
    this.limits = mergeNumbers(defaultLimits, options.limits, 'limits')
    this.timing = timingOf(options.timing)
    this.#backend = options.backend ?? memoryBackend()
    const { clock, limits, timing } = this
    this.rates = new RateLimits(limits, clock, this.logger)
    this.seats = new MembershipLimits(limits)
    this.streams = new StreamRegistry({ clock, timing, limits, metrics: this.metrics })
    const { tombstoneMs } = timing
    const { roomConnections, memberConnections } = limits
    this.#rooms = new RoomRegistry({
      backend: this.#backend,
      rules: { tombstoneMs, roomConnections, memberConnections },
      clock,
      timing,
      metrics: this.metrics,
      logger: this.logger,
      turnMs: this.streams.turnMs,
      onTurn: () => this.streams.turn(),
    })
    this.#unlisten = [
      this.#backend.onRevoke((memberId, room) => this.#revoked(memberId, room)),
      this.#backend.onHealth((health) => void this.#setHealth(health)),
    ]
    this.metrics.watch(() => this.readings())
  }

  health(): HubHealth {
    if (this.#isClosed || this.streams.isDraining) return 'draining'
    return this.#rooms.isDegraded ? 'degraded' : 'ready'
  }

  /** What there is now. */
  readings(): Readings {
    const isReady = this.health() === 'ready'
    return { ...this.#rooms.readings(), streams: this.streams.size, isReady }
  }

  room(id: string): HubRoom<L, P> {
    return hubRoom(this, id)
  }

  async revoke(memberId: string, room?: string): Promise<void> {
    this.logger.info('revoked', { member: nameInLogs(memberId), ...(room !== undefined && { room: nameInLogs(room) }) })
    await this.#backend.revoke(memberId, room)
  }

  async ready(): Promise<void> {
    await this.#backend.ready(this.logger)
  }

  async drain(): Promise<void> {
    this.logger.info('draining', { streams: this.streams.size })
    await this.streams.drain()
    this.logger.info('drained')
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.streams.close()
    for (const unlisten of this.#unlisten) unlisten()
    await this.#rooms.close()
    await this.#backend.close()
  }

  /** A parsed location as it is stored. @throws LocationError `bad-input`, `too-large` */
  keepLocation(location: unknown): StoredValue {
    return toStoredValue(location, 'location', { maxBytes: this.limits.locationBytes, maxDepth: this.limits.depth })
  }

  /** A parsed profile as it is stored. @throws LocationError `bad-input`, `too-large` */
  keepProfile(profile: unknown): StoredValue {
    return toStoredValue(profile, 'profile', { maxBytes: this.limits.profileBytes, maxDepth: this.limits.depth })
  }

  /** What a schema of the app makes of a value. @throws LocationError `bad-input`, `unavailable` */
  parse(schema: Schema, value: unknown, extraDepth = 0): Promise<unknown> {
    return parseInput(schema, value, this.limits.depth + extraDepth, { clock: this.clock, hookMs: this.timing.hookMs })
  }

  /** A profile that the app's own code gave. @throws LocationError `bad-input`, `too-large` */
  async parseProfile(profile: unknown): Promise<StoredValue> {
    return this.keepProfile(await this.parse(this.profile, profile))
  }

  /** The lease that a post asks for. @throws LocationError `bad-input` outside its bounds. */
  leaseOf(leaseMs: number | undefined): number {
    const { leaseMs: usual, leaseMinMs, leaseMaxMs } = this.timing
    if (leaseMs === undefined) return usual
    if (leaseMs >= leaseMinMs && leaseMs <= leaseMaxMs) return leaseMs
    throw new LocationError('bad-input', `leaseMs: must be ${leaseMinMs} to ${leaseMaxMs}.`)
  }

  /** Has `forget` called with every member whose rights changed. */
  onRevoke(forget: (memberId: string) => void): void {
    this.#forgetters.add(forget)
  }

  /** Carries out one action in a room. @throws LocationError `unavailable` */
  act(id: string, action: Action): Promise<Outcome> {
    return this.use(id, (room) => room.act(action))
  }

  /** Opens a stream in a room. @throws LocationError `unavailable`, `rate-limited`, `connection-owned` */
  async subscribe(id: string, options: Omit<StreamOptions, 'room'>): Promise<Subscriber> {
    const { connectionId, memberId, lastEventId, address = null } = options
    this.streams.assertOneMore({ memberId, address }, id)
    return this.use(id, async (room) => {
      await room.catchUpWith(lastEventId)
      const known = connectionId === null ? undefined : room.timeline.connection(connectionId)
      if (known && memberId !== null && known.memberId !== memberId) throw ownedError()
      let subscriber: Subscriber | undefined
      this.seats.take({ memberId, address }, id, { isConnection: false, isHeld: () => subscriber?.isOpen === true })
      return (subscriber = this.streams.open({ ...options, room }))
    })
  }

  /** Runs `work` with a room of this process, which stays open for as long as that takes. @throws LocationError `unavailable` */
  use<T>(id: string, work: (room: LiveRoom) => T | Promise<T>): Promise<T> {
    return this.#rooms.use(id, work)
  }

  #revoked(memberId: string, room?: string): void {
    for (const forget of this.#forgetters) forget(memberId)
    this.streams.revoke(memberId, room)
  }

  async #setHealth(health: 'up' | 'down'): Promise<void> {
    const isDown = health === 'down'
    if (isDown) this.logger.error('the backend is out of reach')
    else this.logger.info('the backend is back')
    await this.#rooms.degrade(isDown)
    if (isDown) this.streams.beatAll()
  }
}
