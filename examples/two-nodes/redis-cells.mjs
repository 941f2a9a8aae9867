// @ts-check

/** @typedef {import('../spreadsheet/cell-store.mjs').CellStore} CellStore */
/** @typedef {import('../spreadsheet/cell-store.mjs').EditedCell} EditedCell */

/** The maximum number of edited cells of a room. */
const cellsKept = 2_000
const secondsKept = 86_400

/**
 * The script that saves a cell or resets a room. KEYS: the cells of a room. ARGV: the name of a cell, its JSON, its
 * fence, the maximum number of cells, the seconds for which they are kept. Without a name, all cells are deleted.
 * Returns the previous and the new revision; nothing when a newer lock has saved the cell.
 */
const script = `
local before = redis.call('HGET', KEYS[1], ARGV[1])
if before and tonumber(cjson.decode(before).fence) > tonumber(ARGV[3]) then return {} end
if not before and redis.call('HLEN', KEYS[1]) > tonumber(ARGV[4]) then return {'full'} end
local after = redis.call('HGET', KEYS[1], 'revision') or '0'
if ARGV[1] == '' then redis.call('DEL', KEYS[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
local time = redis.call('TIME')
local revision = math.max(tonumber(after) + 1, time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[1], 'revision', string.format('%.0f', revision))
redis.call('EXPIRE', KEYS[1], ARGV[5])
return { after, string.format('%.0f', revision) }`

/**
 * Keeps edited cells in Redis, where every server of the demo finds them.
 *
 * @param {import('redis').RedisClientType<any, any, any, any, any>} client
 * @returns {CellStore}
 */
export function redisCells(client) {
  const keyOf = (/** @type {string} */ room) => `spreadsheet:${room}`
  const change = async (/** @type {string} */ room, /** @type {string[]} */ args) => {
    const answer = await client.eval(script, { keys: [keyOf(room)], arguments: args })
    return /** @type {string[]} */ (answer)
  }
  return {
    async edits(room) {
      const fields = await client.hGetAll(keyOf(room))
      const { revision = '0', ...cells } = /** @type {Record<string, string>} */ (fields)
      return { revision: Number(revision), cells: Object.values(cells).map((text) => JSON.parse(text).cell) }
    },
    async save(room, cell, fence) {
      const name = `${cell.sheet}!${cell.row}!${cell.col}`
      const limits = [String(cellsKept), String(secondsKept)]
      const [after, revision] = await change(room, [name, JSON.stringify({ cell, fence }), String(fence), ...limits])
      if (after === 'full') return 'full'
      return after === undefined ? null : { after: Number(after), revision: Number(revision) }
    },
    async reset(room) {
      const [after, revision] = await change(room, ['', '', '0', String(cellsKept * 2), String(secondsKept)])
      return { after: Number(after), revision: Number(revision) }
    },
  }
}
