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

/** Writes as posts do, and announces it. KEYS: a key of the process that probes, also its channel. ARGV: the announcement. */
export const probeScript = scriptOf(`#!lua
redis.call('HSET', KEYS[1], 'probe', ARGV[1])
redis.call('PEXPIRE', KEYS[1], 600000)
redis.call('SPUBLISH', KEYS[1], ARGV[1])
return 'ok'
`)
