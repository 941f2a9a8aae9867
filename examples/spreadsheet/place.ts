import type { Location } from './locations.js'
import { at, boxOf, isOneCell, nameOf, type Box, type Selection } from './selection.js'

/** A selection and its sheet, as this page stores it. A location is what the room stores. */
export type Place = { sheet: string; selection: Selection }

export function toLocation({ sheet, selection }: Place): Location {
  return isOneCell(selection) ? { sheet, ...selection.head } : { sheet, from: selection.anchor, to: selection.head }
}

export function toPlace(location: Location): Place {
  const selection = 'from' in location ? { anchor: location.from, head: location.to } : at(location.row, location.col)
  return { sheet: location.sheet, selection }
}

export const boxAt = (location: Location): Box => boxOf(toPlace(location).selection)

/** `Q3!C5`, as formulas name a cell of another sheet. */
export function placeName(location: Location | null): string {
  return location ? `${location.sheet}!${nameOf(toPlace(location).selection)}` : 'nowhere in particular'
}
