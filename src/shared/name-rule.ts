/*
 * Public names are text that people choose: any script, emoji too, but nothing that cannot be seen. In `u` mode a
 * quantifier counts code points, and \p{Cs} matches surrogates that stand alone (ECMA-262 §22.2).
 */
export const visibleName = /^[^\p{Cc}\p{Cf}\p{Cs}]{1,128}$/u
export const isNormal = (text: string): boolean => text.normalize('NFC') === text
/** Whether a text may name a room or a member. */
export const isName = (text: string): boolean => visibleName.test(text) && isNormal(text)

export const nameRule = 'must be 1 to 128 visible characters, in Unicode normal form C'
