import { backgroundClock, type Clock } from '../../../shared/clock.js'
import type { Backend } from '../../backend.js'
import { keysOf, revocationsKey } from './keys.js'
import { Link } from './link.js'
import { nodeRedisPort, type NodeRedisClient } from './node-redis.js'
import type { RedisPort } from './port.js'
import { checkRequirements } from './requirements.js'
import { Revocations, type Revocation } from './revocations.js'
import { SharedRoom } from './shared-room.js'

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
  const rooms = new Map<SharedRoom, string>()
  const revokeListeners = new Set<(memberId: string, room?: string) => void>()
  const revocations = new Revocations(port, revocationsKey(prefix))

  const carryOut = async ({ memberId, room }: Revocation) => {
    for (const listener of revokeListeners) listener(memberId, room)
    const concerned = [...rooms].filter(([, id]) => room === undefined || id === room)
    await Promise.all(concerned.map(([each]) => each.act([{ type: 'revoke', memberId }])))
  }
  let isListening = false
  const pulse = async () => {
    if (!isListening) {
      await revocations.listen(() => void link.pulse())
      isListening = true
    }
    await revocations.read(carryOut)
  }
  let started: Promise<void> | undefined
  const link = new Link({ port, clock, timeoutMs, pulseMs, pulse })
  // After a gap all rooms are looked at, but not all at once.
  const lookAgain = () => {
    for (const room of rooms.keys())
      clock.after(Math.random() * (pulseMs / 2), () => void room.refresh().catch(() => {}))
  }
  port.onGap(lookAgain)
  link.onHealth((health) => health === 'up' && lookAgain())

  return {
    async open(id, roomOptions) {
      // Revocations are listened for before there is anything to revoke.
      await (started ??= link.pulse())
      link.assertUp()
      const keys = keysOf(id, prefix)
      const room = await SharedRoom.open({ ...roomOptions, port, link, keys, keepMs, time, random: Math.random })
      rooms.set(room, id)
      return {
        state: room.state,
        act: (actions) => room.act(actions),
        refresh: () => room.refresh(),
        async close() {
          rooms.delete(room)
          await room.close()
        },
      }
    },
    async ready(logger) {
      try {
        await link.within(checkRequirements(port, prefix, logger))
      } catch (error) {
        if (isRefusal(error)) throw error
        logger.warn('Redis cannot be used yet: until it can, rooms cannot be opened.', { error })
      }
    },
    async revoke(memberId, room) {
      await revocations.add({ memberId, room }, link)
      await link.pulse()
    },
    onRevoke(listener) {
      revokeListeners.add(listener)
      return () => revokeListeners.delete(listener)
    },
    onHealth: (listener) => link.onHealth(listener),
    async close() {
      link.close()
      revokeListeners.clear()
      await Promise.allSettled([...rooms.keys()].map((room) => room.close()))
      rooms.clear()
      await port.close()
    },
  }
}

const isRefusal = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'misconfigured'
