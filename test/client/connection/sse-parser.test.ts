import { createParser } from 'eventsource-parser'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventStream, type Message } from '../../../src/client/connection/sse-parser.js'

const messagesOf = (...texts: string[]) => {
  const messages: Message[] = []
  texts.forEach(eventStream((message) => messages.push(message)))
  return messages
}
const theirs = (text: string) => {
  const messages: [string, string][] = []
  createParser({ onEvent: ({ event = 'message', data }) => messages.push([event, data]) }).feed(text)
  return messages
}
/** Streams as they should not be: every line there may be, and every end of a line. */
const lines = fc.constantFrom(
  'data',
  'data:',
  'data: a',
  'data:  b',
  'event: x',
  'event:',
  ': c',
  'id: 1',
  'retry: 9',
  'né: 😀',
  '',
)
const text = fc
  .array(fc.tuple(lines, fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 40 })
  .map((parts) => parts.map((part) => part.join('')).join('') + 'data: z\n\n')

test('a stream means the same to us as to eventsource-parser', () => {
  fc.assert(
    fc.property(text, (text) => {
      expect(messagesOf(text).map(({ type, data }) => [type, data])).toEqual(theirs(text))
    }),
  )
})

test('it makes no difference where a stream is cut into pieces', () => {
  fc.assert(
    fc.property(text, fc.array(fc.nat(400)), (text, cuts) => {
      const at = [0, ...cuts.filter((cut) => cut < text.length).toSorted((a, b) => a - b), text.length]
      const pieces = at.slice(1).map((end, i) => text.slice(at[i], end))
      expect(messagesOf(...pieces)).toEqual(messagesOf(text))
    }),
  )
})

test('the id lasts until the next one, and one with a NULL is none', () => {
  const ids = messagesOf('id: 1\n\ndata: a\n\ndata: b\n\nid: 2\0\ndata: c\n\nid\ndata: d\n\n').map(
    (each) => each.lastEventId,
  )
  expect(ids).toEqual(['1', '1', '1', ''])
})

test('what is not ended by a blank line is no event', () => {
  expect(messagesOf('data: a\n\ndata: b\n')).toMatchObject([{ data: 'a' }])
})
