// @ts-check
import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

/** @typedef {{ row: number, col: number }} Cell */
/** @typedef {ReturnType<typeof import('./server.mjs').createSheetServer>} SheetServer */
/** @typedef {import('./server.mjs').Location} Location */

const names = ['Juno', 'Otto', 'Pim', 'Wanda', 'Basil', 'Cleo', 'Fitz', 'Greta', 'Hugo', 'Ivy', 'Kit', 'Lotte']

/**
 * The parts of the sheets that the bots visit.
 *
 * @type {[sheet: string, rows: number, cols: number]}
 */
const plan = ['Plan', 31, 9]
/** @type {(typeof plan)[]} */
const sheets = [plan, ['Budget', 26, 14], ['Q3', 40, 11], ['Team', 23, 9]]

/** The texts that bots write: the status of a task of the plan. */
const statuses = ['Done', 'On track', 'At risk', 'Late', 'Open']
const statusColumn = 2
/** The rows of tasks in the plan, below the heads of their groups. */
const taskRows = [4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17]

/**
 * Moves bots over the sheets like people: from cell to cell, sometimes over a range, with pauses to read. Now and then one of
 * them edits a cell.
 *
 * @param {SheetServer} server
 * @param {string} room
 * @param {number} count
 * @param {AbortSignal} signal ends the walk of all bots
 * @param {(error: unknown) => void} onError called once when a bot cannot continue
 */
export function startBots(server, room, count, signal, onError) {
  // Each waiting bot listens to the signal, and Node warns above ten listeners.
  setMaxListeners(0, signal)
  for (let i = 0; i < count; i++) {
    const round = Math.floor(i / names.length)
    const name = `${names[i % names.length]}${round ? ` ${round + 1}` : ''}`
    // Most bots begin where a visitor arrives, so that the visitor sees movement at once.
    wander(new Bot(server, room, { name, bot: true }), i % 3 === 2 ? pick(sheets) : plan, signal).catch((error) => {
      if (!signal.aborted) onError(error)
    })
  }
}

/** A member that calls the procedures as a page does, without HTTP. */
export class Bot {
  #seq = 0
  #lockSeq = 0
  #calls
  #room
  #profile
  #connectionKey = randomBytes(16).toString('base64url')
  #memberId = ''

  /**
   * @param {SheetServer} server
   * @param {string} room
   * @param {import('./server.mjs').Profile} profile
   */
  constructor(server, room, profile) {
    this.#calls = server.router.createCaller({})
    this.#room = room
    this.#profile = profile
  }

  get #own() {
    return { room: this.#room, connectionKey: this.#connectionKey }
  }

  /**
   * @param {Location} location
   * @param {boolean} typing
   */
  async post(location, typing = false) {
    const post = { ...this.#own, seq: ++this.#seq, profile: this.#profile, location, presence: { typing } }
    const { memberId } = await this.#calls.postLocation(post)
    this.#memberId = memberId
  }

  /**
   * Writes a text into a cell as a person does: takes the lock, types, saves. Does nothing when somebody else has the
   * lock.
   *
   * @param {Cell & { sheet: string }} location
   * @param {string} text
   * @param {() => Promise<void>} think waits as long as a person needs to type
   */
  async write(location, text, think) {
    const lock = () => this.#calls.lockLocation({ ...this.#own, location, lockSeq: ++this.#lockSeq })
    let locked = await lock()
    // For some seconds after its start, a server grants only locks that were held before. The bot waits and asks again.
    if (locked.outcome === 'taken' && locked.retryAfterMs) {
      await sleep(locked.retryAfterMs)
      locked = await lock()
    }
    if (locked.outcome !== 'locked') return
    const { fence } = locked
    await this.post(location, true)
    await think()
    const save = { room: this.#room, cell: { ...location, text }, memberId: this.#memberId, fence }
    // When a save is refused, the bot goes on.
    await this.#calls.saveCell(save).catch(() => {})
    await this.#calls.unlockLocation({ ...this.#own, location, lockSeq: ++this.#lockSeq, fence })
    await this.post(location)
  }
}

/**
 * @param {Bot} bot
 * @param {typeof plan} start
 * @param {AbortSignal} signal
 */
async function wander(bot, start, signal) {
  let [sheet, rows, cols] = start
  const somewhere = () => ({ row: 3 + roll(rows - 3), col: roll(cols) })
  let cell = somewhere()
  const wait = (/** @type {number} */ least, /** @type {number} */ most) =>
    sleep(least + roll(most - least), undefined, { signal })
  const walkTo = async (/** @type {Cell} */ end) => {
    for (const step of walk(cell, end)) {
      cell = step
      await bot.post({ sheet, ...cell })
      await wait(180, 520)
    }
  }

  for (;;) {
    const edits = sheet === 'Plan' && roll(4) === 0
    await walkTo(edits ? { row: pick(taskRows), col: statusColumn } : somewhere())
    if (edits) await bot.write({ sheet, ...cell }, pick(statuses), () => wait(2_000, 4_000))
    await wait(900, 3_500)
    if (roll(4) > 0) continue
    const from = cell
    for (const to of walk(from, {
      row: Math.min(from.row + roll(6), rows - 1),
      col: Math.min(from.col + 1 + roll(3), cols - 1),
    })) {
      await bot.post({ sheet, from, to })
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
