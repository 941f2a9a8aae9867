import { constants, inflateRawSync } from 'node:zlib'

/*
 * Splits the bytes of a socket into messages and parses them. All viewers of a room are sent the same bytes, so each
 * message is parsed once and recognized the next time, by comparing all of its bytes: only complete deliveries count. A
 * compressed message may refer to earlier bytes, so those must be equal too.
 */

const updatePattern = /"x":(-?[\d.]+),"y":(\d+)/g
const remembered = 64
const windowBytes = 32_768
/** The preceding bytes at the beginning of a stream: none. */
export const nothing = Buffer.alloc(0)

export class Reader {
  #dialect
  #recent = []
  #next = 0

  constructor(dialect) {
    this.#dialect = dialect
  }

  /** Reads whole messages from the beginning of `bytes`. @returns the number of bytes that they have. */
  read(bytes, viewer) {
    const messageAt = this.#dialect.framing === 'chunks' ? chunkAt : frameAt
    let at = 0
    for (;;) {
      const message = messageAt(bytes, at)
      if (!message) return at
      const read = this.#messageOf(bytes, message.from, message.to, viewer.past)
      viewer.past = read.after
      viewer.hear(read)
      at = message.end
    }
  }

  #messageOf(bytes, from, to, past) {
    for (let i = 1; i <= this.#recent.length; i++) {
      const known = this.#recent[(this.#next - i + remembered) % remembered]
      if (known?.bytes.length !== to - from || known.bytes.compare(bytes, from, to) !== 0) continue
      if (known.before === past || known.before.equals(past)) return known
    }
    const message = this.#parse(Buffer.from(bytes.subarray(from, to)), past)
    this.#recent[this.#next] = message
    this.#next = (this.#next + 1) % remembered
    return message
  }

  #parse(bytes, before) {
    const [text, after] = this.#dialect.isGzip ? inflated(bytes, before) : [bytes.toString(), before]
    const updates = Array.from(text.matchAll(updatePattern), ([, x, y]) => ({ x: Number(x), y: Number(y) }))
    return { bytes, before, after, text, updates, isSnapshot: this.#dialect.isSnapshot(text) }
  }
}

/**
 * Decompresses a chunk of a gzip stream: whole blocks, or the header. Returns the text, and the last bytes of the
 * stream up to here.
 */
function inflated(bytes, before) {
  if (before.length === 0 && bytes[0] === 0x1f && bytes[1] === 0x8b) return ['', before]
  const finishFlush = constants.Z_SYNC_FLUSH
  const text = inflateRawSync(bytes, before.length > 0 ? { finishFlush, dictionary: before } : { finishFlush })
  return [text.toString(), Buffer.concat([before, text]).subarray(-windowBytes)]
}

const lineFeed = 10

/** Returns the chunk at a position (RFC 9112 §7.1), or null while it is not complete. */
function chunkAt(bytes, at) {
  const lineEnd = bytes.indexOf(lineFeed, at)
  if (lineEnd === -1) return null
  const size = Number.parseInt(bytes.latin1Slice(at, lineEnd), 16)
  const from = lineEnd + 1
  const to = from + size
  return to + 2 > bytes.length ? null : { from, to, end: to + 2 }
}

/**
 * Returns the WebSocket frame at a position (RFC 6455 §5.2), or null while it is not complete. Frames of a server are
 * not masked.
 */
function frameAt(bytes, at) {
  if (at + 2 > bytes.length) return null
  const short = bytes[at + 1] & 0x7f
  const from = at + (short === 127 ? 10 : short === 126 ? 4 : 2)
  if (from > bytes.length) return null
  const size =
    short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short === 126 ? bytes.readUInt16BE(at + 2) : short
  const to = from + size
  return to > bytes.length ? null : { from, to, end: to }
}
