import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { describe, expect, test } from 'vitest'
import { SocketWriter } from '../../../src/server/websocket/socket-writer.js'
import { textMessage } from '../../../src/server/websocket/message-bytes.js'
import { countingClock } from '../../support/counting-clock.js'

/* The output of a WebSocket: backpressure, the two cuts, and everything that it holds. */

const timing = { stallMs: 10_000, frameStallMs: 60_000 }

/** Stands in for the TCP socket of a WebSocket. */
class TestSocket extends EventEmitter {
  readonly written: Buffer[] = []
  isFull = false
  timeoutMs = 0
  corks = 0
  writableLength = 0
  write = (bytes: Uint8Array) => {
    this.written.push(Buffer.from(bytes))
    return !this.isFull
  }
  setTimeout = (ms: number) => void (this.timeoutMs = ms)
  cork = () => void (this.corks += 1)
  uncork = () => void (this.corks -= 1)
}

function stage() {
  const clock = countingClock()
  const socket = new TestSocket()
  const closed: unknown[] = []
  const ws = {
    readyState: 1,
    close: (...args: unknown[]) => void closed.push(args),
    terminate: () => void closed.push('terminated'),
  }
  const writer = new SocketWriter(ws as unknown as WebSocket, socket as unknown as Socket, clock, timing)
  const events: string[] = []
  writer.onDrain = () => void events.push('drain')
  writer.onStall = () => void events.push('stall')
  const fill = () => {
    socket.isFull = true
    writer.text('full')
  }
  const drain = () => {
    socket.isFull = false
    socket.emit('drain')
  }
  const listeners = () => socket.listenerCount('drain') + socket.listenerCount('timeout')
  return { clock, socket, ws, writer, events, closed, fill, drain, listeners }
}

describe('a WebSocket that is full', () => {
  test('a WebSocket that is full is watched, and nothing is left of that when it has drained', async () => {
    const { clock, socket, writer, events, fill, drain, listeners } = stage()
    for (let round = 0; round < 3; round++) {
      fill()
      expect([writer.isFull, socket.timeoutMs, clock.pending, listeners()]).toEqual([true, 5_000, 1, 2])
      drain()
      expect([writer.isFull, socket.timeoutMs, clock.pending, listeners()]).toEqual([false, 0, 0, 1])
    }
    await clock.advance(2 * timing.frameStallMs)
    socket.emit('timeout')
    expect(events).toEqual(['drain', 'drain', 'drain'])
  })

  test('a WebSocket that is full and takes no byte for stallMs is reported, and a byte in between restarts the time', async () => {
    const { clock, socket, events, fill } = stage()
    fill()
    for (const waitMs of [timing.stallMs / 2, timing.stallMs]) {
      await clock.advance(waitMs)
      socket.emit('timeout')
      expect([events, socket.timeoutMs]).toEqual([[], 5_000])
    }
    await clock.advance(timing.stallMs / 2)
    socket.emit('timeout')
    expect(events).toEqual(['stall'])
  })

  test('a WebSocket that stalled once, drained and filled again has the whole stallMs again', async () => {
    const { clock, socket, events, fill, drain } = stage()
    fill()
    await clock.advance(5_000)
    socket.emit('timeout')
    drain()
    fill()
    await clock.advance(5_000)
    socket.emit('timeout')
    expect(events).toEqual(['drain'])
  })

  test('a WebSocket that is full for frameStallMs is reported, even if it takes single bytes', async () => {
    const { clock, events, fill, writer } = stage()
    fill()
    writer.text('more while it is full')
    await clock.advance(timing.frameStallMs - 1)
    expect(events).toEqual([])
    await clock.advance(1)
    expect(events).toEqual(['stall'])
  })

  test('each stream that waits is flushed once when a WebSocket has drained, and none that was forgotten', () => {
    const { writer, fill, drain } = stage()
    const flushed: string[] = []
    const source = (name: string) => ({ flush: () => void flushed.push(name) })
    const [one, other, gone] = [source('one'), source('other'), source('gone')]
    fill()
    for (const each of [one, other, one, gone]) writer.wait(each)
    writer.forget(gone)
    drain()
    fill()
    drain()
    expect(flushed).toEqual(['one', 'other'])
  })

  test('a stream that fills a WebSocket again while it is flushed waits for the next drain', () => {
    const { socket, writer, fill, drain } = stage()
    let flushes = 0
    const source = {
      flush() {
        flushes += 1
        socket.isFull = true
        writer.text('again')
        writer.wait(source)
      },
    }
    fill()
    writer.wait(source)
    drain()
    expect([flushes, writer.isFull]).toEqual([1, true])
    drain()
    expect(flushes).toBe(2)
  })
})

test('a drain of bytes that only ws itself wrote is reported too', () => {
  const { events, drain } = stage()
  drain()
  expect(events).toEqual(['drain'])
})

test('a WebSocket that is released has no listener, timer or waiting stream', async () => {
  const { clock, writer, fill, drain, listeners, events } = stage()
  fill()
  let flushes = 0
  writer.wait({ flush: () => (flushes += 1) })
  writer.release()
  drain()
  await clock.advance(timing.frameStallMs)
  expect([listeners(), clock.pending, flushes, events]).toEqual([0, 0, 0, []])
})

describe('the messages of a WebSocket', () => {
  test('a message in two parts is written at once, and its bytes are counted', () => {
    const { socket, writer } = stage()
    const corks: number[] = []
    const { write } = socket
    socket.write = (bytes) => (corks.push(socket.corks), write(bytes))
    expect(writer.write([Buffer.from('one'), Buffer.from('other')])).toBe(8)
    expect(writer.write([Buffer.from('alone')])).toBe(5)
    expect([corks, socket.corks]).toEqual([[1, 1, 0], 0])
    expect(Buffer.concat(socket.written).toString()).toBe('oneotheralone')
  })

  test('a message in two parts that fills the socket is noticed', () => {
    const { socket, writer } = stage()
    socket.isFull = true
    writer.write([Buffer.from('one'), Buffer.from('other')])
    expect(writer.isFull).toBe(true)
  })

  test('nothing is written once either side has begun to close', () => {
    const { socket, ws, writer, closed } = stage()
    ws.readyState = 2
    expect(writer.write([Buffer.from('x')])).toBe(0)
    writer.text('x')
    writer.close(1000, 'x')
    expect([socket.written, closed]).toEqual([[], []])
    writer.terminate()
    expect(closed).toEqual(['terminated'])
  })

  test('the reason of a close has at most 123 bytes, in whole or broken characters', () => {
    const { writer, closed } = stage()
    writer.close(1008, 'é'.repeat(100))
    const [[code, reason]] = closed as [[number, string]]
    expect([code, reason.startsWith('é'.repeat(61))]).toEqual([1008, true])
    expect(reason.length).toBeLessThanOrEqual(62)
  })

  test.each([0, 1, 125, 126, 65_535, 65_536])('a text of %i bytes has the header of RFC 6455', (bytes) => {
    const message = Buffer.from(textMessage('x'.repeat(bytes)))
    const short = message[1]!
    expect(message[0]).toBe(0x81)
    const [length, headerBytes] =
      short < 126 ? [short, 2] : short === 126 ? [message.readUInt16BE(2), 4] : [Number(message.readBigUInt64BE(2)), 10]
    expect([length, message.length]).toEqual([bytes, headerBytes + bytes])
    expect(message.subarray(headerBytes).every((byte) => byte === 120)).toBe(true)
  })
})
