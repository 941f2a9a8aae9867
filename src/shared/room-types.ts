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
 * The room types of a hub that is given these values and no others: `RoomTypesWith<{ location: CellLocation }>` has the
 * default profile, and no feature that a hub must be asked for.
 */
export type RoomTypesWith<Given extends Partial<RoomTypes>> = {
  location: Given extends { location: infer V } ? V : never
  profile: Given extends { profile: infer V } ? V : MemberProfile
  presence: Given extends { presence: infer V } ? V : never
  broadcasts: Given extends { broadcasts: infer V } ? V : never
  locks: Given extends { locks: infer V extends boolean } ? V : false
}
