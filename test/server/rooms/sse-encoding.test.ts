import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeEvent } from '../../../src/server/rooms/sse-encoding.js'
import { dechunked } from '../../support/network/raw-client.js'

const text = fc.string({ unit: 'binary' })
const lastChunk = Buffer.from('0\r\n\r\n')

describe('an encoded event', () => {
  test('decoding the HTTP chunks of encoded events gives back their text', () => {
    fc.assert(
      fc.property(fc.array(text), (texts) => {
        const chunks = texts.map((each) => encodeEvent(each).chunk)
        // An empty chunk would end the body (RFC 9112 §7.1), so empty events are left out.
        const { body, isWhole } = dechunked(Buffer.concat([...chunks.filter(({ length }) => length > 5), lastChunk]))
        expect(body.toString()).toBe(Buffer.from(texts.join('')).toString())
        expect(isWhole).toBe(true)
      }),
    )
  })

  test('the body of an encoded event is a part of the buffer of its HTTP chunk', () => {
    fc.assert(
      fc.property(text, (each) => {
        const { body, chunk } = encodeEvent(each)
        expect(Buffer.from(body).equals(Buffer.from(each))).toBe(true)
        expect(body.buffer).toBe(chunk.buffer)
        expect(body.byteOffset).toBeGreaterThan(chunk.byteOffset)
        expect(body.byteOffset + body.length).toBe(chunk.byteOffset + chunk.length - 2)
      }),
    )
  })
})
