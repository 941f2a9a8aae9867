import type { Access } from '../server/index.js'
import {
  createLocationServer,
  type LocationServer,
  type LocationServerOptions,
  type ServerContext,
} from '../server/standalone/index.js'
import { cellLocation } from '../shared/index.js'
import type { memberProfile } from '../shared/index.js'
import type { RoomTypes } from '../shared/room-types.js'
import type { OptionalOut, OptionalSchema, Schema, SchemaTypes, Unchanged } from '../shared/schema-types.js'

/** Those of `createLocationServer`, all of which may be left out, and the port. */
export type ServeLocationsOptions<SL extends Schema, SP extends OptionalSchema> = Own<SL, SP> &
  (Access<ServerContext, NoInfer<OptionalOut<SP>>> | Nobody)

type Own<SL extends Schema, SP extends OptionalSchema> = {
  /** Default `cellLocation`. */
  location?: SL & Unchanged<SL>
  /** Default 0: a free one. */
  port?: number
} & Omit<LocationServerOptions<SL, SP>, 'location' | 'identify' | 'authorize' | 'anonymous'>

/** Nothing said of who people are: `anonymous: true`. */
type Nobody = { identify?: never; authorize?: never; anonymous?: never }

export interface ServedLocations<T extends RoomTypes> extends AsyncDisposable {
  /** What a client is given as `url`: where the procedures are. */
  readonly url: string
  readonly port: number
  readonly server: LocationServer<T>
  readonly hub: LocationServer<T>['hub']
  /** Ends everything at once, as a killed process does. */
  close(): Promise<void>
}

/**
 * A real server on a free port of this machine, which ends with the block that it was made in:
 *
 * ```ts
 * await using server = await serveLocations({ timing: { scale: 1 / 50 } })
 * const client = createLocationClient<typeof server.server.router>({ url: server.url })
 * ```
 *
 * @throws LocationError `misconfigured`, also when a `port` that was asked for is taken.
 */
export function serveLocations<
  SL extends Schema = typeof cellLocation,
  SP extends OptionalSchema = typeof memberProfile,
>(options?: Own<SL, SP> & Nobody): Promise<ServedLocations<SchemaTypes<SL, SP>>>
export function serveLocations<
  SL extends Schema = typeof cellLocation,
  SP extends OptionalSchema = typeof memberProfile,
>(options: Own<SL, SP> & Access<ServerContext, NoInfer<OptionalOut<SP>>>): Promise<ServedLocations<SchemaTypes<SL, SP>>>
export async function serveLocations<SL extends Schema, SP extends OptionalSchema>(
  options?: ServeLocationsOptions<SL, SP>,
): Promise<ServedLocations<SchemaTypes<SL, SP>>> {
  const { port: asked = 0, ...given } = options ?? {}
  const access = given.identify ? {} : { anonymous: true }
  const complete = { location: cellLocation, ...access, ...given } as unknown as LocationServerOptions<SL, SP>
  const server = createLocationServer<SL, SP>(complete)
  const { url } = await server.listen(asked)
  const close = () => server.close()
  return {
    url: `${url}/trpc`,
    port: Number(new URL(url).port),
    server,
    hub: server.hub,
    close,
    [Symbol.asyncDispose]: close,
  }
}
