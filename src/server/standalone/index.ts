/**
 * A ready-made HTTP server with a location router. It needs Express, which is installed with the package.
 *
 * @module hereabouts/server/standalone
 */
export { drainOnSignals, type Drainable } from './drain-on-signals.js'
export { createLocationServer, type ListeningAt, type LocationServer } from './server.js'
export type { LocationServerOptions } from './server-options.js'
export type { LocationRouter, NoProcedures, ProcedureTools } from './server-router.js'
export type { ServerContext } from './server-context.js'
