import { canonicalJson } from '../../shared/canonical-json.js'
import type { Member } from './roster.js'

const nobody: readonly never[] = []

/** Who is where, looked up by place. Made when it is first asked for, and from then on kept up move by move. */
export class LocationIndex<L, P> {
  #byText: Map<string, readonly Member<L, P>[]> | null = null

  /** Who is exactly there. A place whose people are the same gives the same array, so that 2,000 cells can ask. */
  at(location: L, members: readonly Member<L, P>[]): readonly Member<L, P>[] {
    if (!this.#byText) {
      this.#byText = new Map()
      for (const member of members) this.move(null, member)
    }
    return this.#byText.get(textOf(location)) ?? nobody
  }

  move(before: Member<L, P> | null, now: Member<L, P> | null): void {
    if (!this.#byText) return
    const from = before && textOf(before.location)
    const to = now && textOf(now.location)
    if (from !== null && from === to)
      return this.#set(from, (there) => there.map((one) => (one === before ? now! : one)))
    if (from !== null) this.#set(from, (there) => there.filter((one) => one !== before))
    if (to !== null) this.#set(to, (there) => [...there, now!])
  }

  #set(place: string, change: (there: readonly Member<L, P>[]) => readonly Member<L, P>[]): void {
    const there = change(this.#byText?.get(place) ?? nobody)
    if (there.length > 0) this.#byText?.set(place, there)
    else this.#byText?.delete(place)
  }
}

// How deep is deep enough was the server's to say.
const textOf = (value: unknown) => canonicalJson(value, Infinity)

/** Whether two locations, or two profiles, say the same. */
export const sameJson = (a: unknown, b: unknown) => a === b || textOf(a) === textOf(b)
