/*
 * Sixteen hues that stay apart for people who see fewer, each at least 4.5:1 against white text and 3:1 against a white
 * and a near-black page (WCAG 2.2, 1.4.3 and 1.4.11); test/shared/colors.test.ts computes both.
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
 * The colour of a member among others, as `#rrggbb`, readable under white text. The same members give the same colours
 * in every window; as long as there are no more than sixteen, no two share one.
 */
export function colorOf(memberId: string, members: readonly { memberId: string }[]): string {
  let colors = assigned.get(members)
  if (!colors) assigned.set(members, (colors = assign(members)))
  return colors.get(memberId) ?? palette[hash(memberId) % palette.length]!
}

/** Everyone gets the colour their id asks for, or the next one free: so one who comes or goes recolours few. */
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
