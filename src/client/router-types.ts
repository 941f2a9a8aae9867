/* A router is seen by its shape only: no @trpc/server type is named here, so none leaks into what a browser imports. */
type AnyProcedure = { _def: { procedure: true } }
type Procedure<I, O> = { _def: { $types: { input: I; output: O } } }
/** Any tRPC router, as far as we need to know one. */
export type RouterLike = { _def: { record: object } }
type RecordOf<R> = R extends { _def: { record: infer Rec } } ? Rec : never
type LocationsLike = { postLocation: AnyProcedure; onLocation: AnyProcedure }

/** Every dotted path under which a router has a location router, to four levels; '' when it is one itself. */
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

/* What the app's schemas say, read from the post's input, which holds them both. */
type InputAt<R, Path> = At<RecordOf<R>, Path> extends { postLocation: Procedure<infer I, infer _> } ? I : never
export type LocationOf<R, Path = LocationPath<R>> =
  InputAt<R, Path> extends { location: infer L } ? Exclude<L, null> : never
export type ProfileOf<R, Path = LocationPath<R>> =
  InputAt<R, Path> extends { profile?: infer P } ? Exclude<P, undefined> : never

/** `path` must be written when the router is merged, must not when it is bare. */
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

/** As tRPC's own. */
// Its methods take what `any` takes: superjson's return type is its own.
export type DataTransformer = {
  // oxlint-disable-next-line typescript/no-explicit-any
  serialize(value: any): any
  // oxlint-disable-next-line typescript/no-explicit-any
  deserialize(value: any): any
}
/** Needed exactly when the router has one. */
export type TransformerOption<R> = R extends { _def: { _config: { $types: { transformer: infer T } } } }
  ? true extends T
    ? { transformer: DataTransformer | { input: DataTransformer; output: DataTransformer } }
    : { transformer?: undefined }
  : { transformer?: undefined }
