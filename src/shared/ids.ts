import * as z from 'zod'

/*
 * Public names are text that people choose: any script, emoji too, but nothing that cannot be seen. In `u` mode a
 * quantifier counts code points, and \p{Cs} matches surrogates that stand alone (ECMA-262 §22.2).
 */
const visibleName = /^[^\p{Cc}\p{Cf}\p{Cs}]{1,128}$/u
const isNormal = (text: string) => text.normalize('NFC') === text
/** Whether a text may name a room or a member. */
export const isName = (text: string): boolean => visibleName.test(text) && isNormal(text)

const roomIdRule = 'a room id must be 1 to 128 visible characters, in Unicode normal form C'
/** A place people share: a sheet, a document, a board. */
export const roomId = z.string().regex(visibleName, { error: roomIdRule, abort: true }).refine(isNormal, roomIdRule)

/** 128 random bits as exactly 22 base64url characters. A connectionKey or a memberKey: made by the client, kept by it. */
export const secretKey = z
  .string()
  .regex(/^[\w-]{22}$/, 'a key must be 16 random bytes as 22 base64url characters without padding')
