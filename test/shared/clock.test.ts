import { afterEach, describe, expect, test, vi } from 'vitest'
import { steadyClock } from '../../src/client/steady-clock.js'
import { backgroundClock } from '../../src/shared/background-clock.js'
import { dateAt, systemClock } from '../../src/shared/clock.js'
import { manualClock } from '../../src/testing/manual-clock.js'

const day = 86_400_000
const clocks = { systemClock, backgroundClock }

describe.each(Object.entries(clocks))('%s', (name, clock) => {
  afterEach(() => vi.restoreAllMocks())

  test(`the timers of ${name} keep to the range that runtimes support`, () => {
    const set = vi.spyOn(globalThis, 'setTimeout')
    for (const delayMs of [-5, 0, 30, 30 * day, Infinity]) clock.after(delayMs, () => {})()
    expect(set.mock.calls.map(([, delayMs]) => delayMs)).toEqual([0, 0, 30, 2 ** 31 - 1, 2 ** 31 - 1])
  })

  test(`a timer of ${name} that was cancelled does not run, and one that was not runs once`, async () => {
    const runs: string[] = []
    clock.after(0, () => void runs.push('cancelled'))()
    await new Promise<void>((resolve) => {
      clock.after(1, () => {
        runs.push('kept')
        resolve()
      })
    })
    expect(runs).toEqual(['kept'])
  })

  test(`${name} tells the time of the machine`, () => {
    const [now, date] = [clock.now(), clock.date().getTime()]
    expect([clock.now() >= now, Math.abs(date - Date.now()) < 10_000]).toEqual([true, true])
  })
})

test('only the timers of the background clock let the process end', () => {
  const set = vi.spyOn(globalThis, 'setTimeout')
  for (const clock of Object.values(clocks)) clock.after(1_000, () => {})()
  const timers = set.mock.results.map(({ value }) => value as NodeJS.Timeout)
  vi.restoreAllMocks()
  expect(timers.map((timer) => timer.hasRef())).toEqual([true, false])
})

test('a reading becomes the time of day that it had, also after the wall clock was stepped', async () => {
  const clock = manualClock(day)
  const reading = clock.now()
  await clock.advance(5_000)
  expect(dateAt(clock, reading).getTime()).toBe(day)
  expect(dateAt(clock, clock.now() + 1_000).getTime()).toBe(day + 6_000)
  clock.step(3_600_000)
  expect(dateAt(clock, reading).getTime()).toBe(day + 3_600_000)
})

test('the clock of a client never goes back, and ignores readings that are no finite numbers', () => {
  const readings = [5, 3, NaN, Infinity, 9, -Infinity, undefined, 8, 12]
  let turn = 0
  const cancelled: number[] = []
  const steady = steadyClock({
    now: () => readings[turn++] as number,
    date: () => new Date(4),
    after: (delayMs) => () => void cancelled.push(delayMs),
  })
  expect(readings.map(() => steady.now())).toEqual([5, 5, 5, 5, 9, 9, 9, 9, 12])
  expect(steady.date()).toEqual(new Date(4))
  steady.after(7, () => {})()
  expect(cancelled).toEqual([7])
})
