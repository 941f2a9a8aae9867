// @ts-check
import { TRPCError } from '@trpc/server'
import { LocationError, toTRPCError } from 'hereabouts/server'
import * as z from 'zod'
import { colCount, longestText, rowCount, sheetNames } from './sheets.mjs'

/** @typedef {import('./cell-store.mjs').CellStore} CellStore */
/** @typedef {import('./cell-store.mjs').Step} Step */

/** The name of a room, in the form in which the hub compares names. The hub decides whether a room can have it. */
const room = z.string().normalize('NFC')
const cell = z.strictObject({
  sheet: z.string().refine((name) => sheetNames.includes(name), 'There is no sheet of this name.'),
  row: z
    .int()
    .min(0)
    .max(rowCount - 1),
  col: z
    .int()
    .min(0)
    .max(colCount - 1),
})
/** The text of a cell. Half of a surrogate pair is refused: Redis cannot read it back from JSON. */
const text = z
  .string()
  .max(longestText)
  .refine((text) => !/\p{Cs}/u.test(text), 'The text contains half of a character.')

/**
 * The broadcast that tells the viewers of a room which cell changed. Without `cell`, or at another revision than
 * `after`, a viewer fetches all cells.
 */
export const changed = z.strictObject({
  revision: z.int(),
  after: z.int(),
  cell: cell.extend({ text }).optional(),
})

/** The maximum number of changes of a room in a second. Each change is sent to all viewers of the room. */
const changesPerSecond = 20

/**
 * The part of the hub's room that saving uses.
 *
 * @typedef {object} GuardedRoom
 * @property {(lock: { location: z.output<typeof cell>, memberId: string, fence: number }) => Promise<boolean>} isLocked
 * @property {(name: 'changed', payload: z.output<typeof changed>) => Promise<void>} broadcast
 */

/**
 * The procedures for the values of the cells. The holder of a cell's lock may save it, and the fence of the lock is stored with the
 * cell: a save that arrives after its lock is lost is refused. In this room without sign-in, ids of members and fences
 * are public, so a lock guards against accidents and not against malice.
 *
 * @param {import('hereabouts/server/standalone').ProcedureTools<import('hereabouts').RoomTypes>['procedure']} procedure
 * @param {(room: string) => GuardedRoom} hubRoomOf throws a LocationError for a name that no room can have
 * @param {CellStore} store
 */
export function cellProcedures(procedure, hubRoomOf, store) {
  const pace = createPace()

  /** Returns the hub's room. A name that no room can have is answered BAD_REQUEST. */
  const roomOf = (/** @type {string} */ name) => {
    try {
      return hubRoomOf(name)
    } catch (error) {
      return asTRPCError(error)
    }
  }

  /**
   * Broadcasts a change to all viewers of a room. When that fails, broadcasts a moment later that there is something to
   * fetch.
   *
   * @param {GuardedRoom} room
   * @param {z.output<typeof changed>} change
   */
  const announce = async (room, change) => {
    try {
      await room.broadcast('changed', change)
    } catch {
      const { cell: _, ...step } = change
      const again = async () => room.broadcast('changed', step)
      setTimeout(() => void again().catch(() => {}), 1_000).unref()
    }
  }

  return {
    cells: procedure.input(z.strictObject({ room })).query(({ input: { room } }) => {
      roomOf(room)
      return store.edits(room)
    }),

    saveCell: procedure
      .input(z.strictObject({ room, cell: cell.extend({ text }), memberId: z.string().max(128), fence: z.number() }))
      .mutation(async ({ input: { room, cell, memberId, fence } }) => {
        const hubRoom = roomOf(room)
        const { text: _, ...location } = cell
        const isHeld = await hubRoom.isLocked({ location, memberId, fence }).catch(asTRPCError)
        // Only saves of the holder of a lock count: refused saves do not use up the changes of a room.
        if (isHeld) pace(room)
        const step = isHeld ? await store.save(room, cell, fence) : null
        if (step === 'full')
          throw new TRPCError({
            code: 'PAYLOAD_TOO_LARGE',
            message: 'This room has no place for more changes: reset it.',
          })
        if (!step)
          throw new TRPCError({
            code: 'CONFLICT',
            message: 'Your turn to edit this cell is over, so it was not saved.',
          })
        await announce(hubRoom, { ...step, cell })
        return step
      }),

    resetCells: procedure.input(z.strictObject({ room })).mutation(async ({ input: { room } }) => {
      const hubRoom = roomOf(room)
      // A reset needs no membership. So a room without cells is not stored: otherwise invented names would displace
      // rooms in use.
      const { revision, cells } = await store.edits(room)
      if (cells.length === 0) return { after: revision, revision }
      pace(room)
      const step = await store.reset(room)
      await announce(hubRoom, step)
      return step
    }),
  }
}

/**
 * The maximum number of rooms whose changes are counted in a second. Above it, only rooms that are already counted may
 * change.
 */
const roomsCounted = 1_000

/** Returns a function that throws when a room changes too often. It keeps only the counts of the current second. */
function createPace() {
  /** @type {Map<string, number>} */
  const counts = new Map()
  let second = 0
  return (/** @type {string} */ room) => {
    const now = Math.floor(Date.now() / 1_000)
    if (now !== second) counts.clear()
    second = now
    const count = (counts.get(room) ?? 0) + 1
    if (count > changesPerSecond || (count === 1 && counts.size >= roomsCounted))
      throw new TRPCError({ code: 'TOO_MANY_REQUESTS', message: 'Too many changes at once: try again in a second.' })
    counts.set(room, count)
  }
}

/**
 * @param {unknown} error
 * @returns {never}
 */
function asTRPCError(error) {
  throw error instanceof LocationError ? toTRPCError(error) : error
}
