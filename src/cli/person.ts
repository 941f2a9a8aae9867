import { colorOf } from '../shared/index.js'
import type { Output } from './output.js'
import { placeText } from './location-text.js'
import type { HeldLock } from './locks.js'
import { padded, printable } from './printable.js'
import type { AnyMember } from './target.js'

/** Returns the name in a member's profile, if there is one. */
export function nameOf({ profile }: Pick<AnyMember, 'profile'>): string | undefined {
  const name: unknown = typeof profile === 'object' && profile !== null && 'name' in profile ? profile.name : undefined
  return typeof name === 'string' ? name : undefined
}

/** Returns a member as JSON for programs. `changedAt` is the time of the last change, by the server's clock. */
export function personRecord(member: AnyMember, locks: readonly HeldLock[] = []) {
  const own = locks.filter((lock) => lock.memberId === member.memberId)
  const { memberId, profile, location, activity, connections } = member
  return {
    memberId,
    name: nameOf(member),
    location,
    activity,
    profile,
    presence: shownPresence(member),
    ...(own.length > 0 && { locks: own.map(({ place, fence }) => ({ location: place, fence })) }),
    connections: connections.length,
    changedAt: connections[0]?.at.toISOString(),
  }
}

/**
 * Returns a member's presence value; `undefined` when it is empty, as it always is if the router has no presence
 * values.
 */
export function shownPresence({ presence }: AnyMember): object | undefined {
  return Object.keys(presence as object).length > 0 ? (presence as object) : undefined
}

/** Formats a presence value as the text that follows a location; returns an empty text when there is no value. */
export const presenceText = (presence: object | undefined, output: Output): string =>
  presence ? output.style('dim', `  ${printable(JSON.stringify(presence), 60)}`) : ''

const nameWidth = 20

/** Formats a member's name for people, padded to a column, with the colour it has among `members`. */
export function nameText(member: AnyMember, members: readonly AnyMember[], output: Output): string {
  const name = printable(nameOf(member) ?? member.memberId, nameWidth) || '?'
  return `${output.dot(colorOf(member.memberId, members))} ${output.style('bold', padded(name, nameWidth))}`
}

/** Formats a sender that is not in the list of members: a member who has left, or the server (`null`). */
export const senderText = (memberId: string | null, output: Output): string =>
  output.style('dim', `  ${padded(printable(memberId ?? 'the server', nameWidth), nameWidth)}`)

/** Formats a member as a line of the list of members. */
export function personText(
  member: AnyMember,
  members: readonly AnyMember[],
  locks: readonly HeldLock[],
  output: Output,
): string {
  const { memberId, location, activity, connections } = member
  const places = locks.filter((lock) => lock.memberId === memberId).map(({ place }) => placeText(place))
  const notes = [
    activity === 'active' ? '' : activity,
    connections.length > 1 ? `${connections.length} windows` : '',
    places.length > 0 ? `holds ${places.join(', ')}` : '',
  ]
  const note = notes.filter(Boolean).join(', ')
  const where = placeText(location) + presenceText(shownPresence(member), output)
  return `  ${nameText(member, members, output)}  ${where}${note && output.style('dim', `  (${note})`)}`
}

export const count = (how: number, one: string, many: string) => `${how.toLocaleString('en')} ${how === 1 ? one : many}`
