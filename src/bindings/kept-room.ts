import type { LocationClient, Room } from '../client/index.js'
import type { RoomTypes } from '../shared/room-types.js'
import { joinRoom, leaveSoon } from './join-room.js'
import { profileText } from './profile-text.js'
import { rethrowLater } from './rethrow-later.js'
import type { RoomOptions } from './room-options.js'
import { roomOnServer } from './room-on-server.js'

/**
 * The room of one provider in Vue, Svelte and Solid, where a component is set up once, and joins while it is set up.
 */
export interface KeptRoom<T extends RoomTypes> {
  /** Returns the joined room; on a server, the room that is rendered. */
  room(): Room<T>
  /**
   * Joins the room of the options and leaves the previous one, if room, client or `watch` changed. Otherwise posts a
   * changed profile.
   */
  follow(options: ReadOptions<T>): void
  /** Leaves the room. */
  leave(): void
  /**
   * Calls `run` when another room is joined, and after every change of the room. Returns a function that ends the
   * subscription.
   */
  subscribe(run: () => void): () => void
}

/** The options of a provider as they were at one moment. */
export interface ReadOptions<T extends RoomTypes> extends RoomOptions<T> {
  profileText: unknown
}

/** Reads all options, and every part of the profile, so that a framework notices each change of a reactive option. */
export const readOptions = <T extends RoomTypes>(options: RoomOptions<T>): ReadOptions<T> => ({
  ...options,
  profileText: profileText(options.profile),
})

/** Creates the room of a provider. Where there is no `document`, as on a server, nothing is joined. */
export function keepRoom<T extends RoomTypes>(defaultClient: LocationClient<T>): KeptRoom<T> {
  let room: Room<T>
  let followed: ReadOptions<T> | null = null
  let unsubscribe = () => {}
  const runs = new Set<() => void>()

  const leave = () => {
    unsubscribe()
    if (followed) leaveSoon(room)
    followed = null
  }
  const join = ({ client = defaultClient, ...options }: ReadOptions<T>) => {
    leave()
    room =
      typeof document === 'undefined'
        ? roomOnServer(options.room, options.initial)
        : (joinRoom(client, options) as Room<T>)
    unsubscribe = room.subscribe(() => runs.forEach((run) => run()))
  }
  return {
    room: () => room,
    follow(options) {
      const { profile, watch } = options
      if (options.room !== followed?.room || options.client !== followed.client || watch !== followed.watch)
        join(options)
      else if (!watch && options.profileText !== followed.profileText)
        rethrowLater(() => room.update({ profile: profile ?? null }))
      followed = options
    },
    leave,
    subscribe(run) {
      runs.add(run)
      return () => runs.delete(run)
    },
  }
}

/**
 * Calls `attach` with the room, and again whenever another room is joined. `attach` returns a function that detaches,
 * which is called before the next `attach`. Returns a function that detaches for good.
 */
export function attachTo<T extends RoomTypes>(
  { room, subscribe }: Pick<KeptRoom<T>, 'room' | 'subscribe'>,
  attach: (room: Room<T>) => () => void,
): () => void {
  let attached: Room<T> | undefined
  let detach = () => {}
  const check = () => {
    if (attached === room()) return
    detach()
    detach = attach((attached = room()))
  }
  check()
  const unsubscribe = subscribe(check)
  return () => {
    unsubscribe()
    detach()
  }
}
