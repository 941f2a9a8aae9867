import * as z from 'zod'
import { nameFault, nameRule, nameShape } from './name-rule.js'

/**
 * The id of a room. The schema converts it to Unicode normal form C. A room is something that people share: a sheet, a
 * document, a board.
 */
export const roomId = z
  .string()
  .normalize('NFC')
  .regex(nameShape, { error: ({ input }) => `a room id ${nameFault(String(input)) ?? nameRule}`, abort: true })
  .check(({ value, issues }) => {
    const fault = nameFault(value)
    if (fault !== null) issues.push({ code: 'custom', input: value, message: `a room id ${fault}` })
  })

/** The id of a member in an input. The procedures convert it to Unicode normal form C. */
export const memberId = z
  .string()
  .regex(nameShape, { error: ({ input }) => `a member id ${nameFault(String(input)) ?? nameRule}` })

/**
 * A connectionKey or a memberKey: 128 random bits as exactly 22 base64url characters. The client generates and stores
 * it.
 */
export const secretKey = z
  .string()
  .regex(/^[\w-]{22}$/, 'a key must be 16 random bytes as 22 base64url characters without padding')
