import { untrack } from 'svelte'
import { createSubscriber } from 'svelte/reactivity'
import { toStore } from 'svelte/store'

/**
 * A value of a room, for example `others`. With runes, read `others.current`; with Svelte's store contract, `$others`.
 */
export interface RoomStore<V> {
  /** The value now. Effects and templates that read it run again when it changes. */
  readonly current: V
  /** Calls `run` now and after every change. Returns a function that ends the subscription. */
  subscribe(run: (value: V) => void): () => void
}

/** Creates the store of a value that may change whenever `subscribe` calls back, or when state changes that `get` reads. */
export function createRoomStore<V>(subscribe: (run: () => void) => () => void, get: () => V): RoomStore<V> {
  /** The value that was read last. An effect that was notified of a change may not have read the new value yet. */
  let read: V
  const track = createSubscriber((update) => {
    let known = get()
    return subscribe(() => {
      const value = untrack(get)
      if (value !== known || value !== read) update()
      known = value
    })
  })
  const current = () => {
    track()
    return (read = get())
  }
  return {
    get current() {
      return current()
    },
    subscribe: (run) => toStore(current).subscribe(run),
  }
}

/**
 * Calls `run` with the value now, and when state changes that `get` reads. Returns a function that ends the
 * subscription.
 */
export const follow = <V>(get: () => V, run: (value: V) => void): (() => void) =>
  toStore(get).subscribe((value) => untrack(() => run(value)))
