import type { Clock } from '../../shared/clock.js'
import type {
  GetLocationsInput,
  GetLocationsOutput,
  LeaveRoomInput,
  PostLocationInput,
  PostLocationOutput,
} from '../../shared/call-types.js'
import type { OpenSubscription, ShareStream } from './stream-types.js'
import type { RoomTypes } from '../../shared/room-types.js'

/** The requests to the server and the settings that all rooms of a client share. */
export interface Transport<T extends RoomTypes> {
  url: string
  openStream: OpenSubscription<T>
  /** Shares one stream among the tabs of this browser that are the same member; `null` where there are no tabs. */
  shareStream: ShareStream<T> | null
  ask(input: GetLocationsInput, deadlineMs: number): Promise<GetLocationsOutput<T>>
  post(input: PostLocationInput<T>, deadlineMs: number): Promise<PostLocationOutput>
  /** Calls any other procedure. */
  call(type: 'query' | 'mutation', procedure: string, input: unknown, deadlineMs: number): Promise<unknown>
  leave(input: LeaveRoomInput, deadlineMs: number): Promise<unknown>
  memberKey: string
  clock: Clock
  lostMs: number
  idleMs: number
  awayMs: number
  /** Receives the exceptions and rejections of listeners. */
  report(thrown: unknown): void
  /** Returns the transport in use, for `room.status.transport`. Absent when the client has no other to fall back to. */
  state?(): { transport: TransportName }
  /** Closes a connection to the server that was opened under an earlier sign-in. */
  reconnect?(): void
}

/** The transport of a room's events: a WebSocket, or SSE after a WebSocket did not work. */
export type TransportName = 'websocket' | 'sse'

/** The options that a transport of another kind needs to call the same procedures. */
export type ProcedureNames = {
  /** The prefix of a procedure's name: `locations.`, or nothing. */
  prefix: string
  transformer: unknown
}

/** The return value of `webSocket()`: replaces the HTTP transport of a client. */
export type ClientTransport = <T extends RoomTypes>(http: Transport<T>, names: ProcedureNames) => Transport<T>
