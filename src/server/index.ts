/**
 * The procedures for your own tRPC app, the hub that holds the rooms, and the request guard.
 *
 * @module hereabouts/server
 */
export type { Clock } from '../shared/clock.js'
export { LocationError, type LocationErrorCode } from '../shared/errors.js'
export type { Access, Awaitable, Identity, CallerMember, RoomAction } from './access/access-types.js'
export type {
  Action,
  Backend,
  BackendHealth,
  CheckLockAction,
  Commit,
  ConnectionChange,
  StoredValue,
  LeaveAction,
  LockAction,
  BackendRoom,
  Outcome,
  PostAction,
  ReleaseAction,
  RevokeAction,
  RoomOptions,
  RoomRules,
  RoomState,
  ShortenAction,
  SweepAction,
  UnlockAction,
} from './rules/backend.js'
export { memoryBackend } from './backends/memory.js'
export type { ClientIp } from './procedures/procedures.js'
export type { OriginOptions } from './http/guard/origin-check.js'
export {
  createRequestGuard,
  type GuardRequest,
  type GuardResponse,
  type RequestGuardOptions,
} from './http/guard/request-guard.js'
export { createLocationHub } from './hub/hub.js'
export type { HubHealth, LocationHub } from './hub/location-hub.js'
export type { HubOptions } from './hub/hub-options.js'
export type { HubRoomLocks } from './hub/hub-locks.js'
export type { HubRoom, HubRoomBroadcasts, HubRoomCore, RoomMember } from './hub/hub-room.js'
export type { Limits } from './options/limits.js'
export { pinoLogger, silentLogger, type Logger, type ObjectLogger } from './options/logger.js'
export type { CallOutcome, Metrics, Readings, Traffic } from './options/metrics.js'
export {
  createLocationMiddleware,
  type HttpRequest,
  type HttpResponse,
  type LocationMiddlewareOptions,
} from './http/middleware.js'
export { toTRPCError } from './procedures/trpc-errors.js'
export { createLocationRouter, type LocationRecord, type LocationRouterOptions } from './procedures/router.js'
export type { Timing, TimingOptions } from './options/timing.js'
