import type { MemberProfile } from './locations.js'

/** The types of everything that the rooms of one app carry. A feature that the app does not use is `never` or `false`. */
export type RoomTypes = {
  location: unknown
  profile: unknown
  presence: unknown
  broadcasts: unknown
  locks: boolean
}

/**
 * The room types of a hub with only these options: `RoomTypesWith<{ location: CellLocation }>` has the default profile
 * and none of the optional features.
 */
export type RoomTypesWith<Given extends Partial<RoomTypes>> = {
  location: Given extends { location: infer V } ? V : never
  profile: Given extends { profile: infer V } ? V : MemberProfile
  presence: Given extends { presence: infer V } ? V : never
  broadcasts: Given extends { broadcasts: infer V } ? V : never
  locks: Given extends { locks: infer V extends boolean } ? V : false
}
