'use client'

import { forwardRef, useId, type ForwardedRef, type ReactNode, type Ref } from 'react'
import { isolated, wordsOf } from './labels.js'
import { paintOf } from './member-look.js'
import { classes, type UiProps } from './props.js'
import type { UiMember } from './ui-types.js'

/** A lock as the badge reads it. */
export interface UiLock<M extends UiMember> {
  /**
   * `taken`: `holder` has the lock. `otherWindow`: we have it in another window. In every other state, the badge shows
   * nothing.
   */
  readonly state: string
  readonly holder?: M | null
}

/** The props for an input that a badge belongs to. The input stays focusable, so that a screen reader finds it. */
export interface EditingInputProps {
  readOnly: boolean
  'aria-describedby': string | undefined
}

/** The props of `EditingBadge`. */
export interface EditingBadgeProps<M extends UiMember> extends UiProps<M> {
  /** The lock of the place: for example what `useLock` returns, or `{ state: 'taken', holder }`. */
  lock: UiLock<M> | null | undefined
  /** All members of the room. With this prop, no two of them have the same colour. */
  members?: readonly M[]
  /**
   * The id of the text, for the `aria-describedby` of the input. Default: a generated id, which `children` receives.
   */
  id?: string
  /** Renders the input. */
  children?(input: EditingInputProps): ReactNode
}

/** Says who edits a field, and makes the field read-only meanwhile. */
export const EditingBadge = forwardRef(function EditingBadge<M extends UiMember>(
  { lock, members, id, children, labels, className, style }: EditingBadgeProps<M>,
  ref: ForwardedRef<HTMLSpanElement>,
) {
  const ownId = useId()
  const words = wordsOf(labels)
  const holder = lock?.state === 'taken' ? lock.holder : null
  const text = holder
    ? words.editing(isolated(words.name(holder)))
    : lock?.state === 'otherWindow'
      ? words.editingElsewhere
      : lock?.state === 'taken'
        ? words.editing(words.someone)
        : ''
  const textId = id ?? ownId
  return (
    <>
      {children?.({ readOnly: text !== '', 'aria-describedby': text ? textId : undefined })}
      {text && (
        <span
          ref={ref}
          id={textId}
          className={classes('hb-editing', className)}
          style={{ ...(holder && paintOf(holder, members ?? [holder])), ...style }}
        >
          {text}
        </span>
      )}
    </>
  )
}) as <M extends UiMember>(props: EditingBadgeProps<M> & { ref?: Ref<HTMLSpanElement> }) => ReactNode
