import { backgroundClock, type Clock } from '../../../shared/clock.js'
import type { Backend } from '../../rules/backend.js'
import { keysOf, partOf, pulseKey, revocationsKey } from './keys.js'
import type { RedisHealth } from './redis-health.js'
import { ClusterHealth } from './cluster-health.js'
import { nodeRedisPort, type NodeRedisClient } from './node-redis.js'
import type { RedisPort } from './client-port.js'
import { checkRequirements } from './requirements.js'
import { Revocations, type Revocation } from './revocations.js'
import { RedisRoom } from './redis-room.js'

export type RedisBackendOptions = (
  | {
      /** Of node-redis: a client, cluster or sentinel that you have connected and will close. */
      client: NodeRedisClient
      port?: never
    }
  | {
      /** Over another client: `ioredisPort(client)`, or one of your own. */
      port: RedisPort
      client?: never
    }
) & {
  /** What our keys and channels begin with. Default `hereabouts`. */
  prefix?: string
  /** How long Redis may take to answer before a post is refused. Default 750. */
  timeoutMs?: number
  /** How often Redis is asked whether it is there. Default 1,000. */
  pulseMs?: number
  /** How long a room that no process has open stays in Redis. Default 900,000. */
  keepMs?: number
  /** For tests: the time that rooms go by. Default: the clock of Redis. */
  time?: Clock
}

/**
 * Rooms in Redis 7 or later, or Valkey, shared by every process that is given the same one: single, replicated or a
 * cluster. The client is yours; subscriptions go over a duplicate of it, which is closed with the backend.
 *
 * @throws LocationError `misconfigured` for a client that puts a prefix of its own before keys.
 */
export function redisBackend(options: RedisBackendOptions): Backend {
  return backendOver(options.port ?? nodeRedisPort(options.client), options, backgroundClock)
}

/** @param clock what waits and timeouts go by. */
export function backendOver(
  port: RedisPort,
  options: Omit<RedisBackendOptions, 'port' | 'client'>,
  clock: Clock,
): Backend {
  const { prefix = 'hereabouts', timeoutMs = 750, pulseMs = 1_000, keepMs = 900_000, time = null } = options
  const rooms = new Map<RedisRoom, string>()
  const revokeListeners = new Set<(memberId: string, room?: string) => void>()
  const revocations = new Revocations(port, revocationsKey(prefix))

  let carriedOut: Promise<unknown> = Promise.resolve()
  const carryOut = ({ memberId, room }: Revocation) => {
    for (const listener of revokeListeners) listener(memberId, room)
    const concerned = [...rooms].filter(([, id]) => room === undefined || id === room)
    carriedOut = Promise.allSettled([carriedOut, ...concerned.map(([each]) => each.revoke(memberId))])
  }
  let isListening = false
  const pulse = async () => {
    if (!isListening) {
      await revocations.listen(() => void links.main.pulse())
      isListening = true
    }
    await revocations.read(carryOut)
  }
  const pulseOf = (part: number) => {
    const key = pulseKey(part, prefix)
    return port.send(key, ['HLEN', key])
  }
  // After a gap all rooms are looked at, but not all at once.
  const lookAgain = (link?: RedisHealth) => {
    for (const room of rooms.keys()) {
      if (link && room.link !== link) continue
      clock.after(Math.random() * (pulseMs / 2), () => void room.refresh().catch(() => {}))
    }
  }
  port.onGap(() => lookAgain())
  const pulseOfPart = port.isCluster ? pulseOf : null
  const links = new ClusterHealth({ port, clock, timeoutMs, pulseMs, pulse, pulseOfPart, onBack: lookAgain })
  let started: Promise<void> | undefined

  return {
    async open(id, roomOptions) {
      // Revocations are listened for before there is anything to revoke.
      await (started ??= links.main.pulse())
      if (!isListening) throw new Error('Redis is out of reach.')
      const link = links.to(partOf(id))
      link.assertUp()
      const keys = keysOf(id, prefix)
      const room = await RedisRoom.open({ ...roomOptions, port, link, keys, keepMs, time, random: Math.random })
      rooms.set(room, id)
      // All of Redis is told of by the backend.
      const unlisten = port.isCluster ? link.onHealth((health) => roomOptions.onHealth?.(health)) : () => {}
      return {
        state: room.state,
        act: (actions) => room.act(actions),
        refresh: () => room.refresh(),
        async close() {
          rooms.delete(room)
          unlisten()
          await room.close()
        },
      }
    },
    async ready(logger) {
      try {
        await links.main.within(checkRequirements(port, prefix, logger))
      } catch (error) {
        if (isRefusal(error)) throw error
        logger.warn('Redis cannot be used yet: until it can, rooms cannot be opened.', { error })
      }
    },
    async revoke(memberId, room) {
      await revocations.add({ memberId, room }, links.main)
      await links.main.pulse()
      await carriedOut
    },
    onRevoke(listener) {
      revokeListeners.add(listener)
      return () => revokeListeners.delete(listener)
    },
    onHealth: (listener) => links.onHealth(listener),
    async close() {
      links.close()
      revokeListeners.clear()
      await Promise.allSettled([...rooms.keys()].map((room) => room.close()))
      rooms.clear()
      await port.close()
    },
  }
}

const isRefusal = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'misconfigured'
