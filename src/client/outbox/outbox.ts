import type { LocationError } from '../../shared/errors.js'
import type { Activity, PostOutcome } from '../../shared/protocol.js'
import type { Failure } from '../connection/failure.js'
import { backoffMs, isForgivable, retryDelayMs, type RetryContext } from '../connection/connection-state.js'

/** All that a connection says of itself. */
export type OutboxDraft<L, P> = { readonly location: L | null; readonly profile?: P; readonly activity?: Activity }

export type OutboxPost<L, P> = { readonly draft: OutboxDraft<L, P>; readonly edition: number; readonly seq: number }

/**
 * What a connection has to say: its newest state and nothing older, one post in flight. Drafts are counted in editions;
 * `seq` is what the server orders posts by. Replaced, never changed.
 */
export type Outbox<L, P> = {
  readonly newest: OutboxDraft<L, P> | null
  readonly edition: number
  readonly seq: number
  /** The edition that `seq` stands for; 0 when the next post must have a new seq. */
  readonly posted: number
  /** The newest edition that the server has. */
  readonly acked: number
  /** The draft of that edition: what the room shows of us, and what remains when a newer one is refused. */
  readonly shown: OutboxDraft<L, P> | null
  readonly inFlight: OutboxPost<L, P> | null
  readonly sentAt: number
  readonly retryAt: number
  readonly failures: number
  readonly forgiven: boolean
  /** A post is owed although nothing is new: it keeps the connection present. */
  readonly renewing: boolean
  /** Whether no post was acknowledged since the last beat. */
  readonly quiet: boolean
  readonly refusal: { readonly edition: number; readonly error: LocationError } | null
}

export const emptyOutbox: Outbox<never, never> = {
  newest: null,
  edition: 0,
  seq: 0,
  posted: 0,
  acked: 0,
  shown: null,
  inFlight: null,
  sentAt: -Infinity,
  retryAt: -Infinity,
  failures: 0,
  forgiven: false,
  renewing: false,
  quiet: true,
  refusal: null,
}

/** The app has something new to say; what it said before and was not sent yet is forgotten. */
export function written<L, P>(box: Outbox<L, P>, draft: OutboxDraft<L, P>): Outbox<L, P> {
  return { ...box, newest: draft, edition: box.edition + 1 }
}

/** When the next post may go; `null` when there is none to make. */
export function dueAt<L, P>(box: Outbox<L, P>, postMs: number): number | null {
  if (!box.newest || box.inFlight || (box.acked >= box.edition && !box.renewing)) return null
  return Math.max(box.sentAt + postMs, box.retryAt)
}

/** The next post is `inFlight`. A state that was sent before keeps its seq, so that a retry is the same post. */
export function sent<L, P>(box: Outbox<L, P>, now: number): Outbox<L, P> {
  const { newest: draft, edition, posted } = box
  if (!draft) return box
  const seq = posted === edition ? box.seq : box.seq + 1
  return { ...box, seq, posted: edition, sentAt: now, inFlight: { draft, edition, seq } }
}

/** The server answered. */
export function answered<L, P>(
  box: Outbox<L, P>,
  reply: { outcome: PostOutcome; seq: number },
  retryContext: RetryContext,
): Outbox<L, P> {
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
        retryAt: -Infinity,
        failures: 0,
        forgiven: false,
        renewing: false,
        quiet: false,
      }
    case 'stale':
    case 'expired':
      // A renewal that was overtaken has nothing to add.
      if (reply.outcome === 'stale' && box.acked >= post.edition) return { ...idle, seq, renewing: false }
      return delayed(again(idle, seq), retryContext)
    default:
      return delayed(rekeyed(idle), retryContext)
  }
}

/** No answer, or a refusal: a state that is refused is dropped, any other is tried again. */
export function failed<L, P>(box: Outbox<L, P>, { error, retry }: Failure, retryContext: RetryContext): Outbox<L, P> {
  const post = box.inFlight
  if (!post) return box
  const idle = { ...box, inFlight: null }
  if (retry) {
    const failures = box.failures + 1
    return { ...idle, failures, retryAt: retryContext.now + retryDelayMs(failures, error, retryContext) }
  }
  if (isForgivable(error.code) && !box.forgiven) return { ...idle, forgiven: true }
  const refused = { ...idle, refusal: { edition: post.edition, error }, renewing: false }
  if (box.edition > post.edition) return refused
  // What the room shows already needs no post, unless just that is what was refused.
  return { ...refused, newest: box.shown === post.draft ? null : box.shown, acked: box.edition }
}

/** A beat, or a hello: the last state is posted again unless the server heard from us since the one before. */
export function heartbeatReceived<L, P>(box: Outbox<L, P>): Outbox<L, P> {
  return { ...box, renewing: box.renewing || box.quiet, quiet: true }
}

/** The server is there again: a post that waits to be tried again waits no longer. */
export function hastened<L, P>(box: Outbox<L, P>): Outbox<L, P> {
  return { ...box, retryAt: -Infinity }
}

/** The room forgot us, and everybody else: said again soon, before others take us for gone, but not by all at once. */
export function forgotten<L, P>(box: Outbox<L, P>, { now, random, beatMs }: RetryContext): Outbox<L, P> {
  return { ...box, renewing: true, retryAt: now + (random * beatMs) / 10 }
}

/** What was said must be said again with a newer seq: it undoes a leave, or an end of the lease. */
export function again<L, P>(box: Outbox<L, P>, seq = box.seq): Outbox<L, P> {
  return { ...box, seq, posted: 0, acked: 0, inFlight: null }
}

/** A new connection says what the old one said. */
export const rekeyed = <L, P>(box: Outbox<L, P>): Outbox<L, P> => again(box, 0)

// Once is a matter of course; a server that asks for it over and over is not to be hammered.
function delayed<L, P>(box: Outbox<L, P>, retryContext: RetryContext): Outbox<L, P> {
  const retryAt = box.failures ? retryContext.now + backoffMs(box.failures, retryContext) : box.retryAt
  return { ...box, failures: box.failures + 1, retryAt }
}
