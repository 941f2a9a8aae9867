import * as z from 'zod/v4/core'
import { canonicalJson } from '../../shared/canonical-json.js'
import { LocationError } from '../../shared/errors.js'
import type { Schema } from '../../shared/protocol.js'
import type { StoredValue } from '../rules/backend.js'
import { withDeadline, type Deadline } from '../access/app-callbacks.js'

/** The value, if it is what the schema says; `undefined` properties and their absence are the same. */
export async function parseInput<S extends Schema>(
  schema: S,
  value: unknown,
  maxDepth: number,
  patience: Deadline,
): Promise<z.output<S>> {
  assertShallow(value, maxDepth)
  return dataOf(await withDeadline('The schema', safely(schema, value), patience))
}

/** A refinement of the app's may throw in place of an answer: what cannot be checked is not let in. */
const safely = <S extends Schema>(schema: S, value: unknown) =>
  z.safeParseAsync(schema, value).catch((cause: unknown) => {
    throw new LocationError('bad-input', 'The input could not be checked.', { cause })
  })

/** The same for a schema in which nothing waits: zod compiles those, and takes a third of the time. */
export function parseInputSync<S extends Schema>(schema: S, value: unknown, maxDepth: number): z.output<S> {
  assertShallow(value, maxDepth)
  return dataOf(z.safeParse(schema, value))
}

/** Looked at before any schema sees it: a recursive schema would follow a hostile value to the end of the stack. */
function assertShallow(value: unknown, maxDepth: number): void {
  if (isDeeperThan(value, maxDepth))
    throw new LocationError('bad-input', `The input is nested more than ${maxDepth} levels deep.`)
}

function dataOf<T>(result: z.util.SafeParseResult<T>): T {
  if (result.success) return result.data
  throw new LocationError('bad-input', sentenceOf(result.error), { cause: result.error })
}

/** Whether nothing in a plain schema can be waiting: only what an app wrote itself, as a refinement, may. */
export function isSynchronous(schema: Schema): boolean {
  let isImmediate = true
  z.toJSONSchema(schema, {
    override({ zodSchema: { _zod } }: Visit) {
      const { def } = _zod
      if (def.type === 'custom' || def.checks?.some((check) => check._zod.def.check === 'custom')) isImmediate = false
    },
  })
  return isImmediate
}

/** A value as it is stored, compared and sent. */
export function toStoredValue(
  value: unknown,
  what: 'location' | 'profile',
  limits: { maxBytes: number; maxDepth: number },
): StoredValue {
  const json = canonicalJson(value, limits.maxDepth)
  const bytes = Buffer.byteLength(json)
  if (bytes > limits.maxBytes)
    throw new LocationError('too-large', `The ${what} has ${bytes} bytes as JSON; the limit is ${limits.maxBytes}.`)
  return { json, value: JSON.parse(json) }
}

/**
 * Refuses a schema that changes what it parses or allows more than JSON: what a client posts must be what others see.
 *
 * @throws LocationError `misconfigured`
 */
export function assertPlainSchema(schema: Schema, what: 'location' | 'profile'): void {
  const advice =
    'A location or profile schema must be plain JSON and give back what it was given: no transforms, coercions, dates or defaults (use .optional()).'
  const asJson = (io: 'input' | 'output') => {
    try {
      const override = ({ zodSchema, jsonSchema }: Visit) => {
        if (isChanging(zodSchema)) throw new TypeError(`A ${zodSchema._zod.def.type} of this kind changes its value.`)
        // An open object is closed in what comes out of it, which is no change to what a client posts.
        delete jsonSchema.additionalProperties
      }
      return JSON.stringify(z.toJSONSchema(schema, { io, override }))
    } catch (cause) {
      throw new LocationError('misconfigured', `The ${what} schema cannot be written as JSON Schema. ${advice}`, {
        cause,
      })
    }
  }
  if (asJson('input') !== asJson('output'))
    throw new LocationError('misconfigured', `The ${what} schema does not give back what it is given. ${advice}`)
}

type Visit = { zodSchema: z.$ZodTypes; jsonSchema: z.JSONSchema.BaseSchema }

/** Changes that JSON Schema does not show: coercions, `.catch()`, codecs and preprocessors, `.trim()` and its like. */
function isChanging({ _zod: { def } }: z.$ZodTypes): boolean {
  if ('coerce' in def && def.coerce) return true
  if (def.type === 'catch' || def.type === 'pipe' || def.type === 'transform') return true
  return def.checks?.some((check) => check._zod.def.check === 'overwrite') ?? false
}

/** Looks no further down than it must. */
export function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((item) => isDeeperThan(item, levels - 1))
}

/** The first three things that are wrong, with where they are; never the value itself. */
function sentenceOf(error: z.$ZodError): string {
  const sentences = error.issues
    .flatMap(mistakesIn)
    .slice(0, 3)
    .map(({ path, message }) => `${path.map(String).join('.') || 'input'}: ${message}`)
  return `${sentences.join('; ').slice(0, 400)}.`
}

/** What is wrong; with a union, what is wrong by the branch that comes closest. */
function mistakesIn(issue: z.$ZodIssue): z.$ZodIssue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue]
  const closest = issue.errors.reduce((best, branch) => (branch.length < best.length ? branch : best))
  return closest.flatMap((mistake) => mistakesIn({ ...mistake, path: [...issue.path, ...mistake.path] }))
}
