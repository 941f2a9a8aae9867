import { LocationError, type PostOutcome } from 'hereabouts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Failure } from '../../../src/client/connection/failure.js'
import {
  again,
  answered,
  heartbeatReceived,
  dueAt,
  forgotten,
  emptyOutbox,
  failed,
  hastened,
  rekeyed,
  replaced,
  sent,
  written,
  type Outbox,
} from '../../../src/client/outbox/outbox.js'
import type { RoomTypesWith } from 'hereabouts'

const postMs = 50
const moment = (now: number, random = 0.5) => ({ now, random, beatMs: 10_000 })
const network: Failure = { error: new LocationError('network', 'no answer'), retry: true }
const refusal = (code: LocationError['code']): Failure => ({ error: new LocationError(code, 'refused'), retry: false })

type Box = Outbox<RoomTypesWith<{ location: number }>>
const box = (...locations: number[]): Box =>
  locations.reduce<Box>((box, location) => written(box, { location }), emptyOutbox)
const posting = (of: Box, now = 0) => sent(of, now)
const applied = (of: Box, now = 0) => answered(of, { outcome: 'applied', seq: of.seq }, moment(now))
const due = (of: Box) => dueAt(of, postMs)

describe('the outbox', () => {
  test('the outbox sends nothing until the app sets a state', () => {
    expect(due(emptyOutbox)).toBeNull()
    expect(due(heartbeatReceived(emptyOutbox))).toBeNull()
  })

  test('the outbox sends only the newest state', () => {
    expect(posting(box(1, 2, 3)).inFlight).toMatchObject({ draft: { location: 3 }, seq: 1 })
  })

  test('the outbox sends no post while another one is in flight', () => {
    const busy = written(posting(box(1)), { location: 2 })
    expect(due(busy)).toBeNull()
    expect(due(applied(busy, 20))).toBe(postMs)
  })

  const busy: Failure = {
    error: new LocationError('rate-limited', 'Too many posts.', { retryAfterMs: 60_000 }),
    retry: true,
  }
  const causes: Record<string, (of: Box) => Box> = {
    'a newer location': (of) => written(of, { location: 2 }),
    'a heartbeat': (of) => hastened(heartbeatReceived(of)),
    'a sign of life': hastened,
    'a post that may hang': replaced,
    'a server that lost its state': (of) => forgotten(of, moment(0)),
    'a page that is shown again': (of) => hastened(again(of)),
    'a new key': rekeyed,
  }
  test.each(Object.keys(causes))('%s does not end the wait that the server asked for after a post', (cause) => {
    const waiting = causes[cause]!(failed(posting(box(1)), busy, moment(0)))
    expect(due(waiting)).toBe(60_000)
    const answer = applied(posting(waiting, 60_000), 60_010)
    // What the server asked for before does not delay the posts after it.
    expect(due(hastened(written(answer, { location: 3 })))).toBe(60_050)
  })

  test.each(['a heartbeat', 'a sign of life', 'a page that is shown again'])(
    '%s ends the own wait of the outbox',
    (cause) => {
      const waiting = failed(failed(posting(box(1)), network, moment(0)), network, moment(0, 0.99))
      expect(due(causes[cause]!(waiting))).toBeLessThanOrEqual(postMs)
    },
  )

  test('the outbox waits `presenceMs` before a post that changes only the presence value, and `postMs` before any other', () => {
    const dueWith = (of: Box) => dueAt(of, postMs, 100)
    const draft = { location: 1 }
    const presenceOnly = written(applied(posting(box(1))), draft, false)
    expect(dueWith(presenceOnly)).toBe(100)
    expect(dueWith(written(presenceOnly, { location: 2 }))).toBe(postMs)
    expect(dueWith(written(written(presenceOnly, { location: 2 }), { location: 2 }, false))).toBe(postMs)
    // The draft changes only the presence value, but the post before it, with the location, was not acknowledged.
    const unanswered = written(posting(box(1)), draft, false)
    expect(dueWith(failed(unanswered, network, moment(0, 0)))).toBeLessThan(100)
  })

  test('the outbox waits as long as a busy room asked for before a post, but not before a renewal', () => {
    const idle = applied(posting(box(1)))
    expect(dueAt(written(idle, { location: 2 }), postMs, 100, 250)).toBe(250)
    expect(dueAt(written(idle, { location: 1 }, false), postMs, 100, 250)).toBe(250)
    expect(dueAt(written(idle, { location: 2 }), postMs, 100, 10)).toBe(postMs)
    expect(dueAt({ ...idle, renewing: true }, postMs, 100, 250)).toBe(postMs)
  })

  test('the outbox sends nothing once everything is acknowledged', () => {
    expect(due(applied(posting(box(1))))).toBeNull()
  })

  test('the outbox retries an unchanged state with the same seq, and sends a changed state with the next seq', () => {
    const lost = failed(posting(box(1)), network, moment(0))
    expect(posting(lost).inFlight).toMatchObject({ seq: 1 })
    expect(posting(written(lost, { location: 2 })).inFlight).toMatchObject({ seq: 2 })
  })

  test('the outbox doubles its backoff while posts get no answer, and `hastened` ends the wait', () => {
    let lost = posting(box(1))
    const waits = []
    for (let i = 0; i < 4; i++) {
      lost = failed(lost, network, moment(1000))
      waits.push(due(lost)! - 1000)
      lost = posting(lost)
    }
    expect(waits).toEqual([250, 500, 1000, 2000])
    // It is due at once.
    expect(due(hastened(failed(lost, network, moment(1000))))).toBe(1000)
  })

  test('the outbox waits for the retry delay that the server asks for', () => {
    const error = new LocationError('rate-limited', 'too many', { retryAfterMs: 9000 })
    expect(due(failed(posting(box(1)), { error, retry: true }, moment(0)))).toBe(9000)
  })
})

describe('an answer to a post', () => {
  test('`stale` makes the outbox send the state again with a seq above that of the server', () => {
    const told = answered(posting(box(1)), { outcome: 'stale', seq: 7 }, moment(0))
    expect(posting(told).inFlight).toMatchObject({ seq: 8, draft: { location: 1 } })
  })

  test('`stale` as the answer to a renewal makes no further post due', () => {
    const renewing = posting(heartbeatReceived(heartbeatReceived(applied(posting(box(1))))))
    expect(due(answered(renewing, { outcome: 'stale', seq: 7 }, moment(0)))).toBeNull()
  })

  test('`expired` makes the outbox post again with the next seq', () => {
    const renewing = posting(heartbeatReceived(heartbeatReceived(applied(posting(box(1))))))
    expect(renewing.inFlight).toMatchObject({ seq: 1 })
    const told = answered(renewing, { outcome: 'expired', seq: 1 }, moment(0))
    expect(posting(told).inFlight).toMatchObject({ seq: 2 })
  })

  test('`left` makes the outbox begin again at seq 1', () => {
    const told = answered(posting(applied(posting(box(1, 2)))), { outcome: 'left', seq: 5 }, moment(0))
    expect(posting(again(told)).inFlight).toMatchObject({ seq: 1 })
  })

  test('the first `expired` answer is retried at once, and further ones in a row with backoff', () => {
    let told = posting(box(1))
    const waits = []
    for (let i = 0; i < 5; i++) {
      told = answered(told, { outcome: 'expired', seq: told.seq }, moment(1e6, 0.999))
      waits.push(Math.max(0, Math.round(due(told)! - 1e6)))
      told = posting(told, 1e6 - 100)
    }
    expect(waits).toEqual([0, 500, 999, 1998, 3996])
  })
})

describe('a post that fails', () => {
  test('the first failure sets the error only after the post has hung for two seconds', () => {
    expect(failed(posting(box(1)), network, moment(2_000)).error).toBeNull()
    expect(failed(posting(box(1)), network, moment(2_001)).error).toBe(network.error)
  })
})

describe('a refused post', () => {
  test('a refused post is dropped, and the state that the room shows is kept', () => {
    const shown = applied(posting(box(1)))
    const refused = failed(posting(written(shown, { location: 2 })), refusal('bad-input'), moment(0))
    expect(refused).toMatchObject({ newest: { location: 1 }, refusal: { edition: 2, error: { code: 'bad-input' } } })
    expect(due(refused)).toBeNull()
    expect(posting(heartbeatReceived(heartbeatReceived(refused))).inFlight).toMatchObject({ draft: { location: 1 } })
  })

  test('a refused post does not drop a newer state', () => {
    const newer = written(posting(box(1)), { location: 2 })
    expect(posting(failed(newer, refusal('bad-input'), moment(0))).inFlight).toMatchObject({ draft: { location: 2 } })
  })

  test('a refused post of the state that the room already shows ends the renewals', () => {
    const renewing = posting(heartbeatReceived(heartbeatReceived(applied(posting(box(1))))))
    const refused = failed(renewing, refusal('forbidden'), moment(0))
    expect(due(heartbeatReceived(heartbeatReceived(refused)))).toBeNull()
  })

  test.each(['unauthorized', 'connection-owned'] as const)(
    'a refused post is retried once when the code is %s',
    (code) => {
      const once = failed(posting(box(1)), refusal(code), moment(0))
      expect(once.refusal).toBeNull()
      expect(due(once)).toBe(postMs)
      expect(failed(posting(once), refusal(code), moment(0)).refusal).toMatchObject({ error: { code } })
    },
  )
})

describe('a heartbeat', () => {
  test('a heartbeat makes the outbox post the last state again with the same seq', () => {
    const quiet = heartbeatReceived(heartbeatReceived(applied(posting(box(1)))))
    expect(due(quiet)).toBe(postMs)
    expect(posting(quiet).inFlight).toMatchObject({ draft: { location: 1 }, seq: 1 })
  })

  test('a heartbeat makes the outbox post once', () => {
    const renewed = applied(posting(heartbeatReceived(heartbeatReceived(applied(posting(box(1)))))))
    expect(due(renewed)).toBeNull()
  })

  test('a heartbeat makes no post due when a post was acknowledged since the previous heartbeat', () => {
    expect(due(heartbeatReceived(applied(posting(box(1)))))).toBeNull()
  })

  test('a renewal that got no answer is sent again with the same seq', () => {
    const lost = failed(posting(heartbeatReceived(heartbeatReceived(applied(posting(box(1)))))), network, moment(0))
    expect(posting(lost).inFlight).toMatchObject({ seq: 1 })
  })
})

/** Arbitrary sequences of events for a client and a server that follows the rules of a room. */
type Step = { kind: 'say' | 'beat' | 'lose request' | 'lose reply' | 'answer' | 'expire' | 'wake'; value: number }
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom<Step['kind']>('say', 'say', 'beat', 'lose request', 'lose reply', 'answer', 'expire', 'wake'),
    value: fc.nat(9),
  }),
  { maxLength: 60 },
)

class Server {
  seq = 0
  location: number | null = null
  live = true

  take({ seq, draft }: NonNullable<Box['inFlight']>): { outcome: PostOutcome; seq: number } {
    if (seq < this.seq) return { outcome: 'stale', seq: this.seq }
    if (seq === this.seq) return { outcome: this.live ? 'same' : 'expired', seq }
    Object.assign(this, { seq, live: true, location: draft.location })
    return { outcome: 'applied', seq }
  }
}

describe('laws of the outbox', () => {
  test('after any sequence of events, the server has the newest state, the client is present, and seq never decreased', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const server = new Server()
        let now = 0
        let box: Box = emptyOutbox
        const step = (next: Box) => {
          expect(next.seq).toBeGreaterThanOrEqual(box.seq)
          box = next
        }
        const post = () => {
          const at = due(box)
          if (at === null) return
          expect(box.inFlight).toBeNull()
          now = Math.max(now, at)
          expect(now - box.sentAt).toBeGreaterThanOrEqual(postMs)
          const { newest, seq, posted, edition } = box
          step(sent(box, now))
          expect(box.inFlight).toMatchObject({ draft: newest, seq: posted === edition ? seq : seq + 1 })
        }
        const answer = () => {
          if (box.inFlight) step(answered(box, server.take(box.inFlight), moment(now)))
        }
        for (const { kind, value } of history) {
          now += value * 10
          post()
          if (kind === 'say') step(written(box, { location: value }))
          if (kind === 'beat') step(heartbeatReceived(box))
          if (kind === 'answer') answer()
          if (kind === 'expire') server.live = false
          if (kind === 'wake') step(hastened(again(box)))
          if (kind === 'lose reply' && box.inFlight) server.take(box.inFlight)
          if (kind.startsWith('lose')) step(failed(box, network, moment(now)))
        }
        // From here on every message arrives, and two heartbeats follow.
        for (let i = 0; i < 12; i++) {
          answer()
          if (i === 4 || i === 8) step(heartbeatReceived(box))
          post()
        }
        expect(box.acked).toBe(box.newest ? box.edition : box.acked)
        expect(due(box)).toBeNull()
        if (box.newest) expect(server).toMatchObject({ location: box.newest.location, live: true })
      }),
    )
  })

  test('a new key posts the newest state with seq 1', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { minLength: 1 }), (said) => {
        expect(posting(rekeyed(posting(box(...said)))).inFlight).toMatchObject({
          seq: 1,
          draft: { location: said.at(-1) },
        })
      }),
    )
  })

  test('after a room lost its state, each client posts again at a random time within a tenth of a heartbeat interval', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (random) => {
        const told = applied(posting(box(1)))
        expect(due(told)).toBeNull()
        const dueMs = due(forgotten(told, moment(5_000, random)))!
        expect(dueMs).toBeGreaterThanOrEqual(5_000)
        expect(dueMs).toBeLessThan(6_000)
        // The state that the server acknowledged keeps its seq.
        expect(posting(forgotten(told, moment(5_000, random))).seq).toBe(told.seq)
      }),
    )
  })
})
