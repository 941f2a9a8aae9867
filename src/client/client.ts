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
   * Shares one stream among all tabs of this browser that show the same room to the same member. Default `true`. `identify`
   * decides which tabs are the same member: without it each window is another member (except a duplicated one) and has its
   * own stream. A text sets apart what only `headers` tell apart, such as the tenant: tabs share a stream when their URL,
   * path, room, member and this text are the same.
   */
  share?: boolean | string
  /** The time in ms without a connection after which `lost` is emitted and the others are shown as stale. Default 5,000. */
  lostMs?: number
  /** In a browser: the time in ms without input after which others see us as `idle`. Default 60,000; `Infinity`: never. */
  idleMs?: number
  /** In a browser: the time in ms the page may be hidden before others see us as `away`. Default 0; `Infinity`: never. */
  awayMs?: number
  /**
   * In Node, Deno and Bun: leaves every room before SIGINT or SIGTERM ends the process, and when it has nothing more to do.
   * A process that ends without it is shown for another 15 seconds. Default `false`.
   */
  leaveOnExit?: boolean
  /** Receives what your listeners throw or reject with. Default: it is thrown again as an uncaught error. */
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
    // Without it, the server notices when the stream ends.
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

/** @throws LocationError `misconfigured` naming what the runtime lacks, as React Native lacks `crypto`. */
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
  // Looked up at each call: a page may replace its fetch, and a browser's must not be called on another object.
  const fetch: typeof globalThis.fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
  let latestHeaders: Record<string, string> | undefined
  const headers = async () =>
    // In JavaScript, a function without a token may return nothing.
    (latestHeaders = (await (typeof options.headers === 'function' ? options.headers() : options.headers)) ?? {})
  const prefix = path ? `${path}.` : ''
  const link = httpLink({
    url,
    // A page that is closed waits for nothing: its leave, which has a grace period, takes the headers of the latest request.
    headers: ({ op }) => ((op.input as LeaveRoomInput).graceMs && latestHeaders) || headers(),
    transformer: transformer as undefined,
    async fetch(input, init) {
      // The leave request must outlive its page. (tRPC's type allows a Request, but the URL arrives as text.)
      const response = await fetch(input, { ...init, keepalive: (input as string).endsWith('leaveRoom') })
      if (/\bjson\b/.test(response.headers.get('content-type') ?? ''))
        return { json: async () => JSON.parse(await textOf(response)) as unknown } as Response
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
      // A request that hangs would delay every later post.
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
            // A router has one transformer, so there are two kinds of clients: with it and without.
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

/** True where fetch answers piece by piece. False in React Native, whose fetch holds an answer back until its end. */
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
          // Polls need no other code.
          () => {
            listener.ended(cut('the code of streams could not be loaded', true))
            return () => {}
          },
        )
}

/** True in a browser's page. False in Node, in a worker and on an insecure page, where no stream can be shared. */
const hasTabs = () => typeof document !== 'undefined' && 'locks' in navigator && typeof BroadcastChannel === 'function'

function streamSharer<T extends RoomTypes>(options: Omit<TabStreamOptions<T>, keyof TabContext<T>>): ShareStream<T> {
  return (input, listener, tab) => {
    // Both chunks are loaded at the same time. `openStream` has a fallback when this one cannot be loaded.
    loadSubscription().catch(() => {})
    return lazyImport(
      import('./connection/shared-tab-stream.js'),
      ({ openTabStream }) => openTabStream({ ...options, ...tab }, input, listener),
      () => options.openStream({ ...input, connectionKey: tab.connectionKey }, listener),
    )
  }
}
