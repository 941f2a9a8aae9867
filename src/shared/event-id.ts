/** The version of a room within an epoch. On the wire `epoch.version`: 11 base64url characters, a dot, microseconds. */
export type EventId = { epoch: string; version: number }

const wireForm = /^([\w-]{11})\.(0|[1-9]\d{0,15})$/

/** Parses the SSE id of an event. Returns `null` for a text that is no such id; never throws. */
export function parseEventId(id: string | null | undefined): EventId | null {
  const [, epoch, digits] = wireForm.exec(id ?? '') ?? []
  const version = Number(digits)
  return epoch && Number.isSafeInteger(version) ? { epoch, version } : null
}

export const formatEventId = ({ epoch, version }: EventId): string => `${epoch}.${version}`
