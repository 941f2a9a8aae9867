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

/** The router, the options and the state that all sockets of one handler share. */
export type SocketEnvironment = {
  router: AnyTRPCRouter
  createContext: CreateContext | undefined
  onError: OnError | undefined
  /** The maximum number of queries and mutations in one message. */
  maxBatchSize: number | undefined
  answers: TrpcAnswers
  clock: Clock
  timing: Timing
  limits: Limits
  logger: Logger
  /**
   * Returns the functions that identify callers; `undefined` while the location procedures are in a lazy router that is
   * not loaded yet.
   */
  access: () => CallerAccess | undefined
  isDraining: () => boolean
}

/** WebSocket close codes (RFC 6455 §7.4 and the IANA registry). */
export const closeCodes = {
  normal: 1000,
  /** The server or its process restarts: the client should connect again at once, to another process. */
  serviceRestart: 1012,
  /** A limit or an outage: the client should connect again later. */
  tryAgainLater: 1013,
  /** The caller is not, or no longer, allowed to use this socket. */
  policyViolation: 1008,
} as const
