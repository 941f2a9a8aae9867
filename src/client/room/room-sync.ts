import { dateAt } from '../../shared/clock.js'
import { parseEventId } from '../../shared/event-id.js'
import type { LocationEvent } from '../../shared/events.js'
import { applyEvent, forgetStale } from '../../shared/view.js'
import { openConnection, type ConnectionOptions, type ServerConnection } from '../connection/connection.js'
import { isPresent, type ConnectionState } from '../connection/connection-state.js'
import { failureOf } from '../connection/failure.js'
import { poll } from '../connection/polling.js'
import { statusOf } from '../connection/room-status.js'
import type { Transport } from '../connection/transport.js'
import { timingOf } from '../connection/wire-limits.js'
import type { Store } from '../store/store.js'
import type { EpochWatch } from './epoch-watch.js'
import { detectLoss } from './lost-detector.js'
import type { OwnPresence } from './own-presence.js'
import type { Pace } from './post-pace.js'
import type { RoomTypes } from '../../shared/room-types.js'

export interface RoomSyncOptions<T extends RoomTypes> {
  room: string
  transport: Transport<T>
  store: Store<T>
  pace: Pace
  presence: OwnPresence<T>
  /** Called with the event id of each heartbeat and snapshot. */
  told: EpochWatch
}

/** Keeps the store's view up to date. Returns the connection to the server, which is not yet open. */
export function openRoomSync<T extends RoomTypes>(options: RoomSyncOptions<T>): ServerConnection {
  const { transport, store, pace, presence, told } = options
  const { clock } = transport
  const { view } = store
  let stopForgetting = () => {}
  /** Until this time, the next frame counts as what we missed while we were disconnected. */
  let catchingUpUntil = -Infinity
  /**
   * Returns the end of the wait for the frame with what we missed. The frame follows hello at once; on a slow network,
   * each byte extends the wait.
   */
  const soon = () => clock.now() + pace.timing.beatMs / 40
  const lostDetector = openLostDetector(transport, store)

  /**
   * After a restart of the server, gives the connections that the snapshot lacks time to come back before they are
   * removed.
   */
  const waitForStale = () => {
    presence.postAgain()
    stopForgetting()
    // The longest backoff is three heartbeat intervals (connection-state.ts): by then, all clients can have returned.
    const patienceMs = pace.timing.leaseMs + pace.timing.beatMs
    stopForgetting = clock.after(patienceMs, () => store.announce(forgetStale(view)))
  }
  const received = (eventId: string, event: LocationEvent<T>) => {
    const before = parseEventId(view.id)
    if (event.type === 'beat' || event.type === 'snapshot') told(event.type, eventId)
    const applied = applyEvent(view, eventId, event)
    if (event.type === 'broadcast') store.emit(event.type, event)
    // A heartbeat shows that the server works, even if earlier posts failed: our lease is renewed.
    if (event.type === 'beat') presence.renew()
    if (applied.outcome !== 'shown') return applied
    const caughtUp = clock.now() < catchingUpUntil
    catchingUpUntil = -Infinity
    if (before) store.announce(applied.shifts, caughtUp)
    else store.take(applied.shifts)
    // Only a new epoch gives stale connections more time; other snapshots do not.
    if (view.stale.size && parseEventId(eventId)?.epoch !== before?.epoch) waitForStale()
    return applied
  }
  const changed = (link: ConnectionState) => {
    if (link.state === 'waiting' && link.error.code === 'connection-owned') presence.rekey()
    const status = statusOf(link, clock)
    // The answer to the first poll contains what we missed.
    if (status.state === 'polling' && store.snapshot.status.state !== 'polling') catchingUpUntil = Infinity
    if (link.state === 'closed') lostDetector.stop()
    else lostDetector.note(isPresent(link))
    store.show({ ...status, ...transport.state?.() })
    if (link.state === 'closed') {
      if (link.error) store.emit('error', { error: link.error })
      else stopForgetting()
    }
    if (link.state === 'live' && !link.degraded) presence.renew()
  }

  return openConnection<T>({
    clock,
    context: pace.context,
    deadlineMs: pace.deadlineMs,
    ...requestsOf(options),
    greeted(id, hello) {
      pace.timing = timingOf(hello)
      pace.askedMs = 0
      // A server that cannot resume our stream will send a snapshot, however late. A server that resumes may have
      // nothing to send.
      catchingUpUntil = id === view.id ? soon() : Infinity
      // The hello of a shared stream has no connection id; the replies to our posts have it.
      if (hello.connectionId !== null) store.own({ connectionId: hello.connectionId })
    },
    heard() {
      if (clock.now() < catchingUpUntil) catchingUpUntil = Math.max(catchingUpUntil, soon())
    },
    beaten: presence.renew,
    received,
    changed,
  })
}

/** Shows the others as stale while the connection is lost, and emits `lost` and `restored`. */
const openLostDetector = <T extends RoomTypes>({ clock, lostMs }: Transport<T>, store: Store<T>) =>
  detectLoss(clock, lostMs, (isLost, reading) => {
    store.away(isLost)
    store.show()
    const since = dateAt(clock, reading)
    if (isLost) store.emit('lost', { since, status: store.snapshot.status })
    else store.emit('restored', { since, awayMs: clock.now() - reading })
  })

/** The two ways to receive the room's events: a stream, and polls. Both resume from the newest id unless `anew`. */
function requestsOf<T extends RoomTypes>(options: RoomSyncOptions<T>): Pick<ConnectionOptions<T>, 'open' | 'poll'> {
  const { room, transport, store, pace, presence } = options
  const { view } = store
  const inputOf = (anew: boolean) => ({ room, lastEventId: anew ? undefined : (view.id ?? undefined) })
  return {
    open(listener, anew) {
      const input = inputOf(anew)
      const { key: connectionKey, whoAmI } = presence
      if (transport.shareStream)
        return transport.shareStream(input, listener, {
          connectionKey,
          whoAmI,
          view,
          beatMs: pace.timing.beatMs,
          doubted: pace.isDoubted(),
        })
      return transport.openStream({ ...input, connectionKey }, listener)
    },
    poll: (listener, anew) =>
      poll({
        ...listener,
        clock: transport.clock,
        context: pace.context,
        async ask() {
          const answer = await transport.ask(inputOf(anew()), pace.deadlineMs())
          // The answer to a poll replaces these fields, as a hello does. The rest of the timing stays that of the
          // newest hello.
          const { features, presenceMs, locks } = answer
          pace.timing = timingOf({ ...pace.timing, features, presenceMs, locks })
          return answer
        },
        failureOf: (thrown) => ({ ...failureOf(thrown, transport.url), obstructed: false }),
      }),
  }
}
