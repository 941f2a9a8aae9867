import type { CellLocation, Connection } from 'hereabouts'
import { createLocationClient, type LocationClientOptions } from 'hereabouts/client'
import type { LocationServer } from 'hereabouts/server/standalone'
import type { CellTypes } from '../cell-types.js'
import { countedClock } from '../counted-clock.js'
import { memoryServer, settled } from '../servers/memory-server.js'

export type MemoryRouter = LocationServer<CellTypes>['router']
type Options = Partial<LocationClientOptions<MemoryRouter, ''>>

// Loads the code in advance that a room loads on demand, which would take real time while the clock stands still.
await Promise.all([
  import('../../../src/client/connection/subscription.js'),
  import('../../../src/client/room/page-code.js'),
  import('../../../src/client/room/split-room.js'),
  import('../../../src/client/locks/room-locks.js'),
  import('../../../src/client/broadcasts/room-broadcasts.js'),
])

export const cell = (row: number): CellLocation => ({ sheet: 'Q3', row, col: 0 })

/** A connection of a member who is named like the connection. */
export const one = (connectionId: string, at = 1_000_000, more: object = {}) =>
  ({
    connectionId,
    memberId: `m-${connectionId}`,
    profile: { name: connectionId },
    location: null,
    activity: 'active',
    at,
    ...more,
  }) as Connection<CellTypes>

export const id = (version: number, epoch = 'epochepoch1') => `${epoch}.${version}`

/** A client of a server without a network. */
export function memoryClient(options: Options = {}) {
  const server = memoryServer()
  const clock = countedClock()
  const thrown: unknown[] = []
  const client = createLocationClient<MemoryRouter>({
    url: 'http://host/trpc',
    fetch: server.fetch,
    clock,
    logger: { error: (error) => thrown.push(error) },
    ...options,
  })
  return { server, clock, client, thrown, [Symbol.asyncDispose]: () => client.close() }
}

/** A room that is live, shows `others`, and has posted once. */
export async function liveRoom(others: Connection<CellTypes>[] = [], options: Options = {}, hello: object = {}) {
  const opened = memoryClient(options)
  const room = opened.client.join('r')
  await settled()
  await opened.server.stream.hello(hello)
  await opened.server.stream.snapshot(id(1), ...others)
  return { ...opened, room, names: () => room.others.map(({ memberId }) => memberId) }
}
