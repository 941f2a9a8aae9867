import { manualClock } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { EventLoopLag } from '../../../src/server/standalone/event-loop-lag.js'

function started() {
  const clock = manualClock()
  const watch = new EventLoopLag(clock)
  watch.start()
  return { clock, watch }
}

test('the event loop lag is 0 while timers run in time', async () => {
  const { clock, watch } = started()
  for (let i = 0; i < 20; i++) {
    await clock.advance(333)
    expect(watch.lagMs).toBe(0)
  }
})

test('a stall of the event loop is reported with its length, at once and for ten seconds', async () => {
  const { clock, watch } = started()
  await clock.advance(700)
  clock.stall(3_300)
  expect(watch.lagMs).toBe(3_000)
  await clock.advance(9_999)
  expect(watch.lagMs).toBe(3_000)
  await clock.advance(1)
  expect(watch.lagMs).toBe(0)
})

test('the event loop lag is the length of the longest recent stall', async () => {
  const { clock, watch } = started()
  for (const stallMs of [100, 2_000, 300]) {
    clock.stall(500 + stallMs)
    await clock.advance(500)
  }
  expect(watch.lagMs).toBe(2_000)
})

test('the event loop lag is 0 after the measurement was stopped', async () => {
  const { clock, watch } = started()
  watch.stop()
  clock.stall(60_000)
  await clock.advance(1)
  expect(watch.lagMs).toBe(0)
})
