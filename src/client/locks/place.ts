import type { RoomTypes } from '../../shared/room-types.js'
import type { FirstLoad } from '../first-load.js'
import type { Lock } from './lock-types.js'

/** A place that we hold or want. `users` is the number of callers that took it and have not released it. */
export type Place<T extends RoomTypes> = {
  readonly text: string
  readonly location: T['location']
  users: number
  fence: number
  /** The epoch in which the fence counts. */
  epoch: string | undefined
  /** True when the room has shown the lock. */
  isSeen: boolean
  isClaiming: boolean
  /** True when a caller asked for the place with `takeOver`. */
  takeOver: true | undefined
  lock: Lock<T> | null
  readonly lost: AbortController
  taking: Promise<Lock<T> | null> | null
}

/** The places of a room that we hold or want. */
export interface Places<T extends RoomTypes> {
  /** The places, by the canonical text of their locations. */
  readonly byText: ReadonlyMap<string, Place<T>>
  /** Returns the places that we hold. */
  held(): Place<T>[]
  /** Returns the place with this text. Creates it when there is none. */
  enter(text: string): Place<T>
  forget(place: Place<T>): void
  /** Forgets a place, and aborts the signal of its lock. */
  lose(place: Place<T>): void
}

export function openPlaces<T extends RoomTypes>({ LocationError }: FirstLoad): Places<T> {
  const byText = new Map<string, Place<T>>()
  const forget = (place: Place<T>) => {
    if (byText.get(place.text) === place) byText.delete(place.text)
  }
  return {
    byText,
    held: () => Array.from(byText.values()).filter(({ lock }) => lock),
    enter(text) {
      const place = byText.get(text) ?? newPlace<T>(text)
      byText.set(text, place)
      return place
    },
    forget,
    lose(place) {
      forget(place)
      place.lost.abort(new LocationError('unavailable', 'The lock was lost: somebody else may edit this place.'))
    },
  }
}

const newPlace = <T extends RoomTypes>(text: string): Place<T> => ({
  text,
  location: JSON.parse(text) as T['location'],
  users: 0,
  fence: 0,
  epoch: undefined,
  isSeen: false,
  isClaiming: false,
  takeOver: undefined,
  lock: null,
  lost: new AbortController(),
  taking: null,
})
