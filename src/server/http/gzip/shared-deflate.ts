import { deflateRaw } from 'node:zlib'
import { deflated, partOf, stored, unfinished, windowBytes, type Part } from './gzip-format.js'
import type { Encoded } from '../../rooms/sse-encoding.js'

/** Shorter events are not compressed: one move of one member gains nothing. */
const smallBytes = 200
/**
 * Frames from this size on, about ten moves, are compressed with the frames before them as history: 2 to 3 times fewer
 * bytes, for 40 µs a frame and 32 KiB a room.
 */
const chainBytes = 1_024
/** Larger frames take more than a millisecond, and so are compressed on zlib's thread pool. */
const largeBytes = 65_536

/** A subscriber that receives events as gzip. */
export interface GzipReader {
  readonly history: History
  /** Calls `wake` on all readers that waited for a frame. */
  readonly room: { wakeLater(waiting: Iterable<GzipReader>): void }
  /** Called when the part that the reader waits for is ready. */
  wake(): void
}

/** The end of a reader's stream: how many of the last bytes of the chain of frames, up to which frame. */
export class History {
  last: CompressedEvent | null = null
  bytes = 0

  clear(): void {
    this.last = null
    this.bytes = 0
  }
}

const compressed = new WeakMap<Encoded, CompressedEvent>()
const noBytes = new Uint8Array()

/**
 * The compressed forms of an event. Each form is made once, on first use, and shared by all readers.
 *
 * Consecutive frames form a chain: each is compressed with the frames before it as history, since the same members move
 * again, and their random ids are most of what does not compress otherwise. A reader that was sent something else in
 * between, such as a heartbeat or a coalesced frame, gets the form without history until it has received enough of the
 * chain again.
 */
export class CompressedEvent {
  static #count = 0
  readonly nth = (CompressedEvent.#count += 1)
  readonly #encoded: Encoded
  #stored: Part | undefined
  #alone: Part | undefined
  #chained: Part | undefined
  #chainStart: { after: number; history: Uint8Array } | undefined
  #waiting: Set<GzipReader> | undefined

  private constructor(encoded: Encoded) {
    this.#encoded = encoded
  }

  static of(encoded: Encoded): CompressedEvent {
    let event = compressed.get(encoded)
    if (!event) compressed.set(encoded, (event = new CompressedEvent(encoded)))
    return event
  }

  /** Returns the part to send to a reader; null while it is being compressed, after which the reader is woken. */
  partFor(reader: GzipReader): Part | null {
    const { body, isShared } = this.#encoded
    const past = reader.history
    const isChainable = isShared && body.length >= chainBytes
    if (!isChainable) {
      past.clear()
      // An event for a single reader is not compressed: its length could reveal secrets (as in the BREACH attack).
      return isShared && body.length >= smallBytes ? (this.#alone ??= deflated(body)) : (this.#stored ??= stored(body))
    }
    // The first reader decides the history: a room wakes its oldest subscribers first.
    const { after, history } = (this.#chainStart ??= chainStartAfter(past))
    const isNext = past.last?.nth === after
    const usesHistory = isNext && past.bytes >= history.length && body.length <= largeBytes
    const part = usesHistory ? (this.#chained ??= deflated(body, history)) : this.#withoutHistory(reader)
    if (!part) return null
    past.bytes = Math.min((isNext ? Math.min(past.bytes, history.length) : 0) + body.length, windowBytes)
    past.last = this
    return part
  }

  /** Removes a reader that has disconnected, so that it is not woken. */
  stopWaiting(reader: GzipReader): void {
    this.#waiting?.delete(reader)
  }

  #withoutHistory(reader: GzipReader): Part | null {
    const { body } = this.#encoded
    if (this.#alone || body.length <= largeBytes) return (this.#alone ??= deflated(body))
    if (this.#waiting) this.#waiting.add(reader)
    else this.#deflateInBackground(new Set([reader]))
    return null
  }

  /** Compresses on zlib's thread pool. Only readers that get this frame wait for it. */
  #deflateInBackground(waiting: Set<GzipReader>): void {
    const { body } = this.#encoded
    this.#waiting = waiting
    deflateRaw(body, unfinished, (error, blocks) => {
      this.#waiting = undefined
      // zlib fails when there is no memory for it.
      this.#alone = error ? stored(body) : partOf(body, blocks)
      const [first] = waiting
      first?.room.wakeLater(waiting)
    })
  }

  /** Returns the last so many bytes of the chain, up to the end of this event. */
  tail(bytes: number): Uint8Array {
    const own = this.#encoded.body.subarray(-bytes)
    if (own.length === bytes) return own
    return Buffer.concat([this.#chainStart!.history.subarray(own.length - bytes), own])
  }
}

/** Returns where a frame continues the chain, for a reader with this history. */
const chainStartAfter = ({ last, bytes }: History) =>
  last ? { after: last.nth, history: last.tail(bytes) } : { after: 0, history: noBytes }
