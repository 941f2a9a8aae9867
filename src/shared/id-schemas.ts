import * as z from 'zod'
import { isNormal, nameRule, visibleName } from './name-rule.js'

const roomIdRule = `a room id ${nameRule}`
/** A place people share: a sheet, a document, a board. */
export const roomId = z.string().regex(visibleName, { error: roomIdRule, abort: true }).refine(isNormal, roomIdRule)

/** 128 random bits as exactly 22 base64url characters. A connectionKey or a memberKey: made by the client, kept by it. */
export const secretKey = z
  .string()
  .regex(/^[\w-]{22}$/, 'a key must be 16 random bytes as 22 base64url characters without padding')
