import { expect, test } from 'vitest'
import { RateLimits } from '../../../src/server/access/rate-limits.js'
import { defaultLimits } from '../../../src/server/options/limits.js'
import { silentLogger } from '../../../src/server/options/logger.js'
import { manualClock } from '../../../src/testing/manual-clock.js'

test('a room that may broadcast every two seconds is told to wait two seconds after the first broadcast', () => {
  const clock = manualClock()
  const rates = new RateLimits({ ...defaultLimits, roomBroadcastsPerSecond: 0.5 }, clock, silentLogger)
  rates.chargeRoom('r')
  expect(() => rates.chargeRoom('r')).toThrow('try again in 2000 ms')
  clock.stall(2_000)
  rates.chargeRoom('r')
  expect(() => rates.chargeRoom('r')).toThrow('try again in 2000 ms')
})

test('a limit of Infinity refuses nobody, by member and by address', () => {
  const limits = { ...defaultLimits, postBurst: Infinity, readsPerSecond: Infinity, roomBroadcastsPerSecond: Infinity }
  const rates = new RateLimits(limits, manualClock(), silentLogger)
  for (let i = 0; i < 2_000; i++) {
    rates.charge('post', { memberId: 'ada', address: '203.0.113.7' })
    rates.charge('read', { memberId: 'ada', address: '203.0.113.7' }, 100)
    rates.chargeRoom('r')
  }
  expect(rates.size).toBe(0)
})
