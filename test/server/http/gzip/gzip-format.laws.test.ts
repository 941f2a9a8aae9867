import { constants, crc32, gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { combined, shiftOf } from '../../../../src/server/http/gzip/crc32-combine.js'
import {
  Checksum,
  deflated,
  header,
  stored,
  windowBytes,
  type Part,
} from '../../../../src/server/http/gzip/gzip-format.js'

/* A gzip stream that is spliced from parts is valid for every gzip decoder. */

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const words = fc.array(fc.constantFrom('{"connectionId":"', 'x', '1', '7', ',"location":', 'größer', '\n')).map((each) => Buffer.from(each.join(''))) // prettier-ignore
const text = fc.oneof(bytes, words)

/** Returns the bytes of a gzip stream made of these parts. */
function spliced(parts: Part[]) {
  const checksum = new Checksum()
  for (const { sum } of parts) checksum.add(sum)
  return Buffer.concat([header.body, ...parts.map(({ body }) => body), checksum.trailer().body])
}
const soFar = { finishFlush: constants.Z_SYNC_FLUSH }

describe('a checksum', () => {
  test('the checksum of two concatenated texts is computed from the checksums of both', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(combined(crc32(a), crc32(b), shiftOf(b.length))).toBe(crc32(Buffer.concat([a, b])))
      }),
    )
  })

  test('shifting a checksum by two lengths in turn equals shifting it by their sum, for lengths up to 2^40 bytes', () => {
    const length = fc.integer({ min: 0, max: 2 ** 40 })
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), length, length, (crc, m, n) => {
        expect(combined(combined(crc, 0, shiftOf(m)), 0, shiftOf(n))).toBe(combined(crc, 0, shiftOf(m + n)))
      }),
    )
  })
})

describe('parts of a gzip stream', () => {
  const made = fc.tuple(text, fc.boolean()).map(([each, isDeflated]) => ({
    text: each,
    part: isDeflated ? deflated(each) : stored(each),
  }))

  test('parts of a gzip stream in any order form a gzip stream with a valid checksum', () => {
    fc.assert(
      fc.property(fc.array(made), (all) => {
        const whole = Buffer.concat(all.map((each) => each.text))
        expect(gunzipSync(spliced(all.map(({ part }) => part)))).toEqual(whole)
      }),
    )
  })

  test('a gzip stream that is cut off after any of its parts decodes to everything that was sent before', () => {
    fc.assert(
      fc.property(fc.array(made), fc.nat(), (all, cut) => {
        const sent = all.slice(0, cut % (all.length + 1))
        const body = Buffer.concat([header.body, ...sent.map(({ part }) => part.body)])
        expect(gunzipSync(body, soFar)).toEqual(Buffer.concat(sent.map((each) => each.text)))
      }),
    )
  })

  test('a part of a gzip stream that is deflated with earlier text as its dictionary decodes to its own text', () => {
    fc.assert(
      fc.property(fc.array(text), text, text, (before, history, last) => {
        const parts = [...before.map((each) => deflated(each)), stored(history), deflated(last, history)]
        expect(gunzipSync(spliced(parts))).toEqual(Buffer.concat([...before, history, last]))
      }),
    )
  })

  test('a part of a gzip stream may use a dictionary of windowBytes, the largest that deflate can reach', () => {
    const far = Buffer.from(Array.from({ length: windowBytes }, (_, i) => (i * i * 31) >> 5))
    expect(gunzipSync(spliced([stored(far), deflated(far, far)]))).toEqual(Buffer.concat([far, far]))
  })

  test('a stored part of a gzip stream may be longer than one deflate block of 65,535 bytes', () => {
    for (const length of [0, 1, 65_534, 65_535, 65_536, 200_000]) {
      const long = Buffer.alloc(length, 'long ')
      expect(gunzipSync(spliced([stored(long), stored(Buffer.from('end'))])).length).toBe(length + 3)
    }
  })

  test('each part of a gzip stream is also an HTTP chunk with the same bytes', () => {
    const { body, chunk } = deflated(Buffer.from('one, and one, and one'))
    expect(Buffer.from(chunk).toString('latin1')).toBe(
      `${body.length.toString(16)}\r\n${Buffer.from(body).toString('latin1')}\r\n`,
    )
  })
})

test('a stream without parts is a valid gzip stream', () => {
  expect(gunzipSync(spliced([]))).toEqual(Buffer.alloc(0))
})
