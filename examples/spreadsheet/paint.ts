import { colorOf } from 'hereabouts'
import type { CSSProperties } from 'react'
import type { Member } from './locations.js'

/** The colours to choose from. White text is readable on each. */
export const swatches = [
  '#c2410c',
  '#a16207',
  '#4d7c0f',
  '#15803d',
  '#0f766e',
  '#0372b4',
  '#2563eb',
  '#5b50e8',
  '#9333ea',
  '#c0307f',
  '#d11a66',
  '#57606a',
]

/** Returns the colour that a member chose, or else their default. Only `#rrggbb` is accepted, because profiles are untrusted. */
export function colorOfMember(
  { memberId, profile }: Pick<Member, 'memberId' | 'profile'>,
  members: readonly Member[],
): string {
  const chosen = profile?.color
  return chosen && /^#[0-9a-f]{6}$/i.test(chosen) ? chosen : colorOf(memberId, members)
}

/**
 * Returns the CSS variables of a colour, for the styles of this page and of the UI kit. On a pale colour, the text is
 * dark.
 */
export function paint(color: string): CSSProperties {
  const ink = luminance(color) > 0.3 ? '#141716' : '#ffffff'
  return { '--who': color, '--ink': ink, '--hb-color': color, '--hb-ink': ink } as CSSProperties
}

// Returns the relative luminance of a colour, as WCAG 2.2 defines it.
function luminance(color: string): number {
  const [red, green, blue] = [1, 3, 5].map((start) => {
    const part = parseInt(color.slice(start, start + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
}

export const nameOfMember = ({ profile }: Pick<Member, 'profile'>) => profile?.name ?? 'Someone'

export function initials(name: string): string {
  const [first = '?', ...rest] = name.match(/[\p{L}\p{N}][\p{L}\p{N}\p{M}\p{Cf}]*/gu) ?? []
  return [first, ...rest.slice(-1)]
    .map((word) => Array.from(word)[0] ?? '')
    .join('')
    .toUpperCase()
}

/**
 * Isolates a name inside of a plain text, such as a tooltip, so that a name in a right-to-left script does not reorder
 * the rest of the text.
 */
export const isolated = (name: string) => `\u2068${name.replaceAll(/[\u202a-\u202e\u2066-\u2069]/g, '')}\u2069`
