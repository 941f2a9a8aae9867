import fc from 'fast-check'
import { applyEvent, View, type LocationEvent } from 'hereabouts'
import { manualClock } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { SocketStream, type SocketStreamOptions } from '../../../src/server/http/socket-stream.js'
import { Hub } from '../../../src/server/hub/hub.js'
import { createLocationHub } from 'hereabouts/server'
import { posting } from '../../support/histories.js'
import { TestSink } from '../../support/test-sink.js'

const [stallMs, frameStallMs] = [10_000, 60_000]
const plain = { serialize: (value: unknown) => value }

/** A room with a manual clock, and one stream that is written to a reader. */
async function stage(options: Partial<SocketStreamOptions> = {}, reader = new TestSink()) {
  const clock = manualClock()
  const timers = new Set<object>()
  const counting = {
    now: clock.now,
    date: clock.date,
    after(ms: number, run: () => void) {
      const timer = {}
      timers.add(timer)
      const callOff = clock.after(ms, () => {
        timers.delete(timer)
        run()
      })
      return () => {
        timers.delete(timer)
        callOff()
      }
    },
  }
  const hub = createLocationHub({ location: z.string(), profile: z.string(), clock, timing: { beatMs: 600_000 } })
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub makes a Hub')
  let seq = 0
  const post = async (connectionId: string, location: unknown) => {
    const answer = hub.act('r', posting(connectionId, (seq += 1), location))
    await clock.advance(300)
    await answer
  }
  await post('c1', 'A1')
  const subscriber = await hub.subscribe('r', {
    connectionId: 'c1',
    memberId: null,
    lastEventId: null,
    expiresAt: null,
    recheck: async () => true,
  })
  const outlived: string[] = []
  const stream = new SocketStream(subscriber, reader, {
    serializer: plain,
    clock: counting,
    stallMs,
    frameStallMs,
    pingMs: 0,
    maxDurationMs: 0,
    onMaxDuration: () => outlived.push('outlived'),
    formatError: ({ message }) => ({ message }),
    ...options,
  })
  const actions: string[] = []
  const { room } = subscriber
  const act = room.act.bind(room)
  room.act = (action) => {
    actions.push(action.type)
    return act(action)
  }
  return { clock, hub, post, subscriber, reader, stream, timers, outlived, actions }
}

describe('a slow consumer', () => {
  test('a slow consumer is sent nothing while its socket is full, and then one coalesced frame', async () => {
    const full = await stage()
    full.reader.isFull = true
    await full.post('c1', 'B2')
    expect(full.reader.types).toEqual(['hello', 'snapshot', 'changes'])
    await full.post('c1', 'C3')
    await full.post('c2', 'D4')
    await full.post('c1', 'E5')
    expect(full.reader.types).toHaveLength(3)
    full.reader.drain()
    expect(full.reader.types.slice(3)).toHaveLength(1)
    expect(full.reader.events.at(-1)).toMatch(/E5|D4/)
    expect(full.reader.events.at(-1)).not.toContain('C3')
    expect(full.reader.watchedMs).toBe(0)
  })

  test('a slow consumer whose socket fills repeatedly has one timer, which ends when it is due or the reader disconnects', async () => {
    const full = await stage()
    for (let n = 0; n < 3; n++) {
      full.reader.isFull = true
      await full.post('c1', `at ${n}`)
      full.reader.drain()
      expect(full.timers.size).toBe(1)
    }
    await full.clock.advance(frameStallMs)
    expect(full.timers.size).toBe(0)
    full.reader.isFull = true
    await full.post('c1', 'Z26')
    expect(full.timers.size).toBe(1)
    full.stream.close()
    expect(full.timers.size).toBe(0)
  })

  test('a slow consumer whose socket is full at any moments converges to the state of the room', async () => {
    const steps = fc.array(fc.constantFrom('a', 'b', 'c', 'fill', 'drain'), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const { post, reader, subscriber } = await stage()
        for (const [n, step] of history.entries()) {
          if (step === 'fill') reader.isFull = true
          else if (step === 'drain') reader.drain()
          else await post(step, `at ${n}`)
        }
        reader.drain()
        const view = new View()
        for (const text of reader.events) {
          const [, data = '', id = ''] = /^data: (.*)\nid: (.*)\n/.exec(text) ?? []
          expect(applyEvent(view, id, JSON.parse(data) as LocationEvent).outcome).not.toBe('diverged')
        }
        const { timeline } = subscriber.room
        expect(view.connections.size).toBe(timeline.size)
        for (const { connectionId, location } of view.connections.values())
          expect(location).toBe(timeline.connection(connectionId)?.location)
        expect(view.id).toBe(timeline.id())
      }),
      { numRuns: 50 },
    )
  })

  test('a slow consumer that accepts no byte for stallMs is cut, and its lease is not shortened', async () => {
    const full = await stage()
    full.reader.isFull = true
    await full.post('c2', 'B2')
    expect(full.reader.watchedMs).toBe(stallMs / 2)
    // The socket is checked every stallMs / 2. A check without a report means that bytes were accepted.
    for (const waitMs of [stallMs / 2, stallMs]) {
      await full.clock.advance(waitMs)
      full.reader.onStall()
      expect(full.reader.state).toBe('open')
    }
    await full.clock.advance(stallMs / 2)
    full.reader.onStall()
    expect(full.reader.state).toBe('cut')
    expect(full.reader.types).not.toContain('bye')
    expect(full.hub.streams.size).toBe(0)
    expect(full.timers.size).toBe(0)
    expect(full.actions).not.toContain('shorten')
  })

  test('a slow consumer that does not accept a whole frame within frameStallMs is cut', async () => {
    const full = await stage()
    full.reader.isFull = true
    await full.post('c1', 'B2')
    await full.clock.advance(frameStallMs - 1_000)
    expect(full.reader.state).toBe('open')
    await full.clock.advance(1_000)
    expect(full.reader.state).toBe('cut')
    expect(full.subscriber.room.subscribers.size).toBe(0)
  })

  test('a slow consumer that accepts each frame within frameStallMs is never cut', async () => {
    const slow = await stage()
    for (let n = 0; n < 10; n++) {
      slow.reader.isFull = true
      await slow.post('c1', `at ${n}`)
      await slow.clock.advance(frameStallMs / 2)
      slow.reader.drain()
    }
    expect(slow.reader.state).toBe('open')
    expect(slow.reader.types.filter((type) => type === 'changes').length).toBeGreaterThanOrEqual(10)
  })

  test('a slow consumer whose stream the server ends is sent `bye` when its socket has drained', async () => {
    const full = await stage()
    full.reader.isFull = true
    await full.post('c1', 'B2')
    full.subscriber.end('rotated')
    expect(full.reader.types.at(-1)).toBe('changes')
    expect(full.reader.state).toBe('open')
    full.reader.drain()
    expect(full.reader.types.at(-1)).toBe('bye')
    expect(full.reader.state).toBe('ended')
    expect(full.timers.size).toBe(0)
  })

  test('a slow consumer that does not accept its final frame within frameStallMs is cut', async () => {
    const full = await stage()
    full.reader.isFull = true
    full.subscriber.end('rotated')
    expect(full.reader.state).toBe('ended')
    await full.clock.advance(frameStallMs)
    expect(full.reader.state).toBe('cut')
    expect(full.timers.size).toBe(0)
  })

  test('a slow consumer is not pinged while its socket is full', async () => {
    const full = await stage({ pingMs: 1_000 })
    full.reader.isFull = true
    await full.post('c1', 'B2')
    await full.clock.advance(5_000)
    expect(full.reader.types).not.toContain('ping')
    full.reader.drain()
    await full.clock.advance(1_000)
    expect(full.reader.types.at(-1)).toBe('ping')
  })
})

describe('a reader that keeps up', () => {
  test('a reader that keeps up is not cut after a stall report, since nothing is pending', async () => {
    const { reader } = await stage()
    reader.onStall()
    reader.onStall()
    expect(reader.state).toBe('open')
  })

  test('a reader that keeps up is sent a ping after pingMs without an event', async () => {
    const { clock, reader, post } = await stage({ pingMs: 1_000 })
    await clock.advance(700)
    await post('c1', 'B2')
    await clock.advance(600)
    expect(reader.types.at(-1)).toBe('changes')
    await clock.advance(400)
    expect(reader.types.at(-1)).toBe('ping')
  })

  test("the stream of a reader that keeps up ends after tRPC's maxDurationMs, without a final event", async () => {
    const { clock, reader, outlived, hub, timers } = await stage({ maxDurationMs: 5_000, pingMs: 10_000 })
    await clock.advance(5_000)
    expect(reader.types).toEqual(['hello', 'snapshot'])
    expect([reader.state, outlived, hub.streams.size, timers.size]).toEqual(['ended', ['outlived'], 0, 0])
  })

  test('after a reader disconnects, its stream has no timer and writes nothing, and the lease of its connection is shortened', async () => {
    const { actions, clock, reader, stream, post, timers, hub } = await stage({ maxDurationMs: 50_000, pingMs: 1_000 })
    stream.close()
    expect(actions).toEqual(['shorten'])
    await post('c2', 'B2')
    await clock.advance(5_000)
    expect(reader.types).toEqual(['hello', 'snapshot'])
    expect([timers.size, hub.streams.size]).toEqual([0, 0])
  })
})

describe('an app that throws', () => {
  test('an error that the app throws while it serializes a frame is sent as the last event of that stream', async () => {
    const serializer = {
      serialize(value: unknown) {
        if (JSON.stringify(value).includes('B2')) throw new Error('Too much to say.')
        return value
      },
    }
    const { post, reader, hub } = await stage({ serializer })
    await post('c2', 'B2')
    expect(reader.events.at(-1)).toBe('event: serialized-error\ndata: {"message":"Too much to say."}\n\n\n')
    expect([reader.state, hub.streams.size]).toEqual(['ended', 0])
  })

  test('a revoked stream still ends when the app throws while it formats the final error', async () => {
    const formatError = () => {
      throw new Error('No words.')
    }
    const { hub, subscriber, reader } = await stage({ formatError })
    subscriber.end('revoked', new Error('Out!') as never)
    expect([reader.types.at(-1), reader.state, hub.streams.size]).toEqual(['bye', 'ended', 0])
  })
})
