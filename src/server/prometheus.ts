import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { refusalOf } from './http/origin-check.js'
import { listen } from './standalone/listen.js'
import type { Metrics, Readings } from './options/metrics.js'

export interface PrometheusMetrics extends Metrics {
  readonly register: Registry
  /**
   * Serves them at `/metrics` of a port of their own, on this machine only unless a host says otherwise. Default port 9464;
   * 0 takes a free one.
   *
   * @throws LocationError `misconfigured` when the port is taken or may not be used.
   */
  listen(port?: number, host?: string): Promise<{ url: string }>
  close(): Promise<void>
}

// From a frame's shortest time to what a person would call slow.
const seconds = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 5]

/**
 * What a hub counts, for Prometheus. Needs prom-client, which is an optional peer.
 *
 * ```ts
 * const metrics = prometheusMetrics()
 * const server = createLocationServer({ location: cellLocation, anonymous: true, metrics })
 * await metrics.listen()
 * ```
 *
 * @param options.register an app's own registry. Default: a new one, with prom-client's default metrics in it (event-loop
 * lag, memory, handles).
 */
export function prometheusMetrics({ register }: { register?: Registry } = {}): PrometheusMetrics {
  const own = register ?? new Registry()
  if (!register) collectDefaultMetrics({ register: own })
  const registers = [own]
  const calls = new Counter({
    name: 'hereabouts_calls_total',
    help: 'Calls answered, by procedure and what they came to',
    labelNames: ['procedure', 'outcome'],
    registers,
  })
  const callSeconds = new Histogram({
    name: 'hereabouts_call_seconds',
    help: 'From call to answer: a post is answered when its frame is committed',
    labelNames: ['procedure'],
    buckets: seconds,
    registers,
  })
  const fanOutSeconds = new Histogram({
    name: 'hereabouts_fan_out_seconds',
    help: 'How long a process is busy sending one frame of one room to its readers',
    buckets: seconds,
    registers,
  })
  const streamEnds = new Counter({
    name: 'hereabouts_stream_ends_total',
    help: 'Streams ended, by why: slow, revoked, expired, rotated, replaced, draining; closed by the reader',
    labelNames: ['why'],
    registers,
  })
  const hubs: (() => Readings)[] = []
  const sum = (of: (readings: Readings) => number) => hubs.reduce((total, read) => total + of(read()), 0)
  for (const [name, help, of] of gauges) {
    const collect = (): void => gauge.set(sum(of))
    const gauge: Gauge = new Gauge({ name: `hereabouts_${name}`, help, registers, collect })
  }
  for (const [name, help, of] of counters) {
    const collect = (): void => {
      counter.reset()
      counter.inc(sum(of))
    }
    const counter: Counter = new Counter({ name: `hereabouts_${name}`, help, registers, collect })
  }
  let server: Server | undefined
  return {
    register: own,
    called(procedure, outcome, tookMs) {
      calls.inc({ procedure, outcome })
      callSeconds.observe({ procedure }, tookMs / 1_000)
    },
    fannedOut: (_subscribers, tookMs) => fanOutSeconds.observe(tookMs / 1_000),
    streamEnded: (why) => streamEnds.inc({ why }),
    watch: (read) => void hubs.push(read),
    async listen(port = 9464, host = '127.0.0.1') {
      server ??= createServer(
        { requestTimeout: 5_000, headersTimeout: 5_000, connectionsCheckingInterval: 1_000 },
        (request, response) => void answer(own, request, response),
      )
      return { url: `${await listen(server, port, host)}/metrics` }
    },
    async close() {
      if (!server) return
      const closed = new Promise<void>((resolve) => server!.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

type Reading = [name: string, help: string, of: (readings: Readings) => number]

const gauges: Reading[] = [
  ['rooms', 'Rooms that this process serves', ({ rooms }) => rooms],
  ['connections', 'Connections present in them', ({ connections }) => connections],
  ['streams', 'Open streams', ({ streams }) => streams],
  ['ready', '1 when ready: not draining, and the backend within reach', ({ isReady }) => (isReady ? 1 : 0)],
]
const counters: Reading[] = [
  ['frames_total', 'Events written to readers', ({ frames }) => frames],
  ['frame_bytes_total', 'Bytes of events that were written past the adapter', ({ bytes }) => bytes],
  [
    'rereads_total',
    'Times a room was read again from the backend: it had diverged, or might have',
    ({ rereads }) => rereads,
  ],
  ['merged_frames_total', 'Times a reader was behind and got several frames in one', ({ merged }) => merged],
]

async function answer(register: Registry, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A page in a browser on this machine has no business here either.
  const refusal = refusalOf(request, {})
  if (refusal || request.method !== 'GET' || request.url !== '/metrics') {
    response.writeHead(refusal ? 403 : 404).end()
    return
  }
  try {
    const text = await register.metrics()
    response.writeHead(200, { 'content-type': register.contentType, 'cache-control': 'no-store' }).end(text)
  } catch {
    // Some are read from files, and there may be no descriptor for one.
    response.writeHead(500).end()
  }
}
