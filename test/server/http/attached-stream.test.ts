import { connect } from 'node:net'
import { prometheusMetrics } from 'hereabouts/server/prometheus'
import { manualClock, serveLocations } from 'hereabouts/testing'
import { Gauge, Registry } from 'prom-client'
import { expect, test, vi } from 'vitest'
import * as z from 'zod'
import type { Hub } from '../../../src/server/hub/hub.js'
import { backgroundClock } from '../../../src/shared/background-clock.js'
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

test('an answer of the metrics port is watched until it has ended', async () => {
  const register = new Registry()
  let answer: (() => void) | undefined
  const collect = () => new Promise<void>((resolve) => (answer = resolve))
  register.registerMetric(new Gauge({ name: 'slow', help: 'slow', registers: [], collect }))
  const metrics = prometheusMetrics({ register })
  const { url } = await metrics.listen(0)
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
  const scraped = raw(url)
  await until('the scrape has begun', () => answer)
  expect(pending.size).toBe(1)
  answer!()
  expect((await scraped).status).toBe(200)
  await until('the watch has ended', () => pending.size === 0)
  spy.mockRestore()
  await metrics.close()
})
