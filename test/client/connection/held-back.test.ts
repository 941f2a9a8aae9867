import { expect, test } from 'vitest'
import { openConnection } from '../../../src/client/connection/connection.js'
import { cut } from '../../../src/client/connection/failure.js'
import type { StreamListener } from '../../../src/client/connection/stream-types.js'
import { manualClock } from '../../../src/testing/manual-clock.js'
import type { CellTypes } from '../../support/cell-types.js'

/** A connection whose streams are answered by hand. */
function opening() {
  const clock = manualClock()
  const streams: StreamListener<CellTypes>[] = []
  let polls = 0
  const connection = openConnection<CellTypes>({
    clock,
    open(listener) {
      streams.push(listener)
      return () => {}
    },
    poll() {
      polls++
      return () => {}
    },
    greeted() {},
    heard() {},
    received: () => ({ outcome: 'ignored' }) as never,
    beaten() {},
    changed() {},
    context: () => ({ now: clock.now(), random: 0.5, beatMs: 10_000 }),
    deadlineMs: () => 20_000,
  })
  connection.connect()
  return { clock, connection, streams, polls: () => polls }
}

test('a stream that is held back whole, and one that a gateway ends after five seconds, lead to polls', async () => {
  const held = opening()
  await held.clock.advance(25_000)
  expect([held.connection.link.state, held.polls()]).toEqual(['polling', 1])
  const gateway = opening()
  await gateway.clock.advance(5_000)
  gateway.streams[0]!.ended(cut('504'))
  expect([gateway.connection.link.state, gateway.polls()]).toEqual(['polling', 1])
})

test('streams that fail at once lead to polls at the third failure in a row', async () => {
  const failing = opening()
  for (let nth = 0; nth < 3; nth++) {
    expect(failing.polls()).toBe(0)
    failing.streams.at(-1)!.ended(cut('502'))
    await failing.clock.advance(nth < 2 ? 1_000 : 0)
  }
  expect([failing.connection.link.state, failing.polls()]).toEqual(['polling', 1])
})

test('a refusal by our own server, such as one that drains, leads to no polls', async () => {
  const draining = opening()
  for (let nth = 0; nth < 6; nth++) {
    draining.streams.at(-1)!.ended({ ...cut('draining'), answered: true })
    const { link } = draining.connection
    if (link.state === 'waiting') await draining.clock.advance(link.retryAt - draining.clock.now() + 1)
  }
  expect(draining.polls()).toBe(0)
})
