import { useEffect, useRef, useState } from 'react'
import { useRoomEvent, type Member } from './locations.js'
import { nameOfMember } from './paint.js'

/** The shortest time between two announcements of joins and leaves. Moves are announced less often. */
const peopleEveryMs = 4_000
const movesEveryMs = 45_000
const namesSaid = 3

/** Announces joins, leaves and, less often, moves to screen readers. */
export function Announcer() {
  const [said, setSaid] = useState('')
  const entered = useRef(new Map<string, string>())
  const left = useRef(new Map<string, string>())
  const moved = useRef(new Set<string>())

  // A member who joined and left between two announcements is not announced.
  const note = (to: Map<string, string>, from: Map<string, string>, member: Member) => {
    if (!from.delete(member.memberId)) to.set(member.memberId, nameOfMember(member))
  }
  useRoomEvent('entered', ({ member }) => note(entered.current, left.current, member))
  useRoomEvent('left', ({ member }) => note(left.current, entered.current, member))
  useRoomEvent('moved', ({ member }) => void moved.current.add(member.memberId))

  useEffect(() => {
    const people = setInterval(() => {
      const sentences = [sentence(entered.current, 'came in'), sentence(left.current, 'left')].filter(Boolean)
      if (sentences.length > 0) setSaid(sentences.join(' '))
    }, peopleEveryMs)
    const moves = setInterval(() => {
      const count = moved.current.size
      moved.current.clear()
      if (count > 0) setSaid(count === 1 ? 'One person is moving around.' : `${count} people are moving around.`)
    }, movesEveryMs)
    return () => {
      clearInterval(people)
      clearInterval(moves)
    }
  }, [])
  return (
    <div className="unseen" aria-live="polite">
      {said}
    </div>
  )
}

function sentence(names: Map<string, string>, what: string): string {
  const all = [...names.values()]
  names.clear()
  if (all.length === 0) return ''
  const rest = all.length - namesSaid
  return `${all.slice(0, namesSaid).join(', ')}${rest > 0 ? ` and ${rest} more` : ''} ${what}.`
}
