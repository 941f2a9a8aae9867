import { LocationError } from '../../../shared/errors.js'
import type { Logger } from '../../options/logger.js'
import type { RedisPort } from './clients/client-port.js'
import { lacksRight } from './health/redis-fault.js'

/**
 * Checks that this Redis can hold rooms. A missing requirement is an error. A setting that is only dangerous when
 * something else fails is logged as a warning.
 *
 * @throws LocationError `misconfigured` for a missing requirement; the error of the client when Redis is unreachable.
 */
export async function checkRequirements(port: RedisPort, prefix: string, logger: Logger): Promise<void> {
  const probe = `${prefix}:{probe}`
  const info = async (section: string) => String(await allowed(port.send(probe, ['INFO', section]), prefix))
  const version = field(await info('server'), 'redis_version') ?? '0'
  if (Number.parseInt(version) < 7)
    throw misconfigured(`Redis ${version} is too old: rooms need Redis 7 or later, or Valkey.`)
  await allowed(port.send(probe, ['EVAL', probeScript, '1', probe]), prefix)

  const policy = field(await info('memory'), 'maxmemory_policy')
  const limit = Number(field(await info('memory'), 'maxmemory') ?? 0)
  if (limit > 0 && policy !== undefined && policy !== 'noeviction')
    logger.warn(`Redis evicts keys (maxmemory-policy ${policy}): rooms may vanish; set maxmemory-policy noeviction.`)

  const replicas = Number(field(await info('replication'), 'connected_slaves') ?? 0)
  const waits = field(await info('replication'), 'min_slaves_good_slaves') !== undefined
  if (replicas > 0 && !waits)
    logger.warn(
      'Redis has replicas, but min-replicas-to-write is not set: a master that is cut off accepts posts that a failover drops.',
    )
}

/** A script with every category of command that our scripts use. It deletes the key that it writes. */
const probeScript = `#!lua
redis.call('TIME')
redis.call('INFO', 'replication')
redis.call('HSET', KEYS[1], 'probe', '1')
redis.call('HDEL', KEYS[1], 'probe')
redis.call('EXISTS', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('SPUBLISH', KEYS[1], '')
return 'ok'
`

/** The ACL command that grants a Redis user exactly the permissions that the backend needs. */
export const aclLine = (prefix: string) =>
  `ACL SETUSER <name> on ><password> resetkeys resetchannels ~${prefix}:* &${prefix}:* -@all +@hash +@sortedset +@stream ` +
  '+@connection +@pubsub +eval +evalsha +exists +del +pexpire +time +info +cluster'

async function allowed<T>(reply: Promise<T>, prefix: string): Promise<T> {
  try {
    return await reply
  } catch (error) {
    if (!lacksRight(error)) throw error
    throw new LocationError('misconfigured', `The user of Redis lacks a right. Give it: ${aclLine(prefix)}`, {
      cause: error,
    })
  }
}

const field = (info: string, name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]

const misconfigured = (message: string) => new LocationError('misconfigured', message)
