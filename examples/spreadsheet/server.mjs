// @ts-check
import { cellLocation, memberProfile, rangeLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server'
import * as z from 'zod'

/** Where one can be in the sheet: in a cell, or over a range of cells. */
const location = z.union([cellLocation, rangeLocation])

/** What the others may know of one: the usual, and whether one is a program. */
const profile = memberProfile.extend({ bot: z.boolean().optional() })

/** @param {string} page the folder of the built page */
export function createSheetServer(page) {
  // Whoever runs this on their own machine does not want to wait for it to end.
  return createLocationServer({ location, profile, anonymous: true, static: page, timing: { drainMs: 500 } })
}

/**
 * The page knows the server by these types alone, so no schema library is in what a browser loads.
 *
 * @typedef {ReturnType<typeof createSheetServer>['router']} AppRouter
 * @typedef {z.output<typeof location>} Location
 * @typedef {z.output<typeof profile>} Profile
 */
