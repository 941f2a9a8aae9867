import { createLocationClient } from 'hereabouts/client'
import { webSocket } from 'hereabouts/client/websocket'
import type { LocationServer } from 'hereabouts/server/standalone'
import type { CellTypes } from '../../support/cell-types.js'

/* A page that joins a room over a WebSocket. Tests read its state from the window object. */

type Router = LocationServer<CellTypes>['router']

const client = createLocationClient<Router>({ url: '/trpc', transport: webSocket({ url: '/trpc' }) })
const room = client.join('r', { profile: { name: new URLSearchParams(location.search).get('name') ?? 'Ada' } })
let restored = 0
addEventListener('pageshow', ({ persisted }) => (restored += Number(persisted)))

Object.assign(window, {
  read: () => ({
    status: room.status,
    others: room.others.map(({ profile, location: at }) => `${profile?.name} ${at?.row ?? '-'}`),
    restored,
  }),
  go: (row: number) => {
    room.post({ sheet: 'Q3', row, col: 1 })
    return room.flush()
  },
  reconnect: () => client.reconnect(),
})
