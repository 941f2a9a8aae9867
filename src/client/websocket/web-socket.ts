import type { OnLocationInput, PostLocationInput, PostLocationOutput } from '../../shared/call-types.js'
import { LocationError } from '../../shared/errors.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { StreamListener, TabContext } from '../connection/stream-types.js'
import type { ClientTransport, ProcedureNames, Transport } from '../connection/transport.js'
import { procedureWire } from './procedure-wire.js'
import { SharedSocket } from './shared-socket.js'
import type { SocketConnection, SocketLike } from './socket-connection.js'
import { SocketStream } from './socket-stream.js'
import { sseFallback } from './sse-fallback.js'

/** The options of `webSocket()`. */
export type WebSocketOptions = {
  /** The URL of the server's WebSockets, such as `wss://example.com/trpc`; in a page also a path, such as `/trpc`. */
  url: string | URL
  /**
   * Returns the object that the server's `createContext` receives as `info.connectionParams`, with a token, for
   * example: a browser sends no headers with a WebSocket, only cookies. Called for each socket. Default: nothing is
   * sent.
   */
  connectionParams?: () => Record<string, string> | Promise<Record<string, string>>
  /** Default: the global `WebSocket`. Node 20 has none: pass that of `ws`. */
  WebSocket?: new (url: string) => SocketLike
}

/**
 * Sends and receives over a WebSocket: pass it as `transport` to `createLocationClient`. A post costs the server about
 * half of what it costs over HTTP. The client still needs the HTTP `url`: it leaves rooms and polls over HTTP, and it
 * falls back to SSE when two sockets in a row have failed before a room was live. `room.status.transport` names the
 * transport in use.
 *
 * ```ts
 * createLocationClient<AppRouter>({ url: '/trpc', transport: webSocket({ url: '/trpc' }) })
 * ```
 */
export function webSocket(options: WebSocketOptions): ClientTransport {
  return (http, names) => socketTransport(http, names, options)
}

function socketTransport<T extends RoomTypes>(
  http: Transport<T>,
  names: ProcedureNames,
  options: WebSocketOptions,
): Transport<T> {
  const { clock } = http
  const wire = procedureWire(names)
  const fallback = sseFallback(clock.now)
  const shared = new SharedSocket(options, clock, fallback)
  const post = (socket: SocketConnection, input: PostLocationInput<T>, deadlineMs: number) => {
    let stopDeadline = () => {}
    return new Promise<PostLocationOutput>((resolve, reject) => {
      const id = socket.request('mutation', wire.params('postLocation', input), {
        message({ data }) {
          socket.forget(id)
          // A reply that the app's transformer cannot read fails alone, as over HTTP.
          resolve(new Promise((read) => read(wire.output(data) as PostLocationOutput)))
        },
        // The caller reads this refusal like an error of tRPC: by `message`, `data` and `shape`.
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors
        refused: (shape) => reject({ ...shape, shape }),
        closed: ({ error }) => reject(error),
      })
      stopDeadline = clock.after(deadlineMs, () => {
        socket.forget(id)
        reject(new LocationError('network', 'The request timed out.'))
      })
    }).finally(() => stopDeadline())
  }
  return {
    ...http,
    openStream(input, listener) {
      if (fallback.isActive()) return http.openStream(input, fallback.watch(listener))
      const stream = new SocketStream({ shared, wire, fallback, clock }, input, listener)
      return () => stream.close()
    },
    // Tabs share a stream because a browser opens only six to a server over HTTP/1.1. Sockets have no such limit.
    get shareStream() {
      const { shareStream } = http
      if (!shareStream || !fallback.isActive()) return null
      return (input: OnLocationInput, listener: StreamListener<T>, tab: TabContext<T>) =>
        shareStream(input, fallback.watch(listener), tab)
    },
    post(input, deadlineMs) {
      const socket = fallback.isActive() ? null : shared.ready
      return socket ? post(socket, input, deadlineMs) : http.post(input, deadlineMs)
    },
    state: () => ({ transport: fallback.isActive() ? 'sse' : 'websocket' }),
    reconnect() {
      fallback.worked()
      shared.close()
      http.reconnect?.()
    },
  }
}
