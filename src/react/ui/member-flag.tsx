'use client'

import { forwardRef, type ForwardedRef, type ReactNode, type Ref } from 'react'
import { stateIn, wordsOf } from './labels.js'
import { paintOf } from './member-look.js'
import { classes, type UiProps } from './props.js'
import type { UiMember } from './ui-types.js'

/** The props of `MemberFlag`. */
export interface MemberFlagProps<M extends UiMember> extends UiProps<M> {
  member: M
  /** All members of the room. With this prop, no two of them have the same colour. */
  members?: readonly M[]
  /** The text. Default: the name, and "idle" or "away" for screen readers. */
  children?: ReactNode
}

/** The name of a member on their colour, for the corner of a cell, a field or a card. */
export const MemberFlag = forwardRef(function MemberFlag<M extends UiMember>(
  { member, members = [member], children, labels, className, style }: MemberFlagProps<M>,
  ref: ForwardedRef<HTMLSpanElement>,
) {
  const words = wordsOf(labels)
  const state = stateIn(words, member)
  return (
    <span
      ref={ref}
      className={classes('hb-flag', className)}
      style={{ ...paintOf(member, members), ...style }}
      data-activity={member.activity}
    >
      {children ?? <bdi translate="no">{words.name(member)}</bdi>}
      {state && <span className="hb-unseen">{`, ${state}`}</span>}
    </span>
  )
}) as <M extends UiMember>(props: MemberFlagProps<M> & { ref?: Ref<HTMLSpanElement> }) => ReactNode
