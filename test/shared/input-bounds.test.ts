import { cellLocation, memberProfile } from 'hereabouts'
import * as z from 'zod'
import { describe, expect, test } from 'vitest'
import { broadcastInput, broadcastEvent } from '../../src/shared/broadcast-schemas.js'
import { copied, frozen } from '../../src/shared/frozen.js'
import { noPresence, patchedPresence, presenceOf, presencePatch } from '../../src/shared/presence.js'
import { procedureInputs } from '../../src/shared/wire-schemas.js'

/* Each field of each input: the values that are accepted up to its bounds, and those that are refused beyond them. */

const key = 'A'.repeat(22)
const room = 'r'
const location = { sheet: 'Q3', row: 1, col: 2 }
const inputs = {
  ...procedureInputs({ location: cellLocation, profile: memberProfile, presence: z.strictObject({ n: z.number() }) }),
  broadcastToRoom: broadcastInput({ note: z.string() }),
}
const least: Record<keyof typeof inputs, object> = {
  postLocation: { room, location: null },
  onLocation: { room },
  getLocations: { room },
  leaveRoom: { room },
  countMembers: { rooms: [] },
  lockLocation: { room, connectionKey: key, location, lockSeq: 0 },
  unlockLocation: { room, connectionKey: key, location, lockSeq: 0, fence: 0 },
  broadcastToRoom: { room, name: 'note', payload: 'x' },
}

const rooms: [unknown[], unknown[]] = [
  ['r', 'x'.repeat(128), '👍'.repeat(128)],
  ['', 'x'.repeat(129), 'a\u0000', 5, null],
]
const keys: [unknown[], unknown[]] = [[key], [key.slice(1), `${key}A`, `${key.slice(1)}=`, '', null, 5]]
const seqs: [unknown[], unknown[]] = [
  [0, 1, Number.MAX_SAFE_INTEGER],
  [-1, 1.5, NaN, Infinity, 2 ** 53, '1', null],
]
const ids: [unknown[], unknown[]] = [
  ['', 'x', null, undefined],
  [5, {}],
]
const places: [unknown[], unknown[]] = [[location], [{}, 'x', { ...location, more: 1 }]]
const flags: [unknown[], unknown[]] = [
  [true, undefined],
  [false, 1, 'true', null],
]

const fields: Record<keyof typeof inputs, Record<string, [unknown[], unknown[]]>> = {
  postLocation: {
    room: rooms,
    location: [
      [location, null],
      [{}, undefined, 'x'],
    ],
    connectionKey: keys,
    seq: seqs,
    profile: [
      [{ name: 'Ada' }, null, undefined],
      [{}, { name: '' }, 'x', { name: 'Ada', admin: true }],
    ],
    activity: [
      ['active', 'idle', 'away', undefined],
      ['asleep', null, 5],
    ],
    presence: [
      [{ n: 1 }, undefined],
      [{ m: 1 }, 'x', { n: 1, m: 1 }],
    ],
    used: flags,
    activeAgoMs: [
      [0, 0.5, 86_400_000],
      [-1, 86_400_001, NaN, Infinity, '1'],
    ],
    memberKey: keys,
    leaseMs: [
      [1, 30_000],
      [0, 1.5, -1, NaN, '1'],
    ],
    lastEventId: ids,
  },
  onLocation: { room: rooms, connectionKey: keys, lastEventId: ids },
  getLocations: { room: rooms, lastEventId: ids },
  leaveRoom: {
    room: rooms,
    connectionKey: keys,
    seq: seqs,
    graceMs: [
      [0, 3_000, 0.5],
      [-1, NaN, Infinity, '1'],
    ],
    lastEventId: ids,
  },
  countMembers: {
    rooms: [
      [[], ['r'], Array.from({ length: 100 }, () => 'r')],
      [Array.from({ length: 101 }, () => 'r'), [''], 'r', undefined],
    ],
  },
  lockLocation: {
    room: rooms,
    connectionKey: [keys[0], [...keys[1], undefined]],
    location: [places[0], [...places[1], null, undefined]],
    lockSeq: [seqs[0], [...seqs[1], undefined]],
    claim: seqs,
    takeOver: flags,
    lastEventId: ids,
  },
  unlockLocation: {
    room: rooms,
    connectionKey: [keys[0], [...keys[1], undefined]],
    location: [places[0], [...places[1], null, undefined]],
    lockSeq: [seqs[0], [...seqs[1], undefined]],
    fence: [seqs[0], [...seqs[1], undefined]],
    lastEventId: ids,
  },
  broadcastToRoom: {
    room: rooms,
    connectionKey: keys,
    to: [
      ['ada', 'x'.repeat(128), undefined],
      ['', 'x'.repeat(129), 5, null],
    ],
    nonce: [
      ['a', 'a'.repeat(32), undefined],
      ['', 'a'.repeat(33), '!', 5, null],
    ],
    name: [['note'], ['other', '', undefined]],
    payload: [
      ['x', ''],
      [5, undefined, null],
    ],
    lastEventId: ids,
  },
}

describe.each(Object.keys(inputs) as (keyof typeof inputs)[])('the input of %s', (procedure) => {
  const takes = (input: object) => (inputs[procedure] as z.ZodType).safeParse(input).success

  test(`every field of ${procedure} has a row in this table`, () => {
    const schema = inputs[procedure] as unknown as { shape?: object; options?: { shape: object }[] }
    const names = Object.keys(schema.shape ?? schema.options![0]!.shape)
    expect(names.toSorted()).toEqual(Object.keys(fields[procedure]).toSorted())
  })

  test(`${procedure} accepts its required fields alone, and no unknown field`, () => {
    expect([takes(least[procedure]), takes({ ...least[procedure], more: 1 })]).toEqual([true, false])
    for (const name of Object.keys(least[procedure]))
      expect(takes({ ...least[procedure], [name]: undefined }), name).toBe(false)
  })

  test.each(Object.entries(fields[procedure]))(
    `the field %s of ${procedure} is bounded`,
    (name, [accepted, refused]) => {
      for (const value of accepted)
        expect(takes({ ...least[procedure], [name]: value }), JSON.stringify(value)).toBe(true)
      for (const value of refused)
        expect(takes({ ...least[procedure], [name]: value }), JSON.stringify(value)).toBe(false)
    },
  )
})

test('without schemas of the app, a broadcast may have any name of 1 to 64 characters and any JSON', () => {
  const takes = (name: unknown, payload: unknown) => broadcastInput().safeParse({ room, name, payload }).success
  expect([takes('a', null), takes('a'.repeat(64), { b: [1] })]).toEqual([true, true])
  expect([takes('', 1), takes('a'.repeat(65), 1), takes('a', undefined), takes('a', () => {})]).toEqual([
    false,
    false,
    false,
    false,
  ])
})

test('a broadcast event has one item at least, with the fields of the protocol', () => {
  const item = { name: 'note', payload: 1, connectionId: null, memberId: 'm', at: 1, after: 0 }
  const takes = (items: object[]) => broadcastEvent.safeParse({ type: 'broadcast', items }).success
  expect([takes([item]), takes([{ ...item, nonce: 'a', connectionId: 'c', memberId: null }]), takes([])]).toEqual([
    true,
    true,
    false,
  ])
  for (const wrong of [
    { at: 0 },
    { at: 1.5 },
    { after: -1 },
    { name: '' },
    { memberId: 5 },
    { connectionId: undefined },
  ])
    expect(takes([{ ...item, ...wrong }])).toBe(false)
})

test('without a presence schema, a post with a presence value is refused', () => {
  const { postLocation } = procedureInputs({ location: cellLocation, profile: memberProfile })
  expect(postLocation.safeParse({ room, location: null, presence: {} }).success).toBe(false)
})

describe('presence values', () => {
  test('the change between two presence values leads from one to the other, and names what changed only', () => {
    const values = [{}, { a: 1 }, { a: 1, b: { c: [1] } }, { a: 2 }, { b: { c: [1] } }, { b: { c: [2] }, a: null }]
    for (const before of values)
      for (const after of values) {
        const change = presencePatch(before, after)
        expect(patchedPresence(before, change)).toEqual(after)
        if (before === after) expect(change).toEqual({})
      }
    expect(presencePatch({ a: 1, b: 1, c: { d: 1 } }, { a: 1, b: 2, c: { d: 1 } })).toEqual({ presence: { b: 2 } })
    expect(presencePatch({ a: 1, b: 1 }, { a: 1 })).toEqual({ presenceCleared: ['b'] })
  })

  test('an entry without a change of presence keeps the same object, and a reset forgets the other keys', () => {
    const before = { a: 1 }
    expect(patchedPresence(before, {})).toBe(before)
    expect(patchedPresence(before, { presence: { b: 2 }, presenceReset: true } as never)).toEqual({ b: 2 })
    expect(patchedPresence(before, { presenceReset: true } as never)).toEqual({})
    expect([presenceOf({}), presenceOf({ presence: before })]).toEqual([noPresence, before])
  })
})

describe('copies and frozen values', () => {
  test('a copy does not change with its original, and a frozen value is frozen in depth, except for errors', () => {
    const original = { a: { b: [1] } }
    const copy = copied(original)
    original.a.b.push(2)
    expect(copy).toEqual({ a: { b: [1] } })
    const error = new Error('x')
    const whole = { error, list: [{ n: 1 }], none: null }
    expect(frozen(whole)).toBe(whole)
    expect([whole, whole.list, whole.list[0], error].map((each) => Object.isFrozen(each))).toEqual([
      true,
      true,
      true,
      false,
    ])
  })
})
