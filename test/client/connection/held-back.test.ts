import { LocationError } from 'hereabouts'
import { expect, test } from 'vitest'
import { openConnection } from '../../../src/client/connection/connection.js'
import { cut } from '../../../src/client/connection/failure.js'
import type { PollListener } from '../../../src/client/connection/polling.js'
import { statusOf } from '../../../src/client/connection/room-status.js'
import type { StreamListener } from '../../../src/client/connection/stream-types.js'
import type { Hello } from '../../../src/shared/events.js'
import { manualClock } from '../../../src/testing/manual-clock.js'
import type { CellTypes } from '../../support/cell-types.js'
import { quietConnection } from '../../support/quiet-connection.js'

const hello: Hello = { type: 'hello', protocol: 1, connectionId: 'me', beatMs: 10_000, leaseMs: 30_000, postMs: 50 }

/** Opens a connection whose streams and polls the test answers. */
function opening() {
  const clock = manualClock()
  const streams: StreamListener<CellTypes>[] = []
  const polls: PollListener<CellTypes>[] = []
  const stopped: PollListener<CellTypes>[] = []
  const connection = openConnection<CellTypes>({
    ...quietConnection(clock),
    open(listener) {
      streams.push(listener)
      return () => {}
    },
    poll(listener) {
      polls.push(listener)
      return () => stopped.push(listener)
    },
  })
  connection.connect()
  return {
    clock,
    connection,
    streams,
    polls: () => polls.length,
    poll: () => polls.at(-1)!,
    running: () => polls.length - stopped.length,
  }
}

test('a stream without a hello for four seconds gets polls beside it, and a late hello ends the polls', async () => {
  const held = opening()
  await held.clock.advance(3_999)
  expect(held.polls()).toBe(0)
  await held.clock.advance(1)
  expect([held.polls(), held.connection.link.state]).toEqual([1, 'connecting'])
  held.poll().polled()
  expect(statusOf(held.connection.link, held.clock)).toMatchObject({ state: 'polling', error: { code: 'network' } })
  expect(held.streams).toHaveLength(1)
  held.streams[0]!.event('epochepoch1.1', hello)
  expect([held.connection.link.state, held.running()]).toEqual(['live', 0])
})

test('a stream with headers but without a hello for four seconds gets polls, too', async () => {
  const held = opening()
  held.streams[0]!.opened()
  await held.clock.advance(4_000)
  expect(held.polls()).toBe(1)
})

test('polls go on without a pause when a stream times out and while the next stream is tried', async () => {
  const held = opening()
  await held.clock.advance(4_000)
  held.poll().polled()
  await held.clock.advance(21_000)
  expect(held.connection.link).toMatchObject({ state: 'polling', answered: true, obstacle: { times: 1 } })
  expect([held.polls(), held.running()]).toEqual([1, 1])
  await held.clock.advance(30_000)
  expect([held.connection.link.state, held.streams.length, held.running()]).toEqual(['connecting', 2, 1])
})

test('a poll that fails while a stream is awaited ends the polls, and the stream is still awaited', async () => {
  const held = opening()
  await held.clock.advance(4_000)
  held.poll().failed(cut('no network'))
  expect([held.connection.link.state, held.streams.length, held.running()]).toEqual(['connecting', 1, 0])
})

test('a poll that is refused while a stream is awaited closes the connection', async () => {
  const held = opening()
  await held.clock.advance(4_000)
  held.poll().failed({ error: new LocationError('forbidden', 'No.'), retry: false })
  expect(held.connection.link.state).toBe('closed')
})

test('a connection that is closed or paused before its stream has a hello sends no polls', async () => {
  for (const end of ['close', 'pause'] as const) {
    const held = opening()
    held.connection[end]('left')
    await held.clock.advance(60_000)
    expect(held.polls()).toBe(0)
  }
})

test('a stream without a hello for 25 s, and one that a gateway ends after 5 s, count as blocked, and the room is polled', async () => {
  const held = opening()
  await held.clock.advance(25_000)
  expect([held.connection.link.state, held.polls()]).toEqual(['polling', 1])
  const gateway = opening()
  await gateway.clock.advance(5_000)
  gateway.streams[0]!.ended(cut('504'))
  expect([gateway.connection.link.state, gateway.polls()]).toEqual(['polling', 1])
})

test('streams that fail at once count as blocked at the third failure in a row, and the room is polled', async () => {
  const failing = opening()
  for (let nth = 0; nth < 3; nth++) {
    expect(failing.polls()).toBe(0)
    failing.streams.at(-1)!.ended(cut('502'))
    await failing.clock.advance(nth < 2 ? 1_000 : 0)
  }
  expect([failing.connection.link.state, failing.polls()]).toEqual(['polling', 1])
})

test('streams that our own server ends, for example while it drains, do not count as blocked: the room is not polled', async () => {
  const draining = opening()
  for (let nth = 0; nth < 6; nth++) {
    draining.streams.at(-1)!.ended({ ...cut('draining'), answered: true })
    const { link } = draining.connection
    if (link.state === 'waiting') await draining.clock.advance(link.retryAt - draining.clock.now() + 1)
  }
  expect(draining.polls()).toBe(0)
})
