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

const assigned = new WeakMap<readonly object[], Map<string, string>>()

/**
 * Returns the colour of a member among `members`, as `#rrggbb`. White text on it is readable. The same members get the
 * same colours in every window, and up to sixteen members get different ones.
 */
export function colorOf(memberId: string, members: readonly { memberId: string }[]): string {
  let colors = assigned.get(members)
  if (!colors) assigned.set(members, (colors = assign(members)))
  return colors.get(memberId) ?? palette[hash(memberId) % palette.length]!
}

/**
 * Assigns each member the colour of their id's hash, or the next free one, so that few colours change when a member
 * enters or leaves.
 */
function assign(members: readonly { memberId: string }[]): Map<string, string> {
  const colors = new Map<string, string>()
  const taken = new Set<number>()
  for (const memberId of members.map((member) => member.memberId).sort()) {
    if (colors.has(memberId)) continue
    if (taken.size === palette.length) taken.clear()
    let slot = hash(memberId) % palette.length
    while (taken.has(slot)) slot = (slot + 1) % palette.length
    taken.add(slot)
    colors.set(memberId, palette[slot]!)
  }
  return colors
}

// FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/).
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}
