import fc from 'fast-check'
import type { Action, Commit, StoredValue, Outcome, RoomRules } from 'hereabouts/server'
import { RoomMachine } from '../../src/server/rules/room.js'

/*
 * Random histories of a room: actions and times. Only a few connections and locations exist, so that actions interact.
 */

export type Step = { afterMs: number; actions: Action[] }

export const rules: RoomRules = {
  tombstoneMs: 60_000,
  roomConnections: 1_000,
  memberConnections: 10,
  lockMs: 30_000,
  claimMs: 5_000,
  connectionLocks: 8,
  roomLocks: 1_000,
}
export const startMs = 1_767_225_600_000

export const kept = (value: unknown): StoredValue => ({ json: JSON.stringify(value), value })

const connectionId = fc.constantFrom('c1', 'c2', 'c3', 'c4')
const seq = fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined })

/** Presence values whose keys are added, changed and removed. Keys such as `__proto__` would break a naive merge. */
const presence = fc.dictionary(
  fc.constantFrom('a', 'typing', '__proto__', '1'),
  fc.constantFrom(true, null, [], { x: 1, y: [2] }),
  { maxKeys: 3, noNullPrototype: true },
)

export const post = fc.record({
  type: fc.constant('post' as const),
  connectionId,
  memberId: fc.constantFrom('ada', 'bob'),
  owned: fc.constant(false),
  seq,
  location: fc.constantFrom('A1', 'B2', 'C3', null).map(kept),
  profile: fc.option(fc.constantFrom({ name: 'Ada' }, { name: 'Bob' }).map(kept), { nil: undefined }),
  activity: fc.constantFrom(undefined, 'active' as const, 'idle' as const),
  presence: fc.option(presence.map(kept), { nil: undefined }),
  used: fc.constantFrom(undefined, undefined, true as const),
  activeAgoMs: fc.constantFrom(undefined, 0, 0.5, 20_000, 86_400_000),
  leaseMs: fc.constantFrom(5_000, 30_000),
})

export const leave = fc.record({
  type: fc.constant('leave' as const),
  connectionId,
  memberId: fc.constant(null),
  seq,
  graceMs: fc.constantFrom(0, 0, 3_000),
})

const shorten = fc.record({ type: fc.constant('shorten' as const), connectionId, leaseMs: fc.constant(15_000) })
const revoke = fc.record({ type: fc.constant('revoke' as const), memberId: fc.constantFrom('ada', 'bob') })
const sweep = fc.constant({ type: 'sweep' as const })
const place = fc.constantFrom('A1', 'B2').map(kept)
const fence = fc.oneof(
  fc.constantFrom(0, 7, startMs * 1_000, startMs * 1_000 + 1, (startMs + 16) * 1_000, (startMs + 30_000) * 1_000),
  fc.constantFrom(startMs * 2_000),
)
const lockSeq = fc.integer({ min: 1, max: 9 })
const owner = fc.constantFrom(null, null, 'ada', 'bob')

const lock = fc.record({
  type: fc.constant('lock' as const),
  connectionId,
  memberId: owner,
  location: place,
  lockSeq,
  claim: fc.option(fence, { nil: undefined }),
  takeOver: fc.constantFrom(undefined, undefined, true as const),
})
const unlock = fc.record({
  type: fc.constant('unlock' as const),
  connectionId,
  memberId: owner,
  location: place,
  lockSeq,
  fence,
})
const release = fc.record({ type: fc.constant('release' as const), location: place })
const checkLock = fc.record({
  type: fc.constant('checkLock' as const),
  location: place,
  memberId: fc.constantFrom('ada', 'bob'),
  fence,
})

export const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: post },
  { weight: 2, arbitrary: leave },
  { weight: 1, arbitrary: shorten },
  { weight: 1, arbitrary: revoke },
  { weight: 3, arbitrary: sweep },
  { weight: 4, arbitrary: lock },
  { weight: 1, arbitrary: unlock },
  { weight: 1, arbitrary: release },
  { weight: 1, arbitrary: checkLock },
)

export const step: fc.Arbitrary<Step> = fc.record({
  afterMs: fc.constantFrom(0, 1, 16, 400, 3_000, 6_000, 31_000, 61_000),
  actions: fc.array(action, { minLength: 1, maxLength: 4 }),
})

export const history = fc.array(step, { minLength: 1, maxLength: 40 })

export type Played = { outcomes: Outcome[]; commit: Commit | null; now: number }

/** A room machine with a clock, for tests that play a history of actions. */
export class Play {
  readonly room: RoomMachine
  now = startMs

  constructor(own: Partial<RoomRules> = {}, epoch = 'epoch-aaaaa', claimsUntil?: number) {
    this.room = new RoomMachine(epoch, startMs * 1_000, { ...rules, ...own }, claimsUntil)
  }

  after(afterMs: number, ...actions: Action[]): Played {
    this.now += afterMs
    return { ...this.room.act(actions, this.now, this.now * 1_000), now: this.now }
  }

  all(steps: readonly Step[]): Played[] {
    return steps.map(({ afterMs, actions }) => this.after(afterMs, ...actions))
  }

  /** The location of each connection. */
  get places(): Record<string, unknown> {
    return Object.fromEntries(
      this.room.state().connections.map(({ connectionId, location }) => [connectionId, location]),
    )
  }
}

/** A post with default values. */
export const posting = (
  connectionId: string,
  seq: number | undefined,
  location: unknown,
  own: object = {},
): Action => ({
  type: 'post',
  connectionId,
  memberId: 'ada',
  owned: true,
  seq,
  location: kept(location),
  profile: undefined,
  activity: undefined,
  leaseMs: 30_000,
  ...own,
})

export const leaving = (connectionId: string, own: object = {}): Action => ({
  type: 'leave',
  connectionId,
  memberId: null,
  seq: undefined,
  graceMs: 0,
  ...own,
})

export const sweeping: Action = { type: 'sweep' }
