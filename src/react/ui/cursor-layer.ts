import { animate, cancelAnimation } from './frame-loop.js'

/** A position: in pixels, or as fractions of the area's width and height. */
export type Point = { x: number; y: number }

type Cursor = {
  element: HTMLElement | undefined
  /** True if the element was shown when it was last written. */
  isShown?: boolean
  /** The position that is shown. */
  x: number
  y: number
  /** The position to which the cursor glides; `null` while the member has no pointer. */
  target: Point | null
}

/** The time in milliseconds in which a cursor covers two thirds of its way. */
const glideMs = 60
/** A cursor jumps when its target is farther away than this, in pixels. */
const farPx = 800

/**
 * The positions of the cursors of one area. They are written to the elements directly, so that a move renders nothing
 * in React. Cursors glide in one frame loop, which runs only while a cursor moves.
 */
export class CursorLayer {
  /** The size of the area in pixels, for fractions; 1 by 1 when points are in pixels. */
  #scale = { x: 1, y: 1 }
  readonly #cursors = new Map<string, Cursor>()
  readonly #moving = new Set<Cursor>()
  readonly #step = (elapsedMs: number) => this.#glide(elapsedMs)

  /**
   * Lets a cursor glide to a point or, with `jump`, puts it there at once. A point that is no pair of numbers hides the
   * cursor.
   */
  move(id: string, point: Point | null | undefined, jump: boolean): void {
    const cursor = this.#cursorOf(id)
    const before = cursor.target
    cursor.target = point && Number.isFinite(point.x) && Number.isFinite(point.y) ? { x: point.x, y: point.y } : null
    const { target } = cursor
    if (jump || !before || !target || this.#distanceOf(cursor) > farPx) this.#jump(cursor)
    else if (target.x !== cursor.x || target.y !== cursor.y) {
      this.#moving.add(cursor)
      animate(this.#step)
    }
  }

  /** Sets the elements of the cursors, by member id, and forgets the cursors without an element. */
  bind(elements: ReadonlyMap<string, HTMLElement>): void {
    for (const [id, cursor] of this.#cursors)
      if (!elements.has(id)) {
        this.#cursors.delete(id)
        this.#moving.delete(cursor)
      }
    for (const [id, element] of elements) {
      const cursor = this.#cursorOf(id)
      if (cursor.element !== element) delete cursor.isShown
      cursor.element = element
      write(cursor, this.#scale)
    }
  }

  /** Sets the size of the area, when points are fractions of it. */
  resize(width: number, height: number): void {
    this.#scale = { x: width, y: height }
    for (const cursor of this.#cursors.values()) write(cursor, this.#scale)
  }

  stop(): void {
    cancelAnimation(this.#step)
    for (const cursor of this.#moving) this.#jump(cursor)
  }

  #cursorOf(id: string): Cursor {
    let cursor = this.#cursors.get(id)
    if (!cursor) this.#cursors.set(id, (cursor = { element: undefined, x: 0, y: 0, target: null }))
    return cursor
  }

  #distanceOf({ x, y, target }: Cursor): number {
    return target ? Math.hypot((target.x - x) * this.#scale.x, (target.y - y) * this.#scale.y) : 0
  }

  #jump(cursor: Cursor): void {
    this.#moving.delete(cursor)
    Object.assign(cursor, cursor.target)
    write(cursor, this.#scale)
  }

  #glide(elapsedMs: number): boolean {
    const part = 1 - Math.exp(-elapsedMs / glideMs)
    for (const cursor of this.#moving) {
      const { x, y } = cursor.target!
      cursor.x += (x - cursor.x) * part
      cursor.y += (y - cursor.y) * part
      if (this.#distanceOf(cursor) < 0.2) this.#jump(cursor)
      else write(cursor, this.#scale)
    }
    return this.#moving.size > 0
  }
}

function write(cursor: Cursor, scale: Point): void {
  const { element, x, y, target } = cursor
  if (!element) return
  const isShown = target !== null
  // Called once a frame for each moving cursor, so only changes are written to the element.
  if (cursor.isShown !== isShown) element.hidden = !(cursor.isShown = isShown)
  if (isShown) element.style.transform = `translate(${(x * scale.x).toFixed(1)}px, ${(y * scale.y).toFixed(1)}px)`
}
