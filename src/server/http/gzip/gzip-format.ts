import { constants, crc32, deflateRawSync } from 'node:zlib'
import { combined, shiftOf } from './crc32-combine.js'
import { encodeBytes, type Bytes } from '../../rooms/sse-encoding.js'

/*
 * The format of a gzip stream that is spliced, for each subscriber, from parts that all of them share. A part consists of
 * whole DEFLATE blocks (RFC 1951) that end on a byte boundary and are not final, so any part may follow any other. Only a
 * part that was compressed with a history must follow the text of that history.
 */

/** A text as a part of a gzip stream, with its contribution to the checksum. */
export type Part = Bytes & { readonly sum: Sum }

/** The CRC-32 of a text, its length, and the factor by which this length multiplies the CRC of the text before it. */
export type Sum = { readonly crc: number; readonly length: number; readonly shift: number }

const sumOf = (text: Uint8Array): Sum => ({ crc: crc32(text), length: text.length, shift: shiftOf(text.length) })

/** The longest usable history, in bytes: the 32 KiB window less the look-ahead of zlib's deflate. */
export const windowBytes = 32_768 - 262

/**
 * The zlib options of a part: all output is flushed up to a byte boundary, without a final block, so that more parts
 * may follow.
 */
export const unfinished = { finishFlush: constants.Z_SYNC_FLUSH }

/**
 * Compresses a text.
 *
 * @param history the text that every stream that gets this part ends with, at most `windowBytes` of it.
 */
export function deflated(text: Uint8Array, history?: Uint8Array): Part {
  return partOf(text, deflateRawSync(text, history?.length ? { ...unfinished, dictionary: history } : unfinished))
}

export const partOf = (text: Uint8Array, blocks: Uint8Array): Part => ({ ...encodeBytes(blocks), sum: sumOf(text) })

const maxStoredBytes = 0xffff

/** Returns the text uncompressed (RFC 1951 §3.2.4): in blocks of at most 64 KiB, each after its length and the complement of it. */
export function stored(text: Uint8Array): Part {
  const blocks: Uint8Array[] = []
  for (let at = 0; at < text.length; at += maxStoredBytes) {
    const piece = text.subarray(at, at + maxStoredBytes)
    const head = Buffer.alloc(5)
    head.writeUInt16LE(piece.length, 1)
    head.writeUInt16LE(~piece.length & maxStoredBytes, 3)
    blocks.push(head, piece)
  }
  return partOf(text, Buffer.concat(blocks))
}

/** The gzip header (RFC 1952 §2.3): deflate, without name, time or flags, from an unknown system. */
export const header: Bytes = encodeBytes(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255))

/** The running checksum of a stream. */
export class Checksum {
  #crc = 0
  #length = 0

  add({ crc, length, shift }: Sum): void {
    this.#crc = combined(this.#crc, crc, shift)
    this.#length = (this.#length + length) >>> 0
  }

  /**
   * Returns the end of the stream: an empty final block, the CRC and the length. Without it, strict readers (Go, Python,
   * zlib) report a truncated body; with a wrong one, curl fails, and Node's fetch never ends.
   */
  trailer(): Bytes {
    const bytes = Buffer.from([0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    bytes.writeUInt32LE(this.#crc, 2)
    bytes.writeUInt32LE(this.#length, 6)
    return encodeBytes(bytes)
  }
}
