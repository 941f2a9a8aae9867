import { nobody, type Member } from './member.js'
import { canonicalText } from './same-json.js'

/** The members of a room by location. The index is built by the first lookup and kept up to date by each move. */
export class LocationIndex<L, P> {
  #byText: Map<string, readonly Member<L, P>[]> | null = null

  /** Returns the members at exactly this location: the same array while the members are the same, so that 2,000 cells can ask. */
  at(location: L, members: readonly Member<L, P>[]): readonly Member<L, P>[] {
    if (!this.#byText) {
      this.#byText = new Map()
      for (const member of members) this.move(null, member)
    }
    return this.#byText.get(canonicalText(location)) ?? nobody
  }

  move(before: Member<L, P> | null, now: Member<L, P> | null): void {
    if (!this.#byText) return
    const from = before && canonicalText(before.location)
    const to = now && canonicalText(now.location)
    if (from !== null && from === to)
      return this.#set(from, (members) => members.map((member) => (member === before ? now! : member)))
    if (from !== null) this.#set(from, (members) => members.filter((member) => member !== before))
    if (to !== null) this.#set(to, (members) => [...members, now!])
  }

  #set(text: string, change: (members: readonly Member<L, P>[]) => readonly Member<L, P>[]): void {
    const members = change(this.#byText?.get(text) ?? nobody)
    if (members.length > 0) this.#byText?.set(text, Object.freeze(members))
    else this.#byText?.delete(text)
  }
}
