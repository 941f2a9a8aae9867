import { LocationError } from 'hereabouts'
import { describe, expect, test } from 'vitest'
import { openConnection, type ServerConnection } from '../../../src/client/connection/connection.js'
import { cut, type Failure } from '../../../src/client/connection/failure.js'
import type { PollListener } from '../../../src/client/connection/polling.js'
import type { StreamListener } from '../../../src/client/connection/stream-types.js'
import type { Hello } from '../../../src/shared/events.js'
import { manualClock } from '../../../src/testing/manual-clock.js'
import type { CellTypes } from '../../support/cell-types.js'
import { quietConnection } from '../../support/quiet-connection.js'

/*
 * Everything that may open a stream before its time, in every state of a connection. The causes: `connect` is `room.retry()`,
 * `resume` a page that is opened or shown again, `renew` `client.reconnect()`, another member or key, and another network,
 * `hurry` a sign of life, and `endWait` a lock that is held.
 */

const beatMs = 10_000
const hello: Hello = { type: 'hello', protocol: 1, connectionId: 'me', beatMs, leaseMs: 30_000, postMs: 50 }
const askedMs = 60_000
const busy: Failure = {
  error: new LocationError('rate-limited', 'Too many streams.', { retryAfterMs: askedMs }),
  retry: true,
  answered: true,
}
const refused: Failure = { error: new LocationError('forbidden', 'No.'), retry: false, answered: true }

/** A connection that is not open yet, whose streams and polls are answered by hand. */
function stage() {
  const clock = manualClock()
  const streams: StreamListener<CellTypes>[] = []
  const polls: PollListener<CellTypes>[] = []
  const connection = openConnection<CellTypes>({
    ...quietConnection(clock),
    open(listener) {
      streams.push(listener)
      return () => {}
    },
    poll(listener) {
      polls.push(listener)
      return () => {}
    },
  })
  return { clock, connection, streams, polls }
}
type Stage = ReturnType<typeof stage>

const ending = async (of: Stage, failure: Failure) => of.streams.at(-1)!.ended(failure)
/** Streams are blocked, and polls are answered. The next stream is tried after 27 s. */
const blocked = async (of: Stage) => {
  await ending(of, cut('no hello', true))
  of.polls.at(-1)!.polled()
}

const states = {
  'not opened': async () => {},
  'paused while live': async (of: Stage) => {
    of.connection.connect()
    of.streams[0]!.event('epochepoch1.1', hello)
    of.connection.pause()
  },
  'paused while it waits by itself': async (of: Stage) => {
    of.connection.connect()
    await ending(of, cut('502'))
    of.connection.pause()
  },
  'paused while it waits as the server asked': async (of: Stage) => {
    of.connection.connect()
    await ending(of, busy)
    of.connection.pause()
  },
  live: async (of: Stage) => {
    of.connection.connect()
    of.streams[0]!.event('epochepoch1.1', hello)
  },
  connecting: async (of: Stage) => of.connection.connect(),
  'waiting by itself': async (of: Stage) => {
    of.connection.connect()
    // Eight failures, the first of them long ago: the next attempt is 15 s away.
    for (let nth = 0; nth < 8; nth++) {
      if (nth > 0) await of.clock.advance(16_000)
      await ending(of, { ...cut('draining'), answered: true })
    }
  },
  'waiting as the server asked': async (of: Stage) => {
    of.connection.connect()
    await ending(of, busy)
  },
  'polling while streams are blocked': async (of: Stage) => {
    of.connection.connect()
    await blocked(of)
  },
  'polling, and asked not to open a stream': async (of: Stage) => {
    of.connection.connect()
    await blocked(of)
    await of.clock.advance(27_000)
    expect(of.connection.link.state).toBe('connecting')
    await ending(of, busy)
  },
  'closed by a refusal': async (of: Stage) => {
    of.connection.connect()
    await ending(of, refused)
  },
} satisfies Record<string, (of: Stage) => Promise<void>>

type Cause = Exclude<keyof ServerConnection, 'link' | 'pause' | 'close'>
/** When the next stream is opened, in milliseconds. `null`: not because of this cause, and not sooner than without it. */
type When = number | null
const table: Record<keyof typeof states, Record<Cause, When>> = {
  'not opened': { connect: 0, resume: 0, renew: null, hurry: null, endWait: null },
  'paused while live': { connect: 0, resume: 0, renew: null, hurry: null, endWait: null },
  'paused while it waits by itself': { connect: 0, resume: 0, renew: null, hurry: null, endWait: null },
  'paused while it waits as the server asked': { connect: 0, resume: askedMs, renew: null, hurry: null, endWait: null },
  live: { connect: 0, resume: 0, renew: 0, hurry: null, endWait: null },
  connecting: { connect: 0, resume: 0, renew: 0, hurry: null, endWait: null },
  'waiting by itself': { connect: 0, resume: 0, renew: 0, hurry: 250, endWait: 0 },
  'waiting as the server asked': { connect: 0, resume: askedMs, renew: null, hurry: null, endWait: null },
  'polling while streams are blocked': { connect: 0, resume: 0, renew: 0, hurry: 250, endWait: null },
  'polling, and asked not to open a stream': {
    connect: 0,
    resume: askedMs,
    renew: null,
    hurry: null,
    endWait: null,
  },
  // A page that is shown again asks before it resumes: room.ts.
  'closed by a refusal': { connect: 0, resume: 0, renew: null, hurry: null, endWait: null },
}

/** Returns the time until one more stream is opened; `Infinity` when none is within 100 s. */
async function nextStreamMs({ clock, streams }: Stage, before: number): Promise<number> {
  const since = clock.now()
  while (streams.length === before && clock.now() - since < 100_000) await clock.advance(50)
  return streams.length === before ? Infinity : clock.now() - since
}

const said = (when: When) =>
  when === null ? 'opens no stream sooner' : when === 0 ? 'opens a stream at once' : `opens a stream after ${when} ms`
const cases = Object.entries(table).flatMap(([state, row]) =>
  Object.entries(row).map(([cause, when]) => [state as keyof typeof states, said(when), cause as Cause, when] as const),
)

describe('the causes that open a stream before its time', () => {
  test.each(cases)('a connection that is %s %s after `%s`', async (state, _, cause, when) => {
    const [without, of] = [stage(), stage()]
    await states[state](without)
    await states[state](of)
    const before = of.streams.length
    of.connection[cause]()
    const [usualMs, tookMs] = [await nextStreamMs(without, before), await nextStreamMs(of, before)]
    // A paused connection opens nothing by itself.
    if (/^(paused|not)/.test(state)) expect(usualMs).toBe(Infinity)
    expect(tookMs).toBe(when ?? usualMs)
  })

  test('a connection whose stream was asked to wait polls in the meantime', async () => {
    const of = stage()
    await states['polling, and asked not to open a stream'](of)
    expect([of.connection.link.state, of.polls.length]).toEqual(['polling', 1])
    expect(await nextStreamMs(of, 2)).toBeGreaterThanOrEqual(askedMs)
  })

  test('a wait that a lock ends counts the failures on, so that polls are tried after the third', async () => {
    const of = stage()
    of.connection.connect()
    for (let nth = 0; nth < 3; nth++) {
      expect(of.polls).toHaveLength(0)
      await ending(of, cut('502'))
      of.connection.endWait()
    }
    expect([of.connection.link.state, of.polls.length]).toEqual(['polling', 1])
  })

  test('a server that accepts a stream again no longer asks for a wait', async () => {
    const of = stage()
    await states['waiting as the server asked'](of)
    of.connection.connect()
    of.streams.at(-1)!.event('epochepoch1.1', hello)
    of.connection.renew()
    expect(of.streams).toHaveLength(3)
  })
})
