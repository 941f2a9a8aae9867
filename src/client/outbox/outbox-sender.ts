import type { Clock } from '../../shared/clock.js'
import type { LocationError } from '../../shared/errors.js'
import type { PostLocationOutput } from '../../shared/call-types.js'
import { failureOf } from '../connection/failure.js'
import { checkedReply } from '../connection/wire-limits.js'
import { again, answered, dueAt, emptyOutbox, failed, hastened, rekeyed, sent, written } from './outbox.js'
import type { OutboxDraft, Outbox, OutboxPost } from './outbox.js'
import type { RetryContext } from '../connection/connection-state.js'
import type { RoomTypes } from '../../shared/room-types.js'

export interface OutboxSenderOptions<T extends RoomTypes> {
  clock: Clock
  context(): RetryContext
  /**
   * Returns the least times in ms between two posts: in general, before a post that changes only the presence value,
   * and in a busy room.
   */
  spacing(): [postMs: number, presenceMs: number, askedMs: number]
  send(post: OutboxPost<T>): Promise<PostLocationOutput>
  /** The server answered the post with our ids. */
  acknowledged(reply: PostLocationOutput): void
  refused(error: LocationError): void
  /** This connection has left, or belongs to another member: the next post needs a new key. */
  disowned(): void
  /** The newest draft, which is shown as ours, may have changed. */
  changed(newest: OutboxDraft<T> | null): void
}

/** Sends the posts of an outbox when they are due. */
export interface OutboxSender<T extends RoomTypes> {
  readonly box: Outbox<T>
  /** @param isUrgent false when only the presence value changed. */
  write(draft: OutboxDraft<T>, isUrgent?: boolean): void
  /** Applies a step to the outbox and sends the post that is due then. */
  step(change: (box: Outbox<T>) => Outbox<T>): void
  /** Stops sending until `resume`, which posts the newest draft again with a newer seq. */
  pause(): void
  resume(): void
}

export function openOutboxSender<T extends RoomTypes>(options: OutboxSenderOptions<T>): OutboxSender<T> {
  const { clock, context } = options
  let box: Outbox<T> = emptyOutbox
  let open = true
  let queued = false
  let stopTimer = () => {}

  const step = (change: (box: Outbox<T>) => Outbox<T>) => {
    const { refusal } = box
    box = change(box)
    if (box.refusal && box.refusal !== refusal) options.refused(box.refusal.error)
    options.changed(box.newest)
    pump()
  }
  const pump = () => {
    stopTimer()
    const dueMs = dueAt(box, ...options.spacing())
    if (!open || dueMs === null) return
    const delayMs = dueMs - clock.now()
    // The timer posts without comparing times again: a clock that stands still must not hold a post back.
    if (delayMs > 0) stopTimer = clock.after(delayMs, post)
    else post()
  }
  const post = () => {
    box = sent(box, clock.now())
    const { inFlight } = box
    if (!inFlight) return
    const settle = (then: () => void) => {
      // After a change of key or a stay in the back/forward cache, this post is no longer in flight: its reply is
      // ignored.
      if (open && box.inFlight === inFlight) then()
    }
    options
      .send(inFlight)
      .then(checkedReply)
      .then(
        (reply) =>
          settle(() => {
            if (reply.outcome === 'left') options.disowned()
            else options.acknowledged(reply)
            step((box) => answered(box, reply, context()))
          }),
        (thrown: unknown) =>
          settle(() => {
            const failure = failureOf(thrown)
            const kept = failed(box, failure, context())
            const ours = failure.error.code !== 'connection-owned' || kept.refusal !== box.refusal
            if (!ours) options.disowned()
            step(() => (ours ? kept : rekeyed(kept)))
          }),
      )
  }
  return {
    get box() {
      return box
    },
    write(draft, isUrgent) {
      box = written(box, draft, isUrgent)
      options.changed(box.newest)
      // Writes of the same task are sent as one post.
      if (queued) return
      queued = true
      queueMicrotask(() => {
        queued = false
        pump()
      })
    },
    step,
    pause() {
      open = false
      stopTimer()
    },
    resume() {
      open = true
      step((box) => hastened(again(box)))
    },
  }
}
