import type { ReactNode } from 'react'
import { act } from 'react'
import { createRoot } from 'react-dom/client'
import type { Activity } from 'hereabouts'

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

export type TestMember = {
  memberId: string
  profile: { name: string; color?: string; avatar?: string } | null
  location: unknown
  activity: Activity
}

const profiles = new Map<string, { name: string }>()

/** Returns the same profile object for a name each time, as in a room whose members only move. */
function profileOf(name: string) {
  const profile = profiles.get(name) ?? { name }
  profiles.set(name, profile)
  return profile
}

export const member = (name: string, more: Partial<TestMember> = {}): TestMember => ({
  memberId: name.toLowerCase(),
  profile: profileOf(name),
  location: null,
  activity: 'active',
  ...more,
})

/** Renders a tree into the page. `show` renders another one; disposal unmounts the tree and removes its element. */
export async function mounted(first: ReactNode) {
  const host = document.body.appendChild(document.createElement('div'))
  const root = createRoot(host)
  const show = (node: ReactNode) => act(async () => root.render(node))
  await show(first)
  return {
    host,
    show,
    /** Returns the elements with a class, in the order of the page. */
    all: (selector: string) => [...host.querySelectorAll<HTMLElement>(selector)],
    async [Symbol.asyncDispose]() {
      await act(async () => root.unmount())
      host.remove()
    },
  }
}

export type View = Awaited<ReturnType<typeof mounted>>

export const press = (key: string) =>
  act(
    async () =>
      void document.activeElement!.dispatchEvent(
        new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }),
      ),
  )

export const focus = (element: HTMLElement) => act(async () => element.focus())

export const fire = (target: EventTarget, event: Event) => act(async () => void target.dispatchEvent(event))

export const click = (element: HTMLElement) => act(async () => element.click())

type RoomEvent = { member: TestMember; caughtUp: boolean }

/** A room whose members a test sets. */
export class TestRoom {
  members: readonly TestMember[] = []
  readonly #subscribers = new Set<(snapshot: { others: readonly TestMember[] }) => void>()
  readonly #listeners = new Map<string, Set<(event: RoomEvent) => void>>()

  get others() {
    return this.members
  }

  /** The number of subscriptions and listeners. */
  get listening(): number {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, this.#subscribers.size)
  }

  subscribe = (run: (snapshot: { others: readonly TestMember[] }) => void) => {
    this.#subscribers.add(run)
    run(this)
    return () => void this.#subscribers.delete(run)
  }

  on = (event: string, listener: (event: RoomEvent) => void) => {
    const listeners = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, listeners.add(listener))
    return () => void listeners.delete(listener)
  }

  set(...members: TestMember[]): void {
    this.members = members
    for (const run of this.#subscribers) run(this)
  }

  emit(event: string, member: TestMember, caughtUp = false): void {
    for (const listener of this.#listeners.get(event) ?? []) listener({ member, caughtUp })
  }
}
