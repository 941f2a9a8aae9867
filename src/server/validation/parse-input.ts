import * as z from 'zod/v4/core'
import { LocationError } from '../../shared/errors.js'
import type { Schema } from '../../shared/schema-types.js'
import { withDeadline, type Deadline } from '../access/app-callbacks.js'

/**
 * Returns the value that the schema parsed. A property that is `undefined` counts as absent.
 *
 * @throws LocationError `bad-input` when the schema refuses the value or it is nested too deeply, `unavailable` when
 * an asynchronous refinement of the app misses the deadline.
 */
export async function parseInput<S extends Schema>(
  schema: S,
  value: unknown,
  maxDepth: number,
  deadline: Deadline,
): Promise<z.output<S>> {
  assertMaxDepth(value, maxDepth)
  return dataOf(await withDeadline('The schema', parseSafely(schema, value), deadline))
}

/** A refinement of the app may throw. The value has not been checked then, and is refused. */
const parseSafely = <S extends Schema>(schema: S, value: unknown) =>
  z.safeParseAsync(schema, value).catch((cause: unknown) => {
    throw new LocationError('bad-input', 'The input could not be checked.', { cause })
  })

/** `parseInput` for a synchronous schema. zod compiles such schemas and needs a third of the time. */
export function parseInputSync<S extends Schema>(schema: S, value: unknown, maxDepth: number): z.output<S> {
  assertMaxDepth(value, maxDepth)
  return dataOf(z.safeParse(schema, value))
}

/**
 * Refuses a value that is nested too deeply. Runs before any schema, because a recursive schema would follow a hostile
 * value until the stack overflows.
 */
function assertMaxDepth(value: unknown, maxDepth: number): void {
  if (isDeeperThan(value, maxDepth))
    throw new LocationError('bad-input', `The input is nested more than ${maxDepth} levels deep.`)
}

/** Returns whether a value is nested deeper than `levels`. Recurses at most `levels` deep. */
export function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels < 1 || Object.values(value).some((item) => isDeeperThan(item, levels - 1))
}

function dataOf<T>(result: z.util.SafeParseResult<T>): T {
  if (result.success) return result.data
  throw new LocationError('bad-input', messageOf(result.error), { cause: result.error })
}

/** Names the first three issues and their paths. Never contains the value itself. */
function messageOf(error: z.$ZodError): string {
  const sentences = error.issues
    .flatMap(leafIssues)
    .slice(0, 3)
    .map(({ path, message }) => `${path.map(String).join('.') || 'input'}: ${message}`)
  return `${sentences.join('; ').slice(0, 400)}.`
}

/** Returns the issues to report for one issue of zod: for a union, the issues of the branch that has the fewest. */
function leafIssues(issue: z.$ZodIssue): z.$ZodIssue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue]
  const closest = issue.errors.reduce((best, branch) => (branch.length < best.length ? branch : best))
  return closest.flatMap((nested) => leafIssues({ ...nested, path: [...issue.path, ...nested.path] }))
}
