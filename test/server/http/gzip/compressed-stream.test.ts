import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { applyEvent, View, type LocationEvent } from 'hereabouts'
import { createLocationHub } from 'hereabouts/server'
import { manualClock } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { SocketStream, type SocketStreamOptions } from '../../../../src/server/http/socket-stream.js'
import { GzipSink } from '../../../../src/server/http/gzip/gzip-sink.js'
import { Hub } from '../../../../src/server/hub/hub.js'
import { posting } from '../../../support/histories.js'
import { GzipTestSink } from '../../../support/test-sink.js'
import { until } from '../../../support/until.js'

/* While a thread deflates a large frame, the stream that waits for this frame behaves as if its socket were full. */

/** Returns a location so long that its frame is deflated on a thread. */
const essay = (n: number) => `${n} ${'and so on '.repeat(7_000)}`

/** A room with one connection at a long location, and one reader whose snapshot is still being compressed. */
async function stage(first: unknown = essay(0), options: Partial<SocketStreamOptions> = {}) {
  const clock = manualClock()
  const hub = createLocationHub({ location: z.string(), clock, timing: { beatMs: 600_000 } })
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub makes a Hub')
  let seq = 0
  const post = async (connectionId: string, location: unknown) => {
    const answer = hub.act('r', posting(connectionId, (seq += 1), location))
    await clock.advance(300)
    await answer
  }
  await post('c1', first)
  const subscriber = await hub.subscribe('r', { connectionId: null, memberId: 'ada', lastEventId: null, expiresAt: null, recheck: async () => true }) // prettier-ignore
  const out = new GzipTestSink()
  const ends = { stallMs: 1e4, frameStallMs: 6e4, pingMs: 0, maxDurationMs: 0, onMaxDuration: () => {} }
  const formatError = ({ message }: Error) => ({ message })
  const serializer = { serialize: (value: unknown) => value }
  const stream = new SocketStream(subscriber, new GzipSink(out, subscriber.room), { serializer, clock, ...ends, formatError, ...options }) // prettier-ignore
  return { clock, hub, post, subscriber, out, stream }
}

test('posts made while a frame is being compressed are sent as coalesced frames after that frame', async () => {
  const { out, post } = await stage()
  expect(out.types).toEqual(['hello'])
  const before = out.parts.length
  // The compressed snapshot can only arrive when this test yields to the event loop, so these posts come first.
  await Promise.all([post('c1', 'B2'), post('c2', 'C3'), post('c1', 'D4')])
  await until('the snapshot and changes are sent', () => out.types.length >= 3)
  expect(before).toBe(2)
  const [, snapshot, ...changes] = out.events
  expect(out.types.slice(1)).toEqual(['snapshot', ...changes.map(() => 'changes')])
  const ids = out.events.map((text) => /\nid: (.*)\n/.exec(text)![1])
  for (const [nth, text] of changes.entries()) expect(text).toContain(`"from":"${ids[nth + 1]}"`)
  expect(snapshot).toContain(essay(0))
  expect(changes.at(-1)).toMatch(/D4|C3/)
})

test('the reader of a compressed stream converges to the room, whichever frames are large and whenever its socket is full', async () => {
  const who = fc.constantFrom('a', 'b', 'c')
  const step = fc.oneof(
    fc.record({ who, says: fc.constantFrom('little', 'much') }),
    fc.constantFrom('fill' as const, 'drain' as const, 'beat' as const, 'made' as const),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (history) => {
      const { post, out, subscriber } = await stage()
      for (const [n, each] of history.entries()) {
        if (each === 'fill') out.isFull = true
        else if (each === 'drain') out.drain()
        else if (each === 'beat') subscriber.beat()
        // After these turns of the event loop, the compressing thread may or may not have finished.
        else if (each === 'made') for (let turns = 0; turns < 20; turns++) await turn()
        else await post(each.who, each.says === 'much' ? essay(n) : `at ${n}`)
      }
      const { timeline } = subscriber.room
      await until('the reader has the newest version', () => {
        out.drain()
        return out.events.at(-1)?.includes(`id: ${timeline.id()}\n`)
      })
      const view = new View()
      for (const text of out.events) {
        const [, data = '', id = ''] = /^data: (.*)\nid: (.*)\n/.exec(text) ?? []
        expect(applyEvent(view, id, JSON.parse(data) as LocationEvent).outcome).not.toBe('diverged')
      }
      expect(view.id).toBe(timeline.id())
      for (const { connectionId, location } of timeline.connections())
        expect(view.connections.get(connectionId)?.location).toBe(location)
    }),
    { numRuns: 30 },
  )
})

test('a stream that the server ends while a frame is being compressed sends `bye` after that frame', async () => {
  const { out, subscriber } = await stage()
  subscriber.end('rotated')
  expect(out.state).toBe('open')
  await until('the stream has ended', () => out.state === 'ended')
  expect(out.types).toEqual(['hello', 'snapshot', 'bye'])
})

test('a member who is revoked while a frame is being compressed is not sent that frame', async () => {
  const { out, hub } = await stage()
  await hub.revoke('ada')
  expect(out.state).toBe('cut')
  const { length } = out.parts
  // Once another reader has received the same frame, a stream that still waited for it would have received it too.
  const other = new GzipSink(new GzipTestSink(), {
    wakeLater: (waiting) => [...waiting].forEach((each) => each.wake()),
  })
  let isThere = false
  other.onDrain = () => (isThere = true)
  const subscriber = await hub.subscribe('r', { connectionId: null, memberId: 'bo', lastEventId: null, expiresAt: null, recheck: async () => true }) // prettier-ignore
  subscriber.take()
  if (!other.write(subscriber.take()!.encoded({ serialize: (value: unknown) => value })))
    await until('the frame is compressed', () => isThere)
  expect(out.parts).toHaveLength(length)
})

test('a stream that reaches maxDurationMs while a frame is being compressed ends as valid gzip, with or without that frame', async () => {
  const { out, clock } = await stage(essay(0), { maxDurationMs: 1_000 })
  // Read before the clock advances: promises settle then, and the compressed frame may arrive.
  const isMade = () => out.parts.length > 2
  const before = isMade()
  await clock.advance(1_000)
  expect(out.state).toBe('ended')
  expect(before).toBe(false)
  expect([['hello'], ['hello', 'snapshot']]).toContainEqual(out.types)
})
