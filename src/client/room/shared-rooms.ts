import { LocationError } from '../../shared/errors.js'
import type { Transport } from '../connection/transport.js'
import { openRoom, type JoinedRoom, type JoinOptions, type Room, type WatchedRoom, type WatchOptions } from './room.js'
import type { RoomTypes } from '../../shared/room-types.js'

/** A client of one server, and the rooms that it has joined. Close it when the app no longer needs it. */
export interface LocationClient<T extends RoomTypes> {
  /**
   * Joins a room: others see us from now on. Repeated joins share one connection and one state. The room closes when every
   * handle has called `leave()`.
   *
   * @throws LocationError `bad-input` for an invalid room id or profile, `closed` after `close()`.
   */
  join(room: string, options?: JoinOptions<T>): Room<T>
  /** Watches a room without being in it. The returned room cannot post. @throws LocationError as `join` does. */
  watch(room: string, options?: WatchOptions<T>): WatchedRoom<T>
  /**
   * Connects again, with fresh headers and cookies. Call it after somebody has signed in or out: an open stream, and above
   * all an open WebSocket, belongs to the member who opened it.
   */
  reconnect(): void
  /**
   * Leaves every room: others no longer see us, and no room shows anybody. Before a sign-out, wait for the returned
   * promise: the leave request needs the session. For another user of the same page, create a new client. Resolves when
   * the server was told or cannot be reached; never rejects.
   */
  close(): Promise<void>
}

/** An open room, shared by every handle of it. */
type SharedRoom<T extends RoomTypes> = {
  room: JoinedRoom<T>
  /** Returns a handle: the room with a `leave` of its own. */
  hold(signal: AbortSignal | undefined): Room<T>
  renew(): void
  end(): Promise<void>
}

/** Creates a client whose rooms use `transport`. */
export function openClient<T extends RoomTypes>(transport: Transport<T>): LocationClient<T> {
  const rooms = new Map<string, SharedRoom<T>>()
  let closed = false

  const enter = (name: string, joining: JoinOptions<T> | null, { initial, signal }: WatchOptions<T>) => {
    if (closed) throw new LocationError('closed', 'This client is closed: create a new one.')
    // The server compares room ids in Unicode normal form C, and its refusal names the character that it refuses.
    // `name` may be undefined, like a missing parameter of a route.
    const id = typeof name === 'string' ? name.normalize() : ''
    if (!/^[^\p{Cc}\p{Cs}]{1,128}$/u.test(id))
      throw new LocationError('bad-input', 'A room id must be 1 to 128 visible characters.')
    const key = `${joining ? 'join' : 'watch'} ${id}`
    let shared = rooms.get(key)
    if (!shared) {
      shared = shareRoom(openRoom(id, transport, joining, initial), () => rooms.delete(key))
      rooms.set(key, shared)
    } else if (joining) {
      const { profile, location } = joining
      if (profile !== undefined) shared.room.update({ profile })
      if (location !== undefined) shared.room.post(location)
    }
    return shared.hold(signal)
  }
  return {
    join: (id, options = {}) => enter(id, options, options),
    watch: (id, options = {}) => enter(id, null, options),
    reconnect() {
      transport.reconnect?.()
      rooms.forEach(({ renew }) => renew())
    },
    async close() {
      closed = true
      await Promise.all(Array.from(rooms.values(), ({ end }) => end()))
    },
  }
}

function shareRoom<T extends RoomTypes>(
  { room, renew, close }: ReturnType<typeof openRoom<T>>,
  ending: () => void,
): SharedRoom<T> {
  /** The open handles, each as a function that removes its abort listener: a signal may outlive the room. */
  const holders = new Set<() => void>()
  let ended: Promise<void> | undefined
  const end = () => {
    for (const release of holders) release()
    if (!ended) ending()
    return (ended ??= close())
  }
  const hold = (signal: AbortSignal | undefined): Room<T> => {
    const leave = async () => {
      if (holders.delete(release)) release()
      await (holders.size === 0 ? end() : ended)
    }
    const aborted = () => void leave()
    const release = () => signal?.removeEventListener('abort', aborted)
    holders.add(release)
    if (signal?.aborted) aborted()
    else signal?.addEventListener('abort', aborted)
    return Object.create(room, { leave: { value: leave } }) as Room<T>
  }
  return { room, hold, renew, end }
}
