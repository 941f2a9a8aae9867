import { LocationError } from '../../../shared/errors.js'

type Prefix = string | Buffer

/**
 * Some clients put words of their own before keys, but not, or differently, before channels and in commands that are sent
 * as they are. Half of a room would be elsewhere.
 *
 * @throws LocationError `misconfigured`
 */
export function refuseKeyPrefix(client: object): void {
  // Of a cluster or sentinel of node-redis, the options are not to be seen.
  const { options, _keyPrefix = '' } = client as { options?: { keyPrefix?: Prefix }; _keyPrefix?: Prefix }
  const keyPrefix = (options?.keyPrefix ?? _keyPrefix).toString()
  if (keyPrefix === '') return
  throw new LocationError(
    'misconfigured',
    `This Redis client has keyPrefix '${keyPrefix}', which cannot hold for channels: give redisBackend a client without, and { prefix: '${keyPrefix}hereabouts' }.`,
  )
}
