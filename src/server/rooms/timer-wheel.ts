/** Slots that come round in turn, so that one timer serves everyone and nobody is served in a herd. */
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

  /** @param place 0 to 1: which slot. */
  add(item: T, place: number): void {
    const slot = this.#slots[Math.floor(place * this.#slots.length)]!
    slot.add(item)
    this.#slotOf.set(item, slot)
  }

  delete(item: T): void {
    this.#slotOf.get(item)?.delete(item)
    this.#slotOf.delete(item)
  }

  /** All of them, slot or no slot. */
  [Symbol.iterator](): Iterator<T> {
    return this.#slotOf.keys()
  }

  /** The items of the next slot. */
  turn(): ReadonlySet<T> {
    const slot = this.#slots[this.#next]!
    this.#next = (this.#next + 1) % this.#slots.length
    return slot
  }
}
