'use client'

import { useState, type CSSProperties } from 'react'
import { initialsOf, pictureIn } from './member-look.js'
import type { UiMember } from './ui-types.js'

/** The props of `components.Avatar`, which shows the picture of one member, or initials. */
export interface AvatarProps<M extends UiMember = UiMember> {
  readonly member: M
  readonly name: string
  /** `--hb-color` and `--hb-ink`. */
  readonly style: CSSProperties
  /** True for a member in `recent`, who left. */
  readonly isGone: boolean
}

/** A round picture or initials. It is decoration: the name is in the label of the element around it. */
export function Avatar({ member, name, style, isGone }: AvatarProps) {
  const picture = pictureIn(member)
  const [broken, setBroken] = useState<string>()
  return (
    <span
      className="hb-avatar"
      style={style}
      data-activity={member.activity}
      data-state={isGone ? 'gone' : undefined}
      aria-hidden="true"
      translate="no"
    >
      {picture && picture !== broken ? (
        <img src={picture} alt="" referrerPolicy="no-referrer" draggable={false} onError={() => setBroken(picture)} />
      ) : (
        <span>{initialsOf(name)}</span>
      )}
    </span>
  )
}
