import type { CellLocation, RoomTypesWith } from 'hereabouts'

/** The room types of a hub with `location: cellLocation` and the default profile. */
export type CellTypes = RoomTypesWith<{ location: CellLocation }>
