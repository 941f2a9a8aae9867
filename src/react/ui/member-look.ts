import type { CSSProperties } from 'react'
import { colorOf } from '../../shared/colors.js'
import type { UiMember } from './ui-types.js'

/** The parts of `memberProfile` that the kit shows. A profile is written by its member, so each part may be anything. */
type Shown = { name?: unknown; color?: unknown; avatar?: unknown }

const shownOf = ({ profile }: Pick<UiMember, 'profile'>): Shown => profile ?? {}

/** Returns the name in a member's profile; `''` when there is none. */
export const nameIn = (member: Pick<UiMember, 'profile'>): string => {
  const { name } = shownOf(member)
  return typeof name === 'string' ? name : ''
}

/** Returns the address of a member's picture. Other protocols than https are ignored. */
export const pictureIn = (member: Pick<UiMember, 'profile'>): string | undefined => {
  const { avatar } = shownOf(member)
  return typeof avatar === 'string' && avatar.startsWith('https:') ? avatar : undefined
}

/**
 * Returns the variables `--hb-color` and `--hb-ink`: the `#rrggbb` that a member chose, or else the colour of `colorOf`, and
 * black or white, whichever is readable on it.
 */
export function paintOf(member: UiMember, members: readonly UiMember[]): CSSProperties {
  const { color: chosen } = shownOf(member)
  const color =
    typeof chosen === 'string' && /^#[0-9a-f]{6}$/i.test(chosen) ? chosen : colorOf(member.memberId, members)
  const [red, green, blue] = [1, 3, 5].map((start) => (parseInt(color.slice(start, start + 2), 16) / 255) ** 2.2)
  // At the relative luminance 0.18, black and white have the same contrast (WCAG 2.2): 4.6.
  const ink = 0.2126 * red! + 0.7152 * green! + 0.0722 * blue! > 0.18 ? '#000' : '#fff'
  return { '--hb-color': color, '--hb-ink': ink } as CSSProperties
}

/**
 * Returns the first visible character of the first and of the last word, in upper case. A character is a grapheme: an emoji
 * of several code points, or a letter with its accents, stays whole.
 */
export function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/)
  const letters = [words[0]!, ...words.slice(1).slice(-1)].map(firstGrapheme).join('')
  return letters.toUpperCase() || '?'
}

function firstGrapheme(word: string): string {
  // A name such as "(Ada)" begins with its letter.
  const start = word.replace(/^[\p{P}\p{Z}]+(?=.)/u, '')
  // Firefox has Intl.Segmenter from version 125.
  if (!Intl.Segmenter) return Array.from(start)[0] ?? ''
  return new Intl.Segmenter().segment(start)[Symbol.iterator]().next().value?.segment ?? ''
}
