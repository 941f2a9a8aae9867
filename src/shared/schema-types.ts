import type * as core from 'zod/v4/core'
import type { RoomTypesWith } from './room-types.js'

/** A zod 4 schema, classic or mini, whose input and output are the same plain JSON. */
export type Schema = core.$ZodType

/** The type of the values that a schema accepts. */
export type Out<S extends Schema> = core.output<S>

/** The schema of an optional feature; `false` when the app does not use the feature. */
export type OptionalSchema = Schema | false
/** The type of the values of an optional feature; `never` without the feature. */
export type OptionalOut<S extends OptionalSchema> = [S] extends [Schema] ? Out<S> : never

/**
 * Whether members may lock places. `idleMs`: how long a client that is idle or away keeps its locks, in milliseconds.
 * Default 120,000.
 */
export type LocksOption = boolean | { idleMs?: number }

/** The room types of a hub, derived from the types of its schemas and options. */
export type SchemaTypes<
  SL extends Schema,
  SP extends OptionalSchema,
  LK extends LocksOption = false,
  SV extends OptionalSchema = false,
  SB extends OptionalBroadcasts = undefined,
> = RoomTypesWith<{
  location: Out<SL>
  profile: OptionalOut<SP>
  broadcasts: BroadcastsOut<SB>
  locks: false extends LK ? false : true
  presence: OptionalOut<SV>
}>

/** The schemas of an app's broadcasts, by name. */
export type BroadcastSchemas = Readonly<Record<string, Schema>>
/** The schemas of the broadcasts, or `undefined` in an app without them. */
export type OptionalBroadcasts = BroadcastSchemas | undefined
/** The payload types of an app's broadcasts, by name; `never` without broadcasts. */
export type BroadcastsOut<SB extends OptionalBroadcasts> = [SB] extends [BroadcastSchemas]
  ? { [K in keyof SB & string]: Out<SB[K]> }
  : never
/**
 * The schemas of an app's broadcasts themselves when each name and each schema is allowed; otherwise a type that says
 * what to change.
 */
export type UnchangedBroadcasts<SB extends OptionalBroadcasts> = {
  [K in keyof SB]: K extends `hereabouts:${string}`
    ? { error: 'names that begin with `hereabouts:` are reserved' }
    : SB[K] extends Schema
      ? Unchanged<SB[K]>
      : never
}

/** `S` itself when it accepts `{}` and nothing but objects; otherwise a type whose `error` field explains what to change. */
export type AcceptsEmpty<S extends Schema> = [Partial<Record<string, never>>] extends [core.input<S>]
  ? [core.output<S>] extends [Readonly<Record<string, unknown>>]
    ? S
    : S & { error: 'a presence schema must be an object of named values' }
  : S & { error: 'a presence schema must accept {}: make each property optional, for example with .partial()' }

/**
 * `S` itself when its input and output types are equal; otherwise a type whose `error` field explains what to change.
 */
export type Unchanged<S extends Schema> = [true] extends [IsForeign<core.output<S>, [1, 1, 1, 1]>]
  ? S & {
      error: 'a location, profile or presence schema must be plain JSON: no dates, maps, sets, bigints or functions'
    }
  : SameInputAndOutput<S>

type SameInputAndOutput<S extends Schema> = [core.input<S>] extends [core.output<S>]
  ? [core.output<S>] extends [core.input<S>]
    ? S
    : S & { error: 'a location, profile or presence schema must not transform: use .optional() instead of .default()' }
  : S & { error: 'a location, profile or presence schema must not transform: use .optional() instead of .default()' }

/** A value that JSON cannot express, such as the Date that `z.date()` returns. */
type Foreign =
  Date | bigint | symbol | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | ((...args: never[]) => unknown)

/** `true` when a value of type `T` may contain a value that JSON cannot express, in its first four levels. */
type IsForeign<T, Levels extends unknown[]> = 0 extends 1 & T
  ? false
  : T extends Foreign
    ? true
    : T extends object
      ? Levels extends [unknown, ...infer Below]
        ? { [K in keyof T]-?: IsForeign<T[K], Below> }[keyof T]
        : false
      : false
