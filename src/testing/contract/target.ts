import type { DataTransformer } from '../../client/index.js'
import type { ContractSocket } from './socket-wire.js'

/** The server under test, and valid and invalid values for it. */
export type ContractTarget = {
  /** The URL of its procedures: `http://127.0.0.1:3000/trpc`. */
  url: string
  /** The name under which the location router is merged, such as `locations`. Default: it is the whole router. */
  path?: string
  /** Headers of every request, such as credentials. */
  headers?: Record<string, string>
  /**
   * Opens a WebSocket to the server: `() => new WebSocket('ws://127.0.0.1:3000/trpc')`, with credentials if it needs any. When
   * given, each case opens two sockets and uses them in turn, for its calls and its streams; `url` and `headers` are not used.
   */
  webSocket?(): ContractSocket
  /** The app's transformer, such as superjson. Default: none. */
  transformer?: DataTransformer
  /** Returns a valid location for each number from 0 on, no two of them equal. */
  location(n: number): unknown
  /** A location that the schema rejects. */
  badLocation: unknown
  /** Returns a valid profile for each number, no two of them equal. When absent, there is no case about profiles. */
  profile?(n: number): unknown
  /**
   * Returns a valid presence value for each number, none of them empty and no two equal; values with different keys check more.
   * When absent, there are no cases about presence values.
   */
  presence?(n: number): object
  /** One of the app's broadcasts. When absent, there are no cases about broadcasts. */
  broadcasts?: ContractBroadcasts
  /** The limits of locks, if the server has locks. When absent, there are no cases about locks. */
  locks?: ContractLocks
  /**
   * The server's timing where it differs from the defaults of PROTOCOL. The heartbeat interval and the lease are read
   * from `hello`.
   */
  timing?: Partial<ContractTiming>
}

/** One of the app's broadcasts, and valid and invalid payloads for it. */
export type ContractBroadcasts = {
  /** The name of the broadcast. */
  name: string
  /** Returns a valid payload for each number, no two of them equal. */
  payload(n: number): unknown
  /** A payload that the schema rejects. */
  badPayload: unknown
  /** The number of broadcasts that a member may send at once. When absent, there is no case about this limit. */
  burst?: number
}

/** The locks of the server under test. */
export type ContractLocks = {
  /** The number of places that one connection may lock. Default 8. */
  perConnection?: number
}

/** The durations of the server under test, in milliseconds. Each has the default of the protocol. */
export type ContractTiming = {
  /** The shortest and the longest lease that a post may ask for. Default 5,000 and 300,000. */
  leaseMinMs: number
  leaseMaxMs: number
  /** The time that a lease has left after the client closed its stream. Default 15,000. */
  closedMs: number
  /** The longest grace of a leave. Default 5,000. */
  graceMaxMs: number
  /** The longest wait for an answer or an event that should come at once. Default 5,000. */
  patienceMs: number
}

export const defaultTiming: ContractTiming = {
  leaseMinMs: 5_000,
  leaseMaxMs: 300_000,
  closedMs: 15_000,
  graceMaxMs: 5_000,
  patienceMs: 5_000,
}
