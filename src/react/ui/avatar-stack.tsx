'use client'

import { forwardRef, type ComponentType, type ForwardedRef, type ReactNode, type Ref } from 'react'
import { Avatar, type AvatarProps } from './avatar.js'
import { wordsOf } from './labels.js'
import { MemberList } from './member-list.js'
import { MemberRows } from './member-rows.js'
import { classes, type UiProps } from './props.js'
import { useRovingFocus } from './roving-focus.js'
import { entriesOf, type StackEntry } from './stack-entry.js'
import type { UiMember } from './ui-types.js'

/** The props of `AvatarStack`. */
export interface AvatarStackProps<M extends UiMember> extends UiProps<M> {
  /** The members to show, in this order. The lists of a room are in the order in which their members entered. */
  members: readonly M[]
  /** Members who left a moment ago. They come last, grey. Default: none. */
  recent?: readonly M[]
  /** The number of places. With more members, the last place is a button that opens a list of all. Default 4. */
  max?: number
  /** The size of an avatar: a number of pixels, or a CSS length. Default `2rem`. */
  size?: number | string
  /** Called when a member is chosen. With it, the avatars are buttons. */
  onSelect?(member: NoInfer<M>): void
  /** Replaces parts of the stack. */
  components?: { Avatar?: ComponentType<AvatarProps<NoInfer<M>>> }
}

/** The people in a room, as overlapping pictures or initials. */
export const AvatarStack = forwardRef(function AvatarStack<M extends UiMember>(
  props: AvatarStackProps<M>,
  ref: ForwardedRef<HTMLUListElement>,
) {
  const { members, recent = [], max = 4, size, onSelect, className, style } = props
  const Picture = (props.components?.Avatar ?? Avatar) as ComponentType<AvatarProps<M>>
  const words = wordsOf(props.labels)
  const entries = entriesOf(words, members, recent)
  // The last place is a button only for two or more members: a single member is shown there instead.
  const shown = entries.length > max ? entries.slice(0, Math.max(0, max - 1)) : entries
  const hidden = entries.length - shown.length
  const choices = onSelect ? shown.filter(({ isGone }) => !isGone).length : 0
  const { list, button } = useRovingFocus(choices + Math.sign(hidden))
  const choose = (close: () => void) => (member: M) => {
    close()
    onSelect!(member)
  }
  const picture = ({ member, name, isGone, style }: StackEntry<M>) => (
    <Picture member={member} name={name} isGone={isGone} style={style} />
  )
  const sizes = size === undefined ? {} : { '--hb-size': typeof size === 'number' ? `${size}px` : size }
  return (
    <ul
      ref={ref}
      // Safari drops the role of lists without bullets.
      // oxlint-disable-next-line jsx-a11y/no-redundant-roles
      role="list"
      className={classes('hb-stack', className)}
      style={{ ...sizes, ...style }}
      aria-label={words.members(members.length)}
      {...(choices > 0 && list)}
    >
      {shown.map((entry, index) => (
        <li key={entry.member.memberId}>
          <Person entry={entry} {...(onSelect && !entry.isGone && { onSelect, focus: button(index) })}>
            {picture(entry)}
          </Person>
        </li>
      ))}
      {hidden > 0 && (
        <li>
          <MemberList
            text={words.more(hidden)}
            buttonLabel={words.showAll(entries.length)}
            listLabel={words.members(members.length)}
            focus={button(choices)}
          >
            {(close) => (
              <MemberRows
                entries={entries}
                place={words.place}
                picture={picture}
                onSelect={onSelect && choose(close)}
              />
            )}
          </MemberList>
        </li>
      )}
    </ul>
  )
}) as <M extends UiMember>(props: AvatarStackProps<M> & { ref?: Ref<HTMLUListElement> }) => ReactNode

type PersonProps<M extends UiMember> = {
  entry: StackEntry<M>
  onSelect?(member: M): void
  focus?: { tabIndex: number; onFocus(): void }
  children: ReactNode
}

/** An avatar with its label, which is also shown as a tooltip. It is a button when it can be chosen. */
function Person<M extends UiMember>({ entry, onSelect, focus, children }: PersonProps<M>) {
  const { member, name, state, label } = entry
  const content = (
    <>
      {children}
      <span className="hb-tip">
        <bdi translate="no">{name}</bdi>
        {/* Outside of the name's `bdi`: a name may change the direction of the text after it. */}
        {state && <span>{`, ${state}`}</span>}
      </span>
    </>
  )
  return onSelect ? (
    <button {...focus} type="button" className="hb-person" onClick={() => onSelect(member)}>
      {content}
    </button>
  ) : (
    // oxlint-disable-next-line jsx-a11y/prefer-tag-over-role -- an img cannot contain initials
    <span role="img" className="hb-person" aria-label={label}>
      {content}
    </span>
  )
}
