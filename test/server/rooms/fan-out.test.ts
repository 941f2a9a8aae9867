import { manualClock } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { defaultTiming } from '../../../src/server/options/timing.js'
import { FanOut, type Reader } from '../../../src/server/rooms/fan-out.js'

/* A fan-out wakes the readers of a room. Its duration sets the pace of the frames, and of the posts. */

function stage() {
  const clock = manualClock()
  const measured: number[] = []
  let ends = 0
  const fanOut = new FanOut({
    clock,
    timing: defaultTiming,
    onMeasured: (ms) => measured.push(ms),
    onEnd: () => ends++,
  })
  /** Returns readers who need this many milliseconds each. */
  const readers = (count: number, ms = 0): Set<Reader> =>
    new Set(Array.from({ length: count }, () => ({ wake: () => clock.stall(ms) })))
  return { clock, fanOut, measured, readers, ends: () => ends }
}

describe('the pace of posts', () => {
  test('the pace of posts is the frame interval when that is above postMs, and is not set otherwise', () => {
    const { fanOut, readers } = stage()
    expect(fanOut.postMs).toBeUndefined()
    fanOut.begin(readers(1, 12))
    // Four times 12 ms is below the 50 ms that clients keep anyway.
    expect(fanOut.postMs).toBeUndefined()
    fanOut.begin(readers(1, 20))
    expect(fanOut.postMs).toBe(80)
  })

  test('the pace of posts, and the time of the next frame, are at most frameMaxMs apart after a slow fan-out', () => {
    const { clock, fanOut, readers } = stage()
    const beganAt = clock.now()
    fanOut.begin(readers(1, 1_000))
    expect(fanOut.postMs).toBe(defaultTiming.frameMaxMs)
    expect(fanOut.nextTickAt).toBe(beganAt + defaultTiming.frameMaxMs)
  })

  test('the pace of posts ends when a fan-out is fast again, and when all readers are gone', () => {
    for (const others of [(each: ReturnType<typeof stage>) => each.readers(1), () => new Set<Reader>()]) {
      const staged = stage()
      staged.fanOut.begin(staged.readers(1, 30))
      expect(staged.fanOut.postMs).toBe(120)
      staged.fanOut.begin(others(staged))
      expect(staged.fanOut.postMs).toBeUndefined()
    }
  })

  test('the pace of posts grows by a slower fan-out to late readers, and never shrinks by a faster one', () => {
    const { fanOut, readers } = stage()
    fanOut.begin(readers(1, 20))
    fanOut.wakeLater(readers(1, 1))
    expect(fanOut.postMs).toBe(80)
    fanOut.wakeLater(readers(1, 30))
    expect(fanOut.postMs).toBe(120)
  })
})

describe('a fan-out', () => {
  test('a fan-out is in progress until its last reader is woken, is measured once, and then reports its end', async () => {
    const { clock, fanOut, readers, measured, ends } = stage()
    fanOut.begin(readers(4_001, 0.01))
    expect([fanOut.isInProgress, ends()]).toEqual([true, 0])
    await clock.advance(0)
    expect(fanOut.isInProgress).toBe(true)
    await clock.advance(0)
    expect([fanOut.isInProgress, ends()]).toEqual([false, 1])
    expect(measured).toEqual([expect.closeTo(40.01)])
  })

  test('a fan-out that was fast keeps the shortest frame interval, and one that was slow makes it longer', () => {
    const { clock, fanOut, readers } = stage()
    const beganAt = clock.now()
    fanOut.begin(readers(1, 1))
    expect(fanOut.nextTickAt).toBe(beganAt + defaultTiming.frameMinMs)
    const slowAt = clock.now()
    fanOut.begin(readers(1, 10))
    expect(fanOut.nextTickAt).toBe(slowAt + 40)
  })

  test('a fan-out that ends before another one that began earlier leaves the room in progress', async () => {
    const { clock, fanOut, readers, ends } = stage()
    fanOut.begin(readers(2_001))
    fanOut.wakeLater(readers(1))
    expect([fanOut.isInProgress, ends()]).toEqual([true, 1])
    await clock.advance(0)
    expect([fanOut.isInProgress, ends()]).toEqual([false, 2])
  })

  test('a fan-out to no reader keeps the shortest frame interval and measures nothing', () => {
    const { clock, fanOut, measured, ends } = stage()
    fanOut.begin(new Set())
    expect(fanOut.nextTickAt).toBe(clock.now() + defaultTiming.frameMinMs)
    expect([fanOut.isInProgress, measured, ends()]).toEqual([false, [], 0])
  })

  test('a fan-out of broadcasts is measured, and neither postpones frames nor changes the pace of posts', () => {
    const { fanOut, readers, measured, ends } = stage()
    const { nextTickAt } = fanOut
    let tookMs = 0
    fanOut.wakeForBroadcasts(readers(2, 40), (ms) => (tookMs = ms))
    expect([tookMs, measured]).toEqual([80, [80]])
    expect([fanOut.isInProgress, fanOut.nextTickAt, fanOut.postMs, ends()]).toEqual([false, nextTickAt, undefined, 0])
  })
})
