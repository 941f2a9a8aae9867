'use client'

import {
  forwardRef,
  useEffect,
  useImperativeHandle,
  useRef,
  useState,
  type ComponentType,
  type ForwardedRef,
  type ReactNode,
  type Ref,
} from 'react'
import { CursorLayer, type Point } from './cursor-layer.js'
import { wordsOf } from './labels.js'
import { paintOf } from './member-look.js'
import { useMountEffect } from './mount-effect.js'
import { followPointer } from './own-pointer.js'
import { classes, type UiProps } from './props.js'
import type { UiMember, UiRoom } from './ui-types.js'

/** The props of `components.Cursor`: one cursor, with its tip at the top left corner of its element. */
export interface CursorProps<M extends UiMember = UiMember> {
  readonly member: M
  /** The text beside the arrow; `''` for none. */
  readonly label: string
}

/** The props of `Cursors`. */
export interface CursorsProps<M extends UiMember> extends UiProps<M> {
  /** The room whose members are shown. The component subscribes to it by itself. */
  room: UiRoom<M>
  /**
   * Returns a member's pointer: `({ presence }) => presence.pointer`, for example. Without a point, the cursor is
   * hidden.
   */
  point(member: NoInfer<M>): Point | null | undefined
  /** Called with our own pointer while it is over the area, and with `null` when it leaves or the window loses focus. */
  publish?(point: Point | null): void
  /** `relative`: points are fractions of the area's width and height, from 0 to 1. `pixels`: from its top left corner. Default `relative`. */
  coordinates?: 'relative' | 'pixels'
  /** Returns the text beside a cursor; `''` for none. Default: the name of the member. */
  label?(member: NoInfer<M>): string
  /** Replaces parts of the layer. */
  components?: { Cursor?: ComponentType<CursorProps<NoInfer<M>>> }
  /** The content over which the cursors are shown. */
  children?: ReactNode
}

/**
 * Shows the pointers of the other members over the children. Moves are written to the elements and render nothing in
 * React.
 */
export const Cursors = forwardRef(function Cursors<M extends UiMember>(
  { room, point, publish, coordinates = 'relative', children, className, style, ...look }: CursorsProps<M>,
  ref: ForwardedRef<HTMLDivElement>,
) {
  const area = useRef<HTMLDivElement>(null)
  const layer = useRef<HTMLDivElement>(null)
  const [positions] = useState(() => new CursorLayer())
  const [others, setOthers] = useState<readonly M[]>([])
  const latest = useRef({ point, publish })
  useImperativeHandle(ref, () => area.current!, [])
  useMountEffect(() => {
    latest.current = { point, publish }
  })
  // Runs after each commit, when the elements are in the order of `others`.
  useMountEffect(() => {
    const elements = [...layer.current!.children] as HTMLElement[]
    positions.bind(new Map(others.map(({ memberId }, i) => [memberId, elements[i]!])))
  }, [positions, others])
  useMountEffect(() => {
    if (coordinates === 'pixels') return positions.resize(1, 1)
    const { current } = layer
    const measure = () => positions.resize(current!.clientWidth, current!.clientHeight)
    measure()
    const observer = globalThis.ResizeObserver && new ResizeObserver(measure)
    observer?.observe(current!)
    return () => observer?.disconnect()
  }, [positions, coordinates])
  useEffect(() => follow(room, positions, (member) => latest.current.point(member), setOthers), [room, positions])
  const isPublishing = publish !== undefined
  useEffect(() => {
    if (isPublishing)
      return followPointer(area.current!, coordinates === 'relative', (point) => latest.current.publish?.(point))
  }, [isPublishing, coordinates])
  return (
    <div ref={area} className={classes('hb-area', className)} style={style}>
      {children}
      <div ref={layer} className="hb-cursors" aria-hidden="true">
        {others.map((member) => (
          <Cursor key={member.memberId} {...look} member={member} members={room.members} />
        ))}
      </div>
    </div>
  )
}) as <M extends UiMember>(props: CursorsProps<M> & { ref?: Ref<HTMLDivElement> }) => ReactNode

type LookProps<M extends UiMember> = Pick<CursorsProps<M>, 'label' | 'labels' | 'components'> & {
  member: M
  members: readonly M[]
}

function Cursor<M extends UiMember>({ member, members, label, labels, components }: LookProps<M>) {
  const Look = (components?.Cursor ?? Arrow) as ComponentType<CursorProps<M>>
  const text = label ? label(member) : wordsOf(labels).name(member)
  return (
    // The position of this element is set without React. The colour variables are on the inner element, which does not
    // move: in each frame, a browser needs three times as long for a moving element with variables (3.6 ms for 200
    // cursors, not 1.4).
    <div className="hb-cursor" data-activity={member.activity}>
      <div className="hb-cursor-look" style={paintOf(member, members)}>
        <Look member={member} label={text} />
      </div>
    </div>
  )
}

function Arrow({ label }: CursorProps) {
  return (
    <>
      <svg width="20" height="22" viewBox="0 0 20 22">
        <path d="M1.2 1.2 18.5 9 11 11.4 7.8 19z" />
      </svg>
      {label && (
        <span className="hb-cursor-name">
          <bdi translate="no">{label}</bdi>
        </span>
      )}
    </>
  )
}

/** Moves the cursors of the other members in the layer, and calls `render` when members come, go or look different. */
function follow<M extends UiMember>(
  room: UiRoom<M>,
  layer: CursorLayer,
  pointOf: (member: M) => Point | null | undefined,
  render: (others: readonly M[]) => void,
): () => void {
  const stillness = globalThis.matchMedia?.('(prefers-reduced-motion: reduce)')
  let rendered: readonly M[] = []
  const stops = [
    room.subscribe(({ others }) => {
      if (!looksAlike(rendered, others)) render((rendered = others))
      for (const member of others) layer.move(member.memberId, pointOf(member), stillness?.matches === true)
    }),
    // These events come after the subscription above and before the next frame: a cursor whose move we missed jumps,
    // although it has begun to glide.
    ...(['moved', 'presence'] as 'moved'[]).map((event) =>
      room.on(event, ({ member, caughtUp }) => {
        if (caughtUp) layer.move(member.memberId, pointOf(member), true)
      }),
    ),
  ]
  return () => {
    for (const stop of stops) stop()
    layer.stop()
  }
}

/** True when both lists have the same members with the same looks. Positions are not compared. */
function looksAlike(before: readonly UiMember[], now: readonly UiMember[]): boolean {
  return (
    before.length === now.length &&
    now.every(({ memberId, profile, activity }, i) => {
      const other = before[i]!
      return other.memberId === memberId && other.profile === profile && other.activity === activity
    })
  )
}
