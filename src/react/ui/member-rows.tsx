'use client'

import type { ReactNode } from 'react'
import { useRovingFocus } from './roving-focus.js'
import type { StackEntry } from './stack-entry.js'
import type { UiMember } from './ui-types.js'

export type MemberRowsProps<M extends UiMember> = {
  entries: readonly StackEntry<M>[]
  /** Where a member is, in words. */
  place(member: M): string
  picture(entry: StackEntry<M>): ReactNode
  onSelect: ((member: M) => void) | undefined
}

/** The members with name, activity and place, one below the other. */
export function MemberRows<M extends UiMember>({ entries, place, picture, onSelect }: MemberRowsProps<M>) {
  const { list, button } = useRovingFocus(entries.filter(({ isGone }) => !isGone).length)
  return (
    // Safari drops the role of lists without bullets.
    // oxlint-disable-next-line jsx-a11y/no-redundant-roles
    <ul role="list" {...(onSelect && list)}>
      {entries.map((entry, index) => {
        const { member, name, state, isGone } = entry
        const details = [state, isGone ? '' : place(member)].filter(Boolean)
        const row = (
          <>
            {picture(entry)}
            <span className="hb-row-text">
              <bdi translate="no">{name}</bdi>
              {/* For screen readers, an invisible comma separates the name and the details. */}
              {details.length > 0 && <span className="hb-unseen">, </span>}
              <span className="hb-details">{details.join(', ')}</span>
            </span>
          </>
        )
        return (
          <li key={member.memberId}>
            {onSelect && !isGone ? (
              <button {...button(index)} type="button" className="hb-row" onClick={() => onSelect(member)}>
                {row}
              </button>
            ) : (
              <span className="hb-row">{row}</span>
            )}
          </li>
        )
      })}
    </ul>
  )
}
