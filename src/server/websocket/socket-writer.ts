import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Clock } from '../../shared/clock.js'
import type { Timing } from '../options/timing.js'
import { textMessage, type Message } from './message-bytes.js'

/** A stream that waits until the socket has room for its next frame. */
export interface FrameSource {
  /** Writes the next frame, if there is one. */
  flush(): void
}

/** RFC 6455 §5.5: a status code, and at most 123 bytes of reason. */
const maxReasonBytes = 123
const openState = 1
/** One empty function for all sockets: there are thousands, and a function for each would take 64 bytes. */
const nothing = (): void => {}

/**
 * The output of one WebSocket. Whole messages are written to the socket below `ws`, which saves a header, a copy and a
 * write for each of them. `ws` writes only control frames, so nothing can come between the parts of a message. Replies
 * are written at once; frames wait while the client does not read, so replies go first.
 */
export class SocketWriter {
  readonly #ws: WebSocket
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #timing: Pick<Timing, 'stallMs' | 'frameStallMs'>
  #waiting: Set<FrameSource> | null = null
  /** Called when a full socket has drained. */
  onDrain: () => void = nothing
  /** Called when the client does not read. */
  onStall: () => void = nothing
  #isFull = false
  #stalledAt = -Infinity
  #cancelFrameTimer = nothing
  readonly #drained = () => this.#handleDrain()
  readonly #stalled = () => this.#handleStall()

  constructor(ws: WebSocket, socket: Socket, clock: Clock, timing: Pick<Timing, 'stallMs' | 'frameStallMs'>) {
    this.#ws = ws
    this.#socket = socket
    this.#clock = clock
    this.#timing = timing
    socket.on('drain', this.#drained)
  }

  /** False once either side has begun to close the socket. */
  get isOpen(): boolean {
    return this.#ws.readyState === openState
  }

  /** True while the client has not read enough of the data that was written before. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** The number of written bytes that the kernel has not taken yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength
  }

  /** Writes a message, even to a full socket. @returns the bytes written. */
  write(message: Message): number {
    if (!this.isOpen) return 0
    const [first, second] = message
    let bytes = first!.length
    if (second) {
      this.#socket.cork()
      this.#socket.write(first!)
      this.#note(this.#socket.write(second))
      this.#socket.uncork()
      bytes += second.length
    } else this.#note(this.#socket.write(first!))
    return bytes
  }

  text(text: string): void {
    if (this.isOpen) this.#note(this.#socket.write(textMessage(text)))
  }

  /** Calls `flush` of a source when the socket has drained. */
  wait(source: FrameSource): void {
    this.#waiting ??= new Set()
    this.#waiting.add(source)
  }

  forget(source: FrameSource): void {
    this.#waiting?.delete(source)
  }

  /** Begins the closing handshake. Data that was written before is sent first. */
  close(code: number, reason: string): void {
    if (this.isOpen) this.#ws.close(code, Buffer.from(reason).subarray(0, maxReasonBytes).toString())
  }

  /** Destroys the socket without sending the data that is still buffered. */
  terminate(): void {
    this.#ws.terminate()
  }

  /** Releases timers and listeners after the socket has closed. */
  release(): void {
    this.#socket.off('drain', this.#drained)
    this.#socket.off('timeout', this.#stalled)
    this.#cancelFrameTimer()
    this.#waiting = null
  }

  #note(isFlowing: boolean): void {
    if (isFlowing || this.#isFull) return
    this.#isFull = true
    this.#stalledAt = -Infinity
    // Node's socket timeout also counts bytes that the kernel took of an unfinished write as progress; no other public
    // API reports these bytes.
    this.#socket.on('timeout', this.#stalled)
    this.#socket.setTimeout(this.#timing.stallMs / 2)
    this.#cancelFrameTimer = this.#clock.after(this.#timing.frameStallMs, () => this.onStall())
  }

  #handleDrain(): void {
    // Control frames, which `ws` itself writes, can fill a socket too: then `#isFull` is false when it drains.
    if (!this.#isFull) return this.onDrain()
    this.#isFull = false
    this.#socket.setTimeout(0)
    this.#socket.off('timeout', this.#stalled)
    this.#cancelFrameTimer()
    const sources = this.#waiting ?? []
    this.#waiting = null
    for (const source of sources) source.flush()
    this.onDrain()
  }

  /** Calls `onStall` at the second consecutive stall: the socket is watched for half of `stallMs` at a time. */
  #handleStall(): void {
    if (!this.#isFull) return
    const { stallMs } = this.#timing
    if (this.#clock.now() - this.#stalledAt < stallMs * 0.75) return this.onStall()
    this.#stalledAt = this.#clock.now()
    this.#socket.setTimeout(stallMs / 2)
  }
}
