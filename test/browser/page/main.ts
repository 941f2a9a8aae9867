import { createLocationClient } from 'hereabouts/client'
import type { LocationServer } from 'hereabouts/server/standalone'
import type { CellLocation, MemberProfile } from 'hereabouts'

/* A page that is in a room, and nothing else: what a test wants to know lies on the window. */

type Router = LocationServer<CellLocation, MemberProfile>['router']

const params = new URLSearchParams(location.search)
const client = createLocationClient<Router>({ url: '/trpc' })
const room = client.join(params.get('room') ?? 'r', { profile: { name: params.get('name') ?? 'Ada' } })
const news: string[] = []
room.on('entered', ({ member }) => news.push(`entered ${member.profile?.name}`))
room.on('left', ({ member, reason }) => news.push(`${reason} ${member.profile?.name}`))
room.on('moved', ({ member, current }) => news.push(`moved ${member.profile?.name} ${current?.row}`))

/** How often this very page came back from the back/forward cache. */
let restored = 0
addEventListener('pageshow', ({ persisted }) => (restored += Number(persisted)))
/** How often a timer of 100 ms ran in the second before: a browser holds back those of hidden pages. */
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
// For who has no way into the page but the list of tabs. A hidden page's timers are slow: it tells at once.
if (params.has('tell')) {
  const tell = () => (document.title = JSON.stringify(window.shown()))
  room.subscribe(tell)
  setInterval(tell, 1000)
}
