import {
  initTRPC,
  type TRPCBuiltRouter,
  type TRPCProcedureBuilder,
  type TRPCRouterRecord,
  type TRPCUnsetMarker,
} from '@trpc/server'
import { LocationError } from '../../shared/errors.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { Access } from '../access/access-types.js'
import type { Hub } from '../hub/hub.js'
import type { LocationHub } from '../hub/location-hub.js'
import type { ClientIp } from '../procedures/procedures.js'
import { locationRecord, type LocationRecord } from '../procedures/router.js'
import { withRetryAfterMs, type LocationErrorShape } from '../procedures/trpc-errors.js'
import type { ServerContext } from './server-context.js'

/** No procedures beside the location procedures. */
// oxlint-disable-next-line typescript/no-generated-empty-object-type -- an intersection with it adds nothing
export type NoProcedures = Record<never, never>

/** The router of a server: the location procedures, and those of the option `procedures`. The type of `server.router`. */
export type LocationRouter<T extends RoomTypes, R extends TRPCRouterRecord = NoProcedures> = TRPCBuiltRouter<
  { ctx: object; meta: object; errorShape: LocationErrorShape; transformer: false },
  LocationRecord<T> & R
>

/** The argument of the option `procedures`: the hub, and the base procedure of the server's router. */
export interface ProcedureTools<T extends RoomTypes> {
  /** The hub of the server: its rooms, locks and broadcasts. */
  hub: LocationHub<T>
  /** A base procedure, whose context is the `ServerContext` of the request. */
  procedure: TRPCProcedureBuilder<
    ServerContext,
    object,
    object,
    TRPCUnsetMarker,
    TRPCUnsetMarker,
    TRPCUnsetMarker,
    TRPCUnsetMarker,
    false
  >
}

type RouterOptions<T extends RoomTypes> = {
  clientIp?: ClientIp<ServerContext>
  procedures?: (tools: ProcedureTools<T>) => TRPCRouterRecord
}

/** Returns a tRPC router with the location procedures of a hub, and those of the app. */
export function routerFor<T extends RoomTypes>(hub: Hub<T>, options: RouterOptions<T>) {
  const t = initTRPC.context<ServerContext>().create({
    // Clients must not see stack traces.
    isDev: false,
    errorFormatter: ({ shape, error }) => withRetryAfterMs(shape, error),
    // Makes tRPC's own client leave a dead stream too. The time is longer than the 2.5 heartbeat intervals after which
    // the client of this package reconnects.
    sse: { client: { reconnectAfterInactivityMs: 3 * hub.timing.beatMs } },
  })
  const access = options as unknown as Access<ServerContext, unknown>
  const clientIp = options.clientIp ?? (({ ctx }) => ctx.ip)
  const record = locationRecord({ hub, procedure: t.procedure, ...access, clientIp })
  try {
    const own = options.procedures?.({ hub, procedure: t.procedure }) ?? {}
    const taken = Object.keys(own).find((name) => name in record)
    if (taken !== undefined)
      throw new LocationError('misconfigured', `procedures: ${taken} is a location procedure: choose another name.`)
    return t.router({ ...record, ...own })
  } catch (error) {
    // The hub is closed here: the caller gets no server, and could not close it.
    void hub.close()
    throw error
  }
}
