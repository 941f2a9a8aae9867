import * as z from 'zod'
import type { Clock } from '../../shared/clock.js'
import { backgroundClock } from '../../shared/background-clock.js'
import { closeAll } from '../../shared/close-all.js'
import { LocationError } from '../../shared/errors.js'
import { normalName } from '../../shared/name-rule.js'
import { memberProfile } from '../../shared/locations.js'
import type { Connection, Hello, FeatureInfo } from '../../shared/events.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { LocksOption, OptionalBroadcasts, OptionalSchema, Schema, SchemaTypes } from '../../shared/schema-types.js'
import type { Action, Backend, BackendHealth, StoredValue, Outcome } from '../rules/backend.js'
import { memoryBackend } from '../backends/memory.js'
import { Broadcasting } from './broadcasting.js'
import { featuresOf, locksOf } from './hub-features.js'
import { hubOptionChecks, type HubOptions } from './hub-options.js'
import type { HubHealth, LocationHub } from './location-hub.js'
import { nameOf } from './given-name.js'
import { hubRoomLocks } from './hub-locks.js'
import { hubRoom } from './hub-room.js'
import { safeLogger, safeMetrics } from '../access/app-callbacks.js'
import { checkedBroadcasts } from '../validation/broadcast-schemas.js'
import { parseInput } from '../validation/parse-input.js'
import { assertAcceptsEmpty, assertPlainSchema } from '../validation/plain-schema.js'
import { toStoredValue } from '../validation/stored-value.js'
import { defaultLimits, limitRanges, type Limits } from '../options/limits.js'
import type { LiveRoom } from '../rooms/live-room.js'
import { nameInLogs, silentLogger, type Logger } from '../options/logger.js'
import { noMetrics, type Metrics, type Readings } from '../options/metrics.js'
import { mergeNumbers } from '../options/number-options.js'
import { assertOptions } from '../options/option-checks.js'
import { RoomRegistry } from '../rooms/room-registry.js'
import { RateLimits } from '../access/rate-limits.js'
import { ownedError } from '../access/outcome-errors.js'
import { MembershipLimits } from '../access/membership-limits.js'
import { StreamRegistry, type StreamOptions } from '../rooms/stream-registry.js'
import type { Subscriber } from '../rooms/subscriber.js'
import { timingOf, type Timing } from '../options/timing.js'

/**
 * Creates a hub, which holds the rooms of this process.
 *
 * @throws LocationError `misconfigured` for a schema that transforms or accepts more than JSON, and for an unknown or invalid
 * option, limit or duration; the message names it.
 */
export function createLocationHub<
  SL extends Schema,
  SP extends OptionalSchema = typeof memberProfile,
  const LK extends LocksOption = false,
  SV extends OptionalSchema = false,
  SB extends OptionalBroadcasts = undefined,
>(options: HubOptions<SL, SP, LK, SV, SB>): LocationHub<SchemaTypes<SL, SP, LK, SV, SB>> {
  assertOptions('createLocationHub', options, hubOptionChecks)
  return new Hub(options)
}

/** The implementation of `LocationHub`, with the methods that the router needs. */
export class Hub<T extends RoomTypes = RoomTypes> implements LocationHub<T> {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly limits: Limits
  readonly timing: Timing
  readonly location: Schema
  readonly profile: Schema
  readonly broadcasting: Broadcasting
  /** The schema of a presence value; `false` when this hub has no presence values. */
  readonly presence: OptionalSchema
  /** The lock settings that clients are told; `null` when places cannot be locked. */
  readonly locks: Hello['locks'] | null
  /** The features of the hub, as `hello` and the answers to polls list them. */
  readonly features: FeatureInfo
  readonly rateLimits: RateLimits
  readonly membershipLimits: MembershipLimits
  readonly streams: StreamRegistry
  readonly #backend: Backend
  readonly #rooms: RoomRegistry
  readonly #revokeListeners = new Set<(memberId: string) => void>()
  readonly #unlisten: (() => void)[]
  #closing: Promise<void> | undefined

  constructor(options: HubOptions<Schema, OptionalSchema, LocksOption, OptionalSchema>) {
    const { location, presence = false } = options
    const profile = options.profile === false ? z.never() : (options.profile ?? memberProfile)
    assertPlainSchema(location, 'location')
    assertPlainSchema(profile, 'profile')
    if (presence !== false) {
      assertPlainSchema(presence, 'presence')
      assertAcceptsEmpty(presence)
    }
    this.location = location
    this.profile = profile
    this.presence = presence
    this.clock = options.clock ?? backgroundClock
    this.logger = options.logger ? safeLogger(options.logger) : silentLogger
    this.metrics = options.metrics ? safeMetrics(options.metrics) : noMetrics
    this.limits = mergeNumbers(defaultLimits, options.limits, 'limits', limitRanges)
    this.timing = timingOf(options.timing)
    this.#backend = options.backend ?? memoryBackend()
    const { clock, limits, timing } = this
    this.rateLimits = new RateLimits(limits, clock, this.logger)
    this.broadcasting = new Broadcasting(checkedBroadcasts(options.broadcasts), clock, limits, this.rateLimits)
    this.membershipLimits = new MembershipLimits(limits)
    const { tombstoneMs, lockMs, claimMs } = timing
    const { roomConnections, memberConnections, connectionLocks, roomLocks } = limits
    this.locks = locksOf(options.locks, lockMs)
    this.features = featuresOf(this)
    this.streams = new StreamRegistry({ clock, timing, limits, metrics: this.metrics, features: this.features })
    this.#rooms = new RoomRegistry({
      backend: this.#backend,
      rules: { tombstoneMs, roomConnections, memberConnections, lockMs, claimMs, connectionLocks, roomLocks },
      startedAt: clock.now(),
      clock,
      timing,
      metrics: this.metrics,
      logger: this.logger,
      broadcastEventBytes: limits.broadcastEventBytes,
      turnMs: this.streams.turnMs,
      onTurn: () => this.streams.turn(),
    })
    this.#unlisten = [
      this.#backend.onRevoke((memberId, room) => this.#onRevoked(memberId, room)),
      this.#backend.onHealth((health, error) => void this.#setHealth(health, error)),
    ]
    this.metrics.watch(() => this.readings())
  }

  health(): HubHealth {
    if (this.#closing || this.streams.isDraining) return 'draining'
    return this.#rooms.isDegraded ? 'degraded' : 'ready'
  }

  /** Returns the current readings, for metrics. */
  readings(): Readings {
    const isReady = this.health() === 'ready'
    return { ...this.#rooms.readings(), streams: this.streams.size, isReady }
  }

  room(id: string): ReturnType<LocationHub<T>['room']> {
    const room = hubRoom<T>(this, id)
    const locks = this.locks ? hubRoomLocks<T>(this, normalName(id)) : {}
    return { ...room, ...locks } as ReturnType<LocationHub<T>['room']>
  }

  async revoke(memberId: string, room?: string): Promise<void> {
    const member = nameOf(memberId, 'member')
    const only = room === undefined ? undefined : nameOf(room, 'room')
    this.logger.info('revoked', { member: nameInLogs(member), ...(only !== undefined && { room: nameInLogs(only) }) })
    await this.#backend.revoke(member, only)
  }

  async ready(): Promise<void> {
    await this.#backend.ready(this.logger)
  }

  async drain(): Promise<void> {
    this.logger.info('draining', { streams: this.streams.size })
    await this.streams.drain()
    this.logger.info('drained')
  }

  close(): Promise<void> {
    return (this.#closing ??= closeAll([
      () => this.streams.close(),
      ...this.#unlisten,
      () => this.#rooms.close(),
      () => this.#backend.close(),
    ]))
  }

  /** Converts a parsed location to the form in which it is stored. @throws LocationError `bad-input`, `too-large` */
  keepLocation(location: unknown): StoredValue {
    return toStoredValue(location, 'location', { maxBytes: this.limits.locationBytes, maxDepth: this.limits.depth })
  }

  /**
   * Converts the parsed location of a lock to the form in which it is stored.
   *
   * @throws LocationError `bad-input`, `too-large`
   */
  keepPlace(location: unknown): StoredValue {
    return toStoredValue(location, 'location', { maxBytes: this.limits.lockBytes, maxDepth: this.limits.depth })
  }

  /** Converts a parsed profile to the form in which it is stored. @throws LocationError `bad-input`, `too-large` */
  keepProfile(profile: unknown): StoredValue {
    return toStoredValue(profile, 'profile', { maxBytes: this.limits.profileBytes, maxDepth: this.limits.depth })
  }

  /** Converts a parsed presence value to the form in which it is stored. @throws LocationError `bad-input`, `too-large` */
  keepPresence(presence: unknown): StoredValue {
    const { presenceBytes: maxBytes, presenceKeys, depth: maxDepth } = this.limits
    const kept = toStoredValue(presence, 'presence value', { maxBytes, maxDepth })
    if (!kept.json.startsWith('{')) throw new LocationError('bad-input', 'A presence value must be an object.')
    const keys = Object.keys(kept.value as object).length
    if (keys > presenceKeys)
      throw new LocationError('too-large', `The presence value has ${keys} keys; the limit is ${presenceKeys}.`)
    return kept
  }

  /** Parses a value with a schema of the app. @throws LocationError `bad-input`, `unavailable` */
  parse(schema: Schema, value: unknown, extraDepth = 0): Promise<unknown> {
    return parseInput(schema, value, this.limits.depth + extraDepth, { clock: this.clock, hookMs: this.timing.hookMs })
  }

  /** Parses a profile that the app's own code returned. @throws LocationError `bad-input`, `too-large` */
  async parseProfile(profile: unknown): Promise<StoredValue> {
    return this.keepProfile(profile === null ? null : await this.parse(this.profile, profile))
  }

  /** Returns the lease for a post, in milliseconds. @throws LocationError `bad-input` outside the allowed range. */
  leaseOf(leaseMs: number | undefined): number {
    const { leaseMs: defaultMs, leaseMinMs, leaseMaxMs } = this.timing
    if (leaseMs === undefined) return defaultMs
    if (leaseMs >= leaseMinMs && leaseMs <= leaseMaxMs) return leaseMs
    throw new LocationError('bad-input', `leaseMs must be ${leaseMinMs} to ${leaseMaxMs}.`)
  }

  /** Registers a listener that is called with every revoked member. */
  onRevoke(listener: (memberId: string) => void): void {
    this.#revokeListeners.add(listener)
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
      const own = connectionId === null ? undefined : room.timeline.connection(connectionId)
      if (own && memberId !== null && own.memberId !== memberId) throw ownedError()
      let subscriber: Subscriber | undefined
      this.membershipLimits.take({ memberId, address }, id, {
        isConnection: false,
        isHeld: () => subscriber?.isOpen === true,
      })
      return (subscriber = this.streams.open({ ...options, room }))
    })
  }

  /** Runs `work` with a live room, which stays open until the result settles. @throws LocationError `unavailable` */
  use<T>(id: string, work: (room: LiveRoom) => T | Promise<T>): Promise<T> {
    return this.#rooms.use(id, work)
  }

  /** Returns a connection of a room, if this process has the room open and the connection is present. */
  async openConnection(id: string, connectionId: string): Promise<Connection | undefined> {
    return (await this.#rooms.openRoom(id))?.timeline.connection(connectionId)
  }

  #onRevoked(memberId: string, room?: string): void {
    for (const listener of this.#revokeListeners) listener(memberId)
    this.streams.revoke(memberId, room)
  }

  async #setHealth(health: BackendHealth, error?: Error): Promise<void> {
    const isDown = health === 'down'
    const details = error ? { error } : {}
    if (health === 'up') this.logger.info('the backend is back')
    else if (isDown) this.logger.error('the backend is out of reach', details)
    else this.logger.error('a part of the backend is out of reach', details)
    await this.#rooms.degrade(isDown)
    if (isDown) this.streams.beatAll()
  }
}
