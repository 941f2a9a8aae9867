import { LocationError } from '../../shared/errors.js'
import type { BroadcastSchemas, Schema } from '../../shared/schema-types.js'
import { assertPlainSchema } from './plain-schema.js'

/** The prefix of broadcast names that are reserved for this package. */
const reserved = 'hereabouts:'
const nameShape = /^[^\p{Cc}\p{Cs}]{1,64}$/u

/**
 * Returns the schemas of an app's broadcasts after checking them; `undefined` in an app without broadcasts.
 *
 * @throws LocationError `misconfigured` for a reserved or invalid name, and for a schema that is not plain.
 */
export function checkedBroadcasts(schemas: unknown): BroadcastSchemas | undefined {
  if (schemas === undefined) return undefined
  const entries = Object.entries(schemas as Record<string, Schema>)
  if (entries.length === 0) throw misconfigured('`broadcasts` names no broadcast. Add one, or leave the option out.')
  for (const [name, schema] of entries) {
    if (name.startsWith(reserved))
      throw misconfigured(`\`broadcasts.${name}\`: names that begin with \`${reserved}\` are reserved. Rename it.`)
    if (!nameShape.test(name)) throw misconfigured('The name of a broadcast must be 1 to 64 visible characters.')
    assertPlainSchema(schema, `broadcasts.${name}`)
  }
  // The copy has no prototype, so that a lookup finds only names that the app gave.
  return Object.assign(Object.create(null), schemas) as BroadcastSchemas
}

const misconfigured = (message: string) => new LocationError('misconfigured', message)
