// @ts-check
import { cellLocation, memberProfile, rangeLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server/standalone'
import * as z from 'zod'

/** Where one can be in the sheet: in a cell, or over a range of cells. */
const location = z.union([cellLocation, rangeLocation])

/** What the others may know of one: the usual, and whether one is a program. */
const profile = memberProfile.extend({ bot: z.boolean().optional() })

/**
 * @param {string} page the folder of the built page
 * @param {import('hereabouts/server').TimingOptions} timing whoever runs this on their own machine does not want to wait for
 *   it to end
 */
export function createSheetServer(page, timing = { drainMs: 500 }) {
  return createLocationServer({ location, profile, anonymous: true, static: page, timing })
}

/**
 * The page knows the server by these types alone, so no schema library is in what a browser loads.
 *
 * @typedef {ReturnType<typeof createSheetServer>['router']} AppRouter
 * @typedef {z.output<typeof location>} Location
 * @typedef {z.output<typeof profile>} Profile
 */
