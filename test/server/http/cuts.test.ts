import { EventEmitter } from 'node:events'
import { createLocationHub } from 'hereabouts/server'
import { manualClock } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { Hub } from '../../../src/server/hub/hub.js'
import { GzipSink } from '../../../src/server/http/gzip/gzip-sink.js'
import { sinkOf, type NodeRequest, type NodeResponse, type Sink } from '../../../src/server/http/sink.js'
import { SocketStream, type SocketStreamOptions } from '../../../src/server/http/socket-stream.js'
import type { LiveRoom } from '../../../src/server/rooms/live-room.js'
import { posting } from '../../support/histories.js'
import { GzipTestSink, TestSink } from '../../support/test-sink.js'

/* Tests every way in which the server cuts a stream, on every kind of output. */

const [stallMs, frameStallMs, pingMs, maxDurationMs] = [10_000, 60_000, 3_000, 100_000]

/** The client's end of an output, as a test controls and observes it. */
type Reader = { isFull: boolean; state: string; watchedMs: number; onStall(): void; drain(): void; text: string }

/** Stands in for an HTTP/2 response, or for a response whose `write` a middleware has replaced. */
class PatchedResponse extends EventEmitter {
  readonly sink = new TestSink()
  flushed = 0
  write = (body: Uint8Array) => this.sink.write({ body, chunk: body })
  flush = () => void (this.flushed += 1)
  setTimeout = (ms: number) => this.sink.watch(ms)
  end = () => this.sink.end()
  destroy = () => this.sink.destroy()
}

const kinds: Record<string, (room: LiveRoom) => { reader: Reader; sink: Sink }> = {
  'a socket'() {
    const reader = new TestSink()
    return { reader, sink: reader }
  },
  'a gzip stream'(room) {
    const reader = new GzipTestSink()
    return { reader, sink: new GzipSink(reader, room) }
  },
  'a response of HTTP/2 or of a middleware'(room) {
    const response = new PatchedResponse()
    const { sink } = response
    sink.onStall = () => void response.emit('timeout')
    sink.onDrain = () => void response.emit('drain')
    const request = { httpVersion: '2.0' } as NodeRequest
    return { reader: sink, sink: sinkOf(request, response as unknown as NodeResponse, room.traffic) }
  },
}

async function stage(kind: string, options: Partial<SocketStreamOptions> = {}) {
  const clock = manualClock()
  const hub = createLocationHub({ location: z.string(), clock, timing: { beatMs: 600_000 } })
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub makes a Hub')
  let seq = 0
  const post = async () => {
    const answer = hub.act('r', posting('c1', (seq += 1), `at ${seq}`))
    await clock.advance(300)
    await answer
  }
  await post()
  const asked = { connectionId: null, memberId: null, lastEventId: null, expiresAt: null, recheck: async () => true }
  const subscriber = await hub.subscribe('r', asked)
  const { reader, sink } = kinds[kind]!(subscriber.room)
  const ends: string[] = []
  const stream = new SocketStream(subscriber, sink, {
    serializer: { serialize: (value: unknown) => value },
    clock,
    stallMs,
    frameStallMs,
    pingMs: 0,
    maxDurationMs: 0,
    onMaxDuration: () => void ends.push('duration'),
    formatError: ({ message }) => ({ message }),
    ...options,
  })
  const fill = async () => {
    reader.isFull = true
    await post()
  }
  return { clock, post, fill, reader, stream, subscriber, ends }
}

describe.each(Object.keys(kinds))('a stream to %s', (kind) => {
  test('a stream is cut when its reader accepts no byte for `stallMs`; an accepted byte restarts that time', async () => {
    const { clock, fill, reader, subscriber } = await stage(kind)
    reader.onStall()
    expect([reader.state, reader.watchedMs]).toEqual(['open', 0])
    await fill()
    expect(reader.watchedMs).toBe(stallMs / 2)
    await clock.advance(stallMs / 2)
    reader.onStall()
    expect(reader.state).toBe('open')
    // Bytes that the reader accepted meanwhile delayed the second stall report.
    await clock.advance(stallMs)
    reader.onStall()
    expect(reader.state).toBe('open')
    await clock.advance(stallMs / 2)
    reader.onStall()
    expect([reader.state, subscriber.endedBy]).toEqual(['cut', 'slow'])
  })

  test('a stream is cut when its reader does not accept a whole frame within `frameStallMs`', async () => {
    const { clock, fill, reader, subscriber } = await stage(kind)
    await fill()
    await clock.advance(frameStallMs - 301)
    expect(reader.state).toBe('open')
    await clock.advance(301)
    expect([reader.state, subscriber.endedBy]).toEqual(['cut', 'slow'])
  })

  test('a stream is not cut when its reader accepts the frame within `frameStallMs`', async () => {
    const { clock, fill, reader } = await stage(kind)
    await fill()
    await clock.advance(frameStallMs - 1_000)
    reader.drain()
    expect(reader.watchedMs).toBe(0)
    await clock.advance(frameStallMs)
    reader.onStall()
    expect(reader.state).toBe('open')
  })

  test('a stream ends after `maxDurationMs`, and its end is reported once', async () => {
    const { clock, reader, ends } = await stage(kind, { maxDurationMs })
    await clock.advance(maxDurationMs - 1)
    expect(reader.state).toBe('open')
    await clock.advance(1)
    expect([reader.state, ends]).toEqual(['ended', ['duration']])
    await clock.advance(maxDurationMs)
    expect(ends).toHaveLength(1)
  })

  test('a stream is sent a ping after `pingMs` without a frame, and no ping while its reader is full', async () => {
    const { clock, post, fill, reader } = await stage(kind, { pingMs })
    const pings = () => reader.text.split('event: ping').length - 1
    await clock.advance(pingMs - 1)
    expect(pings()).toBe(0)
    await clock.advance(1)
    expect(pings()).toBe(1)
    await post()
    await clock.advance(pingMs - 301)
    expect(pings()).toBe(1)
    await fill()
    await clock.advance(4 * pingMs)
    expect(pings()).toBe(1)
  })
})
