'use client'

import { useEffect, useId, useRef, useState, type ReactNode } from 'react'

export type MemberListProps = {
  /** The text of the button, the words after it for screen readers, and the name of the list that the button opens. */
  text: string
  buttonLabel: string
  listLabel: string
  /** The props that make the button part of the stack's focus order. */
  focus: { tabIndex: number; onFocus(): void }
  children(close: () => void): ReactNode
}

/** The distance in pixels between the button, the list and the edges of the window. */
const gap = 8

/**
 * A button and the list that it opens, above everything else on the page. Escape closes the list, and focus returns.
 */
export function MemberList({ text, buttonLabel, listLabel, focus, children }: MemberListProps) {
  const [isOpen, setOpen] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  const panel = useRef<HTMLDialogElement>(null)
  const id = useId()
  const close = () => {
    setOpen(false)
    button.current!.focus()
  }
  useEffect(() => {
    if (!isOpen) return
    const { current } = button
    return show(current!, panel.current!, (isDone) => {
      setOpen(false)
      if (isDone) current!.focus()
    })
  }, [isOpen])
  return (
    <>
      <button
        {...focus}
        ref={button}
        type="button"
        className="hb-person"
        aria-label={`${text}, ${buttonLabel}`}
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        onClick={() => setOpen(!isOpen)}
      >
        <span className="hb-avatar hb-more">{text}</span>
      </button>
      {isOpen && (
        // With a `tabIndex`, the keyboard can scroll a list without buttons.
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <dialog ref={panel} id={id} className="hb-list" popover="manual" aria-label={listLabel} tabIndex={0}>
          {/* `close` is called by event handlers only. */}
          {/* oxlint-disable-next-line react/refs */}
          {children(close)}
        </dialog>
      )}
    </>
  )
}

/**
 * Shows the list beside its button until Escape (`isDone`), or until focus or a click goes elsewhere. Returns a function that
 * removes the listeners.
 */
function show(button: HTMLElement, panel: HTMLDialogElement, close: (isDone: boolean) => void): () => void {
  // Browsers without popovers show the dialog at the same position.
  if ('popover' in HTMLElement.prototype) panel.showPopover()
  else panel.open = true
  const place = () => {
    const { top, bottom, left, right } = button.getBoundingClientRect()
    const { offsetWidth: width, offsetHeight: height, style } = panel
    const { innerWidth, innerHeight } = window
    const start = getComputedStyle(button).direction === 'rtl' ? left : right - width
    const below = bottom + gap
    const y = below + height > innerHeight && top > height + gap ? top - gap - height : below
    Object.assign(style, { inset: 'auto', margin: '0', top: `${y}px` })
    style.left = `${Math.max(gap, Math.min(start, innerWidth - width - gap))}px`
  }
  place()
  ;(panel.querySelector('button') ?? panel).focus()
  const leave = ({ type, target, relatedTarget }: Event & { relatedTarget?: EventTarget | null }) => {
    const to = (type === 'focusout' ? relatedTarget : target) as Node | null | undefined
    if (to && !panel.contains(to) && !button.contains(to)) close(false)
  }
  const escape = (event: KeyboardEvent) => {
    if (event.key !== 'Escape') return
    // Not passed on, so that a dialog around the stack stays open.
    event.preventDefault()
    event.stopPropagation()
    close(true)
  }
  const aborter = new AbortController()
  const { signal } = aborter
  document.addEventListener('pointerdown', leave, { signal })
  panel.addEventListener('focusout', leave, { signal })
  for (const element of [panel, button]) element.addEventListener('keydown', escape, { signal })
  window.addEventListener('scroll', place, { signal, capture: true, passive: true })
  window.addEventListener('resize', place, { signal })
  return () => aborter.abort()
}
