import type { Clock } from '../shared/clock.js'
import type { LocationError } from '../shared/errors.js'
import type { PostLocationOutput } from '../shared/protocol.js'
import { failureOf } from './failure.js'
import {
  again,
  answered,
  beaten,
  dueAt,
  emptyOutbox,
  failed,
  hastened,
  rekeyed,
  sent,
  written,
  type Draft,
  type Outbox,
  type Post,
} from './outbox.js'

export interface PosterOptions<L, P> {
  clock: Clock
  beatMs(): number
  postMs(): number
  send(post: Post<L, P>, signal: AbortSignal): Promise<PostLocationOutput>
  /** The server took note: who we are is known. */
  acknowledged(reply: PostLocationOutput): void
  refused(error: LocationError): void
  /** This connection is over, or was never ours: the next post needs a new key. */
  disowned(): void
  changed(): void
}

/** Posts what the outbox says is due, when it is due. */
export interface Poster<L, P> {
  readonly box: Outbox<L, P>
  write(draft: Draft<L, P>): void
  /** Answers a beat. */
  beat(): void
  /** The stream is live again. */
  greet(): void
  hurry(): void
  /** Says everything again, as a new connection. */
  rekey(): void
  /** Sends nothing more until `resume`, which says everything again with a newer seq. */
  pause(): void
  resume(): void
  close(): void
}

export function openPoster<L, P>(options: PosterOptions<L, P>): Poster<L, P> {
  const { clock } = options
  let box: Outbox<L, P> = emptyOutbox
  let open = true
  let queued = false
  let abort = () => {}
  let stopTimer = () => {}

  const step = (next: Outbox<L, P>) => {
    const previous = box
    box = next
    if (box.refusal && box.refusal !== previous.refusal) options.refused(box.refusal.error)
    options.changed()
    pump()
  }
  const pump = () => {
    stopTimer()
    const at = dueAt(box, options.postMs())
    if (!open || at === null) return
    if (at > clock.now()) stopTimer = clock.after(at - clock.now(), pump)
    else post()
  }
  const post = () => {
    box = sent(box, clock.now())
    const { inFlight } = box
    if (!inFlight) return
    const controller = new AbortController()
    abort = () => controller.abort()
    const stopDeadline = clock.after(2 * options.beatMs(), abort)
    const moment = () => ({ now: clock.now(), random: Math.random(), beatMs: options.beatMs() })
    const settle = (then: () => void) => {
      stopDeadline()
      // After a change of key or a stay in the back/forward cache, nobody waits for this one.
      if (open && box.inFlight === inFlight) then()
    }
    options.send(inFlight, controller.signal).then(
      (reply) =>
        settle(() => {
          if (reply.outcome === 'left') options.disowned()
          else options.acknowledged(reply)
          step(answered(box, reply, moment()))
        }),
      (thrown: unknown) =>
        settle(() => {
          const failure = failureOf(thrown)
          const kept = failed(box, failure, moment())
          const mine = failure.error.code !== 'connection-owned' || kept.refusal !== box.refusal
          if (!mine) options.disowned()
          step(mine ? kept : rekeyed(kept))
        }),
    )
  }

  return {
    get box() {
      return box
    },
    write(draft) {
      box = written(box, draft)
      options.changed()
      // What an app says in one breath travels as one post.
      if (queued) return
      queued = true
      queueMicrotask(() => {
        queued = false
        pump()
      })
    },
    beat: () => step(beaten(box)),
    greet: () => step(hastened(beaten(box))),
    hurry: () => step(hastened(box)),
    rekey: () => step(rekeyed(box)),
    pause() {
      open = false
      stopTimer()
    },
    resume() {
      open = true
      step(hastened(again(box)))
    },
    close() {
      open = false
      stopTimer()
      abort()
    },
  }
}
