import * as z from 'zod'

/*
 * Ready-made locations. An app's own schema is just as good: any zod 4 schema, classic or mini, whose input and output
 * are the same plain JSON.
 */

const sheet = z.string().min(1).max(64)
// The grid of the common spreadsheet file formats (ECMA-376: 1,048,576 rows by 16,384 columns), counted from 0.
const row = z.int().min(0).max(1_048_575)
const col = z.int().min(0).max(16_383)
const cell = z.strictObject({ row, col })

/** One cell of a sheet; rows and columns count from 0. */
export const cellLocation = z.strictObject({ sheet, row, col })
export type CellLocation = z.output<typeof cellLocation>

/** A rectangle of cells: from the corner where the selection began, to the corner where it is now. */
export const rangeLocation = z.strictObject({ sheet, from: cell, to: cell })
export type RangeLocation = z.output<typeof rangeLocation>

/** A point of a map, a canvas, a board; the unit is the app's. */
export const pointLocation = z.strictObject({ x: z.number(), y: z.number() })
export type PointLocation = z.output<typeof pointLocation>

/** A selection in a text: `anchor` is where it began, `head` where the caret is, both in UTF-16 units. */
export const textLocation = z.strictObject({
  path: z.string().min(1).max(256),
  anchor: z.int().min(0),
  head: z.int().min(0),
})
export type TextLocation = z.output<typeof textLocation>

/** What others may know of a member, unless the app has a schema of its own. `avatar` is an https address. */
export const memberProfile = z.strictObject({
  name: z.string().min(1).max(64),
  color: z.string().max(32).optional(),
  avatar: z
    .url({ protocol: /^https$/ })
    .max(512)
    .optional(),
})
export type MemberProfile = z.output<typeof memberProfile>
