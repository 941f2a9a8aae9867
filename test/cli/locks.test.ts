import { manualClock } from 'hereabouts/testing'
import { expect, onTestFinished, test, vi } from 'vitest'
import { locksIn } from '../../src/cli/locks.js'
import type { AnyWatch } from '../../src/cli/target.js'

test('the locks of a room are asked for again no sooner than a server that is busy said', async () => {
  const clock = manualClock()
  let asked = 0
  const answer = { id: 'epochepoch1.1', event: { type: 'snapshot', connections: [] }, features: ['locks'] }
  const busy = { message: 'rate-limited: Too many calls.', data: { code: 'TOO_MANY_REQUESTS', retryAfterMs: 5_000 } }
  vi.stubGlobal('fetch', async () =>
    ++asked === 1 ? Response.json({ result: { data: answer } }) : Response.json({ error: busy }, { status: 429 }),
  )
  onTestFinished(() => void vi.unstubAllGlobals())
  let changes = () => {}
  const room = { id: 'r', subscribe: (run: () => void) => (changes = run) } as unknown as AnyWatch
  const locks = await locksIn(room, { url: 'http://host/trpc', header: {}, timeout: 5 }, clock)
  locks.follow(() => {})
  for (let nth = 0; nth < 45; nth++) {
    changes()
    await clock.advance(100)
  }
  expect(asked).toBe(2)
  await clock.advance(1_000)
  expect(asked).toBe(3)
})
