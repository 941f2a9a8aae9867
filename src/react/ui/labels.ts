import { nameIn } from './member-look.js'
import type { UiMember } from './ui-types.js'

/** All words of the kit. The default is English; the `labels` of a component replaces any of them. */
export interface UiLabels<M extends UiMember = UiMember> {
  /** The name of a member. Default: `profile.name`, or `someone`. */
  name(member: M): string
  /** Where a member is, as the list of an `AvatarStack` shows it. Default: a cell as `Q3 C5`, otherwise nothing. */
  place(member: M): string
  someone: string
  idle: string
  away: string
  /** The state of a member in `recent`, who left. */
  gone: string
  /** The name of the list of all members. */
  members(count: number): string
  /** The text of the button for the members without an avatar. */
  more(count: number): string
  /** The words after the text of that button, for screen readers. */
  showAll(count: number): string
  /** Shown by `EditingBadge` while another member edits. */
  editing(name: string): string
  editingElsewhere: string
  /** Announced by `Announcer`, at most three names at a time. */
  entered(names: readonly string[], more: number): string
  /** Announced by `Announcer` when members left. */
  left(names: readonly string[], more: number): string
  /** Shown by `ConnectionNotice` while the connection is lost. */
  offline: string
  degraded: string
  /** Our own posts are refused, for the reason in `message`. */
  unsent(message: string): string
  /** The room is closed, for the reason in `message`. */
  closed(message: string): string
  /** The time in seconds until the next attempt to connect. */
  countdown(seconds: number): string
  retry: string
}

/** Replacements for some of the words. */
export type UiLabelsProp<M extends UiMember> = Partial<UiLabels<M>> | undefined

const list = (names: readonly string[], more: number) =>
  more ? `${names.join(', ')} and ${more} more` : names.join(', ').replace(/, ([^,]*)$/, ' and $1')

const defaults: Omit<UiLabels, 'name'> = {
  place: ({ location }) => cellName(location),
  someone: 'Someone',
  idle: 'idle',
  away: 'away',
  gone: 'left',
  members: (count) => (count === 1 ? '1 person here' : `${count} people here`),
  more: (count) => `+${count}`,
  showAll: (count) => `show all ${count} people`,
  editing: (name) => `${name} is editing`,
  editingElsewhere: 'You are editing in another window',
  entered: (names, more) => `${list(names, more)} joined.`,
  left: (names, more) => `${list(names, more)} left.`,
  offline: 'Connection lost. Others may have moved on.',
  degraded: 'The server is having trouble. Others may have moved on.',
  unsent: (message) => `Others cannot see where you are. ${message}`,
  closed: (message) => `This room is closed. ${message}`,
  countdown: (seconds) => `Trying again in ${seconds} s`,
  retry: 'Retry now',
}

/**
 * Returns a name for use in a sentence. A name with characters that change the direction of writing is enclosed in
 * isolates, so that the rest of the sentence keeps its direction: U+202E in a name would show the text after the name
 * from right to left.
 */
export const isolated = (name: string): string =>
  /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufefc]/.test(name) ? `\u2068${name}\u2069` : name

/** Returns the default words, except those that the app replaces. */
export function wordsOf<M extends UiMember>(labels: UiLabelsProp<M>): UiLabels<M> {
  const words = { ...defaults, ...labels }
  return { name: (member) => nameIn(member) || words.someone, ...words }
}

/** Returns "idle", "away" or "left" in words; `''` for an active member. */
export const stateIn = <M extends UiMember>(words: UiLabels<M>, { activity }: M, isGone = false): string =>
  isGone ? words.gone : activity === 'active' ? '' : words[activity]

/** Returns `Q3 C5` for `{ sheet: 'Q3', row: 4, col: 2 }`, a `cellLocation`, and `''` for other locations. */
function cellName(location: unknown): string {
  const { sheet, row, col } = (location ?? {}) as { sheet?: unknown; row?: unknown; col?: unknown }
  if (typeof sheet !== 'string' || typeof row !== 'number' || typeof col !== 'number') return ''
  let column = ''
  for (let rest = col + 1; rest >= 1; rest = Math.floor((rest - 1) / 26))
    column = String.fromCharCode(65 + ((rest - 1) % 26)) + column
  return `${sheet} ${column}${row + 1}`
}
