export { drainOnSignals, type Drainable } from './drain-on-signals.js'
export {
  createLocationServer,
  type ListeningAt,
  type LocationRouter,
  type LocationServer,
  type LocationServerOptions,
  type ServerContext,
} from './server.js'
