import type { Activity } from '../../shared/events.js'

/** A member as the kit reads it. A `Member` of any room is one; `profile` may have `name`, `color` and `avatar`. */
export interface UiMember {
  readonly memberId: string
  readonly profile: unknown
  readonly location: unknown
  readonly activity: Activity
}

/** A room as the kit reads it. A `Room` and a `WatchedRoom` of any client are one. */
export interface UiRoom<M extends UiMember> {
  readonly members: readonly M[]
  readonly others: readonly M[]
  /** Calls `run` with the room now and after each change. Returns a function that ends the subscription. */
  subscribe(run: (snapshot: { readonly others: readonly M[] }) => void): () => void
  /** Calls `listener` for each event of this kind. Returns a function that removes the listener. */
  on(
    event: 'entered' | 'left' | 'moved',
    listener: (event: { readonly member: M; readonly caughtUp: boolean }) => void,
  ): () => void
}
