import type { Logger } from '../../server/index.js'
import { createLocationServer, drainOnSignals } from '../../server/standalone/index.js'
import type { PrometheusMetrics } from '../../server/prometheus.js'
import { cellLocation, pointLocation, rangeLocation, textLocation } from '../../shared/index.js'
import { exitCode, Failure } from '../failure.js'
import type { Output } from '../output.js'

/*
 * `any` is any of the ready-made ones rather than any JSON: it takes what `post`, `bots` and the demo send, and a slip of
 * the pen is refused with a sentence, as it will be by the schema of your own app.
 */
const schemas = {
  any: cellLocation.or(rangeLocation).or(pointLocation).or(textLocation),
  cell: cellLocation,
  range: rangeLocation,
  point: pointLocation,
  text: textLocation,
}
type LocationKind = keyof typeof schemas

export type ServeCommand = {
  port: number
  host: string
  location: LocationKind
  origin?: string[]
  allowHost?: string[]
  /** In seconds. */
  drain: number
  /** On which port of this machine; not at all when left out. */
  metrics?: number
}

/** Serves rooms to whoever comes, until it is told to stop; then lets them move on. */
export async function serve(command: ServeCommand, output: Output): Promise<never> {
  const { port, host, location, origin, allowHost, drain } = command
  const metrics = command.metrics === undefined ? undefined : await newMetrics()
  const server = createLocationServer({
    location: schemas[location],
    anonymous: true,
    timing: { drainMs: drain * 1_000 },
    logger: loggerOf(output),
    // On this machine there is nobody to be limited by address, and nothing to warn of.
    ...(host === '127.0.0.1' && { clientIp: () => undefined }),
    ...(metrics && { metrics }),
    ...(origin && { origins: origin }),
    ...(allowHost && { allowedHosts: allowHost }),
  })
  const { trpcUrl } = await server.listen(port, host)
  const measured = await metrics?.listen(command.metrics)
  drainOnSignals(server, (signal) => {
    output.tidy()
    output.say(
      'draining',
      { signal, seconds: drain },
      `Letting everybody move on, for up to ${drain} s; again ends at once.`,
    )
  })
  const hint = trpcUrl === 'http://127.0.0.1:3000/trpc' ? '' : ` --url ${trpcUrl}`
  const lines = [
    `${output.style('bold', trpcUrl)}  ${kindText[location]}; Ctrl-C ends it`,
    'Anonymous: whoever can reach this address may watch every room and post in it.',
    ...(measured ? [`Metrics: ${measured.url}`] : []),
    output.style('dim', `Look in: npx hereabouts watch --room demo${hint}`),
  ]
  const at = { url: trpcUrl, location, anonymous: true, ...(measured && { metrics: measured.url }) }
  output.say('listening', at, lines.join('\n'))
  return new Promise(() => {})
}

/** prom-client is an optional peer: who does not count does not need it. */
async function newMetrics(): Promise<PrometheusMetrics> {
  try {
    const { prometheusMetrics } = await import('../../server/prometheus.js')
    return prometheusMetrics()
  } catch (cause) {
    throw new Failure(
      exitCode.refused,
      'Metrics need prom-client: npm install prom-client, or npx -p hereabouts -p prom-client hereabouts serve --metrics.',
      cause,
    )
  }
}

const kindText = {
  any: 'serves rooms of cells, ranges, points and texts',
  cell: 'serves rooms of cells',
  range: 'serves rooms of ranges',
  point: 'serves rooms of points',
  text: 'serves rooms of texts',
}

function loggerOf(output: Output): Logger {
  const log =
    (level: string) =>
    (message: string, details: { error?: unknown } = {}) => {
      const cause = details.error instanceof Error ? `: ${details.error.message}` : ''
      output.say('log', { level, message: message + cause }, `${output.time()}  ${message}${cause}`)
    }
  return { info: log('info'), warn: log('warn'), error: log('error') }
}
