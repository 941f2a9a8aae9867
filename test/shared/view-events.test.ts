import { applyEvent, forgetStale, View, type Connection, type LocationEvent } from 'hereabouts'
import { describe, expect, test } from 'vitest'

/* Tests events with effects that our own server never causes, but another server or a proxy may. */

const connection = (connectionId: string, at = 1, more: object = {}): Connection =>
  ({ connectionId, memberId: 'ada', profile: null, location: 'A1', seq: 1, at, ...more }) as unknown as Connection
const snapshot = (...connections: Connection[]) => ({ type: 'snapshot', connections }) as LocationEvent
const changes = (from: string, more: object) => ({ type: 'changes', from, ...more }) as LocationEvent
const id = (version: number, epoch = 'epoch-aaaaa') => `${epoch}.${version}`

function viewOf(...connections: Connection[]) {
  const view = new View()
  expect(applyEvent(view, id(5), snapshot(...connections)).outcome).toBe('shown')
  return view
}
const shiftsOf = (applied: ReturnType<typeof applyEvent>) => {
  if (applied.outcome !== 'shown') throw new Error(`the event was ${applied.outcome}`)
  return applied.shifts
}

describe('a heartbeat', () => {
  test('a view without a snapshot ignores a heartbeat, whatever its count and digest are', () => {
    const beat = { type: 'beat', count: 3, digest: 'other' } as LocationEvent
    expect(applyEvent(new View(), id(1), beat)).toEqual({ outcome: 'ignored' })
  })

  test.each([
    ['another count', { count: 2 }],
    ['another digest', { digest: 'another' }],
  ])('a view that receives a heartbeat with %s than its own diverges', (_, wrong) => {
    const view = viewOf(connection('c1'))
    const beat = { type: 'beat', count: 1, digest: view.digest, ...wrong } as LocationEvent
    expect(applyEvent(view, id(5), beat)).toEqual({ outcome: 'diverged', because: 'digest' })
  })
})

describe('a snapshot', () => {
  test('a view that receives an older snapshot diverges and keeps its connections', () => {
    const view = viewOf(connection('c1'))
    expect(applyEvent(view, id(4), snapshot())).toEqual({ outcome: 'diverged', because: 'older' })
    expect([view.id, view.connections.size]).toEqual([id(5), 1])
  })

  test('a view shows a snapshot of its own version, and reports no shift (a change of one connection)', () => {
    const view = viewOf(connection('c1'))
    expect(applyEvent(view, id(5), snapshot(connection('c1')))).toEqual({ outcome: 'shown', shifts: [] })
  })

  test('a snapshot reports a shift for each changed connection, and one with the reason `lost` for each connection not listed', () => {
    const view = viewOf(connection('same'), connection('moved'), connection('gone'))
    const shifts = shiftsOf(applyEvent(view, id(6), snapshot(connection('same'), connection('moved', 2))))
    expect(shifts).toEqual([
      { connectionId: 'gone', previous: connection('gone'), current: null, reason: 'lost' },
      { connectionId: 'moved', previous: connection('moved'), current: connection('moved', 2) },
    ])
    expect([...view.connections.keys()]).toEqual(['same', 'moved'])
    expect(view.stale.size).toBe(0)
  })

  test('a snapshot of another epoch keeps the connections that it does not list as stale, and shows those that it lists', () => {
    const view = viewOf(connection('same'), connection('gone'))
    const shifts = shiftsOf(applyEvent(view, id(1, 'epoch-bbbbb'), snapshot(connection('same'))))
    expect(shifts.map(({ connectionId }) => connectionId)).toEqual(['same'])
    expect([...view.stale.keys()]).toEqual(['gone'])
    expect(forgetStale(view)).toEqual([
      { connectionId: 'gone', previous: connection('gone'), current: null, reason: 'lost' },
    ])
    expect(view.stale.size).toBe(0)
  })

  test('a snapshot whose event id has an unknown form, as from another kind of server, is shown', () => {
    const view = viewOf(connection('c1'))
    expect(applyEvent(view, 'no-id-of-ours', snapshot()).outcome).toBe('shown')
    expect([...view.stale.keys()]).toEqual(['c1'])
  })
})

describe('a changes event', () => {
  test('a changes event without connections changes only the version of the view', () => {
    const view = viewOf(connection('c1'))
    expect(applyEvent(view, id(6), changes(id(5), {}))).toEqual({ outcome: 'shown', shifts: [] })
    expect(view.id).toBe(id(6))
  })

  test('a changes event reports a shift with the reason for a connection that left, and none for an unknown connection', () => {
    const view = viewOf(connection('c1'))
    const left = [
      { connectionId: 'c1', reason: 'expired' },
      { connectionId: 'never-shown', reason: 'left' },
    ]
    expect(shiftsOf(applyEvent(view, id(6), changes(id(5), { left })))).toEqual([
      { connectionId: 'c1', previous: connection('c1'), current: null, reason: 'expired' },
    ])
  })

  test('the shift that a changes event reports for a connection that left without a reason has no reason', () => {
    const view = viewOf(connection('c1'))
    const [shift] = shiftsOf(applyEvent(view, id(6), changes(id(5), { left: [{ connectionId: 'c1' }] })))
    expect(Object.keys(shift!)).toEqual(['connectionId', 'previous', 'current'])
  })

  test('a changes event reports a shift for a stale connection that left', () => {
    const view = viewOf(connection('c1'))
    applyEvent(view, id(1, 'epoch-bbbbb'), snapshot())
    const left = [{ connectionId: 'c1', reason: 'left' }]
    const shifts = shiftsOf(applyEvent(view, id(2, 'epoch-bbbbb'), changes(id(1, 'epoch-bbbbb'), { left })))
    expect(shifts).toEqual([{ connectionId: 'c1', previous: connection('c1'), current: null, reason: 'left' }])
    expect(view.stale.size).toBe(0)
  })

  test.each([
    ['from another version', id(4), { changed: [] }],
    ['of a connection that the view does not have', id(5), { changed: [{ connectionId: 'unknown', at: 2 }] }],
  ])('a changes event %s makes the view diverge, and the view keeps its version', (_, from, more) => {
    const view = viewOf(connection('c1'))
    expect(applyEvent(view, id(6), changes(from, more))).toEqual({ outcome: 'diverged', because: 'from' })
    expect(view.id).toBe(id(5))
  })
})
