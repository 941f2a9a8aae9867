import { createLocationClient } from 'hereabouts/client'
import type { LocationServer } from 'hereabouts/server/standalone'
import type { CellTypes } from '../../support/cell-types.js'

/* A page that only joins a room. Tests read its state from the window object. */

type Router = LocationServer<CellTypes>['router']

const params = new URLSearchParams(location.search)
const client = createLocationClient<Router>({ url: '/trpc' })
const room = client.join(params.get('room') ?? 'r', { profile: { name: params.get('name') ?? 'Ada' } })
const news: string[] = []
room.on('entered', ({ member }) => news.push(`entered ${member.profile?.name}`))
room.on('left', ({ member, reason }) => news.push(`${reason} ${member.profile?.name}`))
room.on('moved', ({ member, current }) => news.push(`moved ${member.profile?.name} ${current?.row}`))

/** The number of times that this page returned from the back/forward cache. */
let restored = 0
addEventListener('pageshow', ({ persisted }) => (restored += Number(persisted)))
/** The number of runs of a 100 ms timer in the last second: browsers throttle timers of hidden pages. */
let ticks: number[] = []
setInterval(() => (ticks = [...ticks.filter((at) => at > performance.now() - 1000), performance.now()]), 100)

export type Shown = {
  state: string
  news: string[]
  others: { name: string; row: number | undefined; windows: number }[]
  restored: number
  visibility: string
  ticks: number
}

declare global {
  interface Window {
    goTo(row: number): void
    shown(): Shown
  }
}
window.goTo = (row) => room.post({ sheet: 'Q3', row, col: 0 })
window.shown = () => ({
  state: room.status.state,
  news,
  others: room.others.map(({ profile, location, connections }) => ({
    name: profile?.name ?? '',
    row: location?.row,
    windows: connections.length,
  })),
  restored,
  visibility: document.visibilityState,
  ticks: ticks.length,
})
// Tests of hidden tabs can read only the title. It is updated at once, because timers of hidden pages are slow.
if (params.has('tell')) {
  const tell = () => (document.title = JSON.stringify(window.shown()))
  room.subscribe(tell)
  setInterval(tell, 1000)
}
