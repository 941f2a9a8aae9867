/**
 * A ready-made HTTP server with a location router. It needs Express, which is installed with the package.
 *
 * @module hereabouts/server/standalone
 */
export { drainOnSignals, type Drainable } from './drain-on-signals.js'
export {
  createLocationServer,
  type ListeningAt,
  type LocationRouter,
  type LocationServer,
  type LocationServerOptions,
  type NoProcedures,
  type ProcedureTools,
} from './server.js'
export type { ServerContext } from './server-context.js'
