/** How many parts the rooms fall into: enough for a cluster of any size to share them evenly. */
const parts = 256

/** FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/): which part a room is in must never change. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/** The part that a room is in. */
export const partOf = (room: string) => fnv1a(room) % parts

const inPart = (part: number, prefix: string) => `${prefix}:{${part}}`

/** A key where a part lives, to ask whether anybody is there; nothing is ever in it. */
export const pulseKey = (part: number, prefix: string) => `${inPart(part, prefix)}:`

/**
 * The keys of a room, in the order in which the script takes them. The braces put them, and the channel that is called
 * like the first one, into one slot of a cluster (Redis cluster specification, "Hash tags").
 */
export function keysOf(room: string, prefix: string): string[] {
  const base = `${inPart(partOf(room), prefix)}:${room}`
  return [
    base,
    ...['connections', 'leases', 'tombstones', 'purges', 'unseen', 'members'].map((part) => `${base}:${part}`),
  ]
}

/** Where revocations are written down, and the channel that they are announced on. */
export const revocationsKey = (prefix: string) => `${prefix}:{revocations}`
