import type { LocationClient } from '../client/index.js'
import type { GetLocationsOutput } from '../shared/call-types.js'
import type { RoomTypes } from '../shared/room-types.js'

/** The room that a provider joins, and how. */
export interface RoomOptions<T extends RoomTypes> {
  /** The room to join while mounted. */
  room: string
  /** The client to join with, for tests. Default: the one that the provider was created for. */
  client?: LocationClient<T> | undefined
  /**
   * The profile that others see of us. A changed profile is posted. `null`, or `undefined` after a profile, removes it.
   * Not used with `watch`.
   */
  profile?: T['profile'] | null | undefined
  /** Our location when the room is joined; afterwards `post` sets it. Default `null`. Not used with `watch`. */
  location?: T['location'] | null | undefined
  /** Shows the room without joining it: we appear in nobody's list, and can post nothing. Default `false`. */
  watch?: boolean | undefined
  /**
   * The answer of `getLocations` from the server that rendered the page: shown at once, and the stream resumes from it.
   */
  initial?: GetLocationsOutput<T> | undefined
}
