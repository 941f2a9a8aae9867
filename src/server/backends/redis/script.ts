import { createHash } from 'node:crypto'

/*
 * The rules of a room, as room.ts has them, where all processes meet: inside Redis, one batch at a time. Every word of
 * JSON in here is opaque text that is stored and sent on as it came, so that equality is byte equality; a script that
 * decoded it would turn [] into {} and lose digits.
 *
 * KEYS  the room (a hash), its connections (hash), their lease ends (sorted set), tombstones (hash), when to purge those
 *       that viewers saw (sorted set), and those that nobody saw (sorted set), connections of each member (hash).
 *       The first key is also the channel that commits are announced on.
 * ARGV  a fresh epoch; now in microseconds, or '' for the clock of Redis; after how long a silence nobody could renew;
 *       1 if leases begin anew after one; tombstoneMs, roomConnections, memberConnections; how long the keys stay;
 *       1 if the whole room is to be read; then the actions, each a letter and its fields.
 * Reply epoch, version, milliseconds until something is due ('' for never), the commit or '', outcomes, the room if read.
 *
 * A connection: at, seq, leaseMs, leaving, activity, member, profile, location, a line each (JSON text has no raw newline).
 * A tombstone: at, seq, reason, shown, member.
 *
 * The first line has Redis refuse the whole script when it is out of memory or lacks replicas, never half of it.
 */
const source = `#!lua
local room, connections, leases, tombstones, purges, unseen, members = unpack(KEYS)
local call, format, concat = redis.call, string.format, table.concat
local freshEpoch, renews, reads = ARGV[1], ARGV[4] == '1', ARGV[9] == '1'
local outageMs, tombstoneMs, roomConnections, memberConnections, keepMs =
  tonumber(ARGV[3]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local maxUnseen = 1000

local micros = tonumber(ARGV[2])
if not micros then
  local time = call('TIME')
  micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local now = math.floor(micros / 1000)
-- Lua writes numbers with 14 digits; a version has 16.
local function text(number) return format('%.0f', number) end

local meta = call('HMGET', room, 'epoch', 'version', 'floor', 'lineage', 'seen')
local epoch, head, floor, seen = meta[1], tonumber(meta[2]), tonumber(meta[3]), tonumber(meta[5])
-- Another master_replid: a restart, or a replica was promoted that may not have heard the last writes.
local lineage = string.match(call('INFO', 'replication'), 'master_replid:(%x+)')
if not epoch or lineage ~= meta[4] then
  epoch, head, floor = freshEpoch, head or micros, floor or micros
  call('HSET', room, 'epoch', epoch, 'version', text(head), 'floor', text(floor), 'lineage', lineage)
end
-- Strictly increasing within an epoch, and exact in a double until the year 2255.
local version = math.max(micros, head + 1)

-- How many fields each action has, and where in it is the connection that it is about.
local fields = { p = 9, l = 5, s = 3, r = 2, w = 1 }

-- What the batch is about is fetched at once, and written at once: a call costs more than what it does.
local stored, leaseEnds, ids = {}, {}, {}
do
  local i = 10
  while i <= #ARGV do
    local kind = ARGV[i]
    if fields[kind] > 2 and not leaseEnds[ARGV[i + 1]] then
      ids[#ids + 1] = ARGV[i + 1]
      leaseEnds[ARGV[i + 1]] = 0
    end
    i = i + fields[kind]
  end
  for first = 1, #ids, 1000 do
    local some = { unpack(ids, first, math.min(first + 999, #ids)) }
    local records, ends = call('HMGET', connections, unpack(some)), call('ZMSCORE', leases, unpack(some))
    for n, id in ipairs(some) do stored[id], leaseEnds[id] = records[n], tonumber(ends[n]) end
  end
end

-- Connections that this batch looked at; false: not here. What is dirty is yet to be written.
local known, dirty, dirtyLeases = {}, {}, {}
local function present(id)
  local cached = known[id]
  if cached ~= nil then return cached end
  local record = stored[id]
  if record == nil then
    record = call('HGET', connections, id)
    leaseEnds[id] = tonumber(call('ZSCORE', leases, id))
  end
  if record then
    local at, seq, leaseMs, leaving, activity, member, profile, location =
      string.match(record, '^(.-)\\n(.-)\\n(.-)\\n(.-)\\n(.-)\\n(.-)\\n(.-)\\n(.*)$')
    cached = {
      id = id, at = tonumber(at), seq = tonumber(seq), leaseMs = tonumber(leaseMs), leaving = leaving == '1',
      activity = activity, member = member, profile = profile, location = location,
    }
  else
    cached = false
  end
  known[id] = cached
  return cached
end
local function setLeaseEnd(id, leaseEnd)
  leaseEnds[id], dirtyLeases[id] = leaseEnd, leaseEnd
end
local function renew(one) setLeaseEnd(one.id, now + one.leaseMs) end
local function shorten(id, leaseMs)
  if present(id) then setLeaseEnd(id, math.min(leaseEnds[id], now + leaseMs)) end
end

local function write(command, key, args)
  for first = 1, #args, 1000 do call(command, key, unpack(args, first, math.min(first + 999, #args))) end
end
-- Before whoever looks at the room as a whole, and at the end.
local function flush()
  local records, ends = {}, {}
  for id, one in pairs(dirty) do
    records[#records + 1] = id
    records[#records + 1] = concat({
      text(one.at), text(one.seq), one.leaseMs, one.leaving and '1' or '0', one.activity, one.member, one.profile,
      one.location,
    }, '\\n')
  end
  for id, leaseEnd in pairs(dirtyLeases) do
    ends[#ends + 1] = leaseEnd
    ends[#ends + 1] = id
  end
  write('HSET', connections, records)
  write('ZADD', leases, ends)
  dirty, dirtyLeases = {}, {}
end

local function tombstoneOf(id)
  local stored = call('HGET', tombstones, id)
  if not stored then return nil end
  local at, seq, reason, shown, member = string.match(stored, '^(.-)\\n(.-)\\n(.-)\\n(.-)\\n(.*)$')
  return { at = tonumber(at), seq = tonumber(seq), reason = reason, shown = shown == '1', member = member }
end

-- What the batch did to each connection so far. shown: viewers knew it before the batch.
local drafts, drafted = {}, {}
local function draft(id, shown)
  local made = drafts[id]
  if not made then
    made = { shown = shown, entered = false, change = {} }
    drafts[id] = made
    drafted[#drafted + 1] = id
  end
  return made
end

local function bury(id, member, seq, reason)
  local before = tombstoneOf(id)
  local shown = before and before.shown or drafts[id] and drafts[id].shown
  local at = before and before.at or version
  if before and before.member ~= '' then member = before.member end
  call('HSET', tombstones, id, concat({ text(at), text(seq), reason, shown and '1' or '0', member }, '\\n'))
  call('ZADD', shown and purges or unseen, now + tombstoneMs, id)
  if not shown and call('ZCARD', unseen) > maxUnseen then
    call('HDEL', tombstones, call('ZPOPMIN', unseen)[1])
  end
end

local size = call('HLEN', connections)
local function remove(one, reason)
  known[one.id], dirty[one.id], dirtyLeases[one.id] = false, nil, nil
  call('HDEL', connections, one.id)
  call('ZREM', leases, one.id)
  size = size - 1
  if call('HINCRBY', members, one.member, -1) <= 0 then call('HDEL', members, one.member) end
  local made = draft(one.id, true)
  made.entered, made.change = false, {}
  bury(one.id, one.member, one.seq, reason)
end
local function lapse(one) remove(one, one.leaving and 'left' or 'lost') end

-- The connection, unless its lease is over: then it goes first, so that every rule sees the room as of now.
local function live(id)
  local one = present(id)
  if not one or now < leaseEnds[id] then return one end
  lapse(one)
  return false
end

local function posted(outcome, member, seq) return concat({ outcome, text(seq), member }, '\\n') end

local function enter(id, member, seq, location, profile, activity, leaseMs)
  if size >= roomConnections then return 'full\\nroom' end
  if tonumber(call('HGET', members, member) or 0) >= memberConnections then return 'full\\nmember' end
  local one = {
    id = id, at = version, seq = seq, leaseMs = leaseMs, leaving = false, member = member,
    activity = activity ~= '' and activity or 'active', profile = profile ~= '' and profile or 'null', location = location,
  }
  local before = tombstoneOf(id)
  -- One that comes back was shown before: should it leave in this same batch, viewers must hear of it again.
  draft(id, before ~= nil and before.shown).entered = true
  if before then
    call('HDEL', tombstones, id)
    call('ZREM', purges, id)
  end
  known[id], dirty[id] = one, one
  size = size + 1
  call('HINCRBY', members, member, 1)
  renew(one)
  return posted('applied', member, seq)
end

-- Takes over what the post says anew; answers whether anything was.
local function show(one, location, profile, activity)
  local change = {}
  if location ~= one.location then change.location = location end
  if profile ~= '' and profile ~= one.profile then change.profile = profile end
  if activity ~= '' and activity ~= one.activity then change.activity = activity end
  if not next(change) then return false end
  local shown = draft(one.id, true).change
  for name, value in pairs(change) do shown[name], one[name] = value, value end
  one.at = version
  return true
end

local function post(id, member, owned, seq, location, profile, activity, leaseMs)
  local one = live(id)
  local before = not one and tombstoneOf(id) or nil
  local last = one or before
  if last and owned == '1' and last.member ~= '' and last.member ~= member then return 'owned' end
  local owner = last and last.member ~= '' and last.member or member
  -- Someone who left has left, whatever comes late; someone who was lost may come back.
  if before and before.reason ~= 'lost' then return posted('left', owner, before.seq) end
  seq = tonumber(seq) or (last and last.seq + 1 or 1)
  -- A retry and a reordered request look the same from here: only a newer seq may speak.
  if last and seq < last.seq then return posted('stale', owner, last.seq) end
  if before and seq == before.seq then return posted('expired', owner, before.seq) end
  if not one then return enter(id, member, seq, location, profile, activity, tonumber(leaseMs)) end
  if seq == one.seq then
    if not one.leaving then renew(one) end
    return posted('same', owner, seq)
  end
  one.seq, one.leaving, one.leaseMs = seq, false, tonumber(leaseMs)
  dirty[id] = one
  renew(one)
  return posted(show(one, location, profile, activity) and 'applied' or 'same', owner, seq)
end

local function leave(id, member, leaveSeq, graceMs)
  leaveSeq, graceMs = tonumber(leaveSeq), tonumber(graceMs)
  local one = live(id)
  local last = one or tombstoneOf(id)
  if last and member ~= '' and last.member ~= '' and last.member ~= member then return 'owned' end
  local seq = math.max(leaveSeq or 0, last and last.seq or 0)
  if not one then
    bury(id, member, seq, 'left')
    return 'left'
  end
  if graceMs == 0 then
    one.seq = seq
    remove(one, 'left')
    return 'left'
  end
  -- A newer post has undone this leave before it came.
  if leaveSeq and leaveSeq < one.seq then return 'leaving' end
  -- The posts up to this seq are behind the leave, even those still on their way.
  one.seq, one.leaving = seq, true
  dirty[id] = one
  shorten(id, graceMs)
  return 'leaving'
end

local function revoke(member)
  if call('HEXISTS', members, member) == 0 then return 'done' end
  flush()
  for _, id in ipairs(call('HKEYS', connections)) do
    local one = present(id)
    if one.member == member then remove(one, 'revoked') end
  end
  return 'done'
end

local function sweep()
  flush()
  for _, id in ipairs(call('ZRANGEBYSCORE', leases, '-inf', now)) do lapse(present(id)) end
  for _, id in ipairs(call('ZRANGEBYSCORE', purges, '-inf', now)) do
    -- Whoever is behind this can no longer be told of it.
    floor = math.max(floor, tombstoneOf(id).at)
    call('HDEL', tombstones, id)
    call('ZREM', purges, id)
  end
  for _, id in ipairs(call('ZRANGEBYSCORE', unseen, '-inf', now)) do
    call('HDEL', tombstones, id)
    call('ZREM', unseen, id)
  end
  return 'done'
end

-- Nobody came by for long: Redis was away, and nobody could renew. Leases begin anew, but for those who said goodbye.
if seen and now - seen > outageMs and renews then
  for _, id in ipairs(call('HKEYS', connections)) do
    local one = present(id)
    if not one.leaving and leaseEnds[id] < now + one.leaseMs then renew(one) end
  end
end

local outcomes = {}
local i = 10
while i <= #ARGV do
  local kind, a, b, c, d, e, f, g, h = unpack(ARGV, i, i + 8)
  local outcome = 'done'
  if kind == 'p' then outcome = post(a, b, c, d, e, f, g, h)
  elseif kind == 'l' then outcome = leave(a, b, c, d)
  elseif kind == 's' then shorten(a, tonumber(b))
  elseif kind == 'r' then outcome = revoke(a)
  else outcome = sweep()
  end
  outcomes[#outcomes + 1] = outcome
  i = i + fields[kind]
end
flush()

-- One entry for each connection, whatever the batch did to it. An id is ours, and needs no escape; a member is JSON.
local entered, changed, left = {}, {}, {}
for _, id in ipairs(drafted) do
  local made, one = drafts[id], known[id]
  if one and made.entered then
    entered[#entered + 1] = concat({
      '{"connectionId":"', id, '","memberId":', one.member, ',"profile":', one.profile, ',"location":', one.location,
      ',"activity":"', one.activity, '","at":', text(one.at), '}',
    })
  elseif one then
    local change = made.change
    changed[#changed + 1] = concat({
      '{"connectionId":"', id, '"',
      change.location and ',"location":' .. change.location or '',
      change.profile and ',"profile":' .. change.profile or '',
      change.activity and ',"activity":"' .. change.activity .. '"' or '',
      '}',
    })
  elseif made.shown then
    local before = tombstoneOf(id)
    left[#left + 1] = concat({ '{"connectionId":"', id, '","at":', text(before.at), ',"reason":"', before.reason, '"}' })
  end
end
local commit = ''
if #drafted > 0 then
  commit = concat({
    epoch, '|', text(head), '|', text(version), '|{"entered":[', concat(entered, ','), '],"changed":[', concat(changed, ','),
    '],"left":[', concat(left, ','), ']}',
  })
  head = version
  call('SPUBLISH', room, commit)
end

call('HSET', room, 'seen', text(now), 'version', text(head), 'floor', text(floor))
local last = call('ZRANGE', leases, -1, -1, 'WITHSCORES')[2]
local stayMs = math.ceil(math.max(keepMs, last and tonumber(last) - now + tombstoneMs or 0))
for _, key in ipairs(KEYS) do call('PEXPIRE', key, stayMs) end

local due
for _, key in ipairs({ leases, purges, unseen }) do
  local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  if first and (not due or tonumber(first) < due) then due = tonumber(first) end
end
local reply = { epoch, text(head), due and text(math.max(0, math.ceil(due - now))) or '', commit, outcomes }
if reads then
  reply[6] = { text(floor), call('HGETALL', connections), call('HGETALL', tombstones) }
end
return reply
`

/** Writes down a revocation and announces it. KEYS the stream, also the channel; ARGV the member, the room or ''. */
const revoke = `#!lua
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', 10000, '*', 'member', ARGV[1], 'room', ARGV[2])
redis.call('PEXPIRE', KEYS[1], 600000)
redis.call('SPUBLISH', KEYS[1], id)
return id
`

/** A script, and what Redis calls it by. */
export type Script = { readonly source: string; readonly sha1: string }

const scriptOf = (source: string): Script => ({ source, sha1: createHash('sha1').update(source).digest('hex') })

/** Carries out a batch of actions in one room. */
export const actScript = scriptOf(source)
export const revokeScript = scriptOf(revoke)
