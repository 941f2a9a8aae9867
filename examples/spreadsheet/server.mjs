// @ts-check
import { cellLocation, memberProfile, rangeLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server/standalone'
import * as z from 'zod'
import { cellProcedures, changed } from './cell-procedures.mjs'
import { memoryCells } from './cell-store.mjs'
import { emojis } from './sheets.mjs'

/** A location in the sheet: a cell, or a range of cells. */
const location = z.union([cellLocation, rangeLocation])

/** The public profile: the usual fields, and whether the member is a program. */
const profile = memberProfile.extend({ bot: z.boolean().optional() })

/**
 * The presence value, whose parts change often. A pointer is stored as a cell and fractions of its width and height,
 * because columns are narrower on a phone.
 */
const presence = z
  .strictObject({
    pointer: cellLocation.extend({ x: z.number().min(0).max(1), y: z.number().min(0).max(1) }).nullable(),
    typing: z.boolean(),
  })
  .partial()

/** The broadcasts, which are not stored: a reaction, "look here", and the server's message that cells have changed. */
const broadcasts = {
  reaction: z.strictObject({ emoji: z.enum(/** @type {(keyof typeof emojis)[]} */ (Object.keys(emojis))) }),
  look: z.strictObject({ at: location }),
  changed,
}

/**
 * @param {string} page the folder of the built page
 * @param {import('hereabouts/server').TimingOptions} timing a local demo uses a short drain time
 * @param {object} other
 * @param {import('hereabouts/server').Backend} [other.backend] where rooms are kept; default: in memory
 * @param {import('./cell-store.mjs').CellStore} [other.cells] where the values of cells are kept; default: in memory
 * @param {import('hereabouts/server').Logger} [other.logger]
 */
export function createSheetServer(page, timing = { drainMs: 500 }, { cells = memoryCells(), ...other } = {}) {
  return createLocationServer({
    location,
    profile,
    presence,
    broadcasts,
    locks: true,
    anonymous: true,
    static: page,
    timing,
    ...other,
    procedures: ({ procedure, hub }) => cellProcedures(procedure, (room) => hub.room(room), cells),
  })
}

/**
 * The page imports only these types from the server, so the browser loads no schema library.
 *
 * @typedef {ReturnType<typeof createSheetServer>['router']} AppRouter
 * @typedef {z.output<typeof location>} Location
 * @typedef {z.output<typeof profile>} Profile
 */
