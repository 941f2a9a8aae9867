import { expect, test } from 'vitest'
import { pollIntervals } from '../../../../src/server/backends/redis/poll-intervals.js'
import { defaultTiming } from '../../../../src/server/options/timing.js'

// The numbers of docs/ARCHITECTURE.md and docs/deploying.md.
test('a shared room is polled each two seconds, read once a second at most, and held for a lease after eight of silence', () => {
  expect(pollIntervals(defaultTiming.sweepMs)).toEqual({
    pollMs: 2_000,
    lateMs: 100,
    readMs: 1_000,
    outageMs: 8_000,
    settleMs: defaultTiming.leaseMs,
  })
})
