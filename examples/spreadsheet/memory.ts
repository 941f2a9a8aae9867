import { sheetNamed, sheets } from './data.js'
import type { Profile } from './locations.js'
import { swatches } from './paint.js'
import type { Place } from './place.js'
import { at, type Cell } from './selection.js'

/*
 * The data that this browser stores: the profile (for every window) and the last cell (for this tab, so that a reload
 * returns to it). Storage that is full, forbidden or unreadable counts as empty.
 */

function read(storage: () => Storage, key: string): unknown {
  try {
    return JSON.parse(storage().getItem(`hereabouts.${key}`) ?? 'null')
  } catch {
    return null
  }
}

function write(storage: () => Storage, key: string, value: unknown): void {
  try {
    storage().setItem(`hereabouts.${key}`, JSON.stringify(value))
  } catch {
    // Storage is unavailable: the page then forgets these data at a reload, and works otherwise.
  }
}

const local = () => window.localStorage
const session = () => window.sessionStorage
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

export function rememberedProfile(): Profile {
  const known = read(session, 'profile') ?? read(local, 'profile')
  if (!isRecord(known) || typeof known.name !== 'string' || !known.name.trim()) return { name: friendlyName() }
  const color = swatches.find((swatch) => swatch === known.color)
  return { name: known.name.slice(0, 40), ...(color && { color }) }
}

/**
 * Stores a profile for this tab only. So two windows of a visitor who chose no name are two members, which shows what
 * the demo does.
 */
export const rememberProfile = (profile: Profile) => write(session, 'profile', profile)

/** Stores a chosen profile for every window. */
export const rememberChoice = (profile: Profile) => write(local, 'profile', profile)

export function rememberedPlace(room: string): Place {
  const known = read(session, `place.${room}`)
  const sheet = isRecord(known) && typeof known.sheet === 'string' ? sheetNamed(known.sheet) : undefined
  const selection = isRecord(known) && isRecord(known.selection) ? known.selection : {}
  const { anchor, head } = selection
  const isCell = (cell: unknown): cell is Cell =>
    isRecord(cell) && sheet !== undefined && isIndex(cell.row, sheet.rows) && isIndex(cell.col, sheet.cols)
  if (sheet && isCell(anchor) && isCell(head)) return { sheet: sheet.name, selection: { anchor, head } }
  // Start cells differ, so that two new windows see each other. A phone shows two columns without scrolling.
  const columns = window.innerWidth < 640 ? 2 : 3
  return {
    sheet: sheets[0]!.name,
    selection: at(4 + Math.floor(Math.random() * 14), Math.floor(Math.random() * columns)),
  }
}

const isIndex = (value: unknown, count: number) =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < count

export const rememberPlace = (room: string, place: Place) => write(session, `place.${room}`, place)

export type Theme = 'system' | 'light' | 'dark'

export function rememberedTheme(): Theme {
  const known = read(local, 'theme')
  return known === 'light' || known === 'dark' ? known : 'system'
}

export const rememberTheme = (theme: Theme) => write(local, 'theme', theme)

export const rememberedLog = (otherwise: boolean): boolean => {
  const known = read(local, 'log')
  return typeof known === 'boolean' ? known : otherwise
}

export const rememberLog = (open: boolean) => write(local, 'log', open)

const moods = [
  'Amber',
  'Brisk',
  'Calm',
  'Dapper',
  'Early',
  'Gentle',
  'Hazel',
  'Keen',
  'Lucky',
  'Merry',
  'Nimble',
  'Quiet',
  'Ruby',
  'Sunny',
  'Tidy',
  'Witty',
]
const animals = [
  'Badger',
  'Crane',
  'Finch',
  'Fox',
  'Heron',
  'Ibex',
  'Lark',
  'Lynx',
  'Marten',
  'Otter',
  'Owl',
  'Puffin',
  'Raven',
  'Seal',
  'Stoat',
  'Wren',
]

function friendlyName(): string {
  const pick = (words: string[]) => words[Math.floor(Math.random() * words.length)]!
  return `${pick(moods)} ${pick(animals)}`
}
