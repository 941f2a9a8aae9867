import type { RoomTypes } from '../../shared/room-types.js'
import type { ServerConnection } from '../connection/connection.js'
import type { FirstLoad } from '../first-load.js'
import type { RoomSyncOptions } from './room-sync.js'

/**
 * Returns the function to call at each sign of life. Retries that wait are due at once. After a sleep, or in
 * another network, open connections may be dead without an error: hanging posts are sent again, and a query tests the stream.
 * `changed`: the network is another one, so that the stream is replaced without a test.
 */
export function wakeUp<T extends RoomTypes>(
  { room, transport, store, pace, presence }: RoomSyncOptions<T>,
  connection: ServerConnection,
  { failureOf }: FirstLoad,
): (changed: boolean) => void {
  const { clock } = transport
  const { view } = store
  let testedAt = -Infinity
  const isOpen = () => connection.link.state === 'live' || connection.link.state === 'connecting'

  const test = async () => {
    const before = view.id
    const ask = () => transport.ask({ room, lastEventId: before ?? undefined }, pace.deadlineMs())
    // A refusal is an answer, too: the network works.
    const dead = await ask().then(
      ({ id }) => id !== before,
      (thrown: unknown) => failureOf(thrown).error.code === 'network',
    )
    // The change that the query saw may still be on its way on the stream.
    if (!dead) return
    clock.after(pace.timing.beatMs / 20, () => {
      if (isOpen() && view.id === before) connection.renew()
    })
  }
  return (changed) => {
    connection.hurry()
    presence.hasten()
    // Several signs come together, such as focus and visibility.
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
