import { getEventListeners } from 'node:events'
import { initTRPC } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { manualClock } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { Hub } from '../../../src/server/hub/hub.js'

/** A tRPC caller in the server process, whose subscriptions all share one abort signal. */
function served() {
  const clock = manualClock()
  const hub = createLocationHub({ location: cellLocation, clock, limits: { streamBurst: 1e6, memberRoomStreams: 1e6 } })
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub() must return a Hub')
  const t = initTRPC.create()
  const access = { identify: () => ({ memberId: 'ada' }), authorize: () => true }
  const router = t.router(createLocationRouter({ hub, procedure: t.procedure, ...access }))
  const controller = new AbortController()
  const caller = t.createCallerFactory(router)({}, { signal: controller.signal })
  const open = async () => (await caller.onLocation({ room: 'r' }))[Symbol.asyncIterator]()
  const listeners = () => getEventListeners(controller.signal, 'abort').length
  return { clock, hub, controller, open, listeners }
}

test('a subscription that its reader ends leaves no listener on the shared abort signal', async () => {
  const { hub, open, listeners } = served()
  for (let i = 0; i < 20; i++) {
    const stream = await open()
    await stream.next()
    await stream.return!()
  }
  expect([hub.streams.size, listeners()]).toEqual([0, 0])
})

test('a subscription that the server ends leaves no listener on the shared abort signal', async () => {
  const { hub, open, listeners } = served()
  for (let i = 0; i < 20; i++) await (await open()).next()
  hub.streams.revoke('ada')
  expect([hub.streams.size, listeners()]).toEqual([0, 0])
})

test('aborting the shared abort signal closes every open subscription', async () => {
  const { hub, open, controller, listeners } = served()
  const streams = [await open(), await open()]
  for (const stream of streams) await stream.next()
  expect(hub.streams.size).toBe(2)
  controller.abort()
  expect([hub.streams.size, listeners()]).toEqual([0, 0])
})

test('a subscription whose abort signal is already aborted opens no stream', async () => {
  const { hub, open, controller, listeners } = served()
  controller.abort()
  await open().catch(() => {})
  expect([hub.streams.size, listeners()]).toEqual([0, 0])
})
