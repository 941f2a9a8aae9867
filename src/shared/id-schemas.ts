import * as z from 'zod'
import { isNormal, nameRule, visibleName } from './name-rule.js'

const roomIdRule = `a room id ${nameRule}`
/** The id of a room. A room is something that people share: a sheet, a document, a board. */
export const roomId = z.string().regex(visibleName, { error: roomIdRule, abort: true }).refine(isNormal, roomIdRule)

/**
 * A connectionKey or a memberKey: 128 random bits as exactly 22 base64url characters. The client generates and stores
 * it.
 */
export const secretKey = z
  .string()
  .regex(/^[\w-]{22}$/, 'a key must be 16 random bytes as 22 base64url characters without padding')
