import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BroadcastRing, ringSize, type RingReader } from '../../../src/server/rooms/broadcast-ring.js'

const broadcast = (n: number, to: string | null = null, size = 0) => ({
  id: String(n),
  item: { name: 'note', payload: `${n} ${'-'.repeat(size)}`, connectionId: null, memberId: null, at: 1, after: 0 },
  to,
  epoch: 'e',
})
const reader = (member: string | null): RingReader => ({ id: 'e.1', version: 1, isFor: (to) => to === member })

/** Takes everything that the ring has for a reader. Returns the numbers of the broadcasts, and how many were lost. */
function taken(ring: BroadcastRing, from: number, who: RingReader) {
  const numbers: number[] = []
  let cursor = from
  let lost = 0
  let frames = 0
  while (cursor !== ring.end) {
    const next = ring.take(cursor, who)
    expect(next.cursor).toBeGreaterThan(cursor)
    lost += next.lost
    frames += 1
    cursor = next.cursor
    if (next.frame?.event.type === 'broadcast')
      numbers.push(...next.frame.event.items.map(({ payload }) => parseInt(payload as string, 10)))
  }
  return { numbers, cursor, lost, frames }
}

describe('the ring of broadcasts', () => {
  const step = fc.record({
    to: fc.array(fc.constantFrom(null, null, 'ada', 'bob'), { maxLength: 300 }),
    reads: fc.constantFrom('nobody', 'ada', 'bob', 'eve'),
  })

  test('law: a reader of any speed gets, in order and once each, those of the newest 256 broadcasts that are for that reader', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.integer({ min: 500, max: 20_000 }), (steps, eventBytes) => {
        const ring = new BroadcastRing(eventBytes)
        const all: (string | null)[] = []
        const cursors = new Map([
          ['ada', 0],
          ['bob', 0],
          ['eve', 0],
        ])
        for (const { to, reads } of steps) {
          for (const one of to) ring.push(broadcast(all.push(one) - 1, one))
          const cursor = cursors.get(reads)
          if (cursor === undefined) continue
          const first = Math.max(cursor, all.length - ringSize)
          const own = all.flatMap((one, n) => (n >= first && (one === null || one === reads) ? [n] : []))
          const got = taken(ring, cursor, reader(reads))
          expect(got.numbers).toEqual(own)
          expect(got.lost).toBe(first - cursor)
          cursors.set(reads, got.cursor)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('a reader that is more than 256 broadcasts behind gets the newest 256, and the number of lost broadcasts', () => {
    const ring = new BroadcastRing(1e9)
    for (let n = 0; n < 3 * ringSize + 7; n++) ring.push(broadcast(n))
    const { numbers, lost } = taken(ring, 5, reader(null))
    expect(numbers).toEqual(Array.from({ length: ringSize }, (_, i) => 2 * ringSize + 7 + i))
    expect(lost).toBe(2 * ringSize + 2)
  })

  test('a broadcast event exceeds its size limit only when it contains a single broadcast', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 300, max: 4_000 }),
        (sizes, eventBytes) => {
          const ring = new BroadcastRing(eventBytes)
          sizes.forEach((size, n) => ring.push(broadcast(n, null, size)))
          for (let cursor = 0; cursor !== ring.end;) {
            const { frame, cursor: next } = ring.take(cursor, reader(null))
            const bytes = frame!.encoded({ serialize: (value) => value }).body.length
            if (next - cursor > 1) expect(bytes).toBeLessThanOrEqual(eventBytes)
            cursor = next
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  test('readers with the same cursor share one frame until the room has a new event id or the ring a new broadcast', () => {
    const ring = new BroadcastRing(65_536)
    ring.push(broadcast(0))
    const { frame } = ring.take(0, reader(null))
    expect(ring.take(0, reader('ada')).frame).toBe(frame)
    expect(ring.take(0, { ...reader(null), id: 'e.2' }).frame).not.toBe(frame)
    expect(ring.take(0, { ...reader(null), id: 'e.2' }).frame!.id).toBe('e.2')
    ring.push(broadcast(1))
    expect(ring.take(0, reader(null)).frame).not.toBe(frame)
  })
})
