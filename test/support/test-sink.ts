import { constants, gunzipSync } from 'node:zlib'
import type { Sink } from '../../src/server/http/sink.js'
import type { Bytes } from '../../src/server/rooms/sse-encoding.js'

/** A sink that stores the bytes written to it. A test sets `isFull` to simulate backpressure. */
export class TestSink implements Sink<Bytes> {
  readonly parts: Uint8Array[] = []
  isFull = false
  state: 'open' | 'ended' | 'cut' = 'open'
  watchedMs = 0
  onDrain = () => {}
  onStall = () => {}

  write({ body }: Bytes): boolean {
    if (this.state !== 'open') throw new Error('The sink was written to after its end')
    this.parts.push(body)
    return !this.isFull
  }
  watch(ms: number): void {
    this.watchedMs = ms
  }
  end(): void {
    this.state = 'ended'
  }
  destroy(): void {
    this.state = 'cut'
  }

  drain(): void {
    this.isFull = false
    this.onDrain()
  }
  get text(): string {
    return Buffer.concat(this.parts).toString()
  }
  get events(): string[] {
    const { text } = this
    return text === '' ? [] : text.split(/(?<=\n\n\n)/)
  }
  /** The types of the events written to it. */
  get types(): string[] {
    return this.events.map((text) => /"type":"(\w+)"/.exec(text)?.[1] ?? /^event: (.*)$/m.exec(text)![1]!)
  }
}

/** A sink for gzip. Its text is decoded up to the last flush. */
export class GzipTestSink extends TestSink {
  override get text(): string {
    const finishFlush = this.state === 'ended' ? constants.Z_FINISH : constants.Z_SYNC_FLUSH
    return gunzipSync(Buffer.concat(this.parts), { finishFlush }).toString()
  }
}
