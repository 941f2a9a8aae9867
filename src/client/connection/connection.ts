import type { Clock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import type { Hello, LocationEvent } from '../../shared/events.js'
import type { Applied } from '../../shared/view.js'
import { cut, type Failure } from './failure.js'
import type { PollListener } from './polling.js'
import {
  connecting,
  diverged,
  ended,
  followed,
  hurried,
  opened,
  polled,
  reconnecting,
  type RetryContext,
  type ConnectionState,
} from './connection-state.js'
import type { StreamListener } from './stream-types.js'
import type { RoomTypes } from '../../shared/room-types.js'

export interface ConnectionOptions<T extends RoomTypes> {
  clock: Clock
  /** Opens a stream. It resumes or, when `anew` says that the view diverged, starts with a snapshot. */
  open(listener: StreamListener<T>, anew: boolean): () => void
  /** Polls while streams are blocked. Polls bring the same events with the same ids as streams. */
  poll(listener: PollListener<T>, anew: () => boolean): () => void
  /** The server's hello, called before `changed` reports the live state; `id`: the position where the stream resumes. */
  greeted(id: string, hello: Hello): void
  /** Bytes of any kind arrived on the stream. */
  heard(): void
  received(id: string, event: LocationEvent<T>): Applied<T>
  /** Called once a heartbeat interval while polling, in place of a stream's heartbeat. */
  beaten(): void
  changed(link: ConnectionState): void
  context(): RetryContext
  /** The timeout of a request. */
  deadlineMs(): number
}

/** A room's connection to the server: one stream at a time, reopened when it ends; polls while streams are blocked. */
export interface ServerConnection {
  readonly link: ConnectionState
  /** Connects now, from any state, also while the server asked us to wait. Before the first call, nothing else connects. */
  connect(): void
  /** Connects after `pause`. A wait that the server asked for goes on. */
  resume(): void
  /** Reconnects with the newest key, unless the connection is closed or paused, or the server asked us to wait. */
  renew(): void
  /** Shortens a wait for the next attempt, unless the server asked for it. */
  hurry(): void
  /** Ends a wait for the next attempt, unless the server asked for it. Its failures stay counted. */
  endWait(): void
  /** Closes the stream and waits for `connect` or `resume`. */
  pause(): void
  close(reason: string): void
}

export function openConnection<T extends RoomTypes>(options: ConnectionOptions<T>): ServerConnection {
  const { clock, greeted, received, changed, context } = options
  let link = connecting()
  let isPaused = true
  let anew = false
  let closeStream = () => {}
  let stopPolls: (() => void) | null = null
  let stopTimer = () => {}
  let stopWaiting = () => {}
  const after = (delayMs: number, run: () => void) => {
    stopTimer()
    stopTimer = clock.after(delayMs, run)
  }

  const step = (next: ConnectionState) => {
    if (next === link) return
    link = next
    const { state, obstacle } = link
    // Also stops the timer of a refused stream, which would report silence later.
    if (state === 'closed') closeAll()
    else if (!obstacle || state === 'waiting') pausePolls()
    if (state === 'waiting') after(link.retryAt - clock.now(), attempt)
    if (state === 'connecting') start()
    if (state === 'polling') {
      after(obstacle!.until - clock.now(), attempt)
      startPolls()
    }
    changed(link)
  }
  const startPolls = () => {
    stopPolls ??= options.poll(
      {
        event,
        polled() {
          const next = polled(link, clock.now())
          if (next !== link) changed((link = next))
        },
        beaten: options.beaten,
        // When polls beside an awaited stream fail, too, nothing shows that only streams are blocked: the polls end,
        // and the stream is still awaited.
        failed: (failure) => (isAwaited() && failure.retry ? pausePolls() : end(failure)),
      },
      () => anew,
    )
  }
  /** True while the hello of a stream is awaited and streams do not count as blocked. */
  const isAwaited = () => link.state === 'connecting' && !link.obstacle
  const attempt = () => step(reconnecting(link, clock.now()))
  const end = (failure: Failure) => {
    closeAll()
    step(ended(link, failure, context()))
  }
  const heard = () => {
    options.heard()
    // Before hello, bytes do not postpone the timeout: a proxy may let the first bytes pass and hold back the rest.
    if (link.state === 'live') after(2.5 * context().beatMs, () => end(cut('no data')))
  }
  let startedAt = 0
  const start = () => {
    closeStream()
    // A proxy may hold the stream back until its end. After a while, polls show the room and renew our lease beside it.
    stopWaiting()
    stopWaiting = clock.after(0.4 * context().beatMs, () => isAwaited() && startPolls())
    startedAt = clock.now()
    after(1.25 * options.deadlineMs(), () => endStream(cut('no answer')))
    const awaitHello = () => after(context().beatMs, () => endStream(cut('no hello', true)))
    closeStream = options.open({ opened: awaitHello, heard, event, ended: endStream }, anew)
  }
  /**
   * True when a proxy may block streams: this attempt hung, or is the third failure in a row. Polls will show whether
   * requests pass.
   */
  const isHeldBack = ({ answered, retry }: Failure) => {
    if (link.state !== 'connecting' || answered || !retry) return false
    const { now, beatMs } = context()
    return link.failures >= 2 || now - startedAt >= beatMs / 4
  }
  const endStream = (failure: Failure) => {
    closeStream()
    step(ended(link, isHeldBack(failure) ? { ...failure, obstructed: true } : failure, context()))
  }
  const pausePolls = () => {
    stopPolls?.()
    stopPolls = null
  }
  const closeAll = () => {
    stopTimer()
    stopWaiting()
    closeStream()
    pausePolls()
  }

  /** Applies an event. An event of the wrong form may leave the view half changed, so the view is loaded again. */
  const take = (id: string, event: LocationEvent<T>): Applied<T> => {
    try {
      return received(id, event)
    } catch {
      return { outcome: 'diverged', because: 'form' }
    }
  }
  const event = (id: string, event: LocationEvent<T>) => {
    if (event?.type === 'bye') return end(event.reason === 'revoked' ? revoked() : cut(event.reason))
    if (event?.type === 'hello') {
      greeted(id, event)
      step(opened(link, clock.now()))
      return heard()
    }
    const applied = take(id, event)
    if (applied.outcome === 'shown') anew = false
    if (applied.outcome !== 'diverged') return step(followed(link, event.type === 'degraded'))
    const next = diverged(link, applied.because, cut(applied.because), context())
    if (next === link) return
    anew = true
    closeAll()
    step(next)
  }

  const isAskedToWait = () => clock.now() < link.askedUntil
  const mayConnect = () => !isPaused && link.state !== 'closed' && !isAskedToWait()
  const open = (next: ConnectionState) => {
    isPaused = false
    step(next)
  }
  return {
    get link() {
      return link
    },
    connect: () => open(connecting()),
    // A copy of the state begins its wait again.
    resume: () => open(isAskedToWait() ? { ...link } : connecting()),
    renew: () => mayConnect() && step(connecting()),
    hurry: () => isPaused || step(hurried(link, context())),
    endWait: () => mayConnect() && link.state === 'waiting' && attempt(),
    pause() {
      isPaused = true
      closeAll()
    },
    close: (reason) => step({ ...connecting(), state: 'closed', reason, error: null }),
  }
}

const revoked = (): Failure => ({
  error: new LocationError('forbidden', 'Your access to this room was revoked.'),
  retry: false,
})
