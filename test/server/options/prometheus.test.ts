import { cellLocation } from 'hereabouts'
import { prometheusMetrics } from 'hereabouts/server/prometheus'
import { serveLocations } from 'hereabouts/testing'
import { Counter, Gauge, Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { raw } from '../../support/network/raw.js'
import { cell, newKey, stockClient, subscribed } from '../../support/clients/stock-client.js'
import { until } from '../../support/until.js'

/** Parses the text of a scrape into samples: a map from `name{labels}` to the number. */
function samples(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

describe('Prometheus metrics', () => {
  test('Prometheus metrics report the current readings and the outcome of every call', async () => {
    const register = new Registry()
    const metrics = prometheusMetrics({ register })
    await using server = await serveLocations({ metrics, limits: { streamBurst: 2 } })
    const client = stockClient(server.url)
    const scrape = async () => samples(await register.metrics())
    expect((await scrape()).get('hereabouts_rooms')).toBe(0)
    const mine = { room: 'secret room', connectionKey: newKey() }
    const stream = subscribed(client, { room: 'secret room' })
    await until('the stream is open', () => stream.heard.all.length >= 2)
    for (let i = 1; i <= 3; i++) await client.postLocation.mutate({ ...mine, location: cell(i) })
    await client.postLocation.mutate({ ...mine, location: cell(3) })
    await client.postLocation.mutate({ ...mine, seq: 1, location: cell(9) })
    await client.postLocation.mutate({ room: '', location: cell(1) }).catch(() => {})
    await client.getLocations.query({ room: 'secret room' })
    await until('the stream shows the connection', () => stream.view.connections.size === 1)
    const seen = await scrape()
    const called = (procedure: string, outcome: string) =>
      seen.get(`hereabouts_calls_total{procedure="${procedure}",outcome="${outcome}"}`)
    expect(called('postLocation', 'applied')).toBe(3)
    expect(called('postLocation', 'same')).toBe(1)
    expect(called('postLocation', 'stale')).toBe(1)
    expect(called('postLocation', 'bad-input')).toBe(1)
    expect(called('getLocations', 'ok')).toBe(1)
    expect(called('onLocation', 'ok')).toBe(1)
    expect(seen.get('hereabouts_call_seconds_count{procedure="postLocation"}')).toBe(6)
    expect(seen.get('hereabouts_rooms')).toBe(1)
    expect(seen.get('hereabouts_connections')).toBe(1)
    expect(seen.get('hereabouts_streams')).toBe(1)
    expect(seen.get('hereabouts_ready')).toBe(1)
    expect(seen.get('hereabouts_frames_total')).toBeGreaterThanOrEqual(5)
    expect(seen.get('hereabouts_frame_bytes_total')).toBeGreaterThan(500)
    expect(seen.get('hereabouts_fan_out_seconds_count')).toBeGreaterThanOrEqual(1)
    stream[Symbol.dispose]()
    await until('the stream is gone', async () => (await scrape()).get('hereabouts_streams') === 0)
    expect((await scrape()).get('hereabouts_stream_ends_total{why="closed"}')).toBe(1)
  })

  test('Prometheus metrics contain no room id, member id, address or location', async () => {
    const metrics = prometheusMetrics()
    await using server = await serveLocations({
      metrics,
      identify: ({ ctx }) => ({ memberId: ctx.headers.get('authorization') ?? '' }),
      authorize: () => true,
    })
    const client = stockClient(server.url, { headers: { authorization: 'canary-member' } })
    await client.postLocation.mutate({ room: 'canary-room', location: { sheet: 'canary-sheet', row: 1, col: 1 } })
    await server.hub.revoke('canary-member')
    const text = await metrics.register.metrics()
    expect(text).toContain('hereabouts_calls_total{procedure="postLocation",outcome="applied"} 1')
    expect(text).not.toMatch(/canary|127\.0\.0\.1/)
    // The number of time series is bounded: labels hold only procedures, outcomes, reasons and buckets.
    const labels = [...text.matchAll(/^hereabouts_\w+\{([^}]*)\}/gm)].flatMap(([, all]) => all!.split(','))
    for (const label of labels) expect(label).toMatch(/^(procedure|outcome|why|le)="[\w+.-]+"$/)
  })

  test("Prometheus metrics are registered in the app's own registry beside the metrics of the app", async () => {
    const register = new Registry()
    new Counter({ name: 'own_total', help: 'own', registers: [register] }).inc()
    const metrics = prometheusMetrics({ register })
    await using _server = await serveLocations({ location: cellLocation, metrics })
    const seen = samples(await register.metrics())
    expect(seen.get('own_total')).toBe(1)
    expect(seen.get('hereabouts_rooms')).toBe(0)
    expect([...seen.keys()].filter((name) => name.startsWith('nodejs_'))).toEqual([])
  })
})

describe('the metrics port', () => {
  test('the metrics port listens on loopback only, and serves only /metrics', async () => {
    const metrics = prometheusMetrics()
    const { url } = await metrics.listen(0)
    try {
      expect(new URL(url).hostname).toBe('127.0.0.1')
      const { status, headers, body } = await raw(url)
      expect([status, headers['content-type']]).toEqual([200, expect.stringMatching(/^text\/plain; version=0\.0\.4/)])
      expect(samples(body).has('nodejs_eventloop_lag_p99_seconds')).toBe(true)
      expect((await raw(url, { headers: { host: 'evil.example' } })).status).toBe(403)
      expect((await raw(url, { headers: { origin: 'https://evil.example' } })).status).toBe(403)
      expect((await raw(new URL('/', url).href)).status).toBe(404)
      expect((await raw(url, { method: 'DELETE' })).status).toBeGreaterThanOrEqual(400)
    } finally {
      await metrics.close()
    }
    await expect(raw(url, { agent: false })).rejects.toThrow('ECONNREFUSED')
  })

  test('a location server does not serve /metrics on its own port', async () => {
    await using server = await serveLocations()
    expect((await raw(new URL('/metrics', server.url).href)).status).toBe(404)
  })

  test('the metrics port answers 500 when a metric of the app throws, and stays open', async () => {
    const register = new Registry()
    const collect = () => Promise.reject(new Error('EMFILE'))
    register.registerMetric(new Gauge({ name: 'broken', help: 'broken', registers: [], collect }))
    const metrics = prometheusMetrics({ register })
    const { url } = await metrics.listen(0)
    expect((await raw(url)).status).toBe(500)
    expect((await raw(new URL('/', url).href)).status).toBe(404)
    await metrics.close()
  })

  test('listen() of prometheusMetrics() rejects when the port is in use, and the message says what to do', async () => {
    const [first, second] = [prometheusMetrics(), prometheusMetrics()]
    const { url } = await first.listen(0)
    await expect(second.listen(Number(new URL(url).port))).rejects.toThrow('is taken: stop the process that uses it')
    await first.close()
  })
})
