import type { LeftReason } from '../shared/protocol.js'
import type { Shift } from '../shared/view.js'
import { sameJson, type Member, type MemberConnection, type Roster } from './roster.js'

/** What happens to the others in a room, as listeners hear of it. */
export type News<L, P> = {
  /** The member's first connection is there. */
  entered: { member: Member<L, P>; connection: MemberConnection<L>; current: L | null }
  moved: { member: Member<L, P>; connection: MemberConnection<L>; previous: L | null; current: L | null }
  /** The member's profile changed. */
  updated: { member: Member<L, P>; previous: P | null; current: P | null }
  /** The member's last connection is gone. */
  left: { member: Member<L, P>; connection: MemberConnection<L>; previous: L | null; reason: LeftReason }
}
export type NewsItem<L, P> = { [K in keyof News<L, P>]: [kind: K, news: News<L, P>[K]] }[keyof News<L, P>]

/**
 * What to tell of the step from one roster to the next. By member, not by connection: whoever reloads a page, or moves
 * to another tab, has neither left nor entered.
 */
export function newsBetween<L, P>(before: Roster<L, P>, now: Roster<L, P>, shifts: Shift<L, P>[]): NewsItem<L, P>[] {
  const news: NewsItem<L, P>[] = []
  for (const member of before.others) {
    if (now.byId.has(member.memberId)) continue
    const gone = shifts.findLast(({ previous, current }) => previous?.memberId === member.memberId && !current)
    const { location: previous, connections } = member
    news.push(['left', { member, connection: connections[0]!, previous, reason: gone?.reason ?? 'lost' }])
  }
  for (const member of now.others) {
    const known = before.byId.get(member.memberId)
    if (known === member) continue
    const { location: current, profile, connections } = member
    const connection = connections[0]!
    if (!known) news.push(['entered', { member, connection, current }])
    else {
      const { location: previous } = known
      if (!sameJson(previous, current)) news.push(['moved', { member, connection, previous, current }])
      if (!sameJson(known.profile, profile))
        news.push(['updated', { member, previous: known.profile, current: profile }])
    }
  }
  return news
}
