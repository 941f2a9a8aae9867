import { Server } from 'node:net'
import { cellLocation } from 'hereabouts'
import { createLocationHub, memoryBackend, type Backend, type Clock } from 'hereabouts/server'
import { prometheusMetrics } from 'hereabouts/server/prometheus'
import { createLocationServer } from 'hereabouts/server/standalone'
import { Registry } from 'prom-client'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../../src/shared/clock.js'
import { raw } from '../../support/network/raw.js'

/** The servers that were told to listen. */
const servers = new Set<Server>()
const { listen } = Server.prototype
vi.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server, ...args: unknown[]) {
  servers.add(this)
  return listen.apply(this, args as never)
})
afterEach(() => servers.clear())

/** The system clock, and how many of its timers have neither run nor been cancelled. */
function countedClock() {
  const timers = new Set<object>()
  const clock: Clock = {
    ...systemClock,
    after(delayMs, run) {
      const timer = {}
      timers.add(timer)
      const cancel = systemClock.after(delayMs, () => {
        timers.delete(timer)
        run()
      })
      return () => {
        timers.delete(timer)
        cancel()
      }
    },
  }
  return { clock, timers }
}

/** The moments at which a start may be interrupted: after so many microtasks, or turns of the event loop. */
const moments: (() => Promise<void>)[] = [
  ...Array.from({ length: 40 }, (_, microtasks) => async () => {
    for (let i = 0; i < microtasks; i++) await Promise.resolve()
  }),
  ...Array.from({ length: 8 }, (_, turns) => async () => {
    for (let i = 0; i <= turns; i++) await new Promise((resolve) => setImmediate(resolve))
  }),
]

describe('close() at any moment of listen()', () => {
  test('close() at any moment of listen() leaves no open port, no listener and no timer of a server', async () => {
    // Loads the WebSockets, so that the moments are the same each time.
    await import('../../../src/server/websocket/handler.js')
    let refusals = 0
    for (const moment of moments) {
      const { clock, timers } = countedClock()
      const server = createLocationServer({ location: cellLocation, anonymous: true, webSocket: true, clock })
      const listening = server.listen(0).then(
        () => 'listening',
        (error: unknown) => error,
      )
      await moment()
      await server.close()
      const outcome = await listening
      if (outcome !== 'listening') refusals += 1
      if (outcome !== 'listening') expect(outcome).toMatchObject({ code: 'closed' })
      expect([...servers].filter((each) => each.listening || each.listenerCount('upgrade') > 0)).toEqual([])
      expect(timers.size).toBe(0)
      await expect(server.listen(0)).rejects.toMatchObject({ code: 'closed' })
    }
    expect(refusals).toBeGreaterThan(5)
    expect(refusals).toBeLessThan(moments.length)
  })

  test('close() at any moment of listen() leaves no open port of metrics, which may listen again', async () => {
    const metrics = prometheusMetrics({ register: new Registry() })
    let refusals = 0
    for (const moment of moments) {
      const listening = metrics.listen(0).then(
        () => 'listening',
        (error: unknown) => error,
      )
      await moment()
      await metrics.close()
      const outcome = await listening
      if (outcome !== 'listening') refusals += 1
      if (outcome !== 'listening') expect(outcome).toMatchObject({ code: 'closed' })
      expect([...servers].filter((each) => each.listening)).toEqual([])
    }
    expect(refusals).toBeGreaterThan(0)
    expect(refusals).toBeLessThan(moments.length)
  })

  test('a server that is closed while its backend is checked opens no port', async () => {
    let checked = () => {}
    const ready = () => new Promise<void>((resolve) => (checked = resolve))
    const backend = { ...memoryBackend(), ready }
    const server = createLocationServer({ location: cellLocation, anonymous: true, backend })
    const listening = server.listen(0)
    await server.close()
    checked()
    await expect(listening).rejects.toMatchObject({ code: 'closed' })
    expect(servers.size).toBe(0)
  })

  test('a server that is closed while it binds its port starts nothing, however long its backend takes to close', async () => {
    const { clock, timers } = countedClock()
    let closed = () => {}
    const close = () => new Promise<void>((resolve) => (closed = resolve))
    const backend = { ...memoryBackend(), close }
    const server = createLocationServer({ location: cellLocation, anonymous: true, backend, clock })
    const listening = server.listen(0).catch((error: unknown) => error)
    while (servers.size === 0) await Promise.resolve()
    const closing = server.close()
    expect(await listening).toMatchObject({ code: 'closed' })
    expect(timers.size).toBe(0)
    closed()
    await closing
    expect([...servers].map((each) => each.listening)).toEqual([false])
  })
})

test('two calls of listen() at once open one port and one WebSocket handler', async () => {
  const server = createLocationServer({ location: cellLocation, anonymous: true, webSocket: true })
  const [first, second] = [server.listen(0), server.listen(0)]
  await expect(second).rejects.toMatchObject({ code: 'misconfigured' })
  expect((await raw(`${(await first).url}/livez`)).status).toBe(200)
  expect([...servers].map((each) => each.listenerCount('upgrade'))).toEqual([1])
  await server.close()
  expect([...servers].map((each) => each.listening)).toEqual([false])
})

describe('a part that cannot be closed', () => {
  const broken = () => {
    throw new Error('the backend is broken')
  }

  test.each<[string, Partial<Backend>]>([
    ['a backend whose close() rejects', { close: async () => broken() }],
    ['a backend whose close() throws', { close: broken }],
    ['a backend whose listeners cannot be removed', { onRevoke: () => broken, onHealth: () => broken }],
  ])('%s leaves no port open, and close() reports the error', async (_what, part) => {
    const closed: string[] = []
    const memory = memoryBackend()
    const close = async () => void closed.push('backend')
    const backend = { ...memory, close, ...part }
    const server = createLocationServer({ location: cellLocation, anonymous: true, backend, webSocket: true })
    const { url } = await server.listen(0)
    await expect(server.close()).rejects.toThrow('the backend is broken')
    await expect(raw(`${url}/livez`, { agent: false })).rejects.toThrow('ECONNREFUSED')
    expect([...servers].map((each) => each.listenerCount('upgrade'))).toEqual([0])
    if (!('close' in part)) expect(closed).toEqual(['backend'])
  })

  test('a second close() reports what the first did', async () => {
    const close = vi.fn(async () => broken())
    const hub = createLocationHub({ location: cellLocation, backend: { ...memoryBackend(), close } })
    const closing = hub.close()
    await expect(hub.close()).rejects.toThrow('the backend is broken')
    await expect(closing).rejects.toThrow('the backend is broken')
    expect(close).toHaveBeenCalledTimes(1)
  })
})

test('a room that a backend opens after the hub was closed is closed, and nothing is done in it', async () => {
  const memory = memoryBackend()
  const done: string[] = []
  let answer = () => {}
  const backend: Backend = {
    ...memory,
    async open(id, options) {
      const room = await memory.open(id, options)
      await new Promise<void>((resolve) => (answer = resolve))
      return {
        ...room,
        act: async (actions) => (done.push('act'), room.act(actions)),
        close: async () => (done.push('close'), room.close()),
      }
    },
  }
  const hub = createLocationHub({ location: cellLocation, backend })
  const posted = hub.room('r').post({ memberId: 'ada', location: null })
  const refusal = posted.catch((error: unknown) => error)
  await new Promise((resolve) => setImmediate(resolve))
  const closing = hub.close()
  answer()
  await closing
  expect(await refusal).toMatchObject({ code: 'closed' })
  expect(done).toEqual(['close'])
})
