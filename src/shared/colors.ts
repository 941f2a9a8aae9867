/*
 * Sixteen hues that people with a colour vision deficiency can tell apart. Each has a contrast of at least 4.5:1 with
 * white text and of 3:1 with a white and a near-black page (WCAG 2.2, 1.4.3 and 1.4.11); test/shared/colors.test.ts
 * computes both.
 */
const palette = [
  '#c2410c',
  '#2563eb',
  '#15803d',
  '#9333ea',
  '#d11a66',
  '#0e7490',
  '#a16207',
  '#5b50e8',
  '#dc2626',
  '#0f766e',
  '#b026c4',
  '#4d7c0f',
  '#0372b4',
  '#c0307f',
  '#8a6440',
  '#64748b',
] as const

type Members = readonly { readonly memberId: string }[]

/**
 * The colours of one room, as this process assigned them: the palette slots of present members and of members who left.
 */
type RoomColors = { present: ReadonlyMap<string, number>; absent: ReadonlyMap<string, number> }

const maxAbsent = 1_000
/**
 * Newcomers avoid the slots of this many members who left last, because most of those come back at once, after a
 * reload.
 */
const maxReserved = 8
const maxRecent = 16

const byList = new WeakMap<Members, RoomColors>()
const byMember = new WeakMap<object, RoomColors>()
/**
 * The colours that were assigned last, newest at the end. With these, a room is recognized by member ids when its
 * members are new objects in each list.
 */
let recent: RoomColors[] = []

/**
 * Returns the colour of a member among `members`, as `#rrggbb`. White text on it is readable. A member keeps the colour
 * while others come and go, and usually has it in every window and after a reload, because the colour is derived from
 * the member id. A newcomer whose colour is taken gets a free one, so that up to sixteen members have different
 * colours. Pass all members of the room, because colours only differ among the members that are passed.
 */
export function colorOf(memberId: string, members: Members): string {
  let colors = byList.get(members)
  if (!colors) byList.set(members, (colors = colorsOf(members)))
  return palette[colors.present.get(memberId) ?? colors.absent.get(memberId) ?? hash(memberId) % palette.length]!
}

function colorsOf(members: Members): RoomColors {
  const before = colorsBefore(members)
  // Without a newcomer the colours stay as they are, because `members` may be a part of the room, such as the members
  // at one location.
  const colors =
    before && members.every(({ memberId }) => before.present.has(memberId)) ? before : assign(members, before)
  for (const member of members) byMember.set(member, colors)
  recent = [...recent.filter((other) => other !== before), colors].slice(-maxRecent)
  return colors
}

/** Gives each newcomer a colour. The order of `members` does not matter. */
function assign(members: Members, before: RoomColors | undefined): RoomColors {
  const present = new Map<string, number>()
  const newcomers = new Set<string>()
  for (const { memberId } of members) {
    const slot = before?.present.get(memberId)
    if (slot === undefined) newcomers.add(memberId)
    else present.set(memberId, slot)
  }
  const left = [...(before?.absent ?? []), ...(before?.present ?? [])].filter(([memberId]) => !present.has(memberId))
  const absent = new Map(left)
  // Members who come back choose before other newcomers, because they had a colour in this room.
  for (const memberId of [...newcomers].sort(
    (a, b) => Number(absent.has(b)) - Number(absent.has(a)) || (a < b ? -1 : 1),
  )) {
    const slot = freeSlot(memberId, absent.get(memberId), present, absent)
    absent.delete(memberId)
    present.set(memberId, slot)
  }
  return { present, absent: new Map([...absent].slice(-maxAbsent)) }
}

/**
 * Returns the slot of the palette that is least used by present members and, among equals, by members who left last.
 * Among equally used slots, the newcomer's former slot wins, then the slot of the hash of their id.
 */
function freeSlot(
  memberId: string,
  had: number | undefined,
  present: ReadonlyMap<string, number>,
  absent: ReadonlyMap<string, number>,
): number {
  const uses = palette.map(() => 0)
  for (const slot of present.values()) uses[slot]! += maxReserved + 1
  for (const [other, slot] of [...absent].slice(-maxReserved)) if (other !== memberId) uses[slot]! += 1
  const first = hash(memberId)
  // An odd step visits all sixteen slots. The step differs by member, so that two viewers more often choose the same
  // slot for a member.
  const step = (first >>> 8) | 1
  const order = palette.map((_, i) => (first + i * step) % palette.length)
  if (had !== undefined) order.unshift(had)
  return order.reduce((best, slot) => (uses[slot]! < uses[best]! ? slot : best))
}

/**
 * Returns the colours of the same room before this change. Unchanged members are the same objects, so they identify the
 * room.
 */
function colorsBefore(members: Members): RoomColors | undefined {
  let newest: RoomColors | undefined
  for (const member of members) {
    const colors = byMember.get(member)
    if (colors && (!newest || recent.indexOf(colors) > recent.indexOf(newest))) newest = colors
  }
  return newest ?? recentColors(members)
}

/**
 * Returns the newest colours in which one of these members is present, or else in which one of them has left;
 * `undefined` when none is known.
 */
function recentColors(members: Members): RoomColors | undefined {
  const newestWith = (part: keyof RoomColors) =>
    recent.findLast((colors) => members.some(({ memberId }) => colors[part].has(memberId)))
  return newestWith('present') ?? newestWith('absent')
}

// FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/).
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}
