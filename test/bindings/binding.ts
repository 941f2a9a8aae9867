import type { CellLocation, RoomTypesWith } from 'hereabouts'
import type { LocationClient, Member, Room, RoomEvents, RoomStatus } from 'hereabouts/client'
import type { RoomOptions, UsedLock } from 'hereabouts/vue'

export type Types = RoomTypesWith<{
  location: CellLocation
  presence: { typing?: boolean }
  broadcasts: { wave: { emoji: string } }
  locks: true
}>

/** The functions of a binding in one form for all frameworks: each function returns a getter of its value. */
export interface Uses {
  room(): () => Room<Types>
  status(): () => RoomStatus
  others(): () => readonly Member<Types>[]
  others<R>(select: (others: readonly Member<Types>[]) => R, isEqual?: (a: R, b: R) => boolean): () => R
  otherIds(): () => readonly string[]
  members(): () => readonly Member<Types>[]
  self<R>(select: (self: Member<Types>) => R): () => R | null
  other<R>(memberId: () => string, select: (other: Member<Types>) => R): () => R | null
  membersAt(location: () => CellLocation): () => readonly Member<Types>[]
  lock(location: () => CellLocation): () => UsedLock<Types>
  onEvent<K extends keyof RoomEvents<Types>>(event: K, listener: (event: RoomEvents<Types>[K]) => void): void
  onWave(listener: (emoji: string) => void): void
}

/**
 * A component of a test. It is set up with `use`, and returns the function that renders its text. `row` is a reactive
 * prop.
 */
export type Component = (use: Uses, props: { row: () => number }) => () => string

/** The reactive state of a page: the options of its provider, the prop `row`, and whether the components are shown. */
export type PageState = { options: RoomOptions<Types>; row: number; shown: boolean }

/** A mounted page: a provider, and in it the components while `shown`. */
export interface Page {
  /** The text of each component. */
  texts(): (string | null)[]
  /** Returns the number of renders of the components since the previous call. */
  renders(): number
  /** Changes reactive state of the page. */
  set(change: Partial<PageState>): Promise<void>
  /** Runs a function that changes the room, and waits until the page shows the change. */
  act<R>(run: () => R | Promise<R>): Promise<R>
  unmount(): Promise<void>
}

/** A framework's binding under test. */
export interface Binding {
  /** True if `mount` and `unmount` act before their first `await`. */
  mountsAtOnce: boolean
  mount(client: LocationClient<Types>, options: RoomOptions<Types>, components: Component[]): Promise<Page>
  /**
   * Creates reactive state outside the page. `setAndRun` sets the state, and calls `run` before the watchers of the
   * framework run. React has no such state: a component sees another place only when it is rendered again.
   */
  createRow?(initial: number): { row(): number; setAndRun<R>(row: number, run: () => R): R }
  /** Sets up a component without a provider. */
  mountWithout(client: LocationClient<Types>, component: Component): void
}

export const textsOf = (page: Element) => [...page.querySelectorAll('p')].map(({ textContent }) => textContent)

/** Counts the renders of a page. */
export function renderCounter() {
  let count = 0
  return {
    rendered: () => void count++,
    renders() {
      const counted = count
      count = 0
      return counted
    },
  }
}
