import { httpLink } from '@trpc/client'
import { systemClock, type Clock } from '../shared/clock.js'
import { LocationError } from '../shared/errors.js'
import { isName, nameRule } from '../shared/name-rule.js'
import type { GetLocationsOutput, PostLocationOutput } from '../shared/call-types.js'
import type { LocationOf, LocationPath, PathOption, ProfileOf, RouterLike, TransformerOption } from './router-types.js'
import { cut, failureOf, ForeignAnswer } from './connection/failure.js'
import { storedMemberKey } from './outbox/keys.js'
import { lazyImport } from './lazy-import.js'
import { operation } from './connection/trpc-operation.js'
import { openRoom, type JoinOptions, type JoinedRoom, type Room, type WatchOptions } from './room/room.js'
import { subscriptionOpener, type OpenSubscription } from './connection/subscription.js'
import type { ShareStream } from './connection/shared-tab-stream.js'
import type { Transport } from './connection/transport.js'

type CommonOptions = {
  /** Where the server's tRPC procedures are, such as `/trpc` or `https://example.com/trpc`. */
  url: string | URL
  /** Sent with every request, and asked for anew each time: a token that was refreshed is used at once. */
  headers?: Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>)
  /** Default: the global one. */
  fetch?: typeof fetch
  /**
   * One stream for all tabs of this browser that show the same room to the same member. Default `true`. Who is the same
   * member is `identify`'s to say: without it each window is another (a duplicated one excepted), and has its own stream.
   */
  share?: boolean
  /** How long the connection may be gone until `lost` says so and the others are shown as stale. Default 5,000. */
  lostMs?: number
  /** In a browser: how long without input until others see us as `idle`. Default 60,000; `Infinity`: never. */
  idleMs?: number
  /** In a browser: how long the page may be hidden until others see us as `away`. Default 0; `Infinity`: never. */
  awayMs?: number
  /** Told what a listener of yours threw; default: it is thrown again where nobody catches it. */
  logger?: { error(thrown: unknown): void }
  /** Default: the machine's. */
  clock?: Clock
}
export type LocationClientOptions<R, Path> = CommonOptions & PathOption<R, Path> & TransformerOption<R>

export interface LocationClient<L, P> {
  /**
   * Present from now on. Joined twice, a room is one connection with one state, and left when each has left who joined it.
   *
   * @throws LocationError `bad-input` for a room id or a profile that cannot be, `closed` after `close()`.
   */
  join(room: string, options?: JoinOptions<L, P>): Room<L, P>
  /** Sees, and is in nobody's list. @throws as `join`. */
  watch(room: string, options?: WatchOptions<L, P>): Omit<Room<L, P>, 'post' | 'flush' | 'update'>
  /** Leaves every room. */
  close(): Promise<void>
}

/**
 * A client of one server, for browsers and for Node. `Path` is inferred from the router when it has exactly one location
 * router.
 */
export function createLocationClient<R extends RouterLike, Path extends string = LocationPath<R>>(
  options: LocationClientOptions<R, Path>,
): LocationClient<LocationOf<R, Path>, ProfileOf<R, Path>> {
  return clientOf(wireOf(options as CommonOptions))
}

function wireOf<L, P>(options: CommonOptions & { path?: string; transformer?: unknown }): Transport<L, P> {
  const { path, transformer, logger, clock = systemClock } = options
  const { share = true, lostMs = 5_000, idleMs = 60_000, awayMs = 0 } = options
  const url = String(options.url)
  // Looked up at each call: a page may replace its fetch, and a browser's must not be called on another object.
  const fetch: typeof globalThis.fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
  const headers = () => (typeof options.headers === 'function' ? options.headers() : (options.headers ?? {}))
  const prefix = path ? `${path}.` : ''
  const link = httpLink({
    url,
    headers,
    transformer: transformer as undefined,
    async fetch(input, init) {
      // A leave must outlive its page. (tRPC's type allows for a Request, but what comes is the URL as text.)
      const response = await fetch(input, { ...init, keepalive: (input as string).endsWith('leaveRoom') })
      if (/\bjson\b/.test(response.headers.get('content-type') ?? '')) return response
      await response.body?.cancel()
      throw new ForeignAnswer(response.status)
    },
  })({})
  const call = (type: 'query' | 'mutation', procedure: string, input: unknown, deadlineMs: number) => {
    let stopDeadline = () => {}
    return new Promise<unknown>((resolve, reject) => {
      const request = link(operation(type, prefix + procedure, input)).subscribe({
        next: ({ result }) => resolve('data' in result && result.data),
        error: reject,
      })
      // A request that hangs would hold up every later post.
      stopDeadline = clock.after(deadlineMs, () => {
        request.unsubscribe()
        reject(new LocationError('network', 'No answer in time.'))
      })
    }).finally(() => stopDeadline())
  }
  const openStream = subscriptionOpener<L, P>({ url, prefix, headers, fetch, transformer })
  return {
    url,
    openStream,
    shareStream: share && hasTabs() ? streamSharer(new URL(url, document.baseURI).href, openStream, clock) : null,
    ask: (input, deadlineMs) => call('query', 'getLocations', input, deadlineMs) as Promise<GetLocationsOutput<L, P>>,
    post: (input, deadlineMs) => call('mutation', 'postLocation', input, deadlineMs) as Promise<PostLocationOutput>,
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
}

/** Not in Node, nor in a worker, nor where a page is not secure: there is nobody to share with. */
const hasTabs = () => typeof document !== 'undefined' && 'locks' in navigator && typeof BroadcastChannel === 'function'

function streamSharer<L, P>(url: string, openStream: OpenSubscription<L, P>, clock: Clock): ShareStream<L, P> {
  return (input, listener, tab) =>
    lazyImport(
      import('./connection/shared-tab-stream.js'),
      ({ openTabStream }) => openTabStream({ url, openStream, clock, cut, ...tab }, input, listener),
      (thrown) => listener.ended(failureOf(thrown)),
    )
}

function clientOf<L, P>(wire: Transport<L, P>): LocationClient<L, P> {
  const rooms = new Map<string, Held<L, P>>()
  let closed = false

  const open = (key: string, id: string, joining: JoinOptions<L, P> | null, initial: WatchOptions<L, P>['initial']) => {
    const { room, close } = openRoom(id, wire, joining, initial)
    /** What each who joined would have to undo: nothing of theirs is to stay on a signal that outlives the room. */
    const holders = new Set<() => void>()
    let ended: Promise<void> | undefined
    const end = () => {
      for (const release of holders) release()
      if (!ended) rooms.delete(key)
      return (ended ??= close())
    }
    const hold = (signal: AbortSignal | undefined): Room<L, P> => {
      const leave = async () => {
        if (holders.delete(release)) release()
        await (holders.size === 0 ? end() : ended)
      }
      const aborted = () => void leave()
      const release = () => signal?.removeEventListener('abort', aborted)
      holders.add(release)
      if (signal?.aborted) aborted()
      else signal?.addEventListener('abort', aborted)
      return Object.create(room, { leave: { value: leave } }) as Room<L, P>
    }
    return { room, hold, end }
  }
  const enter = (id: string, joining: JoinOptions<L, P> | null, { initial, signal }: WatchOptions<L, P>) => {
    if (closed) throw new LocationError('closed', 'This client was closed: create another.')
    if (!isName(id)) throw new LocationError('bad-input', `A room id ${nameRule}.`)
    const key = `${joining ? 'join' : 'watch'} ${id}`
    let held = rooms.get(key)
    if (!held) rooms.set(key, (held = open(key, id, joining, initial)))
    else if (joining) {
      const { profile, location } = joining
      if (profile !== undefined) held.room.update({ profile })
      if (location !== undefined) held.room.post(location)
    }
    return held.hold(signal)
  }
  return {
    join: (id, options = {}) => enter(id, options, options),
    watch: (id, options = {}) => enter(id, null, options),
    async close() {
      closed = true
      await Promise.all(Array.from(rooms.values(), ({ end }) => end()))
    },
  }
}

/** An open room, for as many as joined it. */
type Held<L, P> = {
  room: JoinedRoom<L, P>
  /** The room as one who joined has it: with a leave of their own. */
  hold(signal: AbortSignal | undefined): Room<L, P>
  end(): Promise<void>
}
