import { connect } from 'node:net'
import { nothing } from './messages.mjs'
import { now } from './time.mjs'

/**
 * The maximum number of members of a room. The y of a location encodes the member and the number of its move in one
 * number.
 */
export const membersPerRoom = 4_096
// Node fills the buffer and calls back synchronously, so all sockets of this process share one.
const shared = Buffer.allocUnsafeSlow(1 << 18)

/** One open stream. It counts the moves that it receives for the first time. */
export class Viewer {
  updates = 0
  events = 0
  bytes = 0
  isBroken = false
  /** The last bytes of the stream, to which a compressed message may refer. */
  past = nothing
  /** The time at which the stream had received the whole room, or `null`. */
  liveAt = null
  openedAt = now()
  onLive = () => {}
  /** The member whose moves are reported, and the callback to call when the stream shows one. */
  echoOf = -1
  onEcho = () => {}
  #seqs
  #rest = Buffer.alloc(0)
  #hasHead = false
  #heardAt = 0
  #options

  constructor(options) {
    const { url, dialect, who, reader, roomSize } = options
    this.who = who
    this.#options = options
    this.#seqs = new Int32Array(roomSize)
    const { hostname, port } = new URL(url)
    this.socket = connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: { buffer: shared, callback: (length, buffer) => this.#take(buffer.subarray(0, length)) },
    })
    this.socket.on('error', () => (this.isBroken = true)).on('close', () => (this.isBroken = true))
    this.socket.write(dialect.open(url, who))
    this.reader = reader
  }

  stall() {
    this.socket.pause()
  }

  /** Returns the number of members whose location is out of date in this viewer. */
  wrong(truth) {
    return truth.reduce((sum, seq, member) => sum + (seq > this.#seqs[member] ? 1 : 0), 0)
  }

  #take(read) {
    this.bytes += read.length
    let bytes = this.#rest.length === 0 ? read : Buffer.concat([this.#rest, read])
    if (!this.#hasHead) {
      const end = bytes.indexOf('\r\n\r\n')
      if (end === -1) return this.#keep(bytes)
      if (!/^HTTP\/1.1 (200|101)/.test(bytes.latin1Slice(0, 12))) this.isBroken = true
      this.#hasHead = true
      bytes = bytes.subarray(end + 4)
    }
    this.#heardAt = now()
    const done = this.reader.read(bytes, this)
    this.#keep(bytes.subarray(done))
    return true
  }

  #keep(rest) {
    this.#rest = rest.length === 0 ? rest : Buffer.from(rest)
    return true
  }

  hear({ text, updates, isSnapshot }) {
    const at = this.#heardAt
    const { dialect, who, latencies } = this.#options
    if (updates.length > 0) this.events += 1
    for (const { x, y } of updates) {
      const member = y % membersPerRoom
      const seq = (y - member) / membersPerRoom
      if (seq <= this.#seqs[member]) continue
      this.#seqs[member] = seq
      this.updates += 1
      latencies.add(at - x)
      if (member === this.echoOf) this.onEcho()
    }
    if (isSnapshot && this.liveAt === null) {
      this.liveAt = at
      this.onLive()
    }
    const reply = dialect.reply?.(text, who)
    if (reply) this.socket.write(reply)
  }
}
