import { silentLogger, type Access } from '../server/index.js'
import {
  createLocationServer,
  type LocationServer,
  type LocationServerOptions,
  type ServerContext,
} from '../server/standalone/index.js'
import { cellLocation } from '../shared/index.js'
import type { memberProfile } from '../shared/index.js'
import type { RoomTypes } from '../shared/room-types.js'
import type {
  OptionalBroadcasts,
  LocksOption,
  OptionalOut,
  OptionalSchema,
  Schema,
  SchemaTypes,
  Unchanged,
} from '../shared/schema-types.js'

/** The options of `createLocationServer`, all optional, and the port. */
export type ServeLocationsOptions<
  SL extends Schema,
  SP extends OptionalSchema,
  LK extends LocksOption = LocksOption,
  SV extends OptionalSchema = false,
  SB extends OptionalBroadcasts = undefined,
> = Own<SL, SP, LK, SV, SB> & (Access<ServerContext, NoInfer<OptionalOut<SP>>> | Nobody)

type Own<
  SL extends Schema,
  SP extends OptionalSchema,
  LK extends LocksOption,
  SV extends OptionalSchema,
  SB extends OptionalBroadcasts,
> = {
  /** The schema of a location. Default `cellLocation`. */
  location?: SL & Unchanged<SL>
  /** The port to listen on. Default 0: a free port. */
  port?: number
} & Omit<LocationServerOptions<SL, SP, LK, SV, SB>, 'location' | 'identify' | 'authorize' | 'anonymous'>

/** No access options: the server is created with `anonymous: true`. */
type Nobody = { identify?: never; authorize?: never; anonymous?: never }

/** A running server, as `serveLocations` returns it. */
export interface ServedLocations<T extends RoomTypes> extends AsyncDisposable {
  /** The URL of the procedures, which a client takes as `url`. */
  readonly url: string
  readonly port: number
  readonly server: LocationServer<T>
  readonly hub: LocationServer<T>['hub']
  /** Closes the server and all its connections at once, as when a process is killed. */
  close(): Promise<void>
}

/**
 * Starts a real server on a free port of this machine. With `await using`, it closes at the end of the block:
 *
 * ```ts
 * await using server = await serveLocations({ timing: { scale: 1 / 50 } })
 * const client = createLocationClient<typeof server.server.router>({ url: server.url })
 * ```
 *
 * @throws LocationError `misconfigured`, also when the given `port` is in use.
 */
export function serveLocations<
  SL extends Schema = typeof cellLocation,
  SP extends OptionalSchema = typeof memberProfile,
  const LK extends LocksOption = false,
  SV extends OptionalSchema = false,
  SB extends OptionalBroadcasts = undefined,
>(options?: Own<SL, SP, LK, SV, SB> & Nobody): Promise<ServedLocations<SchemaTypes<SL, SP, LK, SV, SB>>>
export function serveLocations<
  SL extends Schema = typeof cellLocation,
  SP extends OptionalSchema = typeof memberProfile,
  const LK extends LocksOption = false,
  SV extends OptionalSchema = false,
  SB extends OptionalBroadcasts = undefined,
>(
  options: Own<SL, SP, LK, SV, SB> & Access<ServerContext, NoInfer<OptionalOut<SP>>>,
): Promise<ServedLocations<SchemaTypes<SL, SP, LK, SV, SB>>>
export async function serveLocations<
  SL extends Schema,
  SP extends OptionalSchema,
  LK extends LocksOption,
  SV extends OptionalSchema,
  SB extends OptionalBroadcasts,
>(options?: ServeLocationsOptions<SL, SP, LK, SV, SB>): Promise<ServedLocations<SchemaTypes<SL, SP, LK, SV, SB>>> {
  const { port: asked = 0, ...given } = options ?? {}
  const access = given.identify ? {} : { anonymous: true }
  const complete = {
    location: cellLocation,
    logger: silentLogger,
    ...access,
    ...given,
  } as unknown as LocationServerOptions<SL, SP, LK, SV, SB>
  const server = createLocationServer<SL, SP, LK, SV, SB>(complete)
  const close = () => server.close()
  const { url } = await server.listen(asked).catch(async (error: unknown) => {
    // Nobody else could close a server that was not returned.
    await close().catch(() => {})
    throw error
  })
  return {
    url: `${url}/trpc`,
    port: Number(new URL(url).port),
    server,
    hub: server.hub,
    close,
    [Symbol.asyncDispose]: close,
  }
}
