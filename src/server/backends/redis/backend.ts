import type { Clock } from '../../../shared/clock.js'
import { backgroundClock } from '../../../shared/background-clock.js'
import { LocationError } from '../../../shared/errors.js'
import type { Logger } from '../../options/logger.js'
import type { Backend, BackendHealth, BackendRoom, RoomOptions } from '../../rules/backend.js'
import { newEpoch } from '../../rules/ids.js'
import { keysOf, partOf, probeKey, revocationsKey } from './keys.js'
import type { RedisHealth } from './health/redis-health.js'
import { ClusterHealth } from './health/cluster-health.js'
import { HealthProbe } from './health/health-probe.js'
import { SubscriberRepair } from './health/subscriber-repair.js'
import { nodeRedisPort, type NodeRedisClient } from './clients/node-redis.js'
import type { RedisPort } from './clients/client-port.js'
import { checkRequirements } from './requirements.js'
import { Revocations, type Revocation } from './revocations.js'
import { checkRedisClient, checkRedisOptions } from './redis-options.js'
import { RedisRoom } from './redis-room.js'
import { faultOf } from './health/redis-fault.js'

/** The options of `redisBackend`: a client or a port, the prefix of the keys, and times in milliseconds. */
export type RedisBackendOptions = (
  | {
      /** A connected node-redis client, cluster or sentinel. You close it. */
      client: NodeRedisClient
      port?: never
    }
  | {
      /** A port over another client: `ioredisPort(client)`, or an implementation of your own. */
      port: RedisPort
      client?: never
    }
) & {
  /** The prefix of all keys and channels. Default `hereabouts`. */
  prefix?: string
  /** Milliseconds after which an unanswered command fails and its post is rejected. Default 750. */
  timeoutMs?: number
  /** Milliseconds between health checks. Default 1,000. */
  pulseMs?: number
  /** Milliseconds that a room stays in Redis after its last use. Default 900,000. */
  keepMs?: number
  /** The clock of rooms, for tests. Default: the clock of Redis. */
  time?: Clock
}

/**
 * Returns a backend that keeps rooms in Redis 7 or later, or Valkey, shared by every process that uses the same Redis:
 * a single server, a replicated one or a cluster. The client is yours to close; subscriptions use a duplicate of it,
 * which is closed with the backend.
 *
 * @throws LocationError `misconfigured` for a client of another library, for a client with a key prefix of its own, and
 * for an unknown or wrong option.
 */
export function redisBackend(options: RedisBackendOptions): Backend {
  checkRedisClient(options)
  checkRedisOptions(options)
  return backendOver(options.port ?? nodeRedisPort(options.client), options, backgroundClock)
}

/** @param clock the clock of timers and timeouts. */
export function backendOver(
  port: RedisPort,
  options: Omit<RedisBackendOptions, 'port' | 'client'>,
  clock: Clock,
): Backend {
  return new RedisBackend(port, options, clock)
}

class RedisBackend implements Backend {
  readonly #port: RedisPort
  readonly #clock: Clock
  readonly #prefix: string
  readonly #pulseMs: number
  readonly #keepMs: number
  readonly #time: Clock | null
  readonly #rooms = new Map<RedisRoom, string>()
  readonly #revokeListeners = new Set<(memberId: string, room?: string) => void>()
  readonly #revocations: Revocations
  readonly #health: ClusterHealth
  /** Settles when the revocations read so far have been applied to all open rooms. */
  #applied: Promise<unknown> = Promise.resolve()
  readonly #timeoutMs: number
  readonly #repair: SubscriberRepair
  readonly #probes = new Map<number | 'revocations', HealthProbe>()
  /** The name of this process in its health checks. */
  readonly #process = newEpoch()
  #listening: Promise<unknown> | null = null
  #isListening = false
  #started: Promise<void> | undefined
  #isClosed = false

  constructor(port: RedisPort, options: Omit<RedisBackendOptions, 'port' | 'client'>, clock: Clock) {
    const { prefix = 'hereabouts', timeoutMs = 750, pulseMs = 1_000, keepMs = 900_000, time = null } = options
    this.#port = port
    this.#clock = clock
    this.#prefix = prefix
    this.#pulseMs = pulseMs
    this.#timeoutMs = timeoutMs
    this.#repair = new SubscriberRepair({ port, clock, waitMs: pulseMs })
    this.#keepMs = keepMs
    this.#time = time
    this.#revocations = new Revocations(port, revocationsKey(prefix))
    port.onGap(() => this.#refreshRooms())
    this.#health = new ClusterHealth({
      port,
      clock,
      timeoutMs,
      pulseMs,
      pulse: () => this.#pulse(),
      pulseOfPart: port.isCluster ? (part) => this.#probe(part) : null,
      onBack: (redis) => this.#refreshRooms(redis),
    })
  }

  async open(id: string, options: RoomOptions): Promise<BackendRoom> {
    this.#assertOpen()
    // This process subscribes to revocations before it opens a room, so that it misses none.
    await (this.#started ??= this.#health.main.pulse())
    this.#assertOpen()
    if (!this.#isListening) throw new Error('Redis is unreachable.')
    const redis = this.#health.to(partOf(id))
    redis.assertUp()
    const [port, keys, keepMs, time] = [this.#port, keysOf(id, this.#prefix), this.#keepMs, this.#time]
    const room = await RedisRoom.open({ ...options, port, redis, keys, keepMs, time, random: Math.random })
    if (this.#isClosed) {
      // Its subscription may have ended with the connection.
      await room.close().catch(() => {})
      throw closedError()
    }
    this.#rooms.set(room, id)
    // The backend reports outages of all of Redis. A room only reports outages of its own partition.
    const unlisten = port.isCluster ? redis.onHealth((fault) => options.onHealth?.(fault ? 'down' : 'up')) : () => {}
    return {
      state: room.state,
      act: (actions) => room.act(actions),
      refresh: () => room.refresh(),
      broadcast: (text) => room.broadcast(text),
      close: async () => {
        this.#rooms.delete(room)
        unlisten()
        await room.close()
      },
    }
  }

  async ready(logger: Logger): Promise<void> {
    try {
      await this.#health.main.within(checkRequirements(this.#port, this.#prefix, logger))
    } catch (error) {
      if (isMisconfigured(error)) throw error
      logger.warn('Redis cannot be used yet: until it can, rooms cannot be opened.', { error: faultOf(error) })
    }
    // Checks the health now, so that the first answer of /readyz is right.
    await this.#health.main.pulse()
  }

  async revoke(memberId: string, room?: string): Promise<void> {
    await this.#revocations.add({ memberId, room }, this.#health.main)
    await this.#health.main.within(this.#readRevocations())
    await this.#applied
  }

  onRevoke(listener: (memberId: string, room?: string) => void): () => void {
    this.#revokeListeners.add(listener)
    return () => this.#revokeListeners.delete(listener)
  }

  onHealth(listener: (health: BackendHealth, error?: Error) => void): () => void {
    return this.#health.onHealth(listener)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#health.close()
    this.#repair.close()
    this.#revokeListeners.clear()
    await Promise.allSettled([...this.#rooms.keys()].map((room) => room.close()))
    this.#rooms.clear()
    await this.#port.close()
  }

  #assertOpen(): void {
    if (this.#isClosed) throw closedError()
  }

  /**
   * Revocations are read even while Redis refuses writes or announcements do not arrive. Only a Redis that does not
   * answer stops the reading.
   */
  async #pulse(): Promise<void> {
    await Promise.all([this.#probe('revocations'), this.#hearRevocations().then(() => this.#readRevocations())])
  }

  async #hearRevocations(): Promise<void> {
    const onAnnounced = () => void this.#health.main.within(this.#readRevocations()).catch(() => {})
    this.#listening ??= this.#revocations.listen(onAnnounced).catch((error: unknown) => {
      this.#listening = null
      throw error
    })
    await this.#listening
    this.#isListening = true
  }

  #readRevocations(): Promise<void> {
    return this.#revocations.read((revocation) => this.#apply(revocation))
  }

  #probe(part: number | 'revocations'): Promise<void> {
    const known = this.#probes.get(part)
    if (known) return known.probe()
    const key = probeKey(part, this.#process, this.#prefix)
    const probe = new HealthProbe({
      port: this.#port,
      clock: this.#clock,
      key,
      timeoutMs: this.#timeoutMs,
      onAnswered: (answer) => this.#repair.learn(part, answer),
    })
    this.#probes.set(part, probe)
    return probe.probe()
  }

  #apply({ memberId, room }: Revocation): void {
    for (const listener of this.#revokeListeners) listener(memberId, room)
    const affected = [...this.#rooms].filter(([, id]) => room === undefined || id === room)
    this.#applied = Promise.allSettled([this.#applied, ...affected.map(([each]) => each.revoke(memberId))])
  }

  /** Refreshes the rooms of one Redis, or all rooms, after messages may have been missed. Jitter spreads the reads. */
  #refreshRooms(redis?: RedisHealth): void {
    for (const room of this.#rooms.keys()) {
      if (redis && room.redis !== redis) continue
      this.#clock.after(Math.random() * (this.#pulseMs / 2), () => void room.refresh().catch(() => {}))
    }
  }
}

const closedError = () => new LocationError('closed', 'This backend was closed: create a new one.')
const isMisconfigured = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'misconfigured'
