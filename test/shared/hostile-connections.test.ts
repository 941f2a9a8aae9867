import { describe, expect, test } from 'vitest'
import type { LocationEvent } from '../../src/shared/events.js'
import { applyEvent, View } from '../../src/shared/view.js'

const ada = { connectionId: 'a', memberId: 'ada', profile: null, location: null, activity: 'active', at: 1 } as const
const notConnections: [string, unknown][] = [
  ['a string', 'x'],
  ['a number', 7],
  ['a list', []],
  ['an object without ids', {}],
  ['a connection whose memberId is a list', { ...ada, connectionId: 'b', memberId: ['bo'] }],
  ['a connection without a memberId', { ...ada, connectionId: 'b', memberId: undefined }],
]
const viewOfAda = () => {
  const view = new View()
  applyEvent(view, 'epochepoch1.1', { type: 'snapshot', connections: [ada] })
  return view
}

describe.each(notConnections)('a view given %s as a connection', (_, value) => {
  test.each<[string, unknown]>([
    ['a snapshot', { type: 'snapshot', connections: [ada, value] }],
    ['the members who entered', { type: 'changes', from: 'epochepoch1.1', entered: [value] }],
  ])('a view contains only valid connections after an invalid value came in %s', (_where, event) => {
    const view = viewOfAda()
    try {
      applyEvent(view, 'epochepoch1.2', event as LocationEvent)
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(TypeError)
    }
    expect([...view.connections.keys()]).toEqual(['a'])
  })
})

test('a view throws when the list of connections is a text, and keeps no connection', () => {
  const view = new View()
  const event = { type: 'snapshot', connections: 'x' } as unknown as LocationEvent
  expect(() => applyEvent(view, 'epochepoch1.1', event)).toThrow(TypeError)
  expect(view.connections.size).toBe(0)
})
