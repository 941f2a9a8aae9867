import { CompressedEvent, History, type GzipReader } from './shared-deflate.js'
import { Checksum, header, type Part } from './gzip-format.js'
import type { Sink } from '../sink.js'
import type { Bytes, Encoded } from '../../rooms/sse-encoding.js'

/**
 * Sends the events of one subscriber as a gzip stream, spliced from parts that all subscribers share. While a large frame
 * is being compressed, the sink reports backpressure, as a full socket does; when it has drained, the subscriber writes
 * one coalesced frame.
 */
export class GzipSink implements Sink, GzipReader {
  onDrain: () => void = () => {}
  onStall: () => void = () => {}
  readonly history = new History()
  readonly room: GzipReader['room']
  readonly #out: Sink<Bytes>
  readonly #checksum = new Checksum()
  #pending: CompressedEvent | null = null

  constructor(out: Sink<Bytes>, room: GzipReader['room']) {
    this.room = room
    this.#out = out
    out.onDrain = () => {
      if (!this.#pending) this.onDrain()
    }
    out.onStall = () => {
      // While a frame is being compressed, the client has nothing to read: this is not a stall.
      if (!this.#pending) this.onStall()
    }
    out.write(header)
  }

  write(encoded: Encoded): boolean {
    const event = CompressedEvent.of(encoded)
    const part = event.partFor(this)
    if (part) return this.#splice(part)
    this.#pending = event
    return false
  }

  wake(): void {
    const part = this.#pending?.partFor(this)
    if (!part) return
    this.#pending = null
    if (this.#splice(part)) this.onDrain()
  }

  watch(stallMs: number): void {
    this.#out.watch(stallMs)
  }

  end(): void {
    this.close()
    this.#out.write(this.#checksum.trailer())
    this.#out.end()
  }

  destroy(): void {
    this.close()
    this.#out.destroy()
  }

  /** Drops the frame that is being compressed, because the client has disconnected. */
  close(): void {
    this.#pending?.stopWaiting(this)
    this.#pending = null
  }

  #splice(part: Part): boolean {
    this.#checksum.add(part.sum)
    return this.#out.write(part)
  }
}
