import type { BroadcastItem } from '../../shared/broadcast-types.js'
import { Frame } from './frames.js'

/** A broadcast on its way to the streams of a room. */
export type RoomBroadcast = {
  /** The id of the broadcast, unique among the broadcasts of all processes. */
  id: string
  /** The broadcast as viewers get it. */
  item: BroadcastItem
  /** The only member who receives the broadcast; `null`: everybody. */
  to: string | null
  /** The epoch of the version `item.after`. */
  epoch: string
}

/** The most broadcasts that a room keeps for subscribers that have not taken them yet. */
export const ringSize = 256

/** The SSE framing of an event and the JSON around its items, in bytes. */
const framingBytes = 160

/**
 * A reader of the ring: the event id and version that it has of the room, and whether it receives broadcasts to a
 * member.
 */
export type RingReader = { id: string; version: number; isFor(memberId: string): boolean }

/**
 * The result of `take`. `frame` is `null` when no broadcast is for the reader. `lost` is the number of broadcasts that
 * were overwritten before the reader took them.
 */
export type Taken = { frame: Frame | null; cursor: number; lost: number }

type Entry = RoomBroadcast & { bytes: number }

/**
 * The newest broadcasts of a room. Each subscriber holds one number, its cursor, and takes the broadcasts after it. A
 * subscriber that falls behind by more than the size of the ring loses the oldest broadcasts. Subscribers with the same
 * cursor get the same frame, and so the same bytes, unless a broadcast is for only one of them.
 */
export class BroadcastRing {
  readonly #eventBytes: number
  #entries: Entry[] = []
  /** The number of the first entry, counted from the first broadcast of the room. */
  #first = 0
  #directed = 0
  /** The frames that all readers share, by cursor, for readers at the event id `#sharedId`. */
  readonly #shared = new Map<number, Taken>()
  #sharedId = ''

  constructor(eventBytes: number) {
    this.#eventBytes = eventBytes
  }

  /** The cursor of a subscriber that has taken everything. */
  get end(): number {
    return this.#first + this.#entries.length
  }

  push(broadcast: RoomBroadcast): void {
    this.#entries.push({ ...broadcast, bytes: Buffer.byteLength(JSON.stringify(broadcast.item)) + 1 })
    if (broadcast.to !== null) this.#directed += 1
    if (this.#entries.length > ringSize) {
      if (this.#entries.shift()!.to !== null) this.#directed -= 1
      this.#first += 1
    }
    this.#shared.clear()
  }

  /** Returns the next event for a reader, and the reader's cursor after that event. */
  take(cursor: number, reader: RingReader): Taken {
    const from = Math.max(cursor, this.#first)
    const lost = from - cursor
    if (this.#isForReaderAlone(from, reader)) return { ...this.#collect(from, reader, false), lost }
    if (this.#sharedId !== reader.id) this.#shared.clear()
    this.#sharedId = reader.id
    const shared = this.#shared.get(from) ?? this.#collect(from, reader, true)
    this.#shared.set(from, shared)
    return lost === 0 ? shared : { ...shared, lost }
  }

  #isForReaderAlone(from: number, { isFor }: RingReader): boolean {
    if (this.#directed === 0) return false
    return this.#entries.slice(from - this.#first).some(({ to }) => to !== null && isFor(to))
  }

  /** Collects items up to the size of one event; the first item is taken whatever its size. */
  #collect(from: number, { id, version, isFor }: RingReader, isShared: boolean): Taken {
    const items: BroadcastItem[] = []
    let bytes = framingBytes
    let cursor = from
    for (const { item, to, bytes: more } of this.#entries.slice(from - this.#first)) {
      if (to === null || (!isShared && isFor(to))) {
        if (items.length > 0 && bytes + more > this.#eventBytes) break
        bytes += more
        items.push(item)
      }
      cursor += 1
    }
    const frame = items.length > 0 ? new Frame(id, { type: 'broadcast', items }, version, isShared) : null
    return { frame, cursor, lost: 0 }
  }
}
