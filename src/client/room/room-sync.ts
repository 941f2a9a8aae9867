import { parseEventId } from '../../shared/event-id.js'
import { applyEvent, forgetStale } from '../../shared/view.js'
import { detectLoss } from './lost-detector.js'
import { failureOf } from '../connection/failure.js'
import { lazyImport } from '../lazy-import.js'
import { openConnection, type ServerConnection } from '../connection/connection.js'
import type { Pace } from './post-pace.js'
import type { OwnPresence } from './own-presence.js'
import { isPresent } from '../connection/connection-state.js'
import { statusOf } from '../connection/room-status.js'
import type { Store } from '../store/store.js'
import type { Transport } from '../connection/transport.js'

export interface RoomSyncOptions<L, P> {
  room: string
  wire: Transport<L, P>
  store: Store<L, P>
  pace: Pace
  presence: OwnPresence<L, P>
}

/** What we see of a room: keeps the store's view true by a line to the server. Returns the line, to be connected. */
export function openRoomSync<L, P>({ room, wire, store, pace, presence }: RoomSyncOptions<L, P>): ServerConnection {
  const { clock } = wire
  const { view } = store
  const { moment, deadlineMs } = pace
  let stopForgetting = () => {}
  const lastEventId = () => view.id ?? undefined
  /** Until then, the next frame tells what we missed. */
  let catchingUpUntil = -Infinity
  /** It follows hello at once, and however long it takes to get here, bytes of it keep coming. */
  const soon = () => clock.now() + pace.timing.beatMs / 40

  const absence = detectLoss({
    clock,
    lostMs: wire.lostMs,
    lost(since) {
      store.away(true)
      store.show()
      store.emit('lost', { since: new Date(since), status: store.snapshot.status })
    },
    restored(since) {
      store.away(false)
      store.show()
      store.emit('restored', { since: new Date(since), awayMs: clock.now() - since })
    },
  })

  return openConnection<L, P>({
    clock,
    moment,
    open(listener, anew) {
      const input = { room, lastEventId: anew ? undefined : lastEventId() }
      const { key: connectionKey, whoAmI } = presence
      if (wire.shareStream)
        return wire.shareStream(input, listener, { connectionKey, whoAmI, view, beatMs: pace.timing.beatMs })
      return wire.openStream({ ...input, connectionKey }, listener)
    },
    poll: (listener, anew) =>
      lazyImport(
        import('../connection/polling.js'),
        ({ poll }) => {
          const ask = () => wire.ask({ room, lastEventId: anew() ? undefined : lastEventId() }, deadlineMs())
          return poll({
            ...listener,
            clock,
            moment,
            ask,
            failureOf: (thrown) => ({ ...failureOf(thrown, wire.url), obstructed: false }),
          })
        },
        (thrown) => listener.failed(failureOf(thrown)),
      ),
    greeted(id, hello) {
      pace.timing = hello
      // Where a server does not resume, a snapshot follows, sooner or later; where it does, perhaps nothing.
      catchingUpUntil = id === view.id ? soon() : Infinity
      // A stream that is shared with other tabs is nobody's; our posts are told who we are.
      if (hello.connectionId !== null) store.own({ connectionId: hello.connectionId })
    },
    heard() {
      if (clock.now() < catchingUpUntil) catchingUpUntil = Math.max(catchingUpUntil, soon())
    },
    beaten: presence.renew,
    received(eventId, event) {
      const before = parseEventId(view.id)
      const applied = applyEvent(view, eventId, event)
      // A beat tells of a server that is well, whatever it answered before.
      if (event.type === 'beat') presence.renew()
      if (applied.outcome !== 'shown') return applied
      const caughtUp = clock.now() < catchingUpUntil
      catchingUpUntil = -Infinity
      if (before) store.announce(applied.shifts, caughtUp)
      else store.take(applied.shifts)
      // Only when the room began anew: other snapshots give nobody more time.
      if (view.stale.size && parseEventId(eventId)?.epoch !== before?.epoch) {
        presence.sayAgain()
        stopForgetting()
        // Whoever waited longest to try again (reconnect.ts: three beats) has been back for a while then.
        const patienceMs = pace.timing.leaseMs + pace.timing.beatMs
        stopForgetting = clock.after(patienceMs, () => store.announce(forgetStale(view)))
      }
      return applied
    },
    changed(link) {
      if (link.state === 'waiting' && link.error.code === 'connection-owned') presence.rekey()
      // The first poll tells it, whenever it is answered.
      if (link.state === 'polling' && store.snapshot.status.state !== 'polling') catchingUpUntil = Infinity
      if (link.state === 'closed') absence.stop()
      else absence.note(isPresent(link))
      store.show(statusOf(link))
      if (link.state === 'closed') {
        if (link.error) store.emit('error', { error: link.error })
        else stopForgetting()
      }
      if (link.state === 'live' && !link.degraded) presence.renew()
    },
  })
}
