import { manualClock } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { afterReading } from '../../../../src/server/backends/redis/health/after-reading.js'
import { SubscriberRepair } from '../../../../src/server/backends/redis/health/subscriber-repair.js'
import type { RedisPort } from '../../../../src/server/backends/redis/clients/client-port.js'

function stage(reconnect: () => Promise<void> = async () => {}) {
  const clock = manualClock(0)
  const replacedAt: number[] = []
  const port = { reconnect: () => (replacedAt.push(clock.now()), reconnect()) } as unknown as RedisPort
  const repair = new SubscriberRepair({ port, clock, waitMs: 1_000 })
  /** Runs one health check a second, each of 700 ms. */
  async function check(seconds: number, isDeaf: boolean, name: unknown = 'main') {
    for (let second = 0; second < seconds; second++) {
      const beganAt = clock.now()
      await clock.advance(700)
      repair.learn(name, { isDeaf, beganAt })
      await clock.advance(300)
    }
  }
  return { clock, repair, replacedAt, check }
}

test('a subscriber connection without announcements is replaced at once, then at intervals that double up to 30 times the first', async () => {
  const { clock, check, replacedAt } = stage()
  const startedAt = clock.now()
  await check(200, true)
  const waits = replacedAt.slice(1).map((at, i) => Math.round((at - replacedAt[i]!) / 1_000))
  expect(replacedAt[0]! - startedAt).toBe(700)
  expect(waits.slice(0, 8)).toEqual([1, 2, 4, 8, 16, 30, 30, 30])
})

test('after announcements have arrived again, the interval between replacements of a subscriber connection is short again', async () => {
  const { check, replacedAt } = stage()
  await check(40, true)
  await check(1, false)
  const before = replacedAt.length
  await check(6, true)
  expect(replacedAt.length - before).toBeGreaterThanOrEqual(2)
})

test('a health check that receives announcements does not shorten the interval of replacements while another check receives none', async () => {
  const { check, replacedAt } = stage()
  for (let second = 0; second < 30; second++) {
    await check(1, true, 'one')
    await check(1, false, 'other')
  }
  expect(replacedAt.length).toBeLessThan(7)
})

test('a subscriber connection on which subscribing fails is replaced again, until the repair is closed', async () => {
  const { clock, check, repair, replacedAt } = stage(() => Promise.reject(new Error('no')))
  await check(1, true)
  await clock.advance(10_000)
  expect(replacedAt.length).toBeGreaterThan(2)
  repair.close()
  const before = replacedAt.length
  await clock.advance(100_000)
  expect(replacedAt).toHaveLength(before)
})

test('a Redis reply counts as late only after the data that has already arrived was read', async () => {
  const clock = manualClock(0)
  const ran: string[] = []
  afterReading(clock, 100, () => ran.push('kept'))
  const cancel = afterReading(clock, 100, () => ran.push('cancelled'))
  await clock.advance(100)
  expect(ran).toEqual([])
  cancel()
  await clock.advance(1)
  expect(ran).toEqual(['kept'])
})
