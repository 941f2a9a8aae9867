import { connect } from 'node:net'
import { membersPerRoom } from './viewer.mjs'
import { now } from './time.mjs'

/**
 * One member who moves. At most one post is in flight and only the latest move waits for it, as in a considerate
 * client, so that no server is overloaded. Over a WebSocket, a post counts as answered when the member's own stream
 * shows the move.
 */
export class Poster {
  seq = 0
  sent = 0
  failed = 0
  #isWaiting = false
  #isDue = false
  #options
  #socket
  /** The connection for broadcasts, whose answers are not read. */
  #shouter = null
  #text = ''

  constructor(options) {
    const { url, dialect, viewer, room, index } = options
    this.#options = options
    this.room = room
    this.index = index
    if (dialect.framing === 'websocket') {
      this.#socket = viewer.socket
      viewer.echoOf = index
      viewer.onEcho = () => this.#done()
      this.connected = Promise.resolve()
      return
    }
    const { hostname, port } = new URL(url)
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true })
    this.connected = new Promise((resolve) => this.#socket.once('connect', resolve))
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', (text) => this.#answered(text))
    this.#socket.on('error', () => (this.failed += 1))
    if (!dialect.broadcast) return
    this.#shouter = connect({ host: hostname, port: Number(port), noDelay: true }).resume()
    this.#shouter.on('error', () => (this.failed += 1))
  }

  get isQuiet() {
    return !this.#isWaiting
  }

  move() {
    const { url, dialect, room, memberId } = this.#options
    this.#shouter?.write(dialect.broadcast(url, { room, memberId }))
    if (this.#isWaiting) this.#isDue = true
    else this.#post()
  }

  /** Drops the move that waits: the post in flight is the last one. */
  rest() {
    this.#isDue = false
  }

  #post() {
    const { url, dialect, room, memberId, index } = this.#options
    this.seq += 1
    this.sent += 1
    this.#isDue = false
    this.#isWaiting = true
    const location = { x: now(), y: this.seq * membersPerRoom + index }
    this.#socket.write(dialect.post(url, { room, memberId, seq: this.seq, location }))
  }

  #answered(text) {
    this.#text += text
    const isWhole = /^HTTP\/1.1 204|\r\n0\r\n\r\n$/.test(this.#text) || hasWholeBody(this.#text)
    if (!isWhole) return
    if (!/^HTTP\/1.1 20/.test(this.#text)) this.failed += 1
    this.#text = ''
    this.#done()
  }

  #done() {
    this.#isWaiting = false
    if (this.#isDue) this.#post()
  }
}

function hasWholeBody(text) {
  const [, length] = /\r\ncontent-length: (\d+)/i.exec(text) ?? []
  return length !== undefined && text.length - text.indexOf('\r\n\r\n') - 4 >= Number(length)
}
