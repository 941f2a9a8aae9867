import { expect, test } from 'vitest'
import { pollIntervals } from '../../../../src/server/backends/redis/poll-intervals.js'
import { defaultTiming } from '../../../../src/server/options/timing.js'

// docs/ARCHITECTURE.md and docs/deploying.md state these intervals.
test('a room in Redis is polled every 2 s and read at most once a second; after 8 s of silence, clients have a lease to reconnect', () => {
  expect(pollIntervals(defaultTiming.sweepMs)).toEqual({
    pollMs: 2_000,
    lateMs: 100,
    readMs: 1_000,
    outageMs: 8_000,
    settleMs: defaultTiming.leaseMs,
  })
})
