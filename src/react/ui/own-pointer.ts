import type { Point } from './cursor-layer.js'

/**
 * Reports the pointer's position while it is over an area, and `null` when it leaves or the window loses focus. Returns
 * a function that ends this.
 */
export function followPointer(
  area: HTMLElement,
  isRelative: boolean,
  report: (point: Point | null) => void,
): () => void {
  let isOver = false
  const move = ({ clientX, clientY }: PointerEvent) => {
    const { left, top, width, height } = area.getBoundingClientRect()
    const [x, y] = [clientX - left, clientY - top]
    isOver = true
    report(isRelative ? { x: x / (width || 1), y: y / (height || 1) } : { x, y })
  }
  const leave = () => {
    if (!isOver) return
    isOver = false
    report(null)
  }
  const aborter = new AbortController()
  const { signal } = aborter
  area.addEventListener('pointermove', move, { signal, passive: true })
  for (const type of ['pointerleave', 'pointercancel'] as const) area.addEventListener(type, leave, { signal })
  window.addEventListener('blur', leave, { signal })
  return () => {
    aborter.abort()
    leave()
  }
}
