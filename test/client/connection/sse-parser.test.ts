import { createParser } from 'eventsource-parser'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventStream, type Message } from '../../../src/client/connection/sse-parser.js'
import { checkLength } from '../../../src/client/connection/wire-limits.js'

const messagesOf = (...texts: string[]) => {
  const messages: Message[] = []
  texts.forEach(eventStream((message) => messages.push(message), checkLength))
  return messages
}
const theirs = (text: string) => {
  const messages: [string, string][] = []
  createParser({ onEvent: ({ event = 'message', data }) => messages.push([event, data]) }).feed(text)
  return messages
}
/** Irregular streams: every kind of line with every kind of line ending. */
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

test('our parser and eventsource-parser give the same messages', () => {
  fc.assert(
    fc.property(text, (text) => {
      expect(messagesOf(text).map(({ type, data }) => [type, data])).toEqual(theirs(text))
    }),
  )
})

test('the messages do not depend on where the stream is cut into pieces', () => {
  fc.assert(
    fc.property(text, fc.array(fc.nat(400)), (text, cuts) => {
      const at = [0, ...cuts.filter((cut) => cut < text.length).toSorted((a, b) => a - b), text.length]
      const pieces = at.slice(1).map((end, i) => text.slice(at[i], end))
      expect(messagesOf(...pieces)).toEqual(messagesOf(text))
    }),
  )
})

test('an event id applies to all messages until the next id, and an id with a NULL character is ignored', () => {
  const ids = messagesOf('id: 1\n\ndata: a\n\ndata: b\n\nid: 2\0\ndata: c\n\nid\ndata: d\n\n').map(
    (each) => each.lastEventId,
  )
  expect(ids).toEqual(['1', '1', '1', ''])
})

test('an event without a final blank line is discarded', () => {
  expect(messagesOf('data: a\n\ndata: b\n')).toMatchObject([{ data: 'a' }])
})

test('a line of 8 MB in 100,000 pieces is parsed in linear time, within 2 s', () => {
  const feed = eventStream(() => {}, checkLength)
  const startedAt = performance.now()
  for (let i = 0; i < 100_000; i++) feed('x'.repeat(80))
  expect(performance.now() - startedAt).toBeLessThan(2_000)
})
