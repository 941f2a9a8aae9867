import { View } from '../shared/index.js'
import type {
  BroadcastItem,
  BroadcastToRoomInput,
  Connection,
  GetLocationsOutput,
  LeaveRoomInput,
  LeftReason,
  LocationEvent,
  PostLocationInput,
  PostLocationOutput,
  RoomTypes,
} from '../shared/index.js'

type Posted<T extends RoomTypes> = Pick<PostLocationInput<T>, 'location' | 'profile' | 'activity' | 'presence'>

/** Returns the presence value of a connection or a member; `{}` if the router has no presence values. */
export const presenceOf = (of: object): object => (of as { presence?: object }).presence ?? {}

/** A broadcast of the room under test. */
export type SentBroadcast<T extends RoomTypes> = Pick<BroadcastToRoomInput<T>, 'name' | 'payload' | 'to'>

/** One open stream. */
type Sink = { enqueue(bytes: Uint8Array<ArrayBuffer>): void; error(reason: Error): void }

/** The part of a server that one client needs, behind a `fetch`: one room, whose other members the test controls. */
export interface FakeServer<T extends RoomTypes> {
  readonly fetch: typeof fetch
  readonly posts: Posted<T>[]
  readonly broadcasts: SentBroadcast<T>[]
  get(connectionId: string): Connection<T> | undefined
  /** Adds or changes a connection, and returns the version at which it is shown. */
  set(connection: Connection<T>): number
  /** Another connection locks a place, or ends its lock. */
  lock(connectionId: string, location: T['location']): void
  unlock(connectionId: string, location: T['location']): void
  remove(connectionId: string, reason: LeftReason): void
  /** Sends a broadcast of another member, or with `null` a broadcast of the server. Returns false when no stream is open. */
  broadcast(memberId: string | null, name: string, payload: unknown): boolean
  /** Sends `degraded` to each stream, also to new ones, until `beat`. */
  degrade(): void
  beat(): void
  disconnect(): void
  reconnect(): void
  refusePosts(message: string | null): void
}

const degraded = { type: 'degraded', reason: 'backend' } as const

/** The JSON of a value with sorted keys. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
const sameJson = (a: unknown, b: unknown) => textOf(a) === textOf(b)

export function fakeServer<T extends RoomTypes>(me: string): FakeServer<T> {
  const view = new View<T>()
  const streams = new Set<Sink>()
  const posts: Posted<T>[] = []
  const broadcasts: SentBroadcast<T>[] = []
  const encoder = new TextEncoder()
  // Versions are whole milliseconds, so that a version converts to a Date exactly.
  let version = 1_000
  let connected = true
  let isDegraded = false
  let refusal: string | null = null

  const id = () => `fakeserver0.${version}`
  const written = (event: LocationEvent<T>) => encoder.encode(`data: ${JSON.stringify(event)}\nid: ${id()}\n\n\n`)
  const tell = (event: LocationEvent<T>) => streams.forEach((stream) => stream.enqueue(written(event)))
  const snapshot = (): LocationEvent<T> => ({ type: 'snapshot', connections: [...view.connections.values()] })
  const change = (frame: object) => {
    const from = id()
    version += 1_000
    tell({ type: 'changes', from, ...frame })
  }
  const set = (connection: Connection<T>) => {
    const at = version + 1_000
    // A copy: the test may change its own object.
    const shown = structuredClone({ ...connection, at })
    const isKnown = view.connections.has(connection.connectionId)
    view.set(connection.connectionId, shown)
    const whole = { presence: presenceOf(shown), presenceReset: true }
    change(isKnown ? { changed: [{ ...shown, ...whole }] } : { entered: [shown] })
    return at
  }
  const remove = (connectionId: string, reason: LeftReason) => {
    if (!view.connections.has(connectionId)) return
    view.set(connectionId, null, reason)
    change({ left: [{ connectionId, at: version + 1_000, reason }] })
  }
  const stream = (signal: AbortSignal | null | undefined) => {
    let mine: Sink
    const over = () => void streams.delete(mine)
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start(controller) {
        mine = controller
        streams.add(controller)
        controller.enqueue(encoder.encode('event: connected\ndata: {}\n\n\n'))
        const locks = { lockMs: 30_000, idleMs: 120_000 }
        const pace = { beatMs: 10_000, leaseMs: 30_000, postMs: 0, presenceMs: 0 }
        const timing = { ...pace, features: ['presence', 'broadcasts', 'locks'], locks }
        controller.enqueue(written({ type: 'hello', protocol: 1, connectionId: me, ...timing }))
        controller.enqueue(written(snapshot()))
        if (isDegraded) controller.enqueue(written(degraded))
      },
      cancel: over,
    })
    signal?.addEventListener('abort', over)
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
  const post = ({ location, profile, activity, presence, seq = 0 }: PostLocationInput<T>): PostLocationOutput => {
    const posted = {
      location,
      ...(profile !== undefined && { profile }),
      ...(activity !== undefined && { activity }),
      ...(presence !== undefined && { presence }),
    }
    posts.push(structuredClone(posted))
    const known = view.connections.get(me)
    const about = {
      profile: profile === undefined ? (known?.profile ?? null) : profile,
      activity: activity ?? known?.activity ?? 'active',
    }
    const value = presence ?? (known && presenceOf(known)) ?? {}
    const own = { connectionId: me, memberId: me, location, ...about, at: 0 }
    const locks = known?.locks && { locks: known.locks }
    set({ ...own, ...(Object.keys(value).length > 0 && { presence: value }), ...locks })
    return { outcome: 'applied', connectionId: me, memberId: me, seq, id: id() }
  }
  const locksOf = (connectionId: string) => view.connections.get(connectionId)?.locks ?? []
  const lock = (connectionId: string, location: T['location']) => {
    const isPlace = (held: { location: T['location'] }) => sameJson(held.location, location)
    const holder = [...view.connections.values()].find(({ locks }) => locks?.some(isPlace))
    if (holder && holder.connectionId !== connectionId)
      return { outcome: 'taken', holder: { memberId: holder.memberId, connectionId: holder.connectionId } }
    const known = view.connections.get(connectionId)
    if (!known) return { outcome: 'absent' }
    const fence = locksOf(connectionId).find(isPlace)?.fence ?? version + 1_000
    if (!holder) set({ ...known, locks: [...locksOf(connectionId), { location, fence }] })
    return { outcome: 'locked', fence }
  }
  const unlock = (connectionId: string, location: T['location']) => {
    const known = view.connections.get(connectionId)
    const rest = locksOf(connectionId).filter((held) => !sameJson(held.location, location))
    if (!known || rest.length === locksOf(connectionId).length) return { outcome: 'gone' }
    set({ ...known, locks: rest })
    return { outcome: 'unlocked' }
  }
  const answer = (data: PostLocationOutput | GetLocationsOutput<T> | object) => Response.json({ result: { data } })

  return {
    posts,
    broadcasts,
    async fetch(input, init) {
      if (!connected) throw new TypeError('The fake server lost the connection on purpose.')
      const procedure = new URL(input instanceof Request ? input.url : input).pathname.split(/[/.]/).at(-1)
      const body: unknown = typeof init?.body === 'string' ? JSON.parse(init.body) : {}
      if (procedure === 'onLocation') return stream(init?.signal)
      if (procedure === 'getLocations') return answer({ id: id(), event: snapshot() })
      if (procedure === 'leaveRoom') {
        remove(me, 'left')
        return answer({ outcome: (body as LeaveRoomInput).graceMs ? 'leaving' : 'left' })
      }
      const place = (body as { location: T['location'] }).location
      if (procedure === 'lockLocation') return answer(lock(me, place))
      if (procedure === 'unlockLocation') return answer(unlock(me, place))
      if (procedure === 'broadcastToRoom') {
        const { name, payload, to } = body as BroadcastToRoomInput<T>
        if (name !== '') broadcasts.push({ name, payload, ...(to !== undefined && { to }) })
        return answer({ outcome: 'sent' })
      }
      if (refusal === null) return answer(post(body as PostLocationInput<T>))
      const error = { message: `bad-input: ${refusal}`, code: -32600, data: { code: 'BAD_REQUEST', httpStatus: 400 } }
      return Response.json({ error }, { status: 400 })
    },
    get: (connectionId) => view.connections.get(connectionId),
    set,
    lock: (connectionId, location) => void lock(connectionId, location),
    unlock: (connectionId, location) => void unlock(connectionId, location),
    remove,
    broadcast(memberId, name, payload) {
      const item = {
        name,
        payload: structuredClone(payload),
        connectionId: memberId,
        memberId,
        at: version,
        after: version,
      }
      tell({ type: 'broadcast', items: [item as BroadcastItem<T>] })
      return streams.size > 0
    },
    degrade() {
      isDegraded = true
      tell(degraded)
    },
    beat() {
      isDegraded = false
      tell({ type: 'beat', count: view.connections.size, digest: view.digest })
    },
    disconnect() {
      connected = false
      for (const stream of streams) stream.error(new TypeError('The fake server lost the connection on purpose.'))
      streams.clear()
    },
    reconnect() {
      connected = true
    },
    refusePosts(message) {
      refusal = message
    },
  }
}
