import { httpLink } from '@trpc/client/links/httpLink'
import { systemClock, type Clock } from '../shared/clock.js'
import { LocationError } from '../shared/errors.js'
import type { GetLocationsOutput, LeaveRoomInput, PostLocationOutput } from '../shared/call-types.js'
import { cut, foreignAnswer } from './connection/failure.js'
import type { TabStreamOptions } from './connection/shared-tab-stream.js'
import type { OpenSubscription, ShareStream, TabContext } from './connection/stream-types.js'
import type { Endpoint } from './connection/subscription.js'
import { textOf } from './connection/response-text.js'
import type { ClientTransport, Transport } from './connection/transport.js'
import { operation } from './connection/trpc-operation.js'
import { firstLoad } from './first-load.js'
import { lazyImport } from './lazy-import.js'
import { storedMemberKey } from './outbox/keys.js'
import { steadyClock } from './steady-clock.js'
import { openClient, type LocationClient } from './room/shared-rooms.js'
import type { LocationPath, PathOption, RoomTypesOf, RouterLike, TransformerOption } from './router-types.js'
import type { RoomTypes } from '../shared/room-types.js'

type CommonOptions = {
  /** The URL of the server's tRPC procedures, such as `/trpc` or `https://example.com/trpc`. */
  url: string | URL
  /** Headers of every request. A function is called for each request, so that a refreshed token is used at once. */
  headers?: Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>)
  /** `webSocket()` of `hereabouts/client/websocket`, for a page that posts many times a second. Default: SSE and requests. */
  transport?: ClientTransport
  /** Default: the global `fetch`. */
  fetch?: typeof fetch
  /**
   * Shares one stream among all tabs of this browser that show the same room to the same member. Default `true`; with
   * `false`, each tab has its own stream. The server's `identify` decides which tabs belong to the same member: without
   * `identify`, each window is another member (except a duplicated window) and has its own stream. Tabs share a stream
   * when their URL, path, room, member and the value of this option are equal: pass a text, such as the tenant, when
   * the server distinguishes tabs by `headers` alone.
   */
  share?: boolean | string
  /**
   * The time in ms without a connection after which `lost` is emitted and other members are shown as stale. Default
   * 5,000.
   */
  lostMs?: number
  /** In a browser: the time in ms without input after which others see us as `idle`. Default 60,000; `Infinity`: never. */
  idleMs?: number
  /** In a browser: the time in ms the page may be hidden before others see us as `away`. Default 0; `Infinity`: never. */
  awayMs?: number
  /**
   * In Node, Deno and Bun: leaves every room before SIGINT or SIGTERM ends the process, and when the process has no
   * more work. Without this option, a process that ended is shown in its rooms for another 15 seconds. Default `false`.
   */
  leaveOnExit?: boolean
  /** Receives the exceptions and rejections of your listeners. Default: each is thrown again as an uncaught error. */
  logger?: { error(thrown: unknown): void }
  /** Default: the system's clock. */
  clock?: Clock
}
/**
 * The options of `createLocationClient`. `path` is required when the router has several location routers, or when they cannot
 * be found in its type; `transformer` is required when the router has one.
 */
export type LocationClientOptions<R, Path> = CommonOptions & PathOption<R, Path> & TransformerOption<R>

/**
 * Creates a client of one server, for browsers and for Node. `Path` is inferred from the router when it has exactly one
 * location router.
 */
export function createLocationClient<R extends RouterLike, Path extends string = LocationPath<R>>(
  options: LocationClientOptions<R, Path>,
): LocationClient<RoomTypesOf<R, Path>> {
  checkRuntime()
  const client = openClient<RoomTypesOf<R, Path>>(transportOf(options as CommonOptions))
  if (!options.leaveOnExit) return client
  const stop = lazyImport(
    import('./leave-on-exit.js'),
    ({ leaveOnExit }) => leaveOnExit(client, systemClock),
    // When the code cannot be loaded, the server removes us some time after our stream has ended.
    () => () => {},
  )
  return {
    ...client,
    close() {
      stop()
      return client.close()
    },
  }
}

/** @throws LocationError `misconfigured` that names the globals which the runtime lacks: in React Native, `crypto`. */
function checkRuntime(): void {
  const host: Record<string, unknown> & { crypto?: Partial<Crypto> } = globalThis
  const missing = ['fetch', 'btoa', 'AbortController', 'TextDecoder', 'queueMicrotask'].filter((name) => !host[name])
  if (!host.crypto?.getRandomValues) missing.push('crypto.getRandomValues')
  if (missing.length > 0)
    throw new LocationError(
      'misconfigured',
      `This runtime has no ${missing.join(', ')}: add a polyfill before the client.`,
    )
}

type TransportOptions = CommonOptions & { path?: string; transformer?: unknown }

function transportOf<T extends RoomTypes>(options: TransportOptions): Transport<T> {
  const { path, transformer, logger } = options
  const clock = steadyClock(options.clock ?? systemClock)
  const { share = true, lostMs = 5_000, idleMs = 60_000, awayMs = 0 } = options
  const url = String(options.url)
  // A page may replace `globalThis.fetch`, so it is looked up at each call; a browser's fetch needs `globalThis` as
  // `this`.
  const fetch: typeof globalThis.fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
  let latestHeaders: Record<string, string> | undefined
  const headers = async () =>
    // In plain JavaScript, `headers` may return nothing while the app has no token.
    (latestHeaders = (await (typeof options.headers === 'function' ? options.headers() : options.headers)) ?? {})
  const prefix = path ? `${path}.` : ''
  const link = httpLink({
    url,
    // A leave with a grace period comes from a page that is being closed, which cannot wait: it takes the latest
    // headers.
    headers: ({ op }) => ((op.input as LeaveRoomInput).graceMs && latestHeaders) || headers(),
    transformer: transformer as undefined,
    async fetch(input, init) {
      // The leave request must outlive its page. (By its type, `input` may be a Request; tRPC passes the URL as text.)
      const response = await fetch(input, { ...init, keepalive: (input as string).endsWith('leaveRoom') })
      if (/\bjson\b/.test(response.headers.get('content-type') ?? ''))
        return {
          async json() {
            const answer = JSON.parse(await textOf(response)) as { result?: unknown; error?: unknown } | null
            // The JSON of a gateway or of another server: its status says more than that it is not tRPC's.
            if (typeof (answer?.result ?? answer?.error) !== 'object') throw foreignAnswer(response.status)
            return answer
          },
        } as Response
      await response.body?.cancel()
      throw foreignAnswer(response.status)
    },
  })({})
  const call = (type: 'query' | 'mutation', procedure: string, input: unknown, deadlineMs: number) => {
    let stopDeadline = () => {}
    return new Promise<unknown>((resolve, reject) => {
      const request = link(operation(type, prefix + procedure, input)).subscribe({
        next: ({ result }) => resolve('data' in result && result.data),
        error: reject,
      })
      // A request that hangs is given up, because it would delay every later post.
      stopDeadline = clock.after(deadlineMs, () => {
        request.unsubscribe()
        reject(new LocationError('network', 'The request timed out.'))
      })
    }).finally(() => stopDeadline())
  }
  const openStream: OpenSubscription<T> =
    options.fetch || hasStreams()
      ? lazySubscription<T>({ url, prefix, headers, fetch, transformer })
      : (_, listener) => clock.after(0, () => listener.ended(cut('this runtime reads no streams', true)))
  const http: Transport<T> = {
    url,
    openStream,
    shareStream:
      share !== false && hasTabs()
        ? streamSharer({
            url,
            // A router has at most one transformer: a boolean distinguishes its clients with and without the
            // transformer.
            scope: [path, !transformer, share],
            openStream,
            clock,
            cut,
          })
        : null,
    ask: (input, deadlineMs) => call('query', 'getLocations', input, deadlineMs) as Promise<GetLocationsOutput<T>>,
    post: (input, deadlineMs) => call('mutation', 'postLocation', input, deadlineMs) as Promise<PostLocationOutput>,
    call,
    leave: (input, deadlineMs) => call('mutation', 'leaveRoom', input, deadlineMs),
    memberKey: storedMemberKey(),
    clock,
    lostMs,
    idleMs,
    awayMs,
    report(thrown) {
      if (logger) return logger.error(thrown)
      queueMicrotask(() => {
        throw thrown
      })
    },
  }
  return options.transport?.(http, { prefix, transformer }) ?? http
}

/**
 * True where fetch delivers a body while it arrives. False in React Native, whose fetch delivers only complete bodies.
 */
const hasStreams = () => 'body' in Response.prototype && typeof TextDecoderStream === 'function'

const loadSubscription = () => import('./connection/subscription.js')

/** Opens streams with tRPC's subscription link, whose code is loaded while the first post is on its way. */
function lazySubscription<T extends RoomTypes>(endpoint: Endpoint): OpenSubscription<T> {
  let open: OpenSubscription<T> | undefined
  return (input, listener) =>
    open
      ? open(input, listener)
      : lazyImport(
          loadSubscription(),
          ({ subscriptionOpener }) => (open ??= subscriptionOpener(endpoint, firstLoad))(input, listener),
          // The client then polls, with code that is part of the first load.
          () => {
            listener.ended(cut('the code of streams could not be loaded', true))
            return () => {}
          },
        )
}

/** True in a page that can share a stream with other tabs. False in Node, in a worker and on an insecure page. */
const hasTabs = () => typeof document !== 'undefined' && 'locks' in navigator && typeof BroadcastChannel === 'function'

function streamSharer<T extends RoomTypes>(options: Omit<TabStreamOptions<T>, keyof TabContext<T>>): ShareStream<T> {
  return (input, listener, tab) => {
    // Loads the code of streams at the same time as that of sharing. A failure is ignored: `openStream` has a fallback.
    loadSubscription().catch(() => {})
    return lazyImport(
      import('./connection/shared-tab-stream.js'),
      ({ openTabStream }) => openTabStream({ ...options, ...tab }, input, listener),
      () => options.openStream({ ...input, connectionKey: tab.connectionKey }, listener),
    )
  }
}
