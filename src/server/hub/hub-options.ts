import type { Clock } from '../../shared/clock.js'
import type {
  AcceptsEmpty,
  LocksOption,
  OptionalBroadcasts,
  OptionalSchema,
  Schema,
  Unchanged,
  UnchangedBroadcasts,
} from '../../shared/schema-types.js'
import type { Limits } from '../options/limits.js'
import type { Logger } from '../options/logger.js'
import type { Metrics } from '../options/metrics.js'
import {
  checkedElsewhere,
  hasMethods,
  isPlainObject,
  type OptionCheck,
  type OptionChecks,
} from '../options/option-checks.js'
import type { TimingOptions } from '../options/timing.js'
import type { Backend } from '../rules/backend.js'

/** The options of `createLocationHub`. */
export interface HubOptions<
  SL extends Schema,
  SP extends OptionalSchema,
  LK extends LocksOption = LocksOption,
  SV extends OptionalSchema = false,
  SB extends OptionalBroadcasts = OptionalBroadcasts,
> {
  /** The schema of a location: any zod 4 schema, classic or mini, whose input and output are the same plain JSON. */
  location: SL & Unchanged<SL>
  /**
   * The schema of a profile: what other members see of a member. Default `memberProfile`: name, color?, avatar?. `false`:
   * members have no profile.
   */
  profile?: SP & (SP extends Schema ? Unchanged<SP> : false)
  /**
   * The schema of a presence value: what changes often and is not a place, such as `{ typing: true }`. The value is an
   * object that is patched by key, and the schema must accept `{}`. Default `false`: there are no presence values.
   */
  presence?: SV & (SV extends Schema ? Unchanged<SV> & AcceptsEmpty<SV> : false)
  /**
   * Lets members lock places of a room, so that only one member edits a place at a time. `idleMs`: how long a client
   * that is idle or away keeps its locks, in milliseconds; default 120,000. Default `false`.
   */
  locks?: LK
  /**
   * The schemas of broadcasts, by name: messages to everybody who reads a room now, such as reactions. Names that begin with
   * `hereabouts:` are reserved. Default: the app has no broadcasts.
   */
  broadcasts?: SB & UnchangedBroadcasts<SB>
  /** The storage of the rooms. Default `memoryBackend()`, for a single process. */
  backend?: Backend
  /** Limits that replace the defaults. */
  limits?: Partial<Limits>
  /** Durations in milliseconds that replace the defaults, or a `scale` for all of them. */
  timing?: TimingOptions
  /** The source of time. Default: the system clock. */
  clock?: Clock
  /**
   * Receives log messages. `pinoLogger` adapts pino. Default of a hub: nothing is logged. Default of
   * `createLocationServer`: warnings and errors go to the console; with `silentLogger` nothing is logged.
   */
  logger?: Logger
  /**
   * Receives measurements, for example `prometheusMetrics()` of `hereabouts/server/prometheus`. Default: nothing is
   * measured.
   */
  metrics?: Metrics
}

/** pino's methods take the details first: without the adapter every log line would lose its message or its details. */
const isLogger: OptionCheck = (value) => {
  if (typeof value === 'object' && value !== null && 'bindings' in value)
    return 'a Logger, which pino is not: pass pinoLogger(pino)'
  return hasMethods('a Logger, with info(), warn() and error(): console is one', ['info', 'warn', 'error'])(value)
}

const isSchemaOrFalse =
  (needed: string): OptionCheck =>
  (value) =>
    value === false || (typeof value === 'object' && value !== null) ? null : needed

const isLocks: OptionCheck = (value) => {
  const { idleMs = 1, ...other } = isPlainObject('')(value) === null ? (value as { idleMs?: unknown }) : {}
  const isObject = Object.keys(other).length === 0 && typeof idleMs === 'number' && idleMs > 0 && idleMs < 2 ** 31
  const isGiven = typeof value === 'boolean' || isPlainObject('')(value) === null
  return isGiven && isObject ? null : 'true, false or { idleMs }, a number of milliseconds above 0 and below 2147483648'
}

/** The checks of the options of `createLocationHub`. The schemas and the numbers are checked where they are read. */
export const hubOptionChecks: OptionChecks<HubOptions<Schema, OptionalSchema, LocksOption, OptionalSchema>> = {
  location: checkedElsewhere,
  profile: isSchemaOrFalse('a zod 4 schema such as memberProfile, or false for members without a profile'),
  presence: isSchemaOrFalse(
    'a zod 4 schema such as z.strictObject({ typing: z.boolean() }).partial(), or false for members without a presence value',
  ),
  broadcasts: isPlainObject('an object of zod 4 schemas by name, such as { reaction: z.strictObject({ ... }) }'),
  locks: isLocks,
  backend: hasMethods('a Backend, such as memoryBackend() or redisBackend({ ... })', [
    'open',
    'ready',
    'revoke',
    'onRevoke',
    'onHealth',
    'close',
  ]),
  limits: isPlainObject('an object of numbers, such as { postsPerSecond: 10 }'),
  timing: isPlainObject('an object of durations, such as { beatMs: 5_000 }'),
  clock: hasMethods('a Clock, with the functions now(), date() and after()', ['now', 'date', 'after']),
  logger: isLogger,
  metrics: hasMethods('Metrics, such as prometheusMetrics()', ['called', 'fannedOut', 'streamEnded', 'watch']),
}
