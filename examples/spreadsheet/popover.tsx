import { useId, type ReactNode } from 'react'

type PopoverProps = {
  label: string
  /** The tooltip. Default: the label. */
  title?: string
  className: string
  button: ReactNode
  buttonClass?: string
  children: (close: () => void) => ReactNode
}

/** A button and the popover that it opens. The browser handles Escape, clicks elsewhere and the return of focus. */
export function Popover({ label, title = label, className, button, buttonClass = 'quiet', children }: PopoverProps) {
  const id = useId()
  const close = () => document.getElementById(id)?.hidePopover()
  return (
    <>
      <button type="button" className={buttonClass} popoverTarget={id} aria-label={label} title={title}>
        {button}
      </button>
      <dialog id={id} popover="auto" aria-label={label} className={`popover ${className}`}>
        {children(close)}
      </dialog>
    </>
  )
}
