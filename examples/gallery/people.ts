import type { UiMember } from 'hereabouts/react/ui'

export type Person = UiMember & {
  profile: { name: string; color?: string; avatar?: string } | null
  location: { sheet: string; row: number; col: number } | null
  pointer: { x: number; y: number } | null
}

const names = [
  'Ada Lovelace',
  'Bo Li',
  'نگار رضایی',
  'Dagný Ósk',
  '👩‍🚀 Sally',
  'Emeka Obi',
  '山田 花子',
  'Frida Kahlo',
  'Grace Hopper',
]

export const people: readonly Person[] = names.map((name, i) => ({
  memberId: `member-${i}`,
  profile: { name },
  location: { sheet: i % 3 === 2 ? 'Budget' : 'Plan', row: 3 + i * 2, col: i % 5 },
  activity: i === 1 ? 'idle' : i === 3 ? 'away' : 'active',
  pointer: { x: 0.06 + ((i * 37) % 80) / 100, y: 0.12 + ((i * 53) % 66) / 100 },
}))

export const [ada, bo, negar, dagny] = people as readonly [Person, Person, Person, Person]

/** A room that exists only in this page: its members move when `start` is called. */
export class LocalRoom {
  members: readonly Person[]
  readonly #subscribers = new Set<(snapshot: { others: readonly Person[] }) => void>()

  constructor(members: readonly Person[]) {
    this.members = members
  }

  get others() {
    return this.members
  }

  subscribe = (run: (snapshot: { others: readonly Person[] }) => void) => {
    this.#subscribers.add(run)
    run(this)
    return () => void this.#subscribers.delete(run)
  }

  on = () => () => {}

  set(members: readonly Person[]): void {
    this.members = members
    for (const run of this.#subscribers) run(this)
  }

  /** Moves every pointer `perSecond` times a second. Returns a function that stops the moves. */
  start(perSecond: number): () => void {
    let beat = 0
    const timer = setInterval(() => {
      beat += 1
      this.set(this.members.map((member, i) => ({ ...member, pointer: path(i, beat / perSecond) })))
    }, 1000 / perSecond)
    return () => clearInterval(timer)
  }
}

const path = (i: number, seconds: number) => ({
  x: 0.5 + 0.42 * Math.sin(seconds * (0.3 + (i % 7) / 20) + i),
  y: 0.48 + 0.4 * Math.cos(seconds * (0.25 + (i % 5) / 20) + i * 1.7),
})
