import fc from 'fast-check'
import { applyEvent, forgetStale, View, type Connection, type LocationEvent } from 'hereabouts'
import { expect, test } from 'vitest'
import { Frames } from '../../src/server/rooms/frames.js'
import { Timeline } from '../../src/server/rules/timeline.js'
import { Digest } from '../../src/shared/digest.js'
import { history, leaving, Play, posting, sweeping, type Step } from '../support/histories.js'

type Sent = { id: string; event: LocationEvent; version?: number }

/** A room, and the timeline and frames of a process that serves this room. */
class Stage {
  play: Play
  timeline: Timeline
  frames: Frames

  constructor(epoch = 'epoch-aaaaa') {
    this.play = new Play({}, epoch)
    this.timeline = new Timeline(this.play.room.state())
    this.frames = new Frames(this.timeline)
  }

  step({ afterMs, actions }: Step): void {
    const { commit } = this.play.after(afterMs, ...actions)
    if (!commit) return
    expect(this.timeline.apply(commit)).toBe(true)
    this.frames.committed(commit)
  }

  get current() {
    return byId(this.play.room.state().connections)
  }

  /** Returns the frame that a viewer with last event id `id` is sent. */
  sentTo(id: string | null): Sent {
    const version = this.timeline.resumable(id)
    return version === null ? this.frames.snapshot() : this.frames.since(version)
  }
}

const byId = (connections: Iterable<{ connectionId: string }>) =>
  Object.fromEntries(Array.from(connections, (each) => [each.connectionId, each]))
const shownBy = (view: View) => byId(view.connections.values())
const overTheWire = (event: LocationEvent) => JSON.parse(JSON.stringify(event)) as typeof event
const show = (view: View, { id, event }: Sent) => applyEvent(view, id, overTheWire(event))

test('a subscriber that lagged converges to the same view as one that kept up', () => {
  fc.assert(
    fc.property(history, fc.array(fc.boolean()), (steps, looks) => {
      const stage = new Stage()
      const keptUp = new View()
      const lagged = new View()
      show(keptUp, stage.sentTo(null))
      show(lagged, stage.sentTo(null))
      steps.forEach((step, i) => {
        stage.step(step)
        expect(show(keptUp, stage.sentTo(keptUp.id)).outcome).toBe('shown')
        if (looks[i]) expect(show(lagged, stage.sentTo(lagged.id)).outcome).toBe('shown')
      })
      show(lagged, stage.sentTo(lagged.id))
      expect(shownBy(keptUp)).toEqual(stage.current)
      expect(shownBy(lagged)).toEqual(stage.current)
      expect(lagged.id).toBe(keptUp.id)
    }),
    { numRuns: 300 },
  )
})

test('the changes since any version lead to a view that deep-equals the snapshot', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const stage = new Stage()
      const views: View[] = []
      for (const step of steps) {
        const view = new View()
        show(view, stage.frames.snapshot())
        views.push(view)
        stage.step(step)
      }
      for (const view of views) {
        const version = stage.timeline.resumable(view.id)
        if (version === null) continue
        const event = stage.timeline.since(version)
        expect(show(view, { id: stage.timeline.id(), event }).outcome).toBe('shown')
        expect(shownBy(view)).toEqual(stage.current)
      }
    }),
    { numRuns: 300 },
  )
})

test('a view of client version 0.1.0, which copies unknown fields, agrees with every heartbeat', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const stage = new Stage()
      const connections = new Map<string, Connection>()
      let held: string | null = null
      for (const step of steps) {
        stage.step(step)
        const { id, event } = stage.sentTo(held)
        held = id
        if (event.type === 'snapshot') connections.clear()
        const all = event.type === 'snapshot' ? event.connections : []
        const { left = [], entered = [], changed = [] } = event.type === 'changes' ? event : {}
        for (const { connectionId } of left) connections.delete(connectionId)
        for (const each of [...all, ...entered]) connections.set(each.connectionId, each)
        for (const each of changed)
          connections.set(each.connectionId, { ...connections.get(each.connectionId)!, ...each })
        const digest = new Digest()
        for (const each of connections.values()) digest.toggle(each)
        expect(stage.frames.beat().event).toMatchObject({ count: connections.size, digest: digest.toString() })
      }
    }),
  )
})

test('a view agrees with the heartbeat of the same version of the room', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const stage = new Stage()
      const view = new View()
      for (const step of [{ afterMs: 0, actions: [] }, ...steps]) {
        stage.step(step)
        show(view, stage.sentTo(view.id))
        expect(applyEvent(view, view.id!, stage.frames.beat().event)).toEqual({ outcome: 'ignored' })
      }
    }),
  )
})

test('a view that lacks a connection, or has another version of it, diverges at the next heartbeat', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const stage = new Stage()
      const view = new View()
      steps.forEach((step) => stage.step(step))
      show(view, stage.sentTo(null))
      const someone = [...view.connections.values()][0]
      fc.pre(someone !== undefined)
      view.set(someone.connectionId, { ...someone, at: someone.at + 1 })
      expect(applyEvent(view, view.id!, stage.frames.beat().event)).toEqual({ outcome: 'diverged', because: 'digest' })
      view.set(someone.connectionId, null)
      expect(applyEvent(view, view.id!, stage.frames.beat().event)).toEqual({ outcome: 'diverged', because: 'digest' })
    }),
  )
})

test('PROTOCOL rule 5: any unknown last event id is answered with a snapshot of the current room', () => {
  const claim = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '',
      '.',
      'epoch-aaaaa.',
      'epoch-aaaaa.-1',
      'epoch-aaaaa.1e3',
      '__proto__.1',
      'epoch-bbbbb.1767225600000000',
    ),
    fc.nat().map((version) => `epoch-aaaaa.${version}`),
    fc.bigInt({ min: 0n, max: 10n ** 20n }).map((version) => `epoch-aaaaa.${version}`),
  )
  fc.assert(
    fc.property(history, claim, (steps, id) => {
      const stage = new Stage()
      steps.forEach((step) => stage.step(step))
      const { event } = stage.sentTo(id)
      expect(event.type).toBe('snapshot')
      const view = new View()
      show(view, { id: stage.timeline.id(), event })
      expect(shownBy(view)).toEqual(stage.current)
    }),
  )
})

test('PROTOCOL rule 5: a viewer at the floor is sent changes, and a viewer below the floor is sent a snapshot', () => {
  const stage = new Stage()
  const first = stage.timeline.id()
  stage.step({ afterMs: 1, actions: [posting('c1', 1, 'A1'), posting('c2', 1, 'A1'), posting('c3', 1, 'A1')] })
  stage.step({ afterMs: 1, actions: [leaving('c1')] })
  const afterLeaving = stage.timeline.id()
  stage.step({ afterMs: 1, actions: [posting('c2', 2, 'B2')] })
  expect(stage.timeline.resumable(first)).not.toBe(null)
  stage.timeline.forgetLeavers(stage.timeline.version - 1)
  expect(stage.timeline.resumable(first)).toBe(null)
  expect(stage.sentTo(afterLeaving).event).toEqual({
    type: 'changes',
    from: afterLeaving,
    changed: [{ connectionId: 'c2', at: stage.timeline.version, location: 'B2' }],
  })
})

test('PROTOCOL rule 5: a slow consumer whose version is below the floor by now is sent a snapshot', () => {
  const stage = new Stage()
  const { version } = stage.timeline
  const twenty = Array.from({ length: 20 }, (_, i) => posting(`c${i}`, 1, 'A1', { memberId: `m${i}` }))
  stage.step({ afterMs: 1, actions: twenty })
  const asleepAt = stage.timeline.version
  stage.step({ afterMs: 1, actions: [leaving('c1')] })
  expect(stage.frames.since(asleepAt).event).toMatchObject({ type: 'changes', left: [{ connectionId: 'c1' }] })
  stage.timeline.forgetLeavers(stage.timeline.version)
  stage.step({ afterMs: 1, actions: [posting('c2', 2, 'B2', { memberId: 'm2' })] })
  expect(stage.frames.since(asleepAt).event.type).toBe('snapshot')
  expect(version).toBeLessThan(asleepAt)
})

test('PROTOCOL rule 5: a process that opens the room later sends correct changes to viewers of another process', () => {
  fc.assert(
    fc.property(history, fc.nat(), fc.nat(), (steps, looked, opened) => {
      const stage = new Stage()
      const view = new View()
      show(view, stage.sentTo(null))
      steps.forEach((step, i) => {
        if (i === looked % steps.length) show(view, stage.sentTo(view.id))
        if (i === opened % steps.length) {
          stage.timeline = new Timeline(stage.play.room.state())
          stage.frames = new Frames(stage.timeline)
        }
        stage.step(step)
      })
      show(view, stage.sentTo(view.id))
      expect(shownBy(view)).toEqual(stage.current)
    }),
    { numRuns: 300 },
  )
})

test('a timeline does not apply a commit that does not follow its version', () => {
  const stage = new Stage()
  const one = stage.play.after(1, posting('c1', 1, 'A1')).commit!
  const two = stage.play.after(1, posting('c1', 2, 'B2')).commit!
  expect(stage.timeline.apply(two)).toBe(false)
  expect(stage.timeline.apply({ ...one, epoch: 'epoch-bbbbb' })).toBe(false)
  expect(stage.timeline.apply(one)).toBe(true)
  expect(stage.timeline.apply(one)).toBe(false)
})

test('a view diverges on changes that do not follow its version and on an older snapshot of its epoch', () => {
  const stage = new Stage()
  stage.step({ afterMs: 1, actions: [posting('c1', 1, 'A1')] })
  const old = stage.sentTo(null)
  const view = new View()
  show(view, old)
  stage.step({ afterMs: 1, actions: [posting('c1', 2, 'B2')] })
  const next = stage.sentTo(view.id)
  show(view, next)
  expect(show(view, next)).toEqual({ outcome: 'diverged', because: 'from' })
  expect(show(view, old)).toEqual({ outcome: 'diverged', because: 'older' })
  expect(shownBy(view)).toEqual(stage.current)
})

test('a merged frame that changes over half of the room is sent as a snapshot, and a single commit never is', () => {
  const stage = new Stage()
  const from = stage.timeline.id()
  stage.step({ afterMs: 1, actions: [posting('c1', 1, 'A1'), posting('c2', 1, 'A1'), posting('c3', 1, 'A1')] })
  expect(stage.sentTo(from).event.type).toBe('changes')
  stage.step({ afterMs: 1, actions: [posting('c4', 1, 'A1')] })
  expect(stage.sentTo(from).event.type).toBe('snapshot')
})

test('viewers at the same version share one frame object', () => {
  const stage = new Stage()
  const from = stage.timeline.id()
  stage.step({ afterMs: 1, actions: [posting('c1', 1, 'A1')] })
  stage.step({ afterMs: 1, actions: [posting('c1', 2, 'B2')] })
  expect(stage.sentTo(from)).toBe(stage.sentTo(from))
  expect(stage.frames.snapshot()).toBe(stage.frames.snapshot())
  expect(stage.frames.beat()).toBe(stage.frames.beat())
})

test('the cache of merged frames evicts a frame after 32 others were made', () => {
  const stage = new Stage()
  for (let seq = 1; seq <= 100; seq++) stage.step({ afterMs: 1, actions: [posting('c1', seq, seq)] })
  const oldest = stage.timeline.version - 99_000
  const first = stage.frames.since(oldest)
  expect(stage.frames.since(oldest)).toBe(first)
  for (let version = oldest + 1; version <= oldest + 32; version++) stage.frames.since(version)
  expect(stage.frames.since(oldest)).not.toBe(first)
  expect(stage.frames.since(oldest)).toEqual(first)
})

test('a view converges to the room over any restarts and resumes, and a restart alone removes no connection from the view', () => {
  type Turn = { kind: 'step'; step: Step } | { kind: 'look' } | { kind: 'restart' } | { kind: 'forget' }
  const turn: fc.Arbitrary<Turn> = fc.oneof(
    { weight: 6, arbitrary: history.map(([step]) => ({ kind: 'step' as const, step: step! })) },
    { weight: 4, arbitrary: fc.constant({ kind: 'look' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'forget' as const }) },
  )
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 60 }), (turns) => {
      let stage = new Stage()
      let epochs = 0
      const view = new View()
      const visible = () => new Set([...view.connections.keys(), ...view.stale.keys()])
      for (const each of turns) {
        if (each.kind === 'step') stage.step(each.step)
        if (each.kind === 'restart') stage = new Stage(`epoch-${String(++epochs).padStart(5, '0')}`)
        if (each.kind === 'forget') forgetStale(view)
        if (each.kind !== 'look') continue
        const before = visible()
        const isNewEpoch = view.id !== null && !view.id.startsWith(stage.timeline.epoch)
        expect(show(view, stage.sentTo(view.id)).outcome).toBe('shown')
        if (isNewEpoch) for (const connectionId of before) expect(visible()).toContain(connectionId)
        expect(shownBy(view)).toEqual(stage.current)
      }
      show(view, stage.sentTo(view.id))
      forgetStale(view)
      expect(shownBy(view)).toEqual(stage.current)
      expect(visible()).toEqual(new Set(Object.keys(stage.current)))
      expect(applyEvent(view, view.id!, stage.frames.beat().event)).toEqual({ outcome: 'ignored' })
    }),
    { numRuns: 300 },
  )
})

test('the state of a room can be rebuilt from the shifts that a view reports', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const stage = new Stage()
      const view = new View()
      const rebuilt = new Map<string, unknown>()
      for (const step of [{ afterMs: 0, actions: [sweeping] }, ...steps]) {
        stage.step(step)
        const applied = show(view, stage.sentTo(view.id))
        if (applied.outcome !== 'shown') throw new Error('the view was not shown')
        for (const { connectionId, previous, current } of applied.shifts) {
          expect(previous).toEqual(rebuilt.get(connectionId) ?? null)
          if (current) rebuilt.set(connectionId, current)
          else rebuilt.delete(connectionId)
        }
        expect(Object.fromEntries(rebuilt)).toEqual(stage.current)
      }
    }),
  )
})

test('a member called __proto__ is stored like any other member', () => {
  const stage = new Stage()
  stage.step({ afterMs: 1, actions: [posting('__proto__', 1, 'A1', { memberId: '__proto__' })] })
  const view = new View()
  show(view, stage.sentTo(null))
  expect(view.connections.get('__proto__')).toMatchObject({ memberId: '__proto__', location: 'A1' })
})
