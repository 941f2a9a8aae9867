import type { Activity, LeftReason } from '../../shared/events.js'
import type { Shift } from '../../shared/view.js'
import { sameJson } from './location-index.js'
import type { Member, MemberConnection, Step } from './roster.js'

/** Whom it is about. */
type About<L, P> = {
  member: Member<L, P>
  /** It happened while we were away, and is told now: worth showing, not worth a flash or a sound. */
  caughtUp: boolean
}
/** What others see of a member besides where. */
export type Appearance<P> = { profile: P | null; activity: Activity }

/** What happens to the others in a room, as listeners hear of it. */
export type News<L, P> = {
  /** The member's first connection is there. */
  entered: About<L, P> & { connection: MemberConnection<L>; current: L | null }
  moved: About<L, P> & { connection: MemberConnection<L>; previous: L | null; current: L | null }
  /** The member's profile or activity changed; `changed` says which, or both. */
  updated: About<L, P> & {
    previous: Appearance<P>
    current: Appearance<P>
    changed: readonly (keyof Appearance<P>)[]
  }
  /** The member's last connection is gone. */
  left: About<L, P> & { connection: MemberConnection<L>; previous: L | null; reason: LeftReason }
}
export type NewsItem<L, P> = { [K in keyof News<L, P>]: [kind: K, news: News<L, P>[K]] }[keyof News<L, P>]

/**
 * What to tell of a roster's steps, our own left out. By member, not by connection: whoever reloads a page, or moves to
 * another tab, has neither left nor entered.
 */
export function roomEventsOf<L, P>(
  steps: readonly Step<L, P>[],
  shifts: readonly Shift<L, P>[],
  selfId: string | undefined,
  caughtUp: boolean,
): NewsItem<L, P>[] {
  const others = steps.filter(({ before, now }) => (now ?? before)?.memberId !== selfId)
  // First who went: a name that changed hands is free before it is taken.
  return [
    ...others.flatMap((step) => partingOf(step, shifts, caughtUp)),
    ...others.flatMap((step) => doingsOf(step, caughtUp)),
  ]
}

function partingOf<L, P>({ before: member, now }: Step<L, P>, shifts: readonly Shift<L, P>[], caughtUp: boolean) {
  if (!member || now) return []
  const gone = shifts.findLast(({ previous, current }) => previous?.memberId === member.memberId && !current)
  const { location: previous, connections } = member
  const left = { member, connection: connections[0]!, previous, reason: gone?.reason ?? 'lost', caughtUp }
  return [['left', left] satisfies NewsItem<L, P>]
}

function doingsOf<L, P>({ before, now: member }: Step<L, P>, caughtUp: boolean): NewsItem<L, P>[] {
  if (!member) return []
  const { location: current, connections } = member
  const connection = connections[0]!
  if (!before) return [['entered', { member, connection, current, caughtUp }]]
  const news: NewsItem<L, P>[] = []
  const { location: previous } = before
  if (!sameJson(previous, current)) news.push(['moved', { member, connection, previous, current, caughtUp }])
  const changed = (['profile', 'activity'] as const).filter((what) => !sameJson(before[what], member[what]))
  if (changed.length > 0)
    news.push(['updated', { member, previous: lookOf(before), current: lookOf(member), changed, caughtUp }])
  return news
}

const lookOf = <P>({ profile, activity }: Appearance<P>): Appearance<P> => ({ profile, activity })
