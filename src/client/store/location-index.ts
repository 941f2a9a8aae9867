import { nobody, type Member } from './member.js'
import { canonicalText } from './same-json.js'
import type { RoomTypes } from '../../shared/room-types.js'

/** `windows: 'all'` finds a member by the location of each of their windows. Default: by the location that is shown. */
export type MembersAtOptions = { windows?: 'all' }

/**
 * The members of a room by location. The index is built by the first lookup and kept up to date by each change. A
 * member is found at the locations of the member's first `windows` connections; the first connection is where the
 * member is shown.
 */
export class LocationIndex<T extends RoomTypes> {
  readonly #windows: number
  #byText: Map<string, readonly Member<T>[]> | null = null

  constructor(windows: number) {
    this.#windows = windows
  }

  /**
   * Returns the members at exactly this location: the same array while the members are the same, so that of 2,000 cells
   * only those that changed are rendered again.
   */
  at(location: T['location'], members: readonly Member<T>[]): readonly Member<T>[] {
    if (!this.#byText) {
      this.#byText = new Map()
      for (const member of members) this.move(null, member)
    }
    return this.#byText.get(canonicalText(location)) ?? nobody
  }

  move(before: Member<T> | null, now: Member<T> | null): void {
    const byText = this.#byText
    if (!byText) return
    const from = this.#textsOf(before)
    const to = this.#textsOf(now)
    for (const text of new Set([...from, ...to])) {
      const others = byText.get(text) ?? nobody
      const members = !from.has(text)
        ? [...others, now!]
        : to.has(text)
          ? others.map((member) => (member === before ? now! : member))
          : others.filter((member) => member !== before)
      if (members.length > 0) byText.set(text, Object.freeze(members))
      else byText.delete(text)
    }
  }

  #textsOf(member: Member<T> | null): Set<string> {
    return new Set(member?.connections.slice(0, this.#windows).map(({ location }) => canonicalText(location)))
  }
}
