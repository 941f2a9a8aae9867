import { describe, expect, test } from 'vitest'
import { RateLimits, type ChargedAction } from '../../../src/server/access/rate-limits.js'
import { defaultLimits } from '../../../src/server/options/limits.js'
import { nameInLogs, silentLogger } from '../../../src/server/options/logger.js'
import { manualClock } from '../../../src/testing/manual-clock.js'

const actions: ChargedAction[] = ['post', 'read', 'leave', 'connect', 'stream', 'broadcast']
const ada = { memberId: 'ada', address: null }
const from = (address: string, memberId: string | null = null) => ({ memberId, address })

/** Rate limits with a burst of 2 for each member. */
function stage() {
  const clock = manualClock()
  const lines: [string, unknown][] = []
  const logger = { ...silentLogger, info: (message: string, details?: object) => void lines.push([message, details]) }
  const bursts = { postBurst: 2, readBurst: 2, leaveBurst: 2, connectionBurst: 2, streamBurst: 2, broadcastBurst: 2 }
  const slow = { postsPerSecond: 0.1, readsPerSecond: 0.1, broadcastsPerSecond: 0.1 }
  const perMinute = { leavesPerMinute: 6, connectionsPerMinute: 6, streamsPerMinute: 6 }
  const limits = { ...defaultLimits, ...bursts, ...slow, ...perMinute, addressTimes: 2 }
  const rates = new RateLimits(limits, clock, logger)
  /** Charges until the caller is refused, and returns how often it was not. */
  const allowed = (action: ChargedAction, who: Parameters<RateLimits['charge']>[1]) => {
    for (let times = 0; times < 1_000; times++) {
      try {
        rates.charge(action, who)
      } catch {
        return times
      }
    }
    return Infinity
  }
  return { clock, lines, rates, allowed }
}

describe.each(actions)('the rate limit of the action %s', (action) => {
  test('the limit holds for a member, twice for an address, and sixteen times that for a /48 network', () => {
    const { allowed, rates } = stage()
    expect(allowed(action, ada)).toBe(2)
    expect(allowed(action, { memberId: 'bob', address: null })).toBe(2)
    expect(allowed(action, from('8.8.8.8'))).toBe(4)
    const ofNetwork = (i: number) => from(`2001:db8:0:${i.toString(16)}::/64`)
    for (let i = 0; i < 64; i++) rates.charge(action, ofNetwork(i >> 2))
    expect(() => rates.charge(action, ofNetwork(99))).toThrow('Too many')
    expect(allowed(action, from('2001:db8:1:0::/64'))).toBe(4)
  })

  test('the limit of one action leaves all other actions of the same caller alone', () => {
    const { allowed } = stage()
    const who = from('8.8.8.8', 'ada')
    for (const each of actions) if (each !== action) allowed(each, who)
    expect(allowed(action, who)).toBe(2)
  })

  test('a caller who waits as long as the error says may go on, by one token each ten seconds', async () => {
    const { clock, rates, allowed } = stage()
    allowed(action, ada)
    let retryAfterMs = 0
    try {
      rates.charge(action, ada)
    } catch (error) {
      retryAfterMs = (error as { retryAfterMs: number }).retryAfterMs
    }
    expect(retryAfterMs).toBe(10_000)
    await clock.advance(9_999)
    expect(allowed(action, ada)).toBe(0)
    await clock.advance(1)
    expect(allowed(action, ada)).toBe(1)
  })

  test('a call that costs more than one token takes as many from the member and from the address', () => {
    const { rates, allowed } = stage()
    rates.charge(action, from('8.8.8.8', 'ada'), 2)
    expect(allowed(action, ada)).toBe(0)
    expect(allowed(action, from('8.8.8.8'))).toBe(2)
  })

  test('a call that the address is refused costs its member nothing', () => {
    const { rates, allowed } = stage()
    allowed(action, from('8.8.8.8'))
    expect(() => rates.charge(action, from('8.8.8.8', 'ada'))).toThrow('Too many')
    expect(allowed(action, ada)).toBe(2)
  })

  test('refusals are logged once in ten seconds for the action, with a pseudonym of the member', async () => {
    const { clock, lines, allowed, rates } = stage()
    const refuse = () => expect(() => rates.charge(action, ada)).toThrow('Too many')
    allowed(action, ada)
    for (let i = 0; i < 5; i++) refuse()
    expect(lines).toEqual([['a caller is over a limit', { action, member: nameInLogs('ada') }]])
    await clock.advance(9_900)
    refuse()
    expect(lines).toHaveLength(1)
    await clock.advance(99)
    allowed(action, from('8.8.8.8'))
    expect(lines).toHaveLength(1)
    await clock.advance(1)
    expect(() => rates.charge(action, from('8.8.8.8'))).toThrow('Too many')
    expect(lines.slice(1)).toEqual([['a caller is over a limit', { action }]])
  })
})

test('a flood of one action does not hide the refusals of another from the log', () => {
  const { lines, allowed } = stage()
  for (const action of actions) allowed(action, ada)
  expect(lines.map(([, details]) => (details as { action: string }).action)).toEqual(actions)
})

test('the broadcasts of a room are limited for each room by itself, and are not logged as a caller', () => {
  const { rates, lines } = stage()
  for (let i = 0; i < 200; i++) rates.chargeRoom('r')
  expect(() => rates.chargeRoom('r')).toThrow(expect.objectContaining({ code: 'rate-limited', retryAfterMs: 5 }))
  expect(() => rates.chargeRoom('other')).not.toThrow()
  expect(lines).toEqual([])
})
