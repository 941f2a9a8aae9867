import { deflateRaw } from 'node:zlib'
import { deflated, partOf, stored, unfinished, windowBytes, type Part } from './gzip-format.js'
import type { Encoded } from '../../rooms/sse-encoding.js'

/** Below this there is nothing to gain: one move of one member. */
const smallBytes = 200
/** From here on, ten moves or so, a frame looks back: 2 to 3 times fewer bytes, for 40 µs a frame and 32 KiB a room. */
const lineBytes = 1_024
/** Above this it takes more than a millisecond, and so is made off the event loop. */
const largeBytes = 65_536

/** Somebody who takes events as gzip. */
export interface GzipReader {
  readonly past: Past
  /** Wakes it, and all who wait with it. */
  readonly room: { wakeLater(waiting: Iterable<GzipReader>): void }
  /** What it had to wait for is there. */
  wake(): void
}

/** What a reader's stream ends with: the last so many bytes of a line, up to one frame of it. */
export class Past {
  last: Deflation | null = null
  bytes = 0

  forget(): void {
    this.last = null
    this.bytes = 0
  }
}

const deflations = new WeakMap<Encoded, Deflation>()
const nothing = new Uint8Array()

/**
 * An event as it is sent to those who take gzip. Each form of it is made once, when first asked for.
 *
 * Frames that follow each other are a line, and look back at what was said in it: the same members move again, and their
 * random ids are most of what could not be compressed. Whoever was sent something else meanwhile, such as a beat or one
 * frame for several, gets the frame in a form that looks back at nothing, until they have heard enough of the line again.
 */
export class Deflation {
  static #count = 0
  readonly nth = (Deflation.#count += 1)
  readonly #encoded: Encoded
  #stored: Part | undefined
  #alone: Part | undefined
  #inLine: Part | undefined
  #place: { after: number; history: Uint8Array } | undefined
  #waiting: Set<GzipReader> | undefined

  private constructor(encoded: Encoded) {
    this.#encoded = encoded
  }

  static of(encoded: Encoded): Deflation {
    let deflation = deflations.get(encoded)
    if (!deflation) deflations.set(encoded, (deflation = new Deflation(encoded)))
    return deflation
  }

  /** What a reader is to be sent now; `null` when it is being made, and the reader will be woken. */
  partFor(reader: GzipReader): Part | null {
    const { body, isShared } = this.#encoded
    const { past } = reader
    const isForLine = isShared && body.length >= lineBytes
    if (!isForLine) {
      past.forget()
      // What only one reader is told is nobody's to guess at by its length.
      return isShared && body.length >= smallBytes ? (this.#alone ??= deflated(body)) : (this.#stored ??= stored(body))
    }
    // Where it stands is up to the first who is sent it: a room wakes those first who have been there longest.
    const { after, history } = (this.#place ??= placeAfter(past))
    const isNext = past.last?.nth === after
    const looksBack = isNext && past.bytes >= history.length && body.length <= largeBytes
    const part = looksBack ? (this.#inLine ??= deflated(body, history)) : this.#byItself(reader)
    if (!part) return null
    past.bytes = Math.min((isNext ? Math.min(past.bytes, history.length) : 0) + body.length, windowBytes)
    past.last = this
    return part
  }

  /** A reader has gone, and need not be woken. */
  leave(reader: GzipReader): void {
    this.#waiting?.delete(reader)
  }

  #byItself(reader: GzipReader): Part | null {
    const { body } = this.#encoded
    if (this.#alone || body.length <= largeBytes) return (this.#alone ??= deflated(body))
    if (this.#waiting) this.#waiting.add(reader)
    else this.#deflateFor(new Set([reader]))
    return null
  }

  /** On a thread of its own; only those wait who are to be sent this very frame. */
  #deflateFor(waiting: Set<GzipReader>): void {
    const { body } = this.#encoded
    this.#waiting = waiting
    deflateRaw(body, unfinished, (error, blocks) => {
      this.#waiting = undefined
      // It fails when there is no memory for it.
      this.#alone = error ? stored(body) : partOf(body, blocks)
      const [first] = waiting
      first?.room.wakeLater(waiting)
    })
  }

  /** The last so many bytes that were said in the line, up to here. */
  tail(bytes: number): Uint8Array {
    const own = this.#encoded.body.subarray(-bytes)
    if (own.length === bytes) return own
    return Buffer.concat([this.#place!.history.subarray(own.length - bytes), own])
  }
}

/** What whoever has this past may look back at. */
const placeAfter = ({ last, bytes }: Past) =>
  last ? { after: last.nth, history: last.tail(bytes) } : { after: 0, history: nothing }
