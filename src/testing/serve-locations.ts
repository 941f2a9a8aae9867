import { createLocationServer, type LocationServer, type LocationServerOptions } from '../server/index.js'
import { cellLocation } from '../shared/index.js'
import type { memberProfile } from '../shared/index.js'
import type { Out, Schema } from '../shared/protocol.js'

type Given<SL extends Schema, SP extends Schema> = LocationServerOptions<SL, SP>

/** Those of `createLocationServer`, all of which may be left out, and the port. */
export type ServeLocationsOptions<SL extends Schema, SP extends Schema> = {
  /** Default `cellLocation`. */
  location?: Given<SL, SP>['location']
  /** Default 0: a free one. */
  port?: number
} & Omit<Given<SL, SP>, 'location' | 'identify' | 'authorize' | 'anonymous'> &
  /** Default `anonymous: true`. */
  (
    | Pick<Extract<Given<SL, SP>, { anonymous?: never }>, 'identify' | 'authorize' | 'anonymous'>
    | Pick<Extract<Given<SL, SP>, { anonymous: true }>, 'identify' | 'authorize' | 'anonymous'>
    | { identify?: never; authorize?: never; anonymous?: never }
  )

export interface ServedLocations<L, P> extends AsyncDisposable {
  /** What a client is given as `url`: where the procedures are. */
  readonly url: string
  readonly port: number
  readonly server: LocationServer<L, P>
  readonly hub: LocationServer<L, P>['hub']
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
export async function serveLocations<SL extends Schema = typeof cellLocation, SP extends Schema = typeof memberProfile>(
  options?: ServeLocationsOptions<SL, SP>,
): Promise<ServedLocations<Out<SL>, Out<SP>>> {
  const { port: asked = 0, ...given } = options ?? {}
  const access = given.identify ? {} : { anonymous: true }
  const complete = { location: cellLocation, ...access, ...given } as unknown as Given<SL, SP>
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
