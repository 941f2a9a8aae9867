export type { Clock } from '../shared/clock.js'
export { LocationError, type LocationErrorCode } from '../shared/errors.js'
export type { Access, Awaitable, Identity, Member, RoomAction } from './access.js'
export type {
  Action,
  Backend,
  Commit,
  ConnectionChange,
  Kept,
  Leave,
  OpenRoom,
  Outcome,
  Post,
  Revoke,
  RoomOptions,
  RoomRules,
  RoomState,
  Shorten,
  Sweep,
} from './backend.js'
export { memoryBackend } from './backends/memory.js'
export type { ClientIp } from './calls.js'
export type { DoorOptions } from './doors.js'
export { drainOnSignals, type Drainable } from './drain.js'
export {
  createLocationDoors,
  type DoorRequest,
  type DoorResponse,
  type LocationDoorsOptions,
} from './location-doors.js'
export { createLocationHub, type HubHealth, type HubOptions, type LocationHub } from './hub.js'
export type { HubRoom, RoomMember } from './hub-room.js'
export type { Limits } from './limits.js'
export { pinoLogger, type Logger, type ObjectLogger } from './logger.js'
export type { CallOutcome, Metrics, Readings, Traffic } from './metrics.js'
export {
  createLocationMiddleware,
  type HttpRequest,
  type HttpResponse,
  type LocationMiddlewareOptions,
} from './middleware.js'
export { createLocationRouter, type LocationRecord, type LocationRouterOptions } from './router.js'
export {
  createLocationServer,
  type ListeningAt,
  type LocationRouter,
  type LocationServer,
  type LocationServerOptions,
  type ServerContext,
} from './server.js'
export type { Timing, TimingOptions } from './timing.js'
