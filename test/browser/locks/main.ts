import { createLocationClient, type Lock } from 'hereabouts/client'
import type { CellLocation, RoomTypesWith } from 'hereabouts'
import type { LocationServer } from 'hereabouts/server/standalone'

/* A page that locks a place as soon as it is loaded, like an editor that was reloaded. */

export type LockTypes = RoomTypesWith<{ location: CellLocation; locks: true }>
type Router = LocationServer<LockTypes>['router']

const params = new URLSearchParams(location.search)
const client = createLocationClient<Router>({ url: '/trpc', idleMs: Number(params.get('idleMs') ?? 60_000) })
const room = client.join(params.get('room') ?? 'r', { profile: { name: 'Ada' } })
const place = { sheet: 'Q3', row: 1, col: 1 }
let lock: Lock<LockTypes> | null = null
/** The time at which the lock was lost, by the clock of this page. */
let lostAt: number | null = null
const lockingSince = performance.now()
const take = async () => {
  lock = await room.lock(place)
  lock?.signal.addEventListener('abort', () => (lostAt = Date.now()))
}
void take()

export type ShownLock = { state: string; fence: number | null; lostAt: number | null; askedForMs: number }

declare global {
  interface Window {
    shownLock(): ShownLock
  }
}
window.shownLock = () => ({
  state: room.status.state,
  fence: lock && !lock.signal.aborted ? lock.fence : null,
  lostAt,
  askedForMs: performance.now() - lockingSince,
})
