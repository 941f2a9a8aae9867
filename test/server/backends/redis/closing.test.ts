import { manualClock } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { backendOver } from '../../../../src/server/backends/redis/backend.js'
import type { RedisPort } from '../../../../src/server/backends/redis/clients/client-port.js'
import { Subscriptions } from '../../../../src/server/backends/redis/clients/subscriptions.js'
import { actScript, probeScript } from '../../../../src/server/backends/redis/script.js'
import type { RoomOptions } from '../../../../src/server/rules/backend.js'
import { defaultLimits } from '../../../../src/server/options/limits.js'
import { defaultTiming } from '../../../../src/server/options/timing.js'

/** A Redis that answers health checks at once and scripts of rooms when it is told to. */
function fakeRedis({ isCluster = false } = {}) {
  const listeners = new Map<string, (message: string) => void>()
  const commands: string[][] = []
  let answer = () => {}
  const emptyRoom = ['epochepoch', '1', '', '', ['done'], ['1', [], [], []]]
  const port: RedisPort = {
    isCluster,
    async send(key, command) {
      commands.push(command)
      if (command[0] === 'XREVRANGE' || command[0] === 'XRANGE') return []
      if (command[1] === probeScript.sha1) listeners.get(key)?.(command.at(-1)!)
      if (command[1] === actScript.sha1) await new Promise<void>((resolve) => (answer = resolve))
      return emptyRoom
    },
    async subscribe(channel, listener) {
      listeners.set(channel, listener)
      return async () => void listeners.delete(channel)
    },
    onGap() {},
    async close() {},
  }
  return { port, listeners, commands, answer: () => answer() }
}

function stage(options?: { isCluster: boolean }) {
  const clock = manualClock()
  const redis = fakeRedis(options)
  const backend = backendOver(redis.port, {}, clock)
  const rules = { ...defaultLimits, ...defaultTiming }
  const room: RoomOptions = { clock, rules, startedAt: 0, sweepMs: 250, onCommit() {}, onReset() {} }
  return { clock, redis, backend, open: () => backend.open('r', room) }
}

test.each([{ isCluster: false }, { isCluster: true }])(
  'a room that Redis opens after its backend was closed is closed: it polls no more (%o)',
  async (options) => {
    const { clock, redis, backend, open } = stage(options)
    const opening = open().catch((error: unknown) => error)
    await clock.advance(100)
    const channels = redis.listeners.size
    await backend.close()
    redis.answer()
    expect(await opening).toMatchObject({ code: 'closed' })
    await clock.advance(0)
    expect(redis.listeners.size).toBe(channels - 1)
    const { length } = redis.commands
    await clock.advance(600_000)
    expect(redis.commands).toHaveLength(length)
  },
)

test('a backend that was closed opens no room, and sends nothing to Redis for it', async () => {
  const { clock, redis, backend, open } = stage({ isCluster: true })
  await clock.advance(100)
  await backend.close()
  const { length } = redis.commands
  await expect(open()).rejects.toMatchObject({ code: 'closed' })
  await clock.advance(600_000)
  expect(redis.commands).toHaveLength(length)
})

test('a backend that is closed while it is checked for the first room opens no room', async () => {
  const { clock, redis, backend, open } = stage()
  const opening = open().catch((error: unknown) => error)
  await backend.close()
  expect(await opening).toMatchObject({ code: 'closed' })
  await clock.advance(600_000)
  expect(redis.commands.filter(([, sha1]) => sha1 === actScript.sha1)).toEqual([])
})

test('subscriptions that were closed connect no more', async () => {
  let connections = 0
  const subscriptions = new Subscriptions(() => {
    connections += 1
    return { subscribe: async () => async () => {}, close() {} }
  })
  subscriptions.close()
  await expect(subscriptions.subscribe('a', () => {})).rejects.toThrow('closed')
  await expect(subscriptions.reconnect()).rejects.toThrow('closed')
  expect(connections).toBe(1)
})

test('a connection that cannot be closed fails the subscriptions that wait for it all the same', async () => {
  const subscriptions = new Subscriptions(() => ({
    subscribe: () => new Promise(() => {}),
    close() {
      throw new Error('no')
    },
  }))
  const waiting = subscriptions.subscribe('a', () => {})
  expect(() => subscriptions.close()).toThrow('no')
  await expect(waiting).rejects.toThrow('closed')
})
