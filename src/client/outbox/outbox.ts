import type { LocationError } from '../../shared/errors.js'
import type { PostOutcome } from '../../shared/call-types.js'
import type { Activity } from '../../shared/events.js'
import type { Failure } from '../connection/failure.js'
import { backoffMs, isForgivable, retryDelayMs, type RetryContext } from '../connection/connection-state.js'
import type { RoomTypes } from '../../shared/room-types.js'

/** The whole state that a connection posts. */
export type OutboxDraft<T extends RoomTypes> = {
  readonly location: T['location'] | null
  readonly profile?: T['profile'] | null
  readonly activity?: Activity
  readonly presence?: T['presence']
  /** Set in a draft that differs from the previous one only in that the page was used since. */
  readonly used?: true
}

export type OutboxPost<T extends RoomTypes> = {
  readonly draft: OutboxDraft<T>
  readonly edition: number
  readonly seq: number
}

/**
 * The posts of a connection: only the newest draft is kept, and one post is in flight. Drafts are counted in editions; the
 * server orders posts by `seq`. Immutable: each step returns a new outbox.
 */
export type Outbox<T extends RoomTypes> = {
  readonly newest: OutboxDraft<T> | null
  readonly edition: number
  /** The newest edition that changed more than the presence value. */
  readonly urgent: number
  readonly seq: number
  /** The edition that was sent as `seq`; 0 when the next post must have a new seq. */
  readonly posted: number
  /** The newest edition that the server acknowledged. */
  readonly acked: number
  /** The draft of the edition `acked`, which the room shows. It remains when a newer draft is refused. */
  readonly shown: OutboxDraft<T> | null
  readonly inFlight: OutboxPost<T> | null
  readonly sentAt: number
  readonly retryAt: number
  /** The server asked us not to post before this time. */
  readonly askedUntil: number
  readonly failures: number
  readonly forgiven: boolean
  /** True when a post is due although nothing is new: it renews the lease. */
  readonly renewing: boolean
  /** True when no post was acknowledged since the last heartbeat. */
  readonly quiet: boolean
  /** Why the newest post was refused or fails again and again; `null` when it was acknowledged. */
  readonly error: LocationError | null
  readonly refusal: { readonly edition: number; readonly error: LocationError } | null
}

export const emptyOutbox: Outbox<never> = {
  newest: null,
  edition: 0,
  urgent: 0,
  seq: 0,
  posted: 0,
  acked: 0,
  shown: null,
  inFlight: null,
  sentAt: -Infinity,
  retryAt: -Infinity,
  askedUntil: -Infinity,
  failures: 0,
  forgiven: false,
  renewing: false,
  quiet: true,
  error: null,
  refusal: null,
}

/** The app wrote a new draft. An older draft that was not sent yet is dropped. */
export function written<T extends RoomTypes>(box: Outbox<T>, draft: OutboxDraft<T>, isUrgent = true): Outbox<T> {
  const edition = box.edition + 1
  return { ...box, newest: draft, edition, urgent: isUrgent ? edition : box.urgent }
}

/**
 * Returns the time of the next post; `null` when none is due.
 *
 * @param postMs the least time between two posts.
 * @param presenceMs the least time before a post that changes only the presence value.
 * @param askedMs the least time before a post that a busy room asked for. It does not delay renewals of the lease.
 */
export function dueAt<T extends RoomTypes>(
  box: Outbox<T>,
  postMs: number,
  presenceMs = postMs,
  askedMs = 0,
): number | null {
  const isNew = box.acked < box.edition
  if (!box.newest || box.inFlight || !(isNew || box.renewing)) return null
  const spacing = isNew ? Math.max(askedMs, box.acked < box.urgent ? postMs : presenceMs) : postMs
  return Math.max(box.sentAt + spacing, box.retryAt)
}

/**
 * Puts the newest draft in flight. A draft that was sent before keeps its seq, so that the server recognizes a retry.
 */
export function sent<T extends RoomTypes>(box: Outbox<T>, now: number): Outbox<T> {
  const { newest: draft, edition, posted } = box
  if (!draft) return box
  const seq = posted === edition ? box.seq : box.seq + 1
  return { ...box, seq, posted: edition, sentAt: now, inFlight: { draft, edition, seq } }
}

/** The server answered the post in flight. */
export function answered<T extends RoomTypes>(
  box: Outbox<T>,
  reply: { outcome: PostOutcome; seq: number },
  context: RetryContext,
): Outbox<T> {
  const post = box.inFlight
  if (!post) return box
  const idle = { ...box, inFlight: null }
  const seq = Math.max(box.seq, reply.seq)
  switch (reply.outcome) {
    case 'applied':
    case 'same':
      return {
        ...idle,
        acked: post.edition,
        shown: post.draft,
        // After a refusal, a renewal posts the draft before the refused one: the refused draft is still not delivered.
        error: post.edition === box.refusal?.edition ? box.error : null,
        retryAt: -Infinity,
        failures: 0,
        forgiven: false,
        renewing: false,
        quiet: false,
      }
    case 'stale':
    case 'expired':
      // A renewal that was overtaken by a newer post needs no retry.
      if (reply.outcome === 'stale' && box.acked >= post.edition) return { ...idle, seq, renewing: false }
      return delayed(again(idle, seq), context)
    default:
      return delayed(rekeyed(idle), context)
  }
}

/** The post failed: a refused draft is dropped, any other failure is retried. */
export function failed<T extends RoomTypes>(
  box: Outbox<T>,
  { error, retry }: Failure,
  context: RetryContext,
): Outbox<T> {
  const post = box.inFlight
  if (!post) return box
  const idle = { ...box, inFlight: null }
  if (retry) {
    const failures = box.failures + 1
    const retryAt = context.now + retryDelayMs(failures, error, context)
    const askedUntil = context.now + (error.retryAfterMs ?? 0)
    // The first failure is shown only when the post has hung: others have not seen our location for long.
    const isShown = failures > 1 || context.now > box.sentAt + context.beatMs / 5
    return { ...idle, failures, retryAt, askedUntil, error: isShown ? error : box.error }
  }
  if (isForgivable(error.code) && !box.forgiven) return { ...idle, forgiven: true }
  const refused = { ...idle, error, refusal: { edition: post.edition, error }, renewing: false }
  if (box.edition > post.edition) return refused
  // The draft that the room shows becomes the newest again and needs no post. If it was itself refused, no draft is
  // left.
  return { ...refused, newest: box.shown === post.draft ? null : box.shown, acked: box.edition }
}

/** A heartbeat or a hello arrived: the last draft is posted again unless a post was acknowledged since the previous one. */
export function heartbeatReceived<T extends RoomTypes>(box: Outbox<T>): Outbox<T> {
  return { ...box, renewing: box.renewing || box.quiet, quiet: true }
}

/** The server is reachable again: a retry that waits is due at once, unless the server asked for the wait. */
export function hastened<T extends RoomTypes>(box: Outbox<T>): Outbox<T> {
  return { ...box, retryAt: box.askedUntil }
}

/**
 * The post in flight may hang on a dead socket: it is due again with the same seq, and a reply to the first try is
 * ignored.
 */
export function replaced<T extends RoomTypes>(box: Outbox<T>): Outbox<T> {
  return box.inFlight ? { ...box, inFlight: null, sentAt: -Infinity } : box
}

/** The room lost its state: the draft is posted again soon, before others show us as gone, at a random time to spread the load. */
export function forgotten<T extends RoomTypes>(box: Outbox<T>, { now, random, beatMs }: RetryContext): Outbox<T> {
  return { ...box, renewing: true, retryAt: Math.max(now + (random * beatMs) / 10, box.askedUntil) }
}

/** The draft is posted again with a newer seq, which undoes a leave or an expired lease. */
export function again<T extends RoomTypes>(box: Outbox<T>, seq = box.seq): Outbox<T> {
  return { ...box, seq, posted: 0, acked: 0, inFlight: null }
}

/** The draft is posted under a new connection key. */
export const rekeyed = <T extends RoomTypes>(box: Outbox<T>): Outbox<T> => again(box, 0)

// The server asked for the post again. The first repeat is immediate; further repeats in a row use backoff.
function delayed<T extends RoomTypes>(box: Outbox<T>, context: RetryContext): Outbox<T> {
  const retryAt = box.failures ? context.now + backoffMs(box.failures, context) : box.retryAt
  return { ...box, failures: box.failures + 1, retryAt }
}
