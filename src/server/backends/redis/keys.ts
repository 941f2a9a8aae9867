/** The number of partitions of the rooms: enough for a cluster of any size to share them evenly. */
const parts = 256

/** FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/). The partition of a room must never change. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/** Returns the partition of a room. */
export const partOf = (room: string) => fnv1a(room) % parts

/**
 * The revision of the records and announcements of room.lua. During a deploy, processes with different revisions use
 * different keys, so that none reads records that it would misunderstand.
 */
const recordRevision = 5

const inPart = (part: number, prefix: string) => `${prefix}:${recordRevision}:{${part}}`

/**
 * Returns the key, and channel, of the health checks of one process. Its hash tag puts it into the cluster slot that is
 * checked: that of a partition, or that of the revocations.
 */
export const probeKey = (part: number | 'revocations', process: string, prefix: string) =>
  `${prefix}:probe:{${part}}:${process}`

/**
 * Returns the keys of a room, in the order of the script's KEYS. The braces put them, and the channel named after the
 * first key, into one slot of a cluster (Redis cluster specification, "Hash tags").
 */
export function keysOf(room: string, prefix: string): string[] {
  const base = `${inPart(partOf(room), prefix)}:${room}`
  return [
    base,
    ...['connections', 'leases', 'tombstones', 'purges', 'unseen', 'members', 'locks', 'lockEnds'].map(
      (part) => `${base}:${part}`,
    ),
  ]
}

/** The stream of revocations, and the channel that announces them. */
export const revocationsKey = (prefix: string) => `${prefix}:{revocations}`
