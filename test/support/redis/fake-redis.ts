import { manualClock } from '../../../src/testing/manual-clock.js'
import { backendOver } from '../../../src/server/backends/redis/backend.js'
import type { RedisPort } from '../../../src/server/backends/redis/clients/client-port.js'
import type { RedisBackendOptions } from '../../../src/server/backends/redis/backend.js'
import type { RoomOptions, RoomState, Commit } from '../../../src/server/rules/backend.js'
import { SimRedis } from '../../simulation/sim-redis.js'
import type { Chance } from '../../simulation/chance.js'
import type { SimClock } from '../../simulation/sim-clock.js'
import { rules } from '../histories.js'

/*
 * A Redis in memory, for tests of the backend on a manual clock. It answers as the real scripts do, without loss and
 * without delay, except where a test makes commands or subscriptions fail.
 */

type Fault = Error | 'silence' | null

/** What a test may change in a port, and what it observes there. */
export type PortState = {
  /** Called with each command. An error fails it; 'silence' leaves it without an answer. */
  onCommand: (command: readonly string[], key: string) => Fault
  /** Called with each channel before it is subscribed to. */
  onSubscribe: (channel: string) => Fault
  /** Resolves before a subscription is confirmed. */
  confirmed: Promise<void>
  /** The channels that are subscribed to now. */
  readonly channels: string[]
  readonly commands: string[][]
  isClosed: boolean
  /** True while the subscribing connection receives nothing. */
  isDeaf: boolean
  reconnects: number
  /** Reports that the subscribing connection was lost and replaced. */
  lose(): void
}

const steadily = { is: () => false, between: () => 0 } as unknown as Chance
const unwatched = { lost() {}, acted() {} }

export function fakeRedis() {
  const clock = manualClock()
  const simClock = {
    ...clock,
    wallMs: () => clock.date().getTime(),
    // Time passes in a promise, so that a command is answered without the clock.
    pass: async () => {},
    after: (_ms: number, run: () => void) => (queueMicrotask(run), () => {}),
  }
  const redis = new SimRedis(simClock as unknown as SimClock, steadily, unwatched)

  function connect(isCluster = false): { port: RedisPort; state: PortState } {
    const inner = redis.port()
    const state: PortState = {
      onCommand: () => null,
      onSubscribe: () => null,
      confirmed: Promise.resolve(),
      channels: [],
      commands: [],
      isClosed: false,
      isDeaf: false,
      reconnects: 0,
      lose: () => inner.lose(),
    }
    const failed = (fault: Fault): Promise<never> | null => {
      if (fault === 'silence') return new Promise<never>(() => {})
      return fault && Promise.reject(fault)
    }
    const port: RedisPort = {
      isCluster,
      async send(key, command) {
        state.commands.push(command)
        return (await failed(state.onCommand(command, key))) ?? inner.send(key, command)
      },
      async subscribe(channel, listener) {
        await failed(state.onSubscribe(channel))
        await state.confirmed
        const unsubscribe = await inner.subscribe(channel, (message) => state.isDeaf || listener(message))
        state.channels.push(channel)
        return async () => {
          state.channels.splice(state.channels.indexOf(channel), 1)
          await unsubscribe()
        }
      },
      onGap: (listener) => inner.onGap(listener),
      async reconnect() {
        state.reconnects += 1
      },
      async close() {
        state.isClosed = true
        await inner.close()
      },
    }
    return { port, state }
  }

  /** A backend over this Redis, with the events that it reports. */
  function backend(options: Omit<RedisBackendOptions, 'port' | 'client'> = {}, isCluster = false) {
    const { port, state } = connect(isCluster)
    const backend = backendOver(port, options, clock)
    const health: string[] = []
    const revoked: unknown[] = []
    backend.onHealth((each, error) => health.push(error ? `${each}: ${error.message}` : each))
    backend.onRevoke((...each) => revoked.push(each))
    const open = async (id: string, own: Partial<RoomOptions> = {}) => {
      const commits: Commit[] = []
      const resets: RoomState[] = []
      const opening = backend.open(id, {
        clock,
        rules,
        startedAt: clock.now(),
        sweepMs: 250,
        onCommit: (commit) => commits.push(commit),
        onReset: (state) => resets.push(state),
        ...own,
      })
      return { room: await opening, commits, resets }
    }
    return { backend, state, health, revoked, open }
  }
  return { clock, redis, connect, backend }
}
