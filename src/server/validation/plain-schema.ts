import * as z from 'zod/v4/core'
import { LocationError } from '../../shared/errors.js'
import type { Schema } from '../../shared/schema-types.js'

const examples: Record<string, string> = {
  location: 'cellLocation, or z.strictObject({ ... })',
  profile: 'memberProfile, or z.strictObject({ ... })',
  presence: 'z.strictObject({ typing: z.boolean() }).partial()',
}

/** The argument that `z.toJSONSchema` passes to `override` for every schema inside a schema. */
type VisitedSchema = { zodSchema: z.$ZodTypes; jsonSchema: z.JSONSchema.BaseSchema }

/**
 * Refuses a schema that changes the values it parses, or that accepts more than JSON: every viewer must see exactly
 * what a client posted.
 *
 * @throws LocationError `misconfigured`
 */
export function assertPlainSchema(schema: Schema, kind: string): void {
  // The types enforce this too. In JavaScript an option may be forgotten, or be the schema of another library.
  const { _zod }: { _zod?: unknown } = schema ?? {}
  if (_zod === undefined)
    throw new LocationError(
      'misconfigured',
      `The option \`${kind}\` must be a zod 4 schema${schema === undefined ? ' and is missing' : ''}: for example ${examples[kind] ?? 'z.strictObject({ ... })'}.`,
    )
  const advice =
    'Such a schema must accept plain JSON and return it unchanged: no transforms, coercions, dates or defaults (use .optional()).'
  const asJson = (io: 'input' | 'output') => {
    try {
      const override = ({ zodSchema, jsonSchema }: VisitedSchema) => {
        if (isChanging(zodSchema)) throw new TypeError(`A ${zodSchema._zod.def.type} of this kind changes its value.`)
        // zod closes open objects in the output schema only. This difference does not change a posted value, so it is
        // ignored.
        delete jsonSchema.additionalProperties
      }
      return JSON.stringify(z.toJSONSchema(schema, { io, override }))
    } catch (cause) {
      throw new LocationError('misconfigured', `The ${kind} schema cannot be written as JSON Schema. ${advice}`, {
        cause,
      })
    }
  }
  if (asJson('input') !== asJson('output'))
    throw new LocationError('misconfigured', `The ${kind} schema returns other values than it accepts. ${advice}`)
}

/**
 * Refuses a presence schema that does not accept `{}`, the value of a connection that has posted none. A schema with an
 * asynchronous refinement is not checked here.
 *
 * @throws LocationError `misconfigured`
 */
export function assertAcceptsEmpty(schema: Schema): void {
  if (!isSynchronous(schema) || z.safeParse(schema, {}).success) return
  throw new LocationError(
    'misconfigured',
    'The presence schema must accept {}, the value of a connection that has posted none: make each property optional, for example with .partial().',
  )
}

/**
 * True for changes that JSON Schema does not show: coercions, `.catch()`, codecs, preprocessors, `.trim()` and similar.
 */
function isChanging({ _zod: { def } }: z.$ZodTypes): boolean {
  if ('coerce' in def && def.coerce) return true
  if (def.type === 'catch' || def.type === 'pipe' || def.type === 'transform') return true
  return def.checks?.some((check) => check._zod.def.check === 'overwrite') ?? false
}

/**
 * True when no part of a plain schema can be asynchronous. Only the app's own code can be asynchronous: a custom check
 * or a refinement.
 */
export function isSynchronous(schema: Schema): boolean {
  let synchronous = true
  z.toJSONSchema(schema, {
    override({ zodSchema: { _zod } }: VisitedSchema) {
      const { def } = _zod
      if (def.type === 'custom' || def.checks?.some((check) => check._zod.def.check === 'custom')) synchronous = false
    },
  })
  return synchronous
}
