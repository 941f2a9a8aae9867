import { useId, type ReactNode } from 'react'

type PopoverProps = {
  label: string
  className: string
  button: ReactNode
  buttonClass?: string
  children: (close: () => void) => ReactNode
}

/** A button and what it opens. The browser itself does the rest: Escape, a click elsewhere, focus coming back. */
export function Popover({ label, className, button, buttonClass = 'quiet', children }: PopoverProps) {
  const id = useId()
  const close = () => document.getElementById(id)?.hidePopover()
  return (
    <>
      <button type="button" className={buttonClass} popoverTarget={id} aria-label={label} title={label}>
        {button}
      </button>
      <dialog id={id} popover="auto" aria-label={label} className={`popover ${className}`}>
        {children(close)}
      </dialog>
    </>
  )
}
