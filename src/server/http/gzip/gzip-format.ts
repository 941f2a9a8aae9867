import { constants, crc32, deflateRawSync } from 'node:zlib'
import { combined, shiftOf } from './crc32-combine.js'
import { encodeBytes, type Bytes } from '../../rooms/sse-encoding.js'

/*
 * A gzip stream for each reader, spliced from parts that are made once for all of them. A part is whole blocks of RFC 1951
 * that end on a byte and are not the last, so any part may follow any other, but for one that looks back: that follows
 * only the text that it looks back at.
 */

/** Some text as a part of a gzip stream, and what it adds to the checksum. */
export type Part = Bytes & { readonly sum: Sum }

/** The CRC-32 of a text, its length, and what this length does to the CRC of whatever was before. */
export type Sum = { readonly crc: number; readonly length: number; readonly shift: number }

const sumOf = (text: Uint8Array): Sum => ({ crc: crc32(text), length: text.length, shift: shiftOf(text.length) })

/** How far a block may look back: 32 KiB, less the look-ahead of zlib's own deflate. */
export const windowBytes = 32_768 - 262

/** A part is whole, and not the last. */
export const unfinished = { finishFlush: constants.Z_SYNC_FLUSH }

/** @param history what every stream that gets this part ends with, at most `windowBytes` of it. */
export function deflated(text: Uint8Array, history?: Uint8Array): Part {
  return partOf(text, deflateRawSync(text, history?.length ? { ...unfinished, dictionary: history } : unfinished))
}

export const partOf = (text: Uint8Array, blocks: Uint8Array): Part => ({ ...encodeBytes(blocks), sum: sumOf(text) })

const longest = 0xffff

/** RFC 1951 §3.2.4: the text as it is, in blocks of at most 64 KiB, with their length and its complement before each. */
export function stored(text: Uint8Array): Part {
  const blocks: Uint8Array[] = []
  for (let at = 0; at < text.length; at += longest) {
    const piece = text.subarray(at, at + longest)
    const head = Buffer.alloc(5)
    head.writeUInt16LE(piece.length, 1)
    head.writeUInt16LE(~piece.length & longest, 3)
    blocks.push(head, piece)
  }
  return partOf(text, Buffer.concat(blocks))
}

/** RFC 1952 §2.3: deflate, with no name, time or flags, from an unknown system. */
export const header: Bytes = encodeBytes(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255))

/** The checksum of a stream, as it goes. */
export class Checksum {
  #crc = 0
  #length = 0

  add({ crc, length, shift }: Sum): void {
    this.#crc = combined(this.#crc, crc, shift)
    this.#length = (this.#length + length) >>> 0
  }

  /**
   * The end of the stream: an empty last block, the CRC and the length. Without it strict readers take a body that has
   * ended for one that broke off (Go, Python, zlib); with a wrong one curl fails, and Node's fetch never ends.
   */
  trailer(): Bytes {
    const bytes = Buffer.from([0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    bytes.writeUInt32LE(this.#crc, 2)
    bytes.writeUInt32LE(this.#length, 6)
    return encodeBytes(bytes)
  }
}
