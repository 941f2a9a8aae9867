import { createLocationHub } from 'hereabouts/server'
import { manualClock } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { SocketStream } from '../../../src/server/http/socket-stream.js'
import { Hub } from '../../../src/server/hub/hub.js'
import type { Sink } from '../../../src/server/http/sink.js'

/** A stream into a sink that is full after `takes` writes. */
async function stalledAfter(takes: number) {
  const clock = manualClock()
  const hub = createLocationHub({ location: z.string(), clock })
  if (!(hub instanceof Hub)) throw new TypeError('a hub is a Hub')
  const subscriber = await hub.subscribe('r', { connectionId: null, memberId: 'ada', lastEventId: null, expiresAt: null, recheck: async () => true }) // prettier-ignore
  const did: string[] = []
  const sink: Sink = {
    write: () => (did.push('write'), did.length < takes),
    onDrain: () => {},
    onStall: () => {},
    watch() {},
    end: () => void did.push('end'),
    destroy: () => void did.push('destroy'),
  }
  const serializer = { serialize: (value: unknown) => value }
  const ends = {
    stallMs: 10_000,
    frameStallMs: 60_000,
    pingMs: 0,
    maxDurationMs: 0,
    formatError: () => ({}),
    onMaxDuration: () => {},
  }
  const stream = new SocketStream(subscriber, sink, { serializer, clock, ...ends })
  return { clock, hub, sink, did, stream }
}

test('revoking a member destroys a stalled stream without flushing its pending frame', async () => {
  const { hub, did } = await stalledAfter(2)
  expect(did).toEqual(['write', 'write'])
  await hub.revoke('ada')
  expect(did).toEqual(['write', 'write', 'destroy'])
  expect(hub.streams.size).toBe(0)
})

test('revoking a member whose stream keeps up sends the reason and ends the body', async () => {
  const { hub, did } = await stalledAfter(9)
  await hub.revoke('ada')
  expect(did).toEqual(['write', 'write', 'write', 'write', 'end'])
})
