import type { CellLocation, MemberProfile } from 'hereabouts'
import { createLocationClient, type LocationClientOptions, type Room } from 'hereabouts/client'
import type { Cells } from './stock-client.js'
import type { CellTypes } from '../cell-types.js'

export type CellRoom = Room<CellTypes>
type Options = Pick<LocationClientOptions<Cells, ''>, 'fetch' | 'lostMs'> & { profile?: MemberProfile }

/** A client of ours with its one room, and all that it was told of others. */
export function joined(url: string, id: string, location: CellLocation, { profile, ...options }: Options = {}) {
  const client = createLocationClient<Cells>({ url, ...options })
  const room: CellRoom = client.join(id, { location, ...(profile && { profile }) })
  const news: string[] = []
  for (const event of ['entered', 'moved', 'updated', 'left', 'error'] as const)
    room.on(event, () => void news.push(event))
  return { room, news, [Symbol.asyncDispose]: () => client.close() }
}

export const rowsSeen = ({ others }: Pick<CellRoom, 'others'>) => others.map(({ location }) => location?.row)
/** Everybody in sight was seen since the room was last read. */
export const isFresh = ({ others }: Pick<CellRoom, 'others'>) =>
  others.every(({ connections }) => connections.every(({ stale }) => !stale))
