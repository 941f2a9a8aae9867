import type { Action, Backend, Commit, BackendRoom, RoomOptions, RoomState } from 'hereabouts/server'
import { backgroundClock } from '../../src/shared/background-clock.js'
import { expect } from 'vitest'
import { kept, leaving, posting, rules, sweeping } from '../support/histories.js'
import { until } from '../support/until.js'

/*
 * The behaviour that a hub needs from a backend, as named cases. `backends` returns two backends that share their
 * rooms, as two processes do, or the same backend twice where there is only one process.
 */

export type BackendCase = (backends: () => Promise<[Backend, Backend]>) => Promise<void>

let rooms = 0
const newRoom = () => `room ${++rooms}`

/** Opens a room in one process, and records all events that the process receives. */
async function opened(backend: Backend, room: string) {
  const commits: Commit[] = []
  const resets: RoomState[] = []
  const broadcasts: string[] = []
  /** Commits and broadcasts, in the order in which they arrived. */
  const heard: (string | number)[] = []
  const options: RoomOptions = {
    clock: backgroundClock,
    // Without this, a Redis that has just started would collect claims of locks in each new room, and grant none.
    rules: { ...rules, claimMs: 0 },
    sweepMs: 500,
    onCommit: (commit) => {
      commits.push(commit)
      heard.push(commit.version)
    },
    onReset: (state) => void resets.push(state),
    onBroadcast: (text) => {
      broadcasts.push(text)
      heard.push(text)
    },
  }
  const open: BackendRoom = await backend.open(room, options)
  return { open, commits, resets, broadcasts, heard, state: open.state }
}

export const backendCases: Record<string, BackendCase> = {
  async 'a new room is empty and has the same epoch for every process'(backends) {
    const [one, other] = await backends()
    const room = newRoom()
    const first = await opened(one, room)
    const second = await opened(other, room)
    expect(first.state).toMatchObject({ connections: [], left: [] })
    expect(second.state.epoch).toBe(first.state.epoch)
    expect(second.state.floor).toBeLessThanOrEqual(second.state.version)
  },

  async 'opening a room returns its state, and all later commits arrive in order'(backends) {
    const [one, other] = await backends()
    const room = newRoom()
    const first = await opened(one, room)
    await first.open.act([posting('c1', 1, 'A1')])
    const second = await opened(other, room)
    expect(second.state.connections).toMatchObject([{ connectionId: 'c1', location: 'A1', memberId: 'ada' }])
    for (let seq = 2; seq < 20; seq++) await (seq % 2 ? first : second).open.act([posting('c1', seq, seq)])
    await until('both have heard all', () => first.commits.length === 19 && second.commits.length === 18)
    expect(second.commits[0]!.prev).toBe(second.state.version)
    for (const { commits } of [first, second])
      for (const [i, commit] of commits.entries()) if (i > 0) expect(commit.prev).toBe(commits[i - 1]!.version)
    expect(second.commits.map(({ changed }) => changed[0]!.location)).toEqual(
      Array.from({ length: 18 }, (_, i) => i + 2),
    )
  },

  async 'a commit is delivered to the acting process before its outcome'(backends) {
    const [one] = await backends()
    const { open, commits } = await opened(one, newRoom())
    const [outcome] = await open.act([posting('c1', 1, 'A1')])
    expect(outcome).toMatchObject({ type: 'posted', outcome: 'applied', seq: 1, memberId: 'ada' })
    expect(commits.map(({ version }) => version)).toEqual([(outcome as { version: number }).version])
  },

  async 'a broadcast reaches every process that has the room open once, in one order, and is not stored'(backends) {
    const [one, other] = await backends()
    const room = newRoom()
    const [first, second] = [await opened(one, room), await opened(other, room)]
    const elsewhere = await opened(one, newRoom())
    const texts = Array.from({ length: 40 }, (_, i) => `{"${i}":"e|1|2|{}"}`)
    await Promise.all(texts.map((text, i) => (i % 2 ? first : second).open.broadcast(text)))
    await until('both have heard all', () => first.broadcasts.length === 40 && second.broadcasts.length === 40)
    expect(first.broadcasts.toSorted()).toEqual(texts.toSorted())
    expect(second.broadcasts).toEqual(first.broadcasts)
    const late = await opened(other, room)
    await first.open.broadcast('last')
    await until('the last one has arrived', () => late.broadcasts.length > 0)
    expect(late.broadcasts).toEqual(['last'])
    expect(elsewhere.broadcasts).toEqual([])
    expect([first, second, late].flatMap(({ commits, resets }) => [...commits, ...resets])).toEqual([])
  },

  async 'a broadcast that was sent after a commit arrives after it in every process'(backends) {
    const [one, other] = await backends()
    const room = newRoom()
    const [first, second] = [await opened(one, room), await opened(other, room)]
    for (let seq = 1; seq < 20; seq++) {
      await first.open.act([posting('c1', seq, seq)])
      await first.open.broadcast(`${seq}`)
    }
    await until('all have arrived', () => second.broadcasts.length === 19)
    for (const { heard, commits } of [first, second])
      expect(heard).toEqual(commits.flatMap(({ version }, i) => [version, `${i + 1}`]))
  },

  async 'a batch is one commit, and each action has an outcome'(backends) {
    const [one] = await backends()
    const { open, commits } = await opened(one, newRoom())
    const outcomes = await open.act([
      posting('c1', 1, 'A1'),
      posting('c1', 1, 'B2'),
      posting('c2', 3, 'C3'),
      leaving('c1'),
      sweeping,
      { type: 'shorten', connectionId: 'c2', leaseMs: 1_000 },
      { type: 'revoke', memberId: 'nobody' },
    ])
    expect(outcomes.map((outcome) => ('outcome' in outcome ? outcome.outcome : outcome.type))).toEqual([
      'applied', 'same', 'applied', 'left', 'done', 'done', 'done',
    ]) // prettier-ignore
    expect(commits).toHaveLength(1)
    expect(commits[0]).toMatchObject({ entered: [{ connectionId: 'c2' }], changed: [], left: [] })
  },

  async 'an action that changes nothing makes no commit'(backends) {
    const [one] = await backends()
    const { open, commits } = await opened(one, newRoom())
    await open.act([posting('c1', 1, 'A1')])
    await open.act([posting('c1', 2, 'A1')])
    await open.act([sweeping])
    expect(commits).toHaveLength(1)
  },

  async 'refresh delivers every earlier commit of other processes'(backends) {
    const [one, other] = await backends()
    const room = newRoom()
    const first = await opened(one, room)
    const second = await opened(other, room)
    await first.open.act([posting('c1', 1, 'A1')])
    await second.open.refresh()
    expect(second.commits.at(-1)?.version ?? second.resets.at(-1)?.version).toBe(first.commits[0]!.version)
  },

  async 'a place that was locked through one process is taken in other processes until its holder leaves'(backends) {
    const [one, other] = await backends()
    const room = newRoom()
    const first = await opened(one, room)
    const second = await opened(other, room)
    const locking = (connectionId: string, lockSeq: number): Action => ({
      type: 'lock',
      connectionId,
      memberId: null,
      location: kept('A1'),
      lockSeq,
    })
    const [, locked] = await first.open.act([posting('c1', 1, null), locking('c1', 1)])
    const fence = first.commits.at(-1)!.version
    expect(locked).toEqual({ type: 'lock', reply: { outcome: 'locked', fence } })
    const locks = [{ location: 'A1', fence }]
    await until('the others see it', () => second.commits.length === 1)
    expect(second.commits[0]!.entered).toMatchObject([{ connectionId: 'c1', locks }])
    expect((await opened(other, room)).state.connections).toMatchObject([{ connectionId: 'c1', locks }])
    const bob = posting('c2', 1, null, { memberId: 'bob' })
    const [, taken] = await second.open.act([bob, locking('c2', 1)])
    const holder = { connectionId: 'c1', memberId: 'ada' }
    expect(taken).toEqual({ type: 'lock', reply: { outcome: 'taken', holder } })
    await first.open.act([leaving('c1')])
    expect(await second.open.act([locking('c2', 2)])).toMatchObject([{ reply: { outcome: 'locked' } }])
  },

  async 'a process that closed a room receives no more commits, and other processes still do'(backends) {
    const [one, other] = await backends()
    const room = newRoom()
    const first = await opened(one, room)
    const second = await opened(other, room)
    await second.open.close()
    await first.open.act([posting('c1', 1, 'A1')])
    const third = await opened(other, room)
    expect(third.state.connections).toHaveLength(1)
    expect([first.commits.length, second.commits.length]).toEqual([1, 0])
  },

  async 'a commit in one room does not reach another room, which has another epoch'(backends) {
    const [one] = await backends()
    const first = await opened(one, newRoom())
    const second = await opened(one, newRoom())
    await first.open.act([posting('c1', 1, 'A1')])
    await second.open.refresh()
    expect(second.commits).toEqual([])
    expect(second.state.epoch).not.toBe(first.state.epoch)
  },

  async 'a revocation ends connections and reaches every process, for one room or for all'(backends) {
    const [one, other] = await backends()
    const [here, there] = [newRoom(), newRoom()]
    const first = await opened(one, here)
    const second = await opened(other, there)
    await first.open.act([posting('c1', 1, 'A1'), posting('c2', 1, 'A1', { memberId: 'bob' })])
    await second.open.act([posting('c1', 1, 'A1')])
    const heard: unknown[] = []
    const stop = other.onRevoke((...revoked) => void heard.push(revoked))
    await one.revoke('ada', here)
    await until('it is heard', () => heard.length > 0)
    expect(heard[0]).toEqual(['ada', here])
    await until('it is done', () => first.commits.at(-1)!.left.length > 0)
    expect(first.commits.at(-1)!.left).toMatchObject([{ connectionId: 'c1', reason: 'revoked' }])
    expect(second.commits).toHaveLength(1)
    await one.revoke('ada')
    await until('it is done everywhere', () => second.commits.length === 2)
    expect(second.commits[1]!.left).toMatchObject([{ connectionId: 'c1', reason: 'revoked' }])
    stop()
  },

  async 'a healthy backend reports no health change and logs no warning'(backends) {
    const [one] = await backends()
    const said: string[] = []
    const stop = one.onHealth((health) => void said.push(health))
    await one.ready({ info() {}, warn: (message) => void said.push(message), error() {} })
    stop()
    expect(said).toEqual([])
  },
}
