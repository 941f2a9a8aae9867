import { readFileSync } from 'node:fs'

/**
 * The text of room.lua. The build replaces this module by one that contains the text, so that an app which bundles this
 * package needs no file beside the bundle.
 */
export const roomLua = readFileSync(new URL('./room.lua', import.meta.url), 'utf8')
