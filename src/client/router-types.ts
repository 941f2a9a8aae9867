import type { RoomTypesWith } from '../shared/room-types.js'

/* Routers are matched by shape: no @trpc/server type is named here, so none leaks into the types of a browser's bundle. */
type AnyProcedure = { _def: { procedure: true } }
type Procedure<I, O> = { _def: { $types: { input: I; output: O } } }
/** Any tRPC router. */
export type RouterLike = { _def: { record: object } }
type RecordOf<R> = R extends { _def: { record: infer Rec } } ? Rec : never
type LocationsLike = { postLocation: AnyProcedure; onLocation: AnyProcedure }

/** The dotted paths of the location routers inside a router, to four levels; `''` when the router itself is one. */
export type LocationPath<R> = PathsIn<RecordOf<R>, [1, 1, 1, 1]>
type PathsIn<Rec, Levels extends unknown[]> = Rec extends LocationsLike
  ? ''
  : Levels extends [unknown, ...infer Below]
    ? {
        [K in keyof Rec & string]: Rec[K] extends AnyProcedure
          ? never
          : Rec[K] extends object
            ? Join<K, PathsIn<Rec[K], Below>>
            : never
      }[keyof Rec & string]
    : never
type Join<K extends string, Rest extends string> = Rest extends '' ? K : `${K}.${Rest}`
type At<Rec, Path> = Path extends ''
  ? Rec
  : Path extends `${infer K}.${infer Rest}`
    ? K extends keyof Rec
      ? At<Rec[K], Rest>
      : never
    : Path extends keyof Rec
      ? Rec[Path]
      : never
type IsUnion<T, U = T> = T extends unknown ? ([U] extends [T] ? false : true) : never

/* The app's types are read from the input of `postLocation`, which contains all of them. */
type InputAt<R, Path> = At<RecordOf<R>, Path> extends { postLocation: Procedure<infer I, infer _> } ? I : never
/** The type of a location in the rooms of a router: `LocationOf<AppRouter>`, or `LocationOf<AppRouter, 'locations'>`. */
export type LocationOf<R, Path = LocationPath<R>> =
  InputAt<R, Path> extends { location: infer L } ? Exclude<L, null> : never
/** The type of a profile in the rooms of a router. */
export type ProfileOf<R, Path = LocationPath<R>> =
  InputAt<R, Path> extends { profile?: infer P } ? Exclude<P, undefined | null> : never
/** The type of a presence value in the rooms of a router; `never` when it has no presence schema. */
export type PresenceOf<R, Path = LocationPath<R>> =
  InputAt<R, Path> extends { presence?: infer V } ? Exclude<V, undefined> : never
/** The types of the rooms of a router: the type argument of `Room`, `Member`, `fakeRoom` and their like. */
export type RoomTypesOf<R, Path = LocationPath<R>> = RoomTypesWith<{
  location: LocationOf<R, Path>
  profile: ProfileOf<R, Path>
  broadcasts: BroadcastsAt<R, Path>
  locks: At<RecordOf<R>, Path> extends { lockLocation: AnyProcedure } ? true : false
  presence: PresenceOf<R, Path>
}>

/*
 * The names of broadcasts are read from the whole union of inputs: a distributive conditional type would make them
 * `never`.
 */
type BroadcastInputAt<R, Path> =
  At<RecordOf<R>, Path> extends { broadcastToRoom: Procedure<infer I, infer _> } ? I : never
type BroadcastsAt<R, Path> = BroadcastsIn<BroadcastInputAt<R, Path>>
type BroadcastsIn<I> = [I] extends [never]
  ? never
  : [I] extends [{ name: infer Name extends string }]
    ? { [K in Name]: Extract<I, { name: K }> extends { payload: infer P } ? P : never }
    : never

/** `path` is required when the location router is merged into another and not allowed when it is the router itself. */
export type PathOption<R, Path> = [LocationPath<R>] extends [never]
  ? { path: never; error: 'this router has no location procedures' }
  : IsUnion<Path> extends true
    ? {
        path: { error: 'several location routers: name one, createLocationClient<AppRouter, "docs.locations">' } & Path
      }
    : [Path] extends [LocationPath<R>]
      ? [Path] extends ['']
        ? { path?: '' }
        : { path: Path }
      : { path: never; error: 'this router has no location procedures at this path' }

/** A data transformer, of the same shape as tRPC's. */
// The methods of a transformer use `any`, because those of superjson have a return type of their own.
export type DataTransformer = {
  /** Makes plain JSON of a value. */
  // oxlint-disable-next-line typescript/no-explicit-any
  serialize(value: any): any
  /** Returns the value that `serialize` made JSON of. */
  // oxlint-disable-next-line typescript/no-explicit-any
  deserialize(value: any): any
}
/** `transformer` is required exactly when the router has one. */
export type TransformerOption<R> = R extends { _def: { _config: { $types: { transformer: infer T } } } }
  ? true extends T
    ? { transformer: DataTransformer | { input: DataTransformer; output: DataTransformer } }
    : { transformer?: undefined }
  : { transformer?: undefined }
