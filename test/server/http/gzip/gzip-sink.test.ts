import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { GzipReader } from '../../../../src/server/http/gzip/shared-deflate.js'
import { GzipSink } from '../../../../src/server/http/gzip/gzip-sink.js'
import { encodeEvent, type Encoded } from '../../../../src/server/rooms/sse-encoding.js'
import { GzipTestSink } from '../../../support/test-sink.js'
import { until } from '../../../support/until.js'

/* Checks the bytes that gzip readers are sent: each reader in its own order, all from the same parts. */

const room: GzipReader['room'] = {
  wakeLater(waiting) {
    for (const each of waiting) each.wake()
  },
}

function reader(where = room) {
  const out = new GzipTestSink()
  return { out, sink: new GzipSink(out, where) }
}

const ids = Array.from({ length: 40 }, (_, i) => Buffer.from(`${i * 7_919 + 1e12}${i * 104_729}`).toString('base64url'))
let version = 1e15
/** Returns a frame with this number of moves: 1 is small, 10 are part of the dictionary sequence, 1,000 are large. */
function frame(moves: number): Encoded {
  version += 1
  const changed = Array.from({ length: moves }, (_, i) => ({ connectionId: ids[(i + version) % 40], at: version }))
  return encodeEvent(`data: ${JSON.stringify({ type: 'changes', changed })}\nid: ${version}\n\n\n`, true)
}
const beat = () => encodeEvent(`data: {"type":"beat","count":3}\nid: ${version}\n\n\n`)
const textOf = ({ body }: Encoded) => Buffer.from(body).toString()
const large = 2_000

describe('compressed readers', () => {
  test('compressed readers decode exactly what each of them was sent, in any order of events', () => {
    const who = fc.nat(3)
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ moves: fc.constantFrom(1, 5, 20, 30, 200), but: fc.option(who) }) },
      fc.record({ beat: who }),
      fc.record({ merged: who }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const readers = Array.from({ length: 4 }, () => ({ ...reader(), heard: '' }))
        const send = (nth: number, encoded: Encoded) => {
          readers[nth]!.sink.write(encoded)
          readers[nth]!.heard += textOf(encoded)
        }
        for (const each of steps) {
          if ('beat' in each) send(each.beat, beat())
          else if ('merged' in each) send(each.merged, frame(25))
          else {
            const shared = frame(each.moves)
            for (const nth of readers.keys()) if (nth !== each.but) send(nth, shared)
          }
        }
        for (const { sink } of readers) sink.end()
        expect(readers.map(({ out }) => out.text)).toEqual(readers.map(({ heard }) => heard))
      }),
      { numRuns: 200 },
    )
  })

  test('compressed readers that were sent the same events share the same compressed bytes', () => {
    const [a, b] = [reader(), reader()]
    for (const moves of [1, 20, 20, 30, 5, 30])
      for (const shared of [frame(moves)]) for (const { sink } of [a, b]) sink.write(shared)
    expect(a.out.parts.length).toBe(7)
    for (const [nth, part] of a.out.parts.entries()) expect(b.out.parts[nth]).toBe(part)
  })

  test('a compressed reader that was sent an event of its own shares bytes with the others again after enough frames', () => {
    const [first, other] = [reader(), reader()]
    const send = () => {
      const shared = frame(30)
      for (const { sink } of [first, other]) sink.write(shared)
      return first.out.parts.at(-1) === other.out.parts.at(-1)
    }
    expect([send(), send()]).toEqual([true, true])
    other.sink.write(beat())
    const same = Array.from({ length: 60 }, send)
    expect(same[0]).toBe(false)
    expect(same.at(-1)).toBe(true)
    expect(first.out.parts.at(-1)!.length * 4).toBeLessThan(frame(30).body.length)
    for (const { out, sink } of [first, other]) {
      sink.end()
      expect(out.text.match(/\nid: /g)).toHaveLength(out === first.out ? 62 : 63)
    }
  })
})

test('a frame is compressed with several earlier frames as its dictionary, which holds the last moves of its members', () => {
  const { out, sink } = reader()
  // Forty members move in turn, ten in each frame.
  const sizes = Array.from({ length: 8 }, () => {
    const members = ids.splice(0, 10)
    ids.push(...members)
    const changed = members.map((connectionId) => ({ connectionId, location: { row: 4 }, at: 1, text: 'x'.repeat(40) }))
    sink.write(encodeEvent(`data: ${JSON.stringify({ type: 'changes', changed })}\n\n\n`, true))
    return out.parts.at(-1)!.length
  })
  for (const size of sizes.slice(4)) expect(size).toBeLessThan(sizes[1]! / 2)
})

describe('a large frame', () => {
  test('a large frame is compressed in the background, once for all readers that wait, and no event overtakes it', async () => {
    let wakes = 0
    const counting: typeof room = {
      wakeLater(waiting) {
        wakes += 1
        room.wakeLater(waiting)
      },
    }
    const readers = Array.from({ length: 3 }, () => reader(counting))
    const shared = frame(large)
    const drained: number[] = []
    for (const [nth, { sink }] of readers.entries()) {
      sink.onDrain = () => drained.push(nth)
      expect(sink.write(shared)).toBe(false)
    }
    // While the frame is being compressed, a stall report and a drain of earlier bytes have no effect.
    readers[0]!.sink.onStall = () => drained.push(-1)
    readers[0]!.out.onStall()
    readers[0]!.out.onDrain()
    expect(readers[0]!.out.parts).toHaveLength(1)
    expect(drained).toEqual([])
    await until('all readers have the frame', () => drained.length === 3)
    expect(drained).toEqual([0, 1, 2])
    expect(wakes).toBe(1)
    for (const { out } of readers) {
      expect(out.text).toBe(textOf(shared))
      expect(out.parts[1]).toBe(readers[0]!.out.parts[1])
    }
    const late = reader()
    expect(late.sink.write(shared)).toBe(true)
    expect(late.out.parts[1]).toBe(readers[0]!.out.parts[1])
    // Readers that have the large frame are sent the next frame at once.
    const next = frame(20)
    for (const { sink, out } of [...readers, late]) {
      expect(sink.write(next)).toBe(true)
      sink.end()
      expect(out.text).toBe(textOf(shared) + textOf(next))
    }
  })

  test('a large frame that fills its socket reports a drain only when the socket has drained', async () => {
    const { out, sink } = reader()
    let drains = 0
    sink.onDrain = () => (drains += 1)
    out.isFull = true
    sink.write(frame(large))
    await until('the large frame is sent', () => out.parts.length === 2)
    expect(drains).toBe(0)
    out.onDrain()
    expect(drains).toBe(1)
  })

  test('a large frame is not sent to readers that ended, were cut or disconnected while it was compressed', async () => {
    const [ended, cut, gone, last] = [reader(), reader(), reader(), reader()]
    const shared = frame(large)
    for (const { sink } of [ended, cut, gone, last]) sink.write(shared)
    ended.sink.end()
    cut.sink.destroy()
    gone.sink.close()
    await until('the last reader has the frame', () => last.out.parts.length === 2)
    expect([ended.out.state, cut.out.state]).toEqual(['ended', 'cut'])
    expect(ended.out.text).toBe('')
    for (const { out } of [cut, gone]) expect(out.parts).toHaveLength(1)
  })

  test('a large frame that is being compressed for one reader does not delay other readers', async () => {
    const [waiting, other] = [reader(), reader()]
    waiting.sink.write(frame(large))
    const small = frame(20)
    expect(other.sink.write(small)).toBe(true)
    expect(other.out.text).toBe(textOf(small))
    await until('the large frame is sent', () => waiting.out.parts.length === 2)
  })
})

describe('an event for a single reader', () => {
  test('an event for a single reader is not compressed, however long it is', () => {
    const { out, sink } = reader()
    const secret = JSON.stringify({ reason: 'because '.repeat(100) })
    sink.write(encodeEvent(secret))
    expect(Buffer.from(out.parts[1]!).includes(secret)).toBe(true)
    sink.end()
    expect(out.text).toBe(secret)
  })

  test('an event for a single reader is not part of the dictionary of later frames', () => {
    const own = Array.from({ length: 300 }, (_, i) => `secret-${i * i}`).join()
    const sizeAfter = (before: Encoded[]) => {
      const { out, sink } = reader()
      for (const each of before) sink.write(each)
      sink.write(encodeEvent(own, true))
      return out.parts.at(-1)!.length
    }
    expect(sizeAfter([encodeEvent(own)])).toBe(sizeAfter([]))
    expect(sizeAfter([encodeEvent(own, true)])).toBeLessThan(sizeAfter([]) / 4)
  })
})
