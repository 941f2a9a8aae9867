import { deflateRaw } from 'node:zlib'
import { deflated, partOf, stored, unfinished, windowBytes, type Part } from './gzip-format.js'
import type { Encoded } from '../../rooms/sse-encoding.js'

/** Events below this many bytes are not compressed: the event of a single move would not shrink. */
const smallBytes = 200
/**
 * Frames of at least this many bytes, about ten moves, are compressed with the preceding frames as history (zlib's
 * dictionary). They become 2 to 3 times smaller, for 40 µs a frame and 32 KiB a room.
 */
const chainBytes = 1_024
/**
 * Frames above this many bytes take more than a millisecond to compress, so they are compressed on zlib's thread pool.
 */
const largeBytes = 65_536

/** A subscriber that receives events as gzip. */
export interface GzipReader {
  readonly history: History
  /** Calls `wake` of all readers that waited for a frame to be compressed. */
  readonly room: { wakeLater(waiting: Iterable<GzipReader>): void }
  /** Called when the part that the reader waits for is ready. */
  wake(): void
}

/**
 * The text that a reader's gzip stream ends with: the last `bytes` bytes of the chain of frames, up to the end of the
 * frame `last`.
 */
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

  /**
   * Returns the compressed part to send to a reader. Returns null while the part is being compressed; the reader is
   * woken when it is ready.
   */
  partFor(reader: GzipReader): Part | null {
    const { body, isShared } = this.#encoded
    const past = reader.history
    const isChainable = isShared && body.length >= chainBytes
    if (!isChainable) {
      past.clear()
      // An event for a single reader is not compressed: its length could reveal secrets (as in the BREACH attack).
      return isShared && body.length >= smallBytes ? (this.#alone ??= deflated(body)) : (this.#stored ??= stored(body))
    }
    // The first reader that asks decides the history with which the frame is compressed. A room wakes its oldest
    // subscribers first.
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

  /** Compresses the frame on zlib's thread pool. Only the readers of this frame wait for it. */
  #deflateInBackground(waiting: Set<GzipReader>): void {
    const { body } = this.#encoded
    this.#waiting = waiting
    deflateRaw(body, unfinished, (error, blocks) => {
      this.#waiting = undefined
      // zlib reports an error when it cannot allocate memory: the frame is then sent uncompressed.
      this.#alone = error ? stored(body) : partOf(body, blocks)
      const [first] = waiting
      first?.room.wakeLater(waiting)
    })
  }

  /** Returns the last `bytes` bytes of the chain of frames, up to the end of this event. */
  tail(bytes: number): Uint8Array {
    const own = this.#encoded.body.subarray(-bytes)
    if (own.length === bytes) return own
    return Buffer.concat([this.#chainStart!.history.subarray(own.length - bytes), own])
  }
}

/** Returns the number of the frame that a new frame follows in the chain, and the history to compress it with. */
const chainStartAfter = ({ last, bytes }: History) =>
  last ? { after: last.nth, history: last.tail(bytes) } : { after: 0, history: noBytes }
