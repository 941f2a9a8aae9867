// @ts-check
import { cellLocation, memberProfile, rangeLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server/standalone'
import * as z from 'zod'

/** A location in the sheet: a cell, or a range of cells. */
const location = z.union([cellLocation, rangeLocation])

/** The public profile: the usual fields, and whether the member is a program. */
const profile = memberProfile.extend({ bot: z.boolean().optional() })

/**
 * @param {string} page the folder of the built page
 * @param {import('hereabouts/server').TimingOptions} timing a local demo uses a short drain time
 */
export function createSheetServer(page, timing = { drainMs: 500 }) {
  return createLocationServer({ location, profile, anonymous: true, static: page, timing })
}

/**
 * The page imports only these types from the server, so the browser loads no schema library.
 *
 * @typedef {ReturnType<typeof createSheetServer>['router']} AppRouter
 * @typedef {z.output<typeof location>} Location
 * @typedef {z.output<typeof profile>} Profile
 */
