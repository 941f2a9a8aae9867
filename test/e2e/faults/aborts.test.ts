import { expect, test } from 'vitest'
import { get, inputOf, rawClient } from '../../support/network/raw-client.js'
import { twins } from '../../support/servers/twins.js'
import { until } from '../../support/until.js'

/* Aborted stream requests leave no timer, socket or subscriber behind. */

const inParallel = 50
const request = get(`/trpc/locations.onLocation?${inputOf({ room: 'busy', connectionKey: 'k'.repeat(22) })}`)
const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

test('2,000 aborted streams leave no timer, socket or subscriber behind', { timeout: 60_000 }, async () => {
  await using pair = await twins({
    trpc: { sse: { ping: { enabled: true, intervalMs: 60_000 }, maxDurationMs: 60_000 } },
  })
  const { ours } = pair
  await ours.post('busy', 1, 1)
  const live = await ours.hub.use('busy', async (live) => live)
  const before = timers()
  let opened = 0
  for (let nth = 0; nth < 2_000; nth += inParallel) {
    const coming = Array.from({ length: inParallel }, async (_, i) => {
      const client = rawClient(ours.port)
      client.send(request)
      // Some requests are aborted before their response begins.
      if (i % 5 > 0) await client.events(3).then(() => (opened += 1))
      client.leave(i % 2 === 0 ? 'abruptly' : undefined)
    })
    await Promise.all([...coming, ours.post('busy', 1, nth)])
  }
  await until('all streams are closed', () => ours.hub.streams.size === 0)
  await until('all connections are closed', () => ours.sockets.size === 0)
  expect(opened).toBe(1_600)
  expect(live.subscribers.size).toBe(0)
  expect(live.users).toBe(0)
  // Only timers are counted, because the test itself has open sockets.
  await until('the timers of the streams are gone', () => timers() <= before)
  const failed = ours.said.filter((each) => 'error' in each)
  expect(failed).toEqual([])
})
