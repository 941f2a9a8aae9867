import { Deflation, Past, type GzipReader } from './shared-deflate.js'
import { Checksum, header, type Part } from './gzip-format.js'
import type { Sink } from '../sink.js'
import type { Bytes, Encoded } from '../../rooms/sse-encoding.js'

/**
 * Makes one gzip stream of the events, of parts that all readers share. While a frame is being deflated it is full, as a
 * socket is: whoever writes to it holds back, and has one frame for what came meanwhile when it has drained.
 */
export class GzipSink implements Sink, GzipReader {
  onDrain: () => void = () => {}
  onStall: () => void = () => {}
  readonly past = new Past()
  readonly room: GzipReader['room']
  readonly #out: Sink<Bytes>
  readonly #checksum = new Checksum()
  #awaited: Deflation | null = null

  constructor(out: Sink<Bytes>, room: GzipReader['room']) {
    this.room = room
    this.#out = out
    out.onDrain = () => {
      if (!this.#awaited) this.onDrain()
    }
    out.onStall = () => {
      // The reader takes nothing, since there is nothing.
      if (!this.#awaited) this.onStall()
    }
    out.write(header)
  }

  write(encoded: Encoded): boolean {
    const deflation = Deflation.of(encoded)
    const part = deflation.partFor(this)
    if (part) return this.#splice(part)
    this.#awaited = deflation
    return false
  }

  wake(): void {
    const part = this.#awaited?.partFor(this)
    if (!part) return
    this.#awaited = null
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

  /** Nobody is there to be sent what is still in the making. */
  close(): void {
    this.#awaited?.leave(this)
    this.#awaited = null
  }

  #splice(part: Part): boolean {
    this.#checksum.add(part.sum)
    return this.#out.write(part)
  }
}
