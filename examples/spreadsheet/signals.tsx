import { useRef, useState } from 'react'
import { SmileIcon } from './icons.js'
import type { Layout } from './layout.js'
import { useBroadcast, useMembers, useOnBroadcast, useSelf, type Location, type Member } from './locations.js'
import { colorOfMember, nameOfMember, paint } from './paint.js'
import { boxAt } from './place.js'
import { Popover } from './popover.js'
import { emojis } from './sheets.mjs'

type Emoji = keyof typeof emojis
/** A reaction that is shown for a moment, at the cell of its member. */
export type Bubble = { key: number; emoji: Emoji; name: string; color: string; location: Location | null }
/** A "look here" message of another member. */
export type Look = { name: string; at: Location }

const bubbleMs = 2_600
const bubblesShown = 12

/** Sends and receives the messages that change no state: reactions, and "look here". The server stores neither. */
export function useSignals(onLook: (look: Look) => void) {
  const members = useMembers()
  const self = useSelf()
  const broadcast = useBroadcast()
  const [bubbles, setBubbles] = useState<readonly Bubble[]>([])
  const nextKey = useRef(0)
  const show = (member: Member, emoji: Emoji) => {
    const key = nextKey.current++
    const { location } = member
    const bubble = { key, emoji, name: nameOfMember(member), color: colorOfMember(member, members), location }
    setBubbles((known) => [...known, bubble].slice(-bubblesShown))
    setTimeout(() => setBubbles((known) => known.filter((other) => other.key !== key)), bubbleMs)
  }
  useOnBroadcast('reaction', ({ member, payload }) => member && show(member, payload.emoji))
  useOnBroadcast('look', ({ member, payload }) => member && onLook({ name: nameOfMember(member), at: payload.at }))
  return {
    bubbles,
    /** Sends a reaction. Resolves with true if it was sent. */
    react: async (emoji: Emoji) => {
      const isSent = await broadcast('reaction', { emoji })
      if (isSent && self) show(self, emoji)
      return isSent
    },
    lookAt: (at: Location) => broadcast('look', { at }),
  }
}

/** The button that opens the choice of reactions. */
export function Reactions({ onReact }: { onReact(emoji: Emoji): void }) {
  return (
    <Popover label="React" className="reactions" button={<SmileIcon />}>
      {(close) => (
        <ul>
          {(Object.keys(emojis) as Emoji[]).map((emoji) => (
            <li key={emoji}>
              <button
                type="button"
                className="quiet"
                aria-label={emojis[emoji]}
                onClick={() => {
                  close()
                  onReact(emoji)
                }}
              >
                {emoji}
              </button>
            </li>
          ))}
        </ul>
      )}
    </Popover>
  )
}

/** The reactions over the cells of their members. */
export function Bubbles({ bubbles, layout }: { bubbles: readonly Bubble[]; layout: Layout }) {
  return (
    <div className="bubbles" aria-hidden="true">
      {bubbles.map(({ key, emoji, name, color, location }) => {
        if (location?.sheet !== layout.sheet.name) return null
        const box = boxAt(location)
        if (box.top >= layout.sheet.rows || box.left >= layout.sheet.cols) return null
        const { x, y } = layout.rectOf(box)
        return (
          <span key={key} className="bubble" style={{ ...paint(color), left: x, top: y }}>
            <span className="bubble-emoji">{emoji}</span>
            <bdi translate="no">{name}</bdi>
          </span>
        )
      })}
    </div>
  )
}
