// @ts-check
import { cellLocation, memberProfile, rangeLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server/standalone'
import * as z from 'zod'

/** A location in the sheet: a cell, or a range of cells. */
const location = z.union([cellLocation, rangeLocation])

/** The public profile: the usual fields, and whether the member is a program. */
const profile = memberProfile.extend({ bot: z.boolean().optional() })

/** The presence value: the member's pointer over the sheet, and whether they type. */
const presence = z
  .object({ pointer: z.object({ x: z.number(), y: z.number() }).nullable(), typing: z.boolean() })
  .partial()

/**
 * @param {string} page the folder of the built page
 * @param {import('hereabouts/server').TimingOptions} timing a local demo uses a short drain time
 */
export function createSheetServer(page, timing = { drainMs: 500 }) {
  return createLocationServer({ location, profile, presence, anonymous: true, static: page, timing })
}

/**
 * The page imports only these types from the server, so the browser loads no schema library.
 *
 * @typedef {ReturnType<typeof createSheetServer>['router']} AppRouter
 * @typedef {z.output<typeof location>} Location
 * @typedef {z.output<typeof profile>} Profile
 */
