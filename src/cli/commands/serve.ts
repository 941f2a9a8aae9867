import * as z from 'zod'
import type { Metrics } from '../../server/index.js'
import { createLocationServer, drainOnSignals, type LocationServerOptions } from '../../server/standalone/index.js'
import type { PrometheusMetrics } from '../../server/prometheus.js'
import { cellLocation, pointLocation, rangeLocation, textLocation, type Schema } from '../../shared/index.js'
import { exitCode, Failure } from '../failure.js'
import { loggerOf } from '../log-lines.js'
import type { Output } from '../output.js'
import { configFailure, loadServerConfig, type ServerConfig } from '../server-config.js'

/*
 * `any` means any of the ready-made schemas, not any JSON: it accepts what `post`, `bots` and the demo send, and refuses a
 * typing error with a message, as the schema of an app would.
 */
const schemas = {
  any: cellLocation.or(rangeLocation).or(pointLocation).or(textLocation),
  cell: cellLocation,
  range: rangeLocation,
  point: pointLocation,
  text: textLocation,
}
/**
 * The features of a server without a config file: any presence value within the limits, any payload of two broadcasts,
 * and locks. So `post --presence`, `broadcast` and clients that lock work without a server of your own.
 */
const features = {
  presence: z.record(z.string(), z.unknown()),
  broadcasts: { message: z.unknown(), reaction: z.unknown() },
  locks: true,
}
type LocationKind = keyof typeof schemas

export type ServeCommand = {
  port: number
  host: string
  location: LocationKind
  origin?: string[]
  allowHost?: string[]
  /**
   * The time over which open streams end when the server stops, in seconds. Default: the `timing.drainMs` of the file,
   * or 1.
   */
  drain?: number
  /** A JavaScript file whose default export are options of `createLocationServer`. */
  config?: string
  /** The port of the Prometheus endpoint on this machine. Default: no endpoint. */
  metrics?: number
}

/** Serves rooms until a signal arrives, and then drains the open streams. */
export async function serve(command: ServeCommand, output: Output): Promise<never> {
  const { port, host } = command
  const metrics = command.metrics === undefined ? undefined : await newMetrics()
  const config = command.config === undefined ? null : await loadServerConfig(command.config)
  const drainMs = command.drain === undefined ? (config?.timing?.drainMs ?? 1_000) : command.drain * 1_000
  const server = serverOf(command, config, drainMs, metrics, output)
  const { trpcUrl } = await server.listen(port, host)
  const measured = await metrics?.listen(command.metrics)
  drainOnSignals(server, (signal) => {
    output.tidy()
    const seconds = drainMs / 1_000
    output.say(
      'draining',
      { signal, seconds },
      `Draining open streams for up to ${seconds} s. A second signal ends at once.`,
    )
  })
  const hint = trpcUrl === 'http://127.0.0.1:3000/trpc' ? '' : ` --url ${trpcUrl}`
  const anonymous = !config?.identify
  const location = config ? 'own' : command.location
  const rooms = config ? `serves the rooms of ${command.config}` : kindText[command.location]
  const lines = [
    `${output.style('bold', trpcUrl)}  ${rooms}; Ctrl-C stops it`,
    ...(anonymous ? [config?.authorize ? authorizedText : openText] : []),
    ...(measured ? [`Metrics: ${measured.url}`] : []),
    output.style('dim', `Try: npx hereabouts watch --room demo${hint}`),
  ]
  const at = {
    url: trpcUrl,
    location,
    anonymous,
    ...(command.config !== undefined && { config: command.config }),
    ...(measured && { metrics: measured.url }),
  }
  output.say('listening', at, lines.join('\n'))
  return new Promise(() => {})
}

/**
 * Creates the server. Options of the command line take precedence over those of the file, and these over the defaults
 * of this command.
 */
function serverOf(
  command: ServeCommand,
  config: ServerConfig | null,
  drainMs: number,
  metrics: Metrics | undefined,
  output: Output,
) {
  const { host, location, origin, allowHost } = command
  const options = {
    ...(config ?? { location: schemas[location], ...features }),
    ...(!config?.identify && { anonymous: true }),
    timing: { ...config?.timing, drainMs },
    logger: config?.logger ?? loggerOf(output),
    // On the loopback address all callers share one address: per-address limits, and the warning about them, are off.
    ...(host === '127.0.0.1' && !config?.clientIp && { clientIp: () => undefined }),
    ...(metrics && { metrics }),
    ...(origin && { origins: origin }),
    ...(allowHost && { allowedHosts: allowHost }),
  } as unknown as LocationServerOptions<Schema, Schema>
  try {
    return createLocationServer(options)
  } catch (thrown) {
    if (!(thrown instanceof Error)) throw thrown
    // The message of an error about one of these options begins with its name. If the option was given on the command
    // line, the error does not name the file.
    const ofCommandLine = [...(origin ? ['origins '] : []), ...(allowHost ? ['allowedHosts '] : [])]
    if (ofCommandLine.some((option) => thrown.message.startsWith(option)))
      throw new Failure(exitCode.usage, thrown.message, thrown)
    throw command.config === undefined ? thrown : configFailure(command.config, thrown)
  }
}

/** Loads prom-client, an optional peer dependency that only `--metrics` needs. */
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

const openText = 'Anonymous: anyone who can reach this address may watch every room and post in it.'
const authorizedText =
  'Anonymous: callers do not sign in. `authorize` of the file decides who may watch a room and post in it.'

const kindText = {
  any: 'serves rooms of cells, ranges, points and texts',
  cell: 'serves rooms of cells',
  range: 'serves rooms of ranges',
  point: 'serves rooms of points',
  text: 'serves rooms of texts',
}
