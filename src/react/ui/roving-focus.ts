import { useState, type KeyboardEvent } from 'react'

/**
 * Makes a list of buttons one tab stop, in which the arrow keys, Home and End move the focus. Returns the props of the
 * list and, by index, of each button.
 */
export function useRovingFocus(count: number) {
  const [chosen, setChosen] = useState(0)
  const current = Math.min(chosen, count - 1)
  return {
    list: { onKeyDown: moveFocus },
    button: (index: number) => ({ tabIndex: index === current ? 0 : -1, onFocus: () => setChosen(index) }),
  }
}

function moveFocus(event: KeyboardEvent<HTMLElement>): void {
  const { key, currentTarget, target } = event
  const buttons = [...currentTarget.querySelectorAll('button')].filter(
    (button) => button.closest('ul') === currentTarget,
  )
  const index = buttons.indexOf(target as HTMLButtonElement)
  if (index < 0) return
  const isRightToLeft = getComputedStyle(currentTarget).direction === 'rtl'
  const steps: Record<string, number> = {
    ArrowDown: index + 1,
    ArrowUp: index - 1,
    ArrowRight: index + (isRightToLeft ? -1 : 1),
    ArrowLeft: index + (isRightToLeft ? 1 : -1),
    Home: 0,
    End: buttons.length - 1,
  }
  const next = steps[key]
  if (next === undefined) return
  event.preventDefault()
  buttons[(next + buttons.length) % buttons.length]!.focus()
}
