import type { CellLocation, MemberProfile } from 'hereabouts'
import { createLocationClient, type LocationClientOptions, type Room } from 'hereabouts/client'
import type { Cells } from './stock-client.js'
import type { CellTypes } from '../cell-types.js'

export type CellRoom = Room<CellTypes>
type Options = Pick<LocationClientOptions<Cells, ''>, 'fetch' | 'lostMs'> & { profile?: MemberProfile }

/** Joins one room with our client, and records in `news` the types of the events that the room emits. */
export function joined(url: string, id: string, location: CellLocation, { profile, ...options }: Options = {}) {
  const client = createLocationClient<Cells>({ url, ...options })
  const room: CellRoom = client.join(id, { location, ...(profile && { profile }) })
  const news: string[] = []
  for (const event of ['entered', 'moved', 'updated', 'left', 'error'] as const)
    room.on(event, () => void news.push(event))
  return { room, news, [Symbol.asyncDispose]: () => client.close() }
}

export const rowsSeen = ({ others }: Pick<CellRoom, 'others'>) => others.map(({ location }) => location?.row)
/** True if the room shows no stale connection of another member. */
export const isFresh = ({ others }: Pick<CellRoom, 'others'>) =>
  others.every(({ connections }) => connections.every(({ stale }) => !stale))
