import { dirname, resolve } from 'node:path'
import type { TRPCRouterRecord } from '@trpc/server'
import type {
  LocksOption,
  OptionalBroadcasts,
  OptionalOut,
  OptionalSchema,
  Schema,
  SchemaTypes,
} from '../../shared/schema-types.js'
import { accessOptionChecks } from '../access/access-options.js'
import type { Access } from '../access/access-types.js'
import { originOptionChecks, type OriginOptions } from '../http/guard/origin-check.js'
import { hubOptionChecks, type HubOptions } from '../hub/hub-options.js'
import {
  checkedElsewhere,
  isBoolean,
  isSyncFunction,
  type OptionCheck,
  type OptionChecks,
} from '../options/option-checks.js'
import type { ClientIp } from '../procedures/procedures.js'
import type { ServerContext } from './server-context.js'
import type { ProcedureTools } from './server-router.js'

/** The options of `createLocationServer`: those of the hub, of access, of origins, and of the HTTP server. */
export type LocationServerOptions<
  SL extends Schema,
  SP extends OptionalSchema,
  LK extends LocksOption = LocksOption,
  SV extends OptionalSchema = false,
  SB extends OptionalBroadcasts = OptionalBroadcasts,
  R extends TRPCRouterRecord = TRPCRouterRecord,
> = HubOptions<SL, SP, LK, SV, SB> &
  Access<ServerContext, NoInfer<OptionalOut<SP>>> &
  OriginOptions & {
    /**
     * A folder of files to serve beside the procedures. Their content security policy allows only resources of the same
     * origin, and images over https.
     */
    static?: string
    /**
     * Sends streams as gzip to clients that accept it. Each frame is compressed once for all subscribers. Default: false.
     * docs/deploying.md describes savings, cost and risk.
     */
    compress?: boolean
    /**
     * Serves WebSockets too, at the path `/trpc`, for clients with `hereabouts/client/websocket` and for tRPC's `wsLink`. The
     * package `ws` must be installed. Default: false.
     */
    webSocket?: boolean
    /**
     * The time that an idle connection stays open, in milliseconds. Behind a load balancer it must be longer than the
     * balancer's own idle timeout: otherwise the balancer may send a request over a connection that the server is
     * closing, and the request is lost. Default: 70,000.
     */
    keepAliveMs?: number
    /**
     * Returns the address of the caller's machine, for limits by address. Behind a proxy: the address that your proxy
     * vouches for, such as the last entry of `x-forwarded-for`, never one that the caller wrote. Default: `ctx.ip`.
     */
    clientIp?: ClientIp<ServerContext>
    /**
     * Returns procedures of your own, which the server serves beside the location procedures: for example a mutation that saves
     * what a lock guards. The names of the location procedures are reserved. Rate limits do not apply to your own.
     * Default: none.
     *
     * ```ts
     * procedures: ({ procedure }) => ({ time: procedure.query(() => Date.now()) })
     * ```
     */
    procedures?: (tools: ProcedureTools<SchemaTypes<SL, SP, LK, SV, SB>>) => R
  }

/** Refuses an empty path, which Express takes for the working folder with all of the app's source, and the root. */
const isFolder: OptionCheck = (value) =>
  typeof value === 'string' && value !== '' && dirname(resolve(value)) !== resolve(value)
    ? null
    : 'the path of a folder of public files, and not the root: "dist"'

export const serverOptionChecks: OptionChecks<
  LocationServerOptions<Schema, OptionalSchema, LocksOption, OptionalSchema>
> = {
  ...hubOptionChecks,
  ...accessOptionChecks,
  ...originOptionChecks,
  static: isFolder,
  compress: isBoolean,
  webSocket: isBoolean,
  keepAliveMs: checkedElsewhere,
  clientIp: isSyncFunction,
  procedures: isSyncFunction,
}
