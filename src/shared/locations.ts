import * as z from 'zod'

/*
 * Ready-made schemas. An app can use its own instead: any zod 4 schema, classic or mini, whose input and output are the
 * same plain JSON.
 */

const sheet = z.string().min(1).max(64)
// The grid of the common spreadsheet file formats (ECMA-376: 1,048,576 rows by 16,384 columns), counted from 0.
const row = z.int().min(0).max(1_048_575)
const col = z.int().min(0).max(16_383)
const cell = z.strictObject({ row, col })

/** One cell of a sheet. Rows and columns count from 0. */
export const cellLocation = z.strictObject({ sheet, row, col })
/** A location in a spreadsheet, as `cellLocation` parses it: `{ sheet: string, row: number, col: number }`. */
export type CellLocation = z.output<typeof cellLocation>

/** A rectangle of cells. `from` is the corner where the selection began, `to` the corner where it is now. */
export const rangeLocation = z.strictObject({ sheet, from: cell, to: cell })
/** A selected rectangle of cells, as `rangeLocation` parses it: `{ sheet, from: { row, col }, to: { row, col } }`. */
export type RangeLocation = z.output<typeof rangeLocation>

/** A point on a map, a canvas or a board. The app chooses the unit. */
export const pointLocation = z.strictObject({ x: z.number(), y: z.number() })
/** A point, as `pointLocation` parses it: `{ x: number, y: number }`. */
export type PointLocation = z.output<typeof pointLocation>

/** A selection in a text. `anchor` is where it began, `head` is the caret; both are offsets in UTF-16 code units. */
export const textLocation = z.strictObject({
  path: z.string().min(1).max(256),
  anchor: z.int().min(0),
  head: z.int().min(0),
})
/** A selection in a text, as `textLocation` parses it: `{ path: string, anchor: number, head: number }`. */
export type TextLocation = z.output<typeof textLocation>

/** The default profile: what other members see of a member. `avatar` is an https URL. */
export const memberProfile = z.strictObject({
  name: z.string().min(1).max(64),
  color: z.string().max(32).optional(),
  avatar: z
    .url({ protocol: /^https$/ })
    .max(512)
    .optional(),
})
/** The profile of a member, as `memberProfile` parses it: `{ name: string, color?: string, avatar?: string }`. */
export type MemberProfile = z.output<typeof memberProfile>
