/** A ring of slots that are served in turn: one timer serves all items, spread over a round rather than all at once. */
export class TimerWheel<T> {
  readonly #slots: Set<T>[]
  readonly #slotOf = new Map<T, Set<T>>()
  #next = 0

  constructor(slots: number) {
    this.#slots = Array.from({ length: slots }, () => new Set<T>())
  }

  get size(): number {
    return this.#slotOf.size
  }

  /** @param place the position in the round, from 0 up to but not including 1. */
  add(item: T, place: number): void {
    const slot = this.#slots[Math.floor(place * this.#slots.length)]!
    slot.add(item)
    this.#slotOf.set(item, slot)
  }

  delete(item: T): void {
    this.#slotOf.get(item)?.delete(item)
    this.#slotOf.delete(item)
  }

  /** Iterates over all items, regardless of their slots. */
  [Symbol.iterator](): Iterator<T> {
    return this.#slotOf.keys()
  }

  /** Moves on to the next slot and returns its items. */
  turn(): ReadonlySet<T> {
    const slot = this.#slots[this.#next]!
    this.#next = (this.#next + 1) % this.#slots.length
    return slot
  }
}
