import { LocationError } from '../../../../shared/errors.js'

type Prefix = string | Buffer

/**
 * Rejects a client with a key prefix of its own. Clients apply their prefix to keys, but not, or differently, to
 * channels and raw commands, so that a room would be split between two places.
 *
 * @throws LocationError `misconfigured`
 */
export function refuseKeyPrefix(client: object): void {
  // A cluster or sentinel of node-redis does not expose its options.
  const { options, _keyPrefix = '' } = client as { options?: { keyPrefix?: Prefix }; _keyPrefix?: Prefix }
  const keyPrefix = (options?.keyPrefix ?? _keyPrefix).toString()
  if (keyPrefix === '') return
  throw new LocationError(
    'misconfigured',
    `This Redis client has keyPrefix '${keyPrefix}', which does not apply to channels: give redisBackend a client without keyPrefix, and { prefix: '${keyPrefix.replaceAll(/[^A-Za-z0-9._:/-]/g, '')}hereabouts' }.`,
  )
}
