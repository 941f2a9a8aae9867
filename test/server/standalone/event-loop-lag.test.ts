import { manualClock } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { EventLoopLag } from '../../../src/server/standalone/event-loop-lag.js'

function started() {
  const clock = manualClock()
  const watch = new EventLoopLag(clock)
  watch.start()
  return { clock, watch }
}

test('a process whose timers run in time has no lag', async () => {
  const { clock, watch } = started()
  for (let i = 0; i < 20; i++) {
    await clock.advance(333)
    expect(watch.lagMs).toBe(0)
  }
})

test('a stall is reported with its length for ten seconds, even if it was not read meanwhile', async () => {
  const { clock, watch } = started()
  await clock.advance(700)
  clock.stall(3_300)
  expect(watch.lagMs).toBe(3_000)
  await clock.advance(9_999)
  expect(watch.lagMs).toBe(3_000)
  await clock.advance(1)
  expect(watch.lagMs).toBe(0)
})

test('the longest recent stall is reported', async () => {
  const { clock, watch } = started()
  for (const stallMs of [100, 2_000, 300]) {
    clock.stall(500 + stallMs)
    await clock.advance(500)
  }
  expect(watch.lagMs).toBe(2_000)
})

test('a stopped measurement reports no lag', async () => {
  const { clock, watch } = started()
  watch.stop()
  clock.stall(60_000)
  await clock.advance(1)
  expect(watch.lagMs).toBe(0)
})
