import { connect } from 'node:net'
import { nothing } from './messages.mjs'
import { now } from './time.mjs'

/** A post says who moved, and for the how manieth time, in one number. */
export const membersPerRoom = 4_096
// Node fills the buffer and calls back at once, so one will do for every socket of this process.
const shared = Buffer.allocUnsafeSlow(1 << 18)

/** One open stream: it counts what it is told that it did not know. */
export class Viewer {
  updates = 0
  events = 0
  bytes = 0
  isBroken = false
  /** What its stream ends with, which what comes next may look back at. */
  past = nothing
  /** When it had the whole room; `null` before. */
  liveAt = null
  openedAt = now()
  onLive = () => {}
  /** The member whose own stream this is, and what to do when it sees itself move. */
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

  /** How many members this viewer shows where they no longer are. */
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
