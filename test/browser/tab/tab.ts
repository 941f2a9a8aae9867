import { createLocationClient, type Room, type RoomStatus } from 'hereabouts/client'
import type { LocationServer } from 'hereabouts/server/standalone'
import type { CellTypes } from '../../support/cell-types.js'

/** The state of a tab that a test reads. */
export type TabState = {
  status: string
  /** The code and the message of `status.error`, or else of `status.postError`. */
  error: string | null
  self: string | null
  tabs: number
  others: string[]
  news: string[]
  /** The messages between tabs. */
  passed: string[]
}
declare global {
  interface Window {
    enter(room: string, options?: { url?: string; path?: string; share?: string }): void
    state(): TabState
    /** Posts, and resolves with the time that the server took. */
    move(row: number): Promise<number>
  }
}

const passed: string[] = []
const { postMessage } = BroadcastChannel.prototype
BroadcastChannel.prototype.postMessage = function (message) {
  passed.push(JSON.stringify(message))
  postMessage.call(this, message)
}

const news: string[] = []
let room: Room<CellTypes>
let row = 0

window.enter = (id, options = {}) => {
  const client = createLocationClient<LocationServer<CellTypes>['router']>({
    url: '/trpc',
    ...(options as object),
  })
  room = client.join(id, { location: { sheet: 'Q3', row, col: 0 } })
  for (const kind of ['entered', 'moved', 'left'] as const)
    room.on(kind, ({ member }) => news.push(`${kind} ${member.memberId} ${member.location?.row ?? ''}`.trim()))
  for (const kind of ['lost', 'restored'] as const) room.on(kind, () => news.push(kind))
  room.on('status', ({ current }) => news.push(current.state))
}
const reason = (status: RoomStatus) => {
  const error = ('error' in status && status.error) || status.postError
  return error ? `${error.code}: ${error.message}` : null
}
window.state = () => ({
  status: room.status.state,
  error: reason(room.status),
  self: room.self?.memberId ?? null,
  tabs: room.self?.connections.length ?? 0,
  others: room.others.map(({ memberId, location }) => `${memberId} ${location?.row}`),
  news,
  passed,
})
window.move = async (to) => {
  const start = performance.now()
  room.post({ sheet: 'Q3', row: (row = to), col: 0 })
  await room.flush()
  return performance.now() - start
}
