export { drainOnSignals, type Drainable } from './drain-on-signals.js'
export {
  createLocationServer,
  type ListeningAt,
  type LocationRouter,
  type LocationServer,
  type LocationServerOptions,
} from './server.js'
export type { ServerContext } from './server-context.js'
