/**
 * The fractional parts of the multiples of this number are spread evenly over 0 to 1, however many multiples there are.
 */
const goldenFraction = 0.618_033_988_749_895

/** The most slots of a ring: with more, extreme options would cost gigabytes of empty slots. */
export const maxSlots = 10_000

/** A ring of slots that are served in turn: one timer serves all items, spread over a round rather than all at once. */
export class TimerWheel<T> {
  readonly #slots: Set<T>[]
  readonly #slotOf = new Map<T, Set<T>>()
  #next = 0
  #added = 0

  constructor(slots: number) {
    this.#slots = Array.from({ length: slots }, () => new Set<T>())
  }

  get size(): number {
    return this.#slotOf.size
  }

  /**
   * Adds an item to a slot of the coming round. The slot is not chosen at random, so that items that are added one
   * after another are spread evenly.
   */
  add(item: T): void {
    this.#added += 1
    const place = (this.#added * goldenFraction) % 1
    const slot = this.#slots[(this.#next + Math.floor(place * this.#slots.length)) % this.#slots.length]!
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
