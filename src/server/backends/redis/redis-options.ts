import { LocationError } from '../../../shared/errors.js'

/** The numeric options, each with the smallest and the largest value that works as documented. */
const numbers = {
  timeoutMs: [1, 60_000],
  // `pulseMs` is at most a minute, because revocations stay in Redis for ten minutes and are read with each health
  // check.
  pulseMs: [1, 60_000],
  // A year: Redis expires keys after at most this time without loss of precision.
  keepMs: [0, 31_536_000_000],
} as const

const known = ['client', 'port', 'prefix', 'time', ...Object.keys(numbers)]

/**
 * Matches letters, digits and separators, none of which has a special meaning in an ACL pattern or in a hash tag of a
 * cluster.
 */
const prefixRule = /^[A-Za-z0-9._:/-]{1,100}$/

/**
 * Refuses unknown options and wrong values, such as a prefix that would silently match no keys or too many.
 *
 * @throws LocationError `misconfigured`, with the name of the option.
 */
export function checkRedisOptions(given: object): void {
  const options = given as Record<string, unknown>
  for (const name of Object.keys(options))
    if (!known.includes(name) && options[name] !== undefined)
      throw misconfigured(`Unknown option ${name} of redisBackend. Leave it out.`)
  checkPrefix(options['prefix'])
  for (const [name, [least, most]] of Object.entries(numbers)) {
    const value = options[name]
    if (value === undefined) continue
    if (typeof value !== 'number' || !(value >= least && value <= most))
      throw misconfigured(
        `${name} of redisBackend must be ${least} to ${most} milliseconds. Leave it out for the default.`,
      )
  }
  const { time } = options
  if (time != null && !has(time, 'now')) throw misconfigured('time of redisBackend must be a clock, with now().')
}

/**
 * Checks the options `client` and `port`.
 *
 * @throws LocationError `misconfigured` unless exactly one of them is given, of the right kind.
 */
export function checkRedisClient({ client, port }: { client?: unknown; port?: unknown }): void {
  if ((client === undefined) === (port === undefined))
    throw misconfigured('redisBackend needs either { client }, of node-redis, or { port }, and not both.')
  if (port !== undefined && !['send', 'subscribe', 'onGap', 'close'].every((name) => has(port, name)))
    throw misconfigured('port of redisBackend is not a RedisPort: give { port: ioredisPort(client) }.')
  if (client === undefined) return
  if (has(client, 'ssubscribe'))
    throw misconfigured('client of redisBackend is an ioredis client: give { port: ioredisPort(client) }.')
  if (!has(client, 'sendCommand') || !has(client, 'duplicate'))
    throw misconfigured(
      'client of redisBackend is no client of node-redis that can subscribe: give a client from createClient, createCluster or createSentinel.',
    )
}

/**
 * Checks the client of `ioredisPort`.
 *
 * @throws LocationError `misconfigured` for a client over which announcements or revocations would be missed.
 */
export function checkIoredisClient(client: unknown): void {
  if (!has(client, 'call') || !has(client, 'duplicate'))
    throw misconfigured('ioredisPort needs a client of ioredis: new Redis() or new Cluster().')
  const { isCluster, options = {} } = client as {
    isCluster?: boolean
    options?: { shardedSubscribers?: boolean; scaleReads?: unknown }
  }
  if (isCluster !== true) return
  if (options.shardedSubscribers !== true)
    throw misconfigured(
      'This Cluster of ioredis receives no announcements: create it with { shardedSubscribers: true }.',
    )
  if (options.scaleReads !== undefined && options.scaleReads !== 'master')
    throw misconfigured(
      'This Cluster of ioredis reads from replicas, which may lack revocations: create it with { scaleReads: "master" }.',
    )
}

function checkPrefix(prefix: unknown): void {
  if (prefix === undefined || (typeof prefix === 'string' && prefixRule.test(prefix))) return
  throw misconfigured(
    `prefix of redisBackend must be 1 to 100 letters, digits and . _ : / -, not ${JSON.stringify(prefix)}: other characters have a meaning in the patterns of Redis.`,
  )
}

const has = (value: unknown, method: string) =>
  typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[method] === 'function'

const misconfigured = (message: string) => new LocationError('misconfigured', message)
