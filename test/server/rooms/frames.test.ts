import { describe, expect, test, vi } from 'vitest'
import { Frame, Frames } from '../../../src/server/rooms/frames.js'
import { Timeline } from '../../../src/server/rules/timeline.js'

/* Frames are made once and shared by all readers: caches that hold too little cost time, and stale ones show old state. */

const person = (connectionId: string, at: number) => ({
  connectionId,
  memberId: connectionId,
  profile: null,
  location: `at ${at}`,
  activity: 'active' as const,
  at,
})

function stage(people = 10) {
  const connections = Array.from({ length: people }, (_, i) => person(`c${i}`, 100 - i))
  const timeline = new Timeline({ epoch: 'e', version: 100, floor: 50, connections, left: [] })
  const frames = new Frames(timeline)
  const commit = (connectionId: string, version: number) => {
    const change = { connectionId, location: `at ${version}` }
    const commit = { epoch: 'e', prev: timeline.version, version, entered: [], changed: [change], left: [] }
    timeline.apply(commit)
    frames.committed(commit)
  }
  return { timeline, frames, commit }
}

describe('the frames of a room', () => {
  test('the frames of a room are made once until the next commit: the snapshot, the heartbeat and the changes', () => {
    const { frames, commit } = stage()
    const all = () => [frames.snapshot(), frames.beat(), frames.since(98)]
    const before = all()
    for (const [i, frame] of all().entries()) expect(frame).toBe(before[i])
    commit('c1', 101)
    const after = all()
    for (const [i, frame] of after.entries()) expect(frame).not.toBe(before[i])
    expect(after.map(({ id }) => id)).toEqual(['e.101', 'e.101', 'e.101'])
    expect(JSON.stringify(after[0]!.event)).toContain('at 101')
    expect(JSON.stringify(after[2]!.event)).toContain('at 101')
  })

  test('the frame of a commit is ready before a reader asks for it', () => {
    const { frames, timeline, commit } = stage()
    commit('c1', 101)
    const since = vi.spyOn(timeline, 'since')
    expect(frames.since(100).event).toMatchObject({ type: 'changes', changed: [{ connectionId: 'c1' }] })
    expect(since).not.toHaveBeenCalled()
  })

  test('the frames for the 32 versions that were asked for last are kept', () => {
    const { frames } = stage()
    const first = frames.since(99)
    for (let version = 60; version < 91; version++) frames.since(version)
    expect(frames.since(99)).toBe(first)
    frames.since(91)
    expect(frames.since(99)).not.toBe(first)
  })

  test.each([
    { what: 'changes when at most half of the room changed', version: 95, type: 'changes' },
    { what: 'the snapshot when more than half of the room changed', version: 94, type: 'snapshot' },
    { what: 'changes from the oldest version of which changes are known', version: 100, type: 'changes' },
    { what: 'the snapshot below that version', version: 49, type: 'snapshot' },
  ])('a reader that lags is sent $what', ({ version, type }) => {
    expect(stage().frames.since(version).event.type).toBe(type)
  })

  test('a reader that lags below the oldest known version is sent the snapshot even in an empty room', () => {
    expect(stage(0).frames.since(49).event.type).toBe('snapshot')
    expect(stage(0).frames.since(50).event.type).toBe('changes')
  })

  test('a single change is sent as changes in a room of one, not as a snapshot', () => {
    expect(stage(1).frames.since(99).event.type).toBe('changes')
  })
})

describe('the bytes of a frame', () => {
  const plain = { serialize: (value: unknown) => value }
  const own = { serialize: (value: unknown) => ({ own: value }) }
  const features = { features: ['used'] } as never
  const forms: [string, (frame: Frame, serializer: typeof plain) => string, object][] = [
    ['event', (frame, serializer) => Buffer.from(frame.encoded(serializer).body).toString(), {}],
    ['answer to a query', (frame, serializer) => Buffer.from(frame.answered(serializer, features)).toString(), {}],
  ]

  test.each(forms)('the bytes of a frame as an %s are those of the transformer that asks, in any order', (_, bytes) => {
    const frame = new Frame('e.1', { type: 'beat', count: 7, digest: 'x' }, 1)
    // Reading the size first makes the plain JSON of the frame.
    expect(frame.size).toBe(JSON.stringify(frame.event).length)
    const [first, second] = [bytes(frame, plain), bytes(frame, own)]
    expect(first).not.toContain('own')
    expect(second).toContain('"own":{')
    expect([bytes(frame, plain), bytes(frame, own)]).toEqual([first, second])
  })

  test('the bytes of a frame are made once for each transformer', () => {
    const frame = new Frame('e.1', { type: 'beat', count: 7, digest: 'x' }, 1)
    expect(frame.encoded(plain)).toBe(frame.encoded(plain))
    expect(frame.answered(plain, features)).toBe(frame.answered(plain, features))
  })

  test('only the bytes of snapshots and changes are shared, unless a frame says otherwise', () => {
    const isShared = (event: object, ...shared: boolean[]) => new Frame('e.1', event as never, 1, ...shared).isShared
    expect(isShared({ type: 'snapshot' })).toBe(true)
    expect(isShared({ type: 'changes' })).toBe(true)
    for (const type of ['hello', 'beat', 'bye', 'degraded', 'broadcast']) expect(isShared({ type })).toBe(false)
    expect(isShared({ type: 'broadcast' }, true)).toBe(true)
    expect(new Frame('e.1', { type: 'snapshot', connections: [] }, 1).encoded(plain).isShared).toBe(true)
  })
})
