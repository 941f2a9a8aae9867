import type { OnLocationInput, PostLocationInput, PostLocationOutput } from '../../shared/call-types.js'
import { LocationError } from '../../shared/errors.js'
import type { LocationEvent, Tracked } from '../../shared/events.js'
import type { RoomTypes } from '../../shared/room-types.js'
import { cut, type Failure } from '../connection/failure.js'
import type { TabContext } from '../connection/shared-tab-stream.js'
import type { OpenSubscription, StreamListener } from '../connection/subscription.js'
import type { ClientTransport, ProcedureNames, Transport } from '../connection/transport.js'
import { refusalOf, SocketConnection, type SocketLike } from './socket-connection.js'

/** The options of `webSocket()`. */
export type WebSocketOptions = {
  /** The URL of the server's WebSockets, such as `wss://example.com/trpc`; in a page also a path, such as `/trpc`. */
  url: string | URL
  /**
   * What the server's `createContext` receives as `info.connectionParams`, such as a token: a browser sends no headers with a
   * WebSocket, only cookies. Called for each socket. Default: nothing.
   */
  connectionParams?: () => Record<string, string> | Promise<Record<string, string>>
  /** Default: the global `WebSocket`. Node 20 has none: pass that of `ws`. */
  WebSocket?: new (url: string) => SocketLike
}

/** The time in which a socket must open, and a stream on it must begin, in milliseconds. */
const beginMs = 4_000
/** How long SSE is used after WebSockets did not work, in milliseconds. */
const fallbackMs = 300_000
/** How long a socket stays open that nobody uses, in milliseconds. */
const idleMs = 1_000

/**
 * Sends and receives over a WebSocket: pass it as `transport` to `createLocationClient`. A post costs the server about half of
 * what it costs over HTTP. The client still needs the HTTP `url`: it leaves rooms and polls over HTTP, and it falls back to SSE when
 * two sockets in a row have brought nothing. `room.status.transport` says what is used.
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
  const { input: inbound, output: outbound } = transformerOf(names.transformer)
  const fallback = fallbackOf(clock.now)
  let connection: SocketConnection | null = null
  let stopIdle = () => {}
  const hearing = new Set<() => void>()

  const closeSocket = () => connection?.end(cut('reconnect'))
  // A page with an open socket is not kept in the back/forward cache.
  const page = typeof document === 'undefined' ? undefined : globalThis
  const connect = () => {
    page?.addEventListener('pagehide', closeSocket)
    return new SocketConnection({
      open: () => openSocket(options),
      clock,
      openMs: beginMs,
      connectionParams: options.connectionParams,
      heard: () => hearing.forEach((heard) => heard()),
      closed: () => {
        connection = null
        page?.removeEventListener('pagehide', closeSocket)
      },
    })
  }
  const closeWhenIdle = () => {
    stopIdle()
    stopIdle = clock.after(idleMs, () => connection?.isIdle && closeSocket())
  }

  const openStream: OpenSubscription<T> = (input, listener) => {
    let close = () => {}
    let isOver = false
    let hasBegun = false
    const finish = () => {
      isOver = true
      stopTimer()
      hearing.delete(listener.heard)
      closeWhenIdle()
    }
    const end = (failure: Failure, socket?: SocketConnection) => {
      if (isOver) return
      finish()
      if (!hasBegun && !failure.answered) {
        fallback.failed()
        // Other requests of a dead socket need not wait for their own deadlines.
        socket?.end(failure)
      }
      listener.ended(failure)
    }
    const begin = () => {
      const socket = (connection ??= connect())
      const params = { path: `${names.prefix}onLocation`, input: inbound.serialize(input) as unknown }
      const id = socket.request('subscription', params, {
        message({ type, data }) {
          if (isOver) return
          if (type === 'started') return listener.opened()
          if (type !== 'data') return end(cut('stopped'))
          const { id: eventId, data: event } = outbound.deserialize(data) as Tracked<LocationEvent<T>>
          if (event?.type === 'hello') {
            hasBegun = true
            stopTimer()
            fallback.worked()
          }
          listener.event(eventId, event)
        },
        refused: (error) => end(refusalOf(error)),
        closed: (failure) => end(failure),
      })
      hearing.add(listener.heard)
      close = () => socket.stop(id)
      stopTimer = clock.after(beginMs, () => end(cut('no hello'), socket))
    }
    let stopTimer = clock.after(0, () => {
      try {
        begin()
      } catch (thrown) {
        end(cut(String(thrown)))
      }
    })
    return () => {
      if (isOver) return
      finish()
      close()
    }
  }

  const post = (input: PostLocationInput<T>, deadlineMs: number): Promise<PostLocationOutput> => {
    const socket = connection
    if (!socket?.isReady || fallback.isActive()) return http.post(input, deadlineMs)
    let stopDeadline = () => {}
    return new Promise<PostLocationOutput>((resolve, reject) => {
      const params = { path: `${names.prefix}postLocation`, input: inbound.serialize(input) as unknown }
      const id = socket.request('mutation', params, {
        message({ data }) {
          socket.forget(id)
          resolve(outbound.deserialize(data) as PostLocationOutput)
        },
        // The caller reads a refusal as it reads one of tRPC.
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
    openStream: (input, listener) =>
      fallback.isActive() ? http.openStream(input, fallback.watch(listener)) : openStream(input, listener),
    // Tabs share a stream because a browser opens only six to a server over HTTP/1.1. Sockets have no such limit.
    get shareStream() {
      const { shareStream } = http
      if (!shareStream || !fallback.isActive()) return null
      return (input: OnLocationInput, listener: StreamListener<T>, tab: TabContext<T>) =>
        shareStream(input, fallback.watch(listener), tab)
    },
    post,
    state: () => ({ transport: fallback.isActive() ? 'sse' : 'websocket' }),
    reconnect() {
      fallback.worked()
      closeSocket()
      http.reconnect?.()
    },
  }
}

/** Decides when SSE is used: for five minutes after two streams in a row that brought no hello. */
function fallbackOf(now: () => number) {
  let failures = 0
  let until = -Infinity
  return {
    isActive: () => now() < until,
    worked() {
      failures = 0
      until = -Infinity
    },
    failed() {
      failures += 1
      if (failures >= 2) until = now() + fallbackMs
    },
    /** When streams over HTTP do not work either, WebSockets were not the cause. */
    watch<L extends { event(id: string, event: LocationEvent<never>): void; ended(failure: Failure): void }>(
      listener: L,
    ): L {
      let hasBegun = false
      return {
        ...listener,
        event: (id: string, event: LocationEvent<never>) => {
          hasBegun = true
          listener.event(id, event)
        },
        ended: (failure: Failure) => {
          if (!hasBegun) this.worked()
          listener.ended(failure)
        },
      }
    },
  }
}

function openSocket({ url, connectionParams, WebSocket }: WebSocketOptions): SocketLike {
  const Socket = WebSocket ?? (globalThis as { WebSocket?: new (url: string) => SocketLike }).WebSocket
  if (!Socket) throw new Error('this runtime has no WebSocket')
  const base = typeof document === 'undefined' ? undefined : document.baseURI
  const address = new URL(url, base)
  address.protocol = address.protocol.replace('http', 'ws')
  if (connectionParams) address.searchParams.set('connectionParams', '1')
  return new Socket(address.href)
}

type Transformer = { serialize(value: unknown): unknown; deserialize(value: unknown): unknown }
const identity: Transformer = { serialize: (value) => value, deserialize: (value) => value }

function transformerOf(transformer: unknown): { input: Transformer; output: Transformer } {
  if (!transformer) return { input: identity, output: identity }
  const both = transformer as { input: Transformer; output: Transformer }
  return 'input' in both ? both : { input: transformer as Transformer, output: transformer as Transformer }
}
