import { createHash } from 'node:crypto'
import { roomLua } from './room-lua.js'

/** A Lua script and the digest that EVALSHA calls it by. */
export type Script = { readonly source: string; readonly sha1: string }

const scriptOf = (source: string): Script => ({ source, sha1: createHash('sha1').update(source).digest('hex') })

/** Applies a batch of actions to one room. */
export const actScript = scriptOf(roomLua)

/** Stores a revocation and announces it. KEYS: the stream, also the channel. ARGV: the member, the room or ''. */
export const revokeScript = scriptOf(`#!lua
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', 10000, '*', 'member', ARGV[1], 'room', ARGV[2])
redis.call('PEXPIRE', KEYS[1], 600000)
redis.call('SPUBLISH', KEYS[1], id)
return id
`)

/**
 * The first byte of a broadcast on a room's channel. A commit begins with an epoch, which never contains this
 * character.
 */
export const broadcastMark = '!'

/** Publishes a broadcast. It is not stored. KEYS: the room, also its channel. ARGV: the text. */
export const broadcastScript = scriptOf(`#!lua
redis.call('SPUBLISH', KEYS[1], '${broadcastMark}' .. ARGV[1])
return 'ok'
`)

/**
 * Writes as posts do, and announces the write. KEYS: a key of the process that probes, also its channel. ARGV: the
 * announcement.
 */
export const probeScript = scriptOf(`#!lua
redis.call('HSET', KEYS[1], 'probe', ARGV[1])
redis.call('PEXPIRE', KEYS[1], 600000)
redis.call('SPUBLISH', KEYS[1], ARGV[1])
return 'ok'
`)
