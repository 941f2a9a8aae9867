import type { CSSProperties } from 'react'
import { stateIn, type UiLabels } from './labels.js'
import { paintOf } from './member-look.js'
import type { UiMember } from './ui-types.js'

/** One member of a stack, in words and colours. */
export interface StackEntry<M extends UiMember> {
  readonly member: M
  readonly name: string
  /** "idle", "away" or "left"; `''` for an active member. */
  readonly state: string
  /** The name, then the state. */
  readonly label: string
  readonly isGone: boolean
  readonly style: CSSProperties
}

/** Returns the entries of the members, then of those in `recent` who have not come back. */
export function entriesOf<M extends UiMember>(
  words: UiLabels<M>,
  members: readonly M[],
  recent: readonly M[],
): StackEntry<M>[] {
  const here = new Set(members.map(({ memberId }) => memberId))
  const entryOf = (member: M): StackEntry<M> => {
    const isGone = !here.has(member.memberId)
    const name = words.name(member)
    const state = stateIn(words, member, isGone)
    return { member, name, state, label: state ? `${name}, ${state}` : name, isGone, style: paintOf(member, members) }
  }
  return [...members, ...recent.filter(({ memberId }) => !here.has(memberId))].map(entryOf)
}
