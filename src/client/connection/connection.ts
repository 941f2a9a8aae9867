import type { Clock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import type { Hello, LocationEvent } from '../../shared/protocol.js'
import type { Applied } from '../../shared/view.js'
import { cut, type Failure } from './failure.js'
import type { PollListener } from './polling.js'
import {
  connecting,
  degraded,
  diverged,
  ended,
  hurried,
  opened,
  polled,
  reconnecting,
  type RetryContext,
  type ConnectionState,
} from './connection-state.js'
import type { StreamListener } from './subscription.js'

export interface ConnectionOptions<L, P> {
  clock: Clock
  /** Opens a stream that resumes, or, after the view went wrong, begins anew. */
  open(listener: StreamListener<L, P>, anew: boolean): () => void
  /** Polls where no stream gets through; the same events with the same ids. */
  poll(listener: PollListener<L, P>, anew: () => boolean): () => void
  /** The server's word on its timing, known to everybody before `changed` tells that the line is live; `id`: where it resumes. */
  greeted(id: string, hello: Hello): void
  /** Bytes came in, of whatever kind. */
  heard(): void
  received(id: string, event: LocationEvent<L, P>): Applied<L, P>
  /** While polling, once a beat: what a stream's beat would be answered with is due. */
  beaten(): void
  changed(link: ConnectionState): void
  retryContext(): RetryContext
}

/** A room's line to the server: one stream at a time, and another when it ends; polls where there can be none. */
export interface ServerConnection {
  readonly link: ConnectionState
  /** Connects now, whatever was before. */
  connect(): void
  /** The same, with the newest key; but what is closed stays closed. */
  renew(): void
  /** Waits no longer than a retryContext. */
  hurry(): void
  /** Closes the stream and waits for `connect`. */
  pause(): void
  close(reason: string): void
}

export function openConnection<L, P>(options: ConnectionOptions<L, P>): ServerConnection {
  const { clock, open, greeted, received, changed, retryContext } = options
  let link = connecting()
  let anew = false
  let closeStream = () => {}
  let stopPolls: (() => void) | null = null
  let stopTimer = () => {}
  const after = (delayMs: number, run: () => void) => {
    stopTimer()
    stopTimer = clock.after(delayMs, run)
  }

  const step = (next: ConnectionState) => {
    if (next === link) return
    link = next
    const { state, obstacle } = link
    // A stream that was refused leaves a timer behind, which would take the refusal for silence.
    if (state === 'closed') closeAll()
    else if (!obstacle || state === 'waiting') pausePolls()
    if (state === 'waiting') after(link.retryAt - clock.now(), resume)
    if (state === 'connecting') start()
    if (state === 'polling') {
      after(obstacle!.until - clock.now(), resume)
      stopPolls ??= options.poll(
        { event, polled: () => step(polled(link)), beaten: options.beaten, failed: end },
        () => anew,
      )
    }
    changed(link)
  }
  const resume = () => step(reconnecting(link, clock.now()))
  const end = (failure: Failure) => {
    closeAll()
    step(ended(link, failure, retryContext()))
  }
  const heard = () => {
    options.heard()
    // Bytes are not enough until there was a hello: something may hold back the rest.
    if (link.state === 'live') after(2.5 * retryContext().beatMs, () => end(cut('silence')))
  }
  const start = () => {
    closeStream()
    after(2.5 * retryContext().beatMs, () => endStream(cut('no answer')))
    const await1 = () => after(retryContext().beatMs, () => endStream(cut('no hello', true)))
    closeStream = open({ opened: await1, heard, event, ended: endStream }, anew)
  }
  const endStream = (failure: Failure) => {
    closeStream()
    step(ended(link, failure, retryContext()))
  }
  const pausePolls = () => {
    stopPolls?.()
    stopPolls = null
  }
  const closeAll = () => {
    stopTimer()
    closeStream()
    pausePolls()
  }

  const event = (id: string, event: LocationEvent<L, P>) => {
    if (event.type === 'bye') return end(event.reason === 'revoked' ? revoked() : cut(event.reason))
    if (event.type === 'hello') {
      greeted(id, event)
      step(opened(link, clock.now()))
      return heard()
    }
    const applied = received(id, event)
    if (applied.outcome === 'shown') anew = false
    if (applied.outcome !== 'diverged') return step(degraded(link, event.type === 'degraded'))
    const next = diverged(link, applied.because, cut(applied.because), retryContext())
    if (next === link) return
    anew = true
    closeAll()
    step(next)
  }

  return {
    get link() {
      return link
    },
    connect: () => step(connecting()),
    renew: () => link.state !== 'closed' && step(connecting()),
    hurry: () => step(hurried(link, retryContext())),
    pause: closeAll,
    close: (reason) => step({ ...connecting(), state: 'closed', reason, error: null }),
  }
}

const revoked = (): Failure => ({ error: new LocationError('forbidden', 'Access was taken back.'), retry: false })
