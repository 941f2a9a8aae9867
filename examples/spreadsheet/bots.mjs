// @ts-check
import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

/** @typedef {{ row: number, col: number }} Cell */
/** @typedef {ReturnType<ReturnType<typeof import('./server.mjs').createSheetServer>['hub']['room']>} Room */

const names = ['Juno', 'Otto', 'Pim', 'Wanda', 'Basil', 'Cleo', 'Fitz', 'Greta', 'Hugo', 'Ivy', 'Kit', 'Lotte']

/**
 * The parts of the sheets that the bots visit.
 *
 * @type {[sheet: string, rows: number, cols: number]}
 */
const plan = ['Plan', 31, 9]
/** @type {(typeof plan)[]} */
const sheets = [plan, ['Budget', 26, 14], ['Q3', 40, 11], ['Team', 23, 9]]

/**
 * Moves bots over the sheets like people: from cell to cell, sometimes over a range, with pauses to read.
 *
 * @param {Room} room
 * @param {number} count
 * @param {AbortSignal} signal ends the walk of all bots
 * @param {(error: unknown) => void} onError called once when a bot cannot continue
 */
export function startBots(room, count, signal, onError) {
  // Each pausing bot listens to the signal. Node warns above ten listeners.
  setMaxListeners(0, signal)
  for (let i = 0; i < count; i++) {
    const round = Math.floor(i / names.length)
    const name = `${names[i % names.length]}${round ? ` ${round + 1}` : ''}`
    // Most bots begin where a visitor arrives, so that the visitor sees movement at once.
    wander(room, name, i % 3 === 2 ? pick(sheets) : plan, signal).catch((error) => {
      if (!signal.aborted) onError(error)
    })
  }
}

/**
 * @param {Room} room
 * @param {string} name
 * @param {typeof plan} start
 * @param {AbortSignal} signal
 */
async function wander(room, name, start, signal) {
  let [sheet, rows, cols] = start
  const somewhere = () => ({ row: 3 + roll(rows - 3), col: roll(cols) })
  let cell = somewhere()
  const wait = (/** @type {number} */ least, /** @type {number} */ most) =>
    sleep(least + roll(most - least), undefined, { signal })
  const post = (/** @type {import('./server.mjs').Location} */ location) =>
    room.post({ memberId: `bot:${name}`, profile: { name, bot: true }, location })

  for (;;) {
    for (const step of walk(cell, somewhere())) {
      cell = step
      await post({ sheet, ...cell })
      await wait(180, 520)
    }
    await wait(900, 3_500)
    if (roll(4) > 0) continue
    const from = cell
    for (const to of walk(from, {
      row: Math.min(from.row + roll(6), rows - 1),
      col: Math.min(from.col + 1 + roll(3), cols - 1),
    })) {
      await post({ sheet, from, to })
      await wait(90, 220)
    }
    await wait(2_000, 5_000)
    if (roll(3) === 0) [sheet, rows, cols] = pick(sheets)
  }
}

/**
 * Returns the cells on a random path from one cell to another, without the first.
 *
 * @param {Cell} from
 * @param {Cell} to
 */
function* walk(from, to) {
  let { row, col } = from
  while (row !== to.row || col !== to.col) {
    const across = row === to.row || (col !== to.col && roll(2) === 0)
    if (across) col += Math.sign(to.col - col)
    else row += Math.sign(to.row - row)
    yield { row, col }
  }
}

const roll = (/** @type {number} */ sides) => Math.floor(Math.random() * Math.max(sides, 1))

/**
 * @template T
 * @param {T[]} from
 * @returns {T}
 */
const pick = (from) => /** @type {T} */ (from[roll(from.length)])
