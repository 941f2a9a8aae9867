import type { Location } from './locations.js'
import { at, boxOf, isOneCell, nameOf, type Box, type Selection } from './selection.js'

/** A selection and its sheet, in the form that this page stores. The room stores it as a location. */
export type Place = { sheet: string; selection: Selection }

export function toLocation({ sheet, selection }: Place): Location {
  return isOneCell(selection) ? { sheet, ...selection.head } : { sheet, from: selection.anchor, to: selection.head }
}

export function toPlace(location: Location): Place {
  const selection = 'from' in location ? { anchor: location.from, head: location.to } : at(location.row, location.col)
  return { sheet: location.sheet, selection }
}

export const boxAt = (location: Location): Box => boxOf(toPlace(location).selection)

/** Returns the name of a location in the form in which formulas name a cell of another sheet, such as `Q3!C5`. */
export function placeName(location: Location | null): string {
  return location ? `${location.sheet}!${nameOf(toPlace(location).selection)}` : 'nowhere in particular'
}
