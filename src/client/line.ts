import type { Clock } from '../shared/clock.js'
import { LocationError } from '../shared/errors.js'
import type { Hello, LocationEvent } from '../shared/protocol.js'
import type { Applied } from '../shared/view.js'
import { failureOf, type Failure } from './failure.js'
import { connecting, diverged, ended, hurried, opened, reconnecting, type Moment, type Reconnect } from './reconnect.js'
import type { StreamListener } from './stream.js'

export interface LineOptions<L, P> {
  clock: Clock
  /** Opens a stream that resumes, or, after the view went wrong, begins anew. */
  open(listener: StreamListener<L, P>, anew: boolean): () => void
  /** The server's word on its timing, known to everybody before `changed` tells that the line is live. */
  greeted(hello: Hello): void
  received(id: string, event: LocationEvent<L, P>): Applied<L, P>
  changed(link: Reconnect): void
  moment(): Moment
}

/** A room's line to the server: one stream at a time, and another when it ends. */
export interface Line {
  readonly link: Reconnect
  /** Connects now, with the newest key, whatever was before. */
  connect(): void
  /** Waits no longer than a moment. */
  hurry(): void
  /** Closes the stream and waits for `connect`. */
  pause(): void
  close(reason: string): void
}

export function openLine<L, P>({ clock, open, greeted, received, changed, moment }: LineOptions<L, P>): Line {
  let link = connecting()
  let anew = false
  let closeStream = () => {}
  let stopTimer = () => {}
  const after = (delayMs: number, run: () => void) => {
    stopTimer()
    stopTimer = clock.after(delayMs, run)
  }

  const step = (next: Reconnect) => {
    if (next === link) return
    link = next
    if (link.state === 'waiting') after(link.retryAt - clock.now(), () => step(reconnecting(link)))
    if (link.state === 'connecting') start()
    changed(link)
  }
  const end = (failure: Failure) => {
    pause()
    step(ended(link, failure, moment()))
  }
  const heard = () => after(2.5 * moment().beatMs, () => end(cut('silence')))
  const start = () => {
    pause()
    heard()
    closeStream = open({ heard, event, ended: (cause) => end(cause ? failureOf(cause) : cut('return')) }, anew)
  }
  const pause = () => {
    stopTimer()
    closeStream()
  }

  const event = (id: string, event: LocationEvent<L, P>) => {
    if (event.type === 'bye') return end(event.reason === 'revoked' ? revoked() : cut(event.reason))
    if (event.type === 'hello') {
      greeted(event)
      heard()
      return step(opened(link, clock.now()))
    }
    const applied = received(id, event)
    if (applied.outcome === 'shown') anew = false
    if (applied.outcome !== 'diverged') return
    const next = diverged(link, applied.because, cut(applied.because), moment())
    if (next === link) return
    anew = true
    pause()
    step(next)
  }

  return {
    get link() {
      return link
    },
    connect: () => step(connecting()),
    hurry: () => step(hurried(link, moment())),
    pause,
    close(reason) {
      pause()
      step({ ...connecting(), state: 'closed', reason, error: null })
    },
  }
}

const cut = (why: string): Failure => ({
  error: new LocationError('network', `The stream ended (${why}).`),
  retry: true,
})
const revoked = (): Failure => ({ error: new LocationError('forbidden', 'Access was taken back.'), retry: false })
