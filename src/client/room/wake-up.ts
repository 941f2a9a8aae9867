import type { RoomTypes } from '../../shared/room-types.js'
import type { ServerConnection } from '../connection/connection.js'
import type { FirstLoad } from '../first-load.js'
import type { RoomSyncOptions } from './room-sync.js'

/**
 * Returns the function to call when the page is looked at again or the network is back. It makes waiting retries due at
 * once. After a sleep or in another network, open connections may be dead without an error: hanging posts are sent
 * again, and a query tests the stream. When the network is another one (`changed`), the stream is replaced without a
 * test. The same query tests the stream when posts begin to fail without an answer of our server.
 */
export function wakeUp<T extends RoomTypes>(
  options: RoomSyncOptions<T>,
  connection: ServerConnection,
  { failureOf }: FirstLoad,
): (changed: boolean) => void {
  const { room, transport, store, pace, presence } = options
  const { clock } = transport
  const { view } = store
  const isUnanswered = (thrown: unknown) => !failureOf(thrown).answered
  let testedAt = -Infinity
  const isOpen = () => connection.link.state === 'live' || connection.link.state === 'connecting'

  const test = async () => {
    const before = view.id
    const ask = () => transport.ask({ room, lastEventId: before ?? undefined }, pace.deadlineMs())
    // The stream may be dead when our server does not answer, or answers with another id than ours. A refusal is an
    // answer. The answer may be anything, also `null`, because a proxy or another server may have sent it.
    const dead = await ask().then((answer: { id: string } | null) => answer?.id !== before, isUnanswered)
    // The stream has a moment to bring the change that the query saw, before it is replaced.
    if (!dead) return
    clock.after(pace.timing.beatMs / 20, () => {
      if (isOpen() && view.id === before) connection.renew()
    })
  }
  followFailures(options, connection, (error) => {
    if (connection.link.state !== 'live' || !isUnanswered(error.cause)) return
    pace.doubt()
    void test()
  })
  return (changed) => {
    connection.hurry()
    presence.hasten()
    // Several events come together, such as focus and visibility: one test is enough.
    const isRepeated = clock.now() < testedAt + pace.timing.beatMs / 10
    if (isRepeated && !changed) return
    testedAt = clock.now()
    pace.doubt()
    if (!isOpen()) return
    presence.replace()
    if (changed || connection.link.state === 'connecting') connection.renew()
    else void test()
  }
}

/**
 * Calls `failing` when posts begin to fail: a development proxy, such as Vite's, keeps the stream of a stopped server
 * open, and answers each request with an error of its own. Also shortens a wait for the next stream, when a post is
 * accepted again and, in development, after a fifth of a heartbeat interval, when a restarted server should be back.
 */
function followFailures<T extends RoomTypes>(
  { transport: { url, clock }, store, pace, presence }: RoomSyncOptions<T>,
  connection: ServerConnection,
  failing: (error: { cause?: unknown }) => void,
): void {
  let stopTimer = () => {}
  store.on('status', ({ previous, current }) => {
    stopTimer()
    if (current.postError && !previous.postError) failing(current.postError)
    if (current.state !== 'waiting') return
    // `hurry` changes the status again, so it runs in a microtask, after all listeners were called for this change.
    if (previous.postError && !current.postError) queueMicrotask(connection.hurry)
    if (!isLookedAtInDevelopment(url)) return
    stopTimer = clock.after(pace.timing.beatMs / 5, () => {
      connection.hurry()
      presence.hasten()
    })
  })
}

/** True while the page is visible and its server is on this machine: nobody else waits for that server, so there is no load to spread. */
const isLookedAtInDevelopment = (url: string) =>
  typeof document !== 'undefined' &&
  document.visibilityState === 'visible' &&
  /^(localhost|127\..*|\[::1]|.*\.localhost)$/.test(new URL(url, document.baseURI).hostname)
