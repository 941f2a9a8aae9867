/**
 * Metrics for Prometheus. It needs `prom-client`.
 *
 * @module hereabouts/server/prometheus
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { backgroundClock } from '../shared/background-clock.js'
import { originRulesOf, refusalOf, type OriginOptions, type OriginRules } from './http/guard/origin-check.js'
import { serveInOrder } from './http/pipelined-requests.js'
import { cutWhenUnread } from './http/unread-answers.js'
import { assertOptions, checkedElsewhere, hasMethods, type OptionChecks } from './options/option-checks.js'
import { defaultTiming } from './options/timing.js'
import { ServerPort } from './standalone/listen.js'
import type { Metrics, Readings } from './options/metrics.js'

/** Measurements of a hub for Prometheus, and an HTTP endpoint that serves them. */
export interface PrometheusMetrics extends Metrics {
  /** The registry that holds the metrics. */
  readonly register: Registry
  /**
   * Serves the metrics at `/metrics` on a port of its own. Default port 9464; 0 uses a free port. Default host
   * `127.0.0.1`, which only this machine can reach.
   *
   * @throws LocationError `misconfigured` when the port is in use or not permitted.
   */
  listen(port?: number, host?: string): Promise<{ url: string }>
  /** Stops the HTTP endpoint. */
  close(): Promise<void>
}

type PrometheusOptions = { register?: Registry } & Pick<OriginOptions, 'allowedHosts'>

const prometheusOptionChecks: OptionChecks<PrometheusOptions> = {
  register: hasMethods('a Registry of prom-client', ['registerMetric', 'metrics']),
  allowedHosts: checkedElsewhere,
}

// The histogram buckets in seconds, from less than the shortest frame interval to a delay that people call slow.
const seconds = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 5]

/**
 * Creates metrics for Prometheus. Requires prom-client, which is an optional peer dependency.
 *
 * ```ts
 * const metrics = prometheusMetrics()
 * const server = createLocationServer({ location: cellLocation, anonymous: true, metrics })
 * await metrics.listen()
 * ```
 *
 * `register` is the registry of your app. Default: a new one that also contains prom-client's default metrics
 * (event-loop lag, memory, handles).
 * `allowedHosts` are the host names under which the endpoint may be called. Default: any name, but only loopback names while
 * it listens on loopback.
 *
 * @throws LocationError `misconfigured` for an unknown or wrong option; the message names it.
 */
export function prometheusMetrics(options: PrometheusOptions = {}): PrometheusMetrics {
  assertOptions('prometheusMetrics', options, prometheusOptionChecks)
  const { register, allowedHosts } = options
  const rules = originRulesOf({ ...(allowedHosts !== undefined && { allowedHosts }) })
  const own = register ?? new Registry()
  if (!register) collectDefaultMetrics({ register: own })
  const registers = [own]
  const calls = new Counter({
    name: 'hereabouts_calls_total',
    help: 'Calls answered, by procedure and outcome',
    labelNames: ['procedure', 'outcome'],
    registers,
  })
  const callSeconds = new Histogram({
    name: 'hereabouts_call_seconds',
    help: 'Time from call to answer in seconds; a post is answered when its frame is committed',
    labelNames: ['procedure'],
    buckets: seconds,
    registers,
  })
  const fanOutSeconds = new Histogram({
    name: 'hereabouts_fan_out_seconds',
    help: 'Time that the process is busy sending one frame to the subscribers of one room, in seconds',
    buckets: seconds,
    registers,
  })
  const streamEnds = new Counter({
    name: 'hereabouts_stream_ends_total',
    help: 'Streams ended, by reason: slow, revoked, expired, rotated, replaced, draining, or closed by the client',
    labelNames: ['why'],
    registers,
  })
  const hubs: (() => Readings)[] = []
  registerReadings(registers, hubs)
  let serverPort: ServerPort | undefined
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
      serverPort ??= new ServerPort(metricsServer(own, rules))
      return { url: `${await serverPort.listen(port, host)}/metrics` }
    },
    close: async () => serverPort?.close(),
  }
}

type ReadingMetric = [name: string, help: string, of: (readings: Readings) => number]

const gauges: ReadingMetric[] = [
  ['rooms', 'Rooms open in this process', ({ rooms }) => rooms],
  ['connections', 'Connections present in the open rooms', ({ connections }) => connections],
  ['streams', 'Open streams', ({ streams }) => streams],
  ['ready', '1 when ready: not draining, and the backend is reachable', ({ isReady }) => (isReady ? 1 : 0)],
]
const counters: ReadingMetric[] = [
  ['frames_total', 'Events written to subscribers, heartbeats included', ({ frames }) => frames],
  ['frame_bytes_total', 'Bytes of events, without those that the tRPC adapter writes', ({ bytes }) => bytes],
  [
    'rereads_total',
    'Times a room was read again from the backend because its copy was or may have been stale',
    ({ rereads }) => rereads,
  ],
  ['broadcasts_total', 'Broadcasts that arrived in the rooms of this process', ({ broadcasts }) => broadcasts],
  [
    'broadcasts_lost_total',
    'Broadcasts that slow consumers did not receive, counted for each consumer',
    ({ broadcastsLost }) => broadcastsLost,
  ],
  ['merged_frames_total', 'Times a slow consumer received several frames merged into one', ({ merged }) => merged],
]

/** Registers the gauges and counters that are read from the hubs when Prometheus collects them. */
function registerReadings(registers: Registry[], hubs: readonly (() => Readings)[]): void {
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
}

const metricsServer = (register: Registry, rules: OriginRules): Server =>
  createServer(
    { requestTimeout: 5_000, headersTimeout: 5_000, connectionsCheckingInterval: 1_000 },
    (request, response) =>
      serveInOrder(request, response, () => {
        cutWhenUnread(response, backgroundClock, defaultTiming)
        void answer(register, rules, request, response)
      }),
  )

async function answer(
  register: Registry,
  rules: OriginRules,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // The origin check also keeps web pages that are open in a browser on this machine from reading the metrics.
  const refusal = refusalOf(request, rules)
  if (refusal) {
    response.writeHead(403, { 'content-type': 'text/plain; charset=utf-8' }).end(`${refusal.message}\n`)
    return
  }
  if (!/^(GET|HEAD)$/.test(request.method ?? '') || !/^\/metrics(\?|$)/.test(request.url ?? '')) {
    response.writeHead(404).end()
    return
  }
  try {
    const text = await register.metrics()
    response.writeHead(200, { 'content-type': register.contentType, 'cache-control': 'no-store' }).end(text)
  } catch {
    // prom-client reads some metrics from files, which fails when no file descriptor is free.
    response.writeHead(500).end()
  }
}
