import { createServer, type RequestListener } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { initTRPC } from '@trpc/server'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { cellLocation } from 'hereabouts'
import {
  createLocationHub,
  createLocationMiddleware,
  createLocationRouter,
  createRequestGuard,
} from 'hereabouts/server'
import { prometheusMetrics } from 'hereabouts/server/prometheus'
import { manualClock, serveLocations } from 'hereabouts/testing'
import { Gauge, Registry } from 'prom-client'
import { expect, onTestFinished, test, vi } from 'vitest'
import * as z from 'zod'
import type { Hub } from '../../../src/server/hub/hub.js'
import { backgroundClock } from '../../../src/shared/background-clock.js'
import { countingClock } from '../../support/counting-clock.js'
import { posting } from '../../support/histories.js'
import { raw } from '../../support/network/raw.js'
import { until } from '../../support/until.js'

/* The durations of a hub reach the streams and the answers of its real connections. */

test('a stream that is not read is cut after frameStallMs of its hub', async () => {
  const clock = manualClock()
  const timing = { frameStallMs: 200_000, beatMs: 3_600_000, leaseMs: 3_600_000, rotateMs: 3_600_000 }
  await using server = await serveLocations({ location: z.string(), clock, timing })
  const hub = server.hub as unknown as Hub
  // The snapshot is larger than the buffers of a connection.
  const posted = hub.act('r', posting('c1', 1, 'x'.repeat(8e6), { leaseMs: 3_600_000 }))
  await clock.advance(20)
  await posted
  const socket = connect(server.port, '127.0.0.1').on('error', () => {})
  socket.pause()
  const input = encodeURIComponent('{"room":"r"}')
  socket.write(`GET /trpc/onLocation?input=${input} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
  await until('the stream is open and its reader is behind', () => hub.readings().frames === 2)
  await clock.advance(199_000)
  expect(hub.streams.size).toBe(1)
  await clock.advance(1_000)
  expect(hub.streams.size).toBe(0)
  socket.destroy()
})

/** Counts the timers of the background clock that are pending. */
function backgroundTimers() {
  const pending = new Set<object>()
  const { after } = backgroundClock
  const spy = vi.spyOn(backgroundClock, 'after').mockImplementation((ms, run) => {
    const timer = {}
    pending.add(timer)
    const cancel = after(ms, run)
    return () => {
      pending.delete(timer)
      cancel()
    }
  })
  onTestFinished(() => spy.mockRestore())
  return () => pending.size
}

test('an answer of the metrics port is watched until it has ended', async () => {
  const register = new Registry()
  let answer: (() => void) | undefined
  const collect = () => new Promise<void>((resolve) => (answer = resolve))
  register.registerMetric(new Gauge({ name: 'slow', help: 'slow', registers: [], collect }))
  const metrics = prometheusMetrics({ register })
  const { url } = await metrics.listen(0)
  const pending = backgroundTimers()
  const scraped = raw(url)
  await until('the scrape has begun', () => answer)
  expect(pending()).toBe(1)
  answer!()
  expect((await scraped).status).toBe(200)
  await until('the watch has ended', () => pending() === 0)
  await metrics.close()
})

/** Servers whose authorize() waits for the test. `timers` returns the number of pending timers of the watch. */
const ways: Record<
  string,
  (access: { authorize(): Promise<boolean>; identify(): object }) => Promise<{ url: string; timers: () => number }>
> = {
  async 'the server of createLocationServer'(access) {
    const clock = countingClock()
    const server = await serveLocations({ clock, ...access } as never)
    onTestFinished(() => server.close())
    return { url: `${server.url}/`, timers: () => clock.pending }
  },
  async createLocationMiddleware(access) {
    const clock = countingClock()
    const { router } = appOf(access, { clock })
    return { url: await listening(createLocationMiddleware({ router })), timers: () => clock.pending }
  },
  async 'createRequestGuard before an adapter of tRPC'(access) {
    const { router } = appOf(access, { clock: countingClock() })
    const url = await listening(
      createHTTPHandler({ router, middleware: createRequestGuard({ path: '' }) as never } as never),
    )
    return { url, timers: backgroundTimers() }
  },
}

function appOf(access: object, options: object) {
  const hub = createLocationHub({ location: cellLocation, ...options })
  onTestFinished(() => hub.close())
  const t = initTRPC.create()
  return { router: t.router(createLocationRouter({ hub, procedure: t.procedure, ...access } as never) as never) }
}

async function listening(listener: RequestListener) {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

test.each(Object.keys(ways))('an answer is watched until it has ended, by %s', async (way) => {
  let answer: ((isAllowed: boolean) => void) | undefined
  const authorize = () => new Promise<boolean>((resolve) => (answer = resolve))
  const { url, timers } = await ways[way]!({ authorize, identify: () => ({ memberId: 'ada' }) })
  const before = timers()
  const asked = raw(`${url}getLocations?input=${encodeURIComponent('{"room":"r"}')}`)
  await until('the call has begun', () => answer)
  // Two timers: that of the watch, and the deadline of authorize(), unless that is measured by another clock.
  expect(timers() - before).toBe(way.includes('Guard') ? 1 : 2)
  answer!(false)
  expect((await asked).status).toBe(403)
  await until('the watch has ended', () => timers() === before)
})
