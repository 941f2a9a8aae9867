import { EventEmitter } from 'node:events'
import { ServerResponse, type IncomingMessage } from 'node:http'
import { Http2ServerResponse } from 'node:http2'
import { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { maxWaitingRequests, serveInOrder } from '../../../src/server/http/pipelined-requests.js'
import type { NodeRequest } from '../../../src/server/http/sink.js'
import { cutWhenUnread } from '../../../src/server/http/unread-answers.js'
import { countingClock } from '../../support/counting-clock.js'

/* Answers that are not read, and requests that wait for them, without real connections. unread-answers.test.ts has these. */

const timeouts = { stallMs: 10_000, frameStallMs: 60_000 }

/** Stands in for the socket of a response. */
class TestSocket extends EventEmitter {
  writableLength = 0
  timeout = 70_000
  isPaused = false
  destroyed = false
  pause = () => void (this.isPaused = true)
  resume = () => void (this.isPaused = false)
  setTimeout = (ms: number) => void (this.timeout = ms)
  destroy = () => void (this.destroyed = true)
}

function answer({ type = 'application/json', times = timeouts, isGone = false } = {}) {
  const clock = countingClock()
  const socket = new TestSocket()
  const response = new ServerResponse({ method: 'GET' } as IncomingMessage)
  Object.defineProperty(response, 'socket', { value: socket })
  response.setHeader('content-type', type)
  if (isGone) Object.defineProperty(response, 'destroyed', { value: true })
  cutWhenUnread(response, clock, times)
  return { clock, socket, response }
}

describe('an answer that its client does not read', () => {
  test('an answer is checked every half of stallMs, and left alone while the kernel takes its bytes', async () => {
    const { clock, socket, response } = answer()
    await clock.advance(10 * timeouts.stallMs)
    expect([clock.pending, socket.isPaused, socket.timeout, response.listenerCount('timeout')]).toEqual([
      1,
      false,
      70_000,
      0,
    ])
    socket.writableLength = 5
    await clock.advance(timeouts.stallMs / 2)
    expect([clock.pending, socket.isPaused, socket.timeout, response.listenerCount('timeout')]).toEqual([
      1,
      true,
      timeouts.stallMs / 2,
      1,
    ])
  })

  test('an answer is cut when the socket reports no progress, unless all bytes are gone', async () => {
    const { clock, socket, response } = answer()
    socket.writableLength = 5
    await clock.advance(timeouts.stallMs / 2)
    socket.writableLength = 0
    response.emit('timeout')
    expect(socket.destroyed).toBe(false)
    socket.writableLength = 5
    response.emit('timeout')
    expect(socket.destroyed).toBe(true)
  })

  test('an answer is cut when it is not read within frameStallMs', async () => {
    const { clock, socket } = answer()
    socket.writableLength = 5
    await clock.advance(timeouts.stallMs / 2 + timeouts.frameStallMs - 1)
    expect(socket.destroyed).toBe(false)
    await clock.advance(1)
    expect(socket.destroyed).toBe(true)
  })

  test('after an answer that was read slowly, its socket reads on, with its own timeout, and nothing is left', async () => {
    const { clock, socket, response } = answer()
    socket.writableLength = 5
    await clock.advance(timeouts.stallMs / 2)
    response.emit('finish')
    expect([socket.isPaused, socket.timeout, response.listenerCount('timeout'), clock.pending]).toEqual([
      false,
      70_000,
      0,
      0,
    ])
    await clock.advance(2 * timeouts.frameStallMs)
    expect(socket.destroyed).toBe(false)
  })

  test.each(['finish', 'close'])('an answer that was never watched leaves no timer at its %s', (event) => {
    const { clock, response, socket } = answer()
    response.emit(event)
    expect([clock.pending, socket.timeout]).toEqual([0, 70_000])
  })

  test('an answer whose client leaves while it is watched leaves no timer', async () => {
    const { clock, socket, response } = answer()
    socket.writableLength = 5
    await clock.advance(timeouts.stallMs / 2)
    response.emit('close')
    expect(clock.pending).toBe(0)
  })

  test('an event stream is left to its own watch', async () => {
    const { clock, socket } = answer({ type: 'text/event-stream; charset=utf-8' })
    socket.writableLength = 5
    await clock.advance(timeouts.frameStallMs * 2)
    expect([clock.pending, socket.isPaused, socket.destroyed]).toEqual([0, false, false])
  })

  test('a stallMs of 0 turns the watch off, and an answer whose client has gone is not watched', () => {
    expect(answer({ times: { ...timeouts, stallMs: 0 } }).clock.pending).toBe(0)
    expect(answer({ isGone: true }).clock.pending).toBe(0)
  })
})

describe('an answer over HTTP/2 that its client does not read', () => {
  function http2Answer({ type = 'application/json', isGone = false } = {}) {
    const clock = countingClock()
    let onTimeout = () => {}
    const stream = Object.assign(new EventEmitter(), {
      writableLength: 0,
      destroyed: isGone,
      timeoutMs: 0,
      setTimeout: (ms: number, run: () => void) => {
        stream.timeoutMs = ms
        onTimeout = run
      },
      destroy: () => void (stream.destroyed = true),
    })
    const response = Object.create(Http2ServerResponse.prototype, {
      stream: { value: stream },
      getHeader: { value: () => type },
    }) as Http2ServerResponse
    cutWhenUnread(response, clock, timeouts)
    return { clock, stream, timeout: () => onTimeout() }
  }

  test('a stream is checked until bytes wait, and is then cut without progress or after frameStallMs', async () => {
    for (const end of ['timeout', 'frame'] as const) {
      const { clock, stream, timeout } = http2Answer()
      await clock.advance(3 * timeouts.stallMs)
      expect(stream.timeoutMs).toBe(0)
      stream.writableLength = 5
      await clock.advance(timeouts.stallMs / 2)
      expect([stream.timeoutMs, stream.destroyed, clock.pending]).toEqual([timeouts.stallMs / 2, false, 1])
      stream.writableLength = 0
      timeout()
      expect(stream.destroyed).toBe(false)
      stream.writableLength = 5
      if (end === 'timeout') timeout()
      else await clock.advance(timeouts.frameStallMs)
      expect(stream.destroyed).toBe(true)
    }
  })

  test('a stream leaves no timer when it closes, before and while it is watched', async () => {
    for (const bytes of [0, 5]) {
      const { clock, stream } = http2Answer()
      stream.writableLength = bytes
      await clock.advance(timeouts.stallMs / 2)
      stream.emit('close')
      expect(clock.pending).toBe(0)
    }
  })

  test('an event stream, and a stream whose client has gone, are not watched', async () => {
    const events = http2Answer({ type: 'text/event-stream' })
    events.stream.writableLength = 5
    await events.clock.advance(timeouts.frameStallMs * 2)
    expect([events.stream.destroyed, events.clock.pending]).toEqual([false, 0])
    expect(http2Answer({ isGone: true }).clock.pending).toBe(0)
  })
})

describe('pipelined requests', () => {
  function stage() {
    const socket = new Socket()
    let served = 0
    /** Sends a request whose response waits for an earlier one. Returns a function that lets it go on. */
    const send = (isWaiting = true) => {
      const response = new ServerResponse({ method: 'GET' } as IncomingMessage)
      if (!isWaiting) Object.defineProperty(response, 'socket', { value: socket })
      serveInOrder({ socket } as unknown as NodeRequest, response, () => (served += 1))
      return () => void response.emit('socket', socket)
    }
    return { socket, send, served: () => served }
  }

  test('a request is served at once when it is the first, and otherwise after the earlier responses, once', () => {
    const { send, served } = stage()
    send(false)
    expect(served()).toBe(1)
    const goOn = send()
    expect(served()).toBe(1)
    goOn()
    goOn()
    expect(served()).toBe(2)
  })

  test('a socket may have a hundred waiting requests, and any number one after another', () => {
    const { socket, send, served } = stage()
    for (let round = 0; round < 3; round++) {
      const waiting = Array.from({ length: maxWaitingRequests }, () => send())
      expect(socket.destroyed).toBe(false)
      for (const goOn of waiting) goOn()
    }
    expect(served()).toBe(3 * maxWaitingRequests)
    for (let i = 0; i < maxWaitingRequests; i++) send()
    expect(socket.destroyed).toBe(false)
    send()
    expect(socket.destroyed).toBe(true)
  })

  test('a request that waits on a socket which is destroyed is not served', () => {
    const { socket, send, served } = stage()
    socket.destroy()
    send()
    expect(served()).toBe(0)
  })
})
