import { colorOf } from '../shared/index.js'
import type { Output } from './output.js'
import { placeText } from './location-text.js'
import { padded, printable } from './printable.js'
import type { AnyMember } from './target.js'

/** How a member is called: by the name in their profile, if it has one. */
export function nameOf({ profile }: Pick<AnyMember, 'profile'>): string | undefined {
  const name: unknown = typeof profile === 'object' && profile !== null && 'name' in profile ? profile.name : undefined
  return typeof name === 'string' ? name : undefined
}

/** A member as programs read it. `changedAt` is when they last changed, by the server's clock. */
export function personRecord(member: AnyMember) {
  const { memberId, profile, location, activity, connections } = member
  return {
    memberId,
    name: nameOf(member),
    location,
    activity,
    profile,
    connections: connections.length,
    changedAt: connections[0]?.at.toISOString(),
  }
}

const nameWidth = 20

/** A member's name as people read it, among `members`, in a column of its own. */
export function nameText(member: AnyMember, members: readonly AnyMember[], output: Output): string {
  const name = printable(nameOf(member) ?? member.memberId, nameWidth) || '?'
  return `${output.dot(colorOf(member.memberId, members))} ${output.style('bold', padded(name, nameWidth))}`
}

/** A member in a list of who is there. */
export function personText(member: AnyMember, members: readonly AnyMember[], output: Output): string {
  const { location, activity, connections } = member
  const notes = [activity === 'active' ? '' : activity, connections.length > 1 ? `${connections.length} windows` : '']
  const note = notes.filter(Boolean).join(', ')
  return `  ${nameText(member, members, output)}  ${placeText(location)}${note && output.style('dim', `  (${note})`)}`
}

export const count = (how: number, one: string, many: string) => `${how.toLocaleString('en')} ${how === 1 ? one : many}`
