import { cellLocation, locationEvent, memberProfile, pointLocation, rangeLocation, textLocation } from 'hereabouts'
import { expect, test } from 'vitest'

const event = locationEvent({ location: cellLocation, profile: memberProfile })
const ada = {
  connectionId: 'c1',
  memberId: 'ada',
  profile: { name: 'Ada' },
  location: { sheet: 'Q3', row: 4, col: 2 },
  activity: 'active',
  at: 1_767_225_600_000_000,
}

test.each([
  { type: 'hello', protocol: 1, connectionId: null, beatMs: 10_000, leaseMs: 30_000, postMs: 50 },
  { type: 'snapshot', connections: [] },
  { type: 'snapshot', connections: [ada, { ...ada, location: null, profile: null }] },
  { type: 'changes', from: 'e.1' },
  { type: 'changes', from: 'e.1', entered: [ada], changed: [{ connectionId: 'c1', at: 2, location: null }], left: [] },
  { type: 'changes', from: 'e.1', left: [{ connectionId: 'c1', at: 2, reason: 'lost' }] },
  { type: 'beat', count: 0, digest: '0000000000000000' },
  { type: 'degraded', reason: 'backend' },
  { type: 'bye', reason: 'rotated' },
  { type: 'beat', count: 0, digest: '0000000000000000', addedLater: true },
])('the event schema accepts %j', (value) => {
  expect(event.safeParse(value).success).toBe(true)
})

test.each([
  { type: 'goodbye' },
  { type: 'hello', protocol: 2, connectionId: null, beatMs: 1, leaseMs: 1, postMs: 1 },
  { type: 'snapshot', connections: { c1: ada } },
  { type: 'snapshot', connections: [{ ...ada, location: { sheet: 'Q3', row: -1, col: 2 } }] },
  { type: 'snapshot', connections: [{ ...ada, at: 1.5 }] },
  { type: 'changes', entered: [] },
  { type: 'beat', count: 1, digest: 'ABC' },
])('the event schema refuses %j', (value) => {
  expect(event.safeParse(value).success).toBe(false)
})

test('the ready-made location schemas accept values up to their bounds and refuse values beyond them', () => {
  const takes = (
    schema: typeof cellLocation | typeof rangeLocation | typeof pointLocation | typeof textLocation,
    value: unknown,
  ) => schema.safeParse(value).success
  expect(takes(cellLocation, { sheet: 'x'.repeat(64), row: 1_048_575, col: 16_383 })).toBe(true)
  expect(takes(cellLocation, { sheet: 'x'.repeat(65), row: 0, col: 0 })).toBe(false)
  expect(takes(cellLocation, { sheet: '', row: 0, col: 0 })).toBe(false)
  expect(takes(cellLocation, { sheet: 'x', row: 1_048_576, col: 0 })).toBe(false)
  expect(takes(cellLocation, { sheet: 'x', row: 0, col: 16_384 })).toBe(false)
  expect(takes(cellLocation, { sheet: 'x', row: 0.5, col: 0 })).toBe(false)
  expect(takes(cellLocation, { sheet: 'x', row: 0, col: 0, z: 0 })).toBe(false)
  expect(takes(rangeLocation, { sheet: 'x', from: { row: 9, col: 9 }, to: { row: 0, col: 0 } })).toBe(true)
  expect(takes(pointLocation, { x: -1e300, y: 0.1 })).toBe(true)
  expect(takes(pointLocation, { x: Infinity, y: 0 })).toBe(false)
  expect(takes(textLocation, { path: 'p', anchor: 5, head: 0 })).toBe(true)
  expect(takes(textLocation, { path: 'p', anchor: -1, head: 0 })).toBe(false)
})
