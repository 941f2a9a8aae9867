import { initTRPC } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter, type TimingOptions } from 'hereabouts/server'
import { manualClock } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { Hub } from '../../../src/server/hub/hub.js'
import { cell } from '../../support/clients/stock-client.js'

const connectionKey = 'k'.repeat(22)

/** A member who is in a room and has taken the first event of a stream. */
async function streaming(timing: TimingOptions) {
  const clock = manualClock()
  const hub = createLocationHub({ location: cellLocation, clock, timing })
  if (!(hub instanceof Hub)) throw new TypeError('a hub is a Hub')
  const asked: string[] = []
  const t = initTRPC.create()
  const router = t.router(
    createLocationRouter({
      hub,
      procedure: t.procedure,
      identify: () => ({ memberId: 'ada' }),
      authorize: ({ action }) => asked.push(action) > 0,
    }),
  )
  const caller = t.createCallerFactory(router)({})
  const posted = caller.postLocation({ room: 'r', location: cell(1), connectionKey })
  await clock.advance(100)
  await posted
  const stream = await caller.onLocation({ room: 'r', connectionKey })
  await stream[Symbol.asyncIterator]().next()
  asked.length = 0
  return { clock, hub, asked }
}

test('a stream that a heartbeat ends does not ask authorize() once more', async () => {
  const { clock, hub, asked } = await streaming({ rotateMs: 1_000, recheckMs: 1_000 })
  await clock.advance(10_000)
  expect(hub.streams.size).toBe(0)
  expect(asked).toEqual([])
})

test('a stream that goes on asks authorize() again at the heartbeat after recheckMs', async () => {
  const { clock, hub, asked } = await streaming({ recheckMs: 1_000 })
  await clock.advance(12_000)
  expect(hub.streams.size).toBe(1)
  expect(asked).toEqual(['read'])
})

test('with closedMs 0, a stream whose connection is present outlasts its heartbeats', async () => {
  const { clock, hub } = await streaming({ closedMs: 0, leaseMs: 300_000 })
  await clock.advance(60_000)
  expect([hub.streams.size, await hub.room('r').count()]).toEqual([1, 1])
})
