import type { IncomingMessage } from 'node:http'
import type { AnyTRPCRouter } from '@trpc/server'
import type { TRPCRequestInfo } from '@trpc/server/http'
import type { WebSocket } from 'ws'
import type { Clock } from '../../shared/clock.js'
import type { Limits } from '../options/limits.js'
import type { Logger } from '../options/logger.js'
import type { Timing } from '../options/timing.js'
import type { CallerAccess } from '../procedures/socket-calls.js'
import type { OnError, TrpcAnswers } from './trpc-answers.js'

export type CreateContext = (options: { req: IncomingMessage; res: WebSocket; info: TRPCRequestInfo }) => unknown

/** What all sockets of one handler share. */
export type SocketEnvironment = {
  router: AnyTRPCRouter
  createContext: CreateContext | undefined
  onError: OnError | undefined
  /** The most queries and mutations of one message. */
  maxBatchSize: number | undefined
  answers: TrpcAnswers
  clock: Clock
  timing: Timing
  limits: Limits
  logger: Logger
  /** Returns how callers are identified; `undefined` while the location procedures are in a router that is not loaded. */
  access: () => CallerAccess | undefined
  isDraining: () => boolean
}

/** Close codes (RFC 6455 §7.4 and its registry). */
export const closeCodes = {
  normal: 1000,
  /** The server or its process restarts: connect again at once, elsewhere. */
  serviceRestart: 1012,
  /** A limit or an outage: connect again later. */
  tryAgainLater: 1013,
  /** The caller may not, or no longer, use this socket as it is. */
  policyViolation: 1008,
} as const
