#!lua
-- The rules of a room (src/server/rules/room.ts), executed inside Redis on one batch of actions at a time, so that all
-- processes share one order of events. JSON values are opaque text: they are stored and forwarded unchanged, and equality is
-- byte equality. Decoding them here would turn [] into {} and lose digits.
--
-- KEYS  the room (hash), its connections (hash), their lease ends (sorted set), tombstones (hash), purge times of the
--       tombstones that viewers saw (sorted set), purge times of those that no viewer saw (sorted set), the number of
--       connections of each member (hash), its locks (hash), the times at which the locks of their holders end (sorted set).
--       The first key is also the name of the channel that announces commits.
-- ARGV  1 a fresh epoch; 2 the time in microseconds, or '' for the clock of Redis; 3 outageMs: a silence longer than
--       this counts as an outage; 4 '1' if leases are renewed after an outage; 5 tombstoneMs; 6 roomConnections;
--       7 memberConnections; 8 keepMs: how long the keys stay; 9 '1' if the reply includes the whole room; 10 lockMs;
--       11 claimMs; 12 connectionLocks; 13 roomLocks; from 14 the actions, each a letter followed by its fields.
-- Reply epoch, version, milliseconds until the next deadline ('' for none), the commit or '', outcomes, the room if requested.
--
-- A connection is stored as at, activeAt, seq, leaseMs, leaving, activity, member, profile, location, presence and extendedMs, one per
-- line: JSON text has no raw newline. A change of this format needs another revision in keys.ts. A tombstone is stored as at, seq, reason, shown and member.
--
-- The hash of locks has three kinds of fields: L and a location holds the fence and the connection of its lock; S and a
-- connection holds its highest lockSeq, until its tombstone is purged; C, a connection, a newline and a location holds the order and
-- the fence of a claim.
--
-- The #! line makes Redis reject the whole script when it is out of memory or lacks replicas, so that no half of it runs.
local room, connections, leases, tombstones, purges, unseen, members, locks, lockEnds = unpack(KEYS)
local call, format, concat = redis.call, string.format, table.concat
local freshEpoch, renews, reads = ARGV[1], ARGV[4] == '1', ARGV[9] == '1'
local outageMs, tombstoneMs, roomConnections, memberConnections, keepMs =
  tonumber(ARGV[3]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local lockMs, claimMs, connectionLocks, roomLocks = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local firstAction = 14
local maxUnseen = 1000

local micros = tonumber(ARGV[2])
if not micros then
  local time = call('TIME')
  micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local now = math.floor(micros / 1000)
-- Lua formats numbers with 14 digits by default; a version has 16.
local function text(number) return format('%.0f', number) end

local meta = call('HMGET', room, 'epoch', 'version', 'floor', 'lineage', 'seen', 'claimsUntil', 'fence')
local epoch, head, floor, seen = meta[1], tonumber(meta[2]), tonumber(meta[3]), tonumber(meta[5])
-- A different master_replid means that Redis restarted, or that a replica was promoted which may lack the last writes.
local lineage = string.match(call('INFO', 'replication'), 'master_replid:(%x+)')
-- Until claimsUntil, only a connection that held a place before the room lost its state may lock that place. lastFence:
-- the highest fence so far.
local claimsUntil, lastFence = tonumber(meta[6]), tonumber(meta[7]) or 0
-- Returns whether Redis started less than lockMs ago: it may have held this room before the restart.
local function isYoung() return tonumber(string.match(call('INFO', 'server'), 'uptime_in_seconds:(%d+)')) * 1000 < lockMs end
if not epoch or lineage ~= meta[4] then
  local hasLost
  if epoch then hasLost = call('EXISTS', connections) == 1 else hasLost = isYoung() end
  claimsUntil = hasLost and claimMs > 0 and now + claimMs or nil
  call('DEL', locks, lockEnds)
  epoch, head, floor = freshEpoch, head or micros, floor or micros
  call('HSET', room, 'epoch', epoch, 'version', text(head), 'floor', text(floor), 'lineage', lineage)
end
-- Versions strictly increase within an epoch. A double holds them exactly until the year 2255.
local version = math.max(micros, head + 1)

-- Moves the deadlines of a sorted set.
local function postpone(key, byMs)
  local ends = call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for n = 1, #ends, 2 do call('ZADD', key, tonumber(ends[n + 1]) + byMs, ends[n]) end
end
-- When the clock of Redis was stepped back, all deadlines move back with it. Otherwise a connection that is gone would
-- stay longer, by the size of the step.
if seen and now < seen then
  for _, key in ipairs({ leases, purges, unseen, lockEnds }) do postpone(key, now - seen) end
  if claimsUntil then claimsUntil = claimsUntil + now - seen end
end

-- The number of ARGV entries of each action, its letter included. In the actions of `named`, the second entry is the
-- connection id.
local fields = { p = 12, l = 5, s = 3, r = 2, w = 1, k = 7, u = 6, f = 2, c = 4 }
local named = { p = true, l = true, s = true, k = true, u = true }

-- False when no connection ever locked anything: no further command is spent on locks then.
local anyLocks = call('EXISTS', locks) == 1

-- Records are read and written in bulk: the overhead of a call is higher than the cost of its work.
local stored, leaseEnds, ids = {}, {}, {}
-- The time at which the locks of a holder end, for each connection that was read.
local lockEndOf, dirtyLockEnds = {}, {}
do
  local i = firstAction
  while i <= #ARGV do
    local kind = ARGV[i]
    if named[kind] and not leaseEnds[ARGV[i + 1]] then
      ids[#ids + 1] = ARGV[i + 1]
      leaseEnds[ARGV[i + 1]] = 0
    end
    i = i + fields[kind]
  end
  for first = 1, #ids, 1000 do
    local some = { unpack(ids, first, math.min(first + 999, #ids)) }
    local records, ends = call('HMGET', connections, unpack(some)), call('ZMSCORE', leases, unpack(some))
    for n, id in ipairs(some) do stored[id], leaseEnds[id] = records[n], tonumber(ends[n]) end
    if anyLocks then
      for n, lockEnd in ipairs(call('ZMSCORE', lockEnds, unpack(some))) do lockEndOf[some[n]] = tonumber(lockEnd) end
    end
  end
end

-- The connections that this batch read; false means absent. Dirty entries are not written yet.
local known, dirty, dirtyLeases = {}, {}, {}
local function present(id)
  local cached = known[id]
  if cached ~= nil then return cached end
  local record = stored[id]
  if record == nil then
    record = call('HGET', connections, id)
    leaseEnds[id] = tonumber(call('ZSCORE', leases, id))
    if anyLocks then lockEndOf[id] = tonumber(call('ZSCORE', lockEnds, id)) end
  end
  if record then
    local at, activeAt, seq, leaseMs, leaving, activity, member, profile, location, presence, extendedMs =
      string.match(record, '^(.-)\n(.-)\n(.-)\n(.-)\n(.-)\n(.-)\n(.-)\n(.-)\n(.-)\n(.-)\n(.*)$')
    cached = {
      id = id, at = tonumber(at), activeAt = tonumber(activeAt), seq = tonumber(seq), leaseMs = tonumber(leaseMs), leaving = leaving == '1',
      activity = activity, member = member, profile = profile, location = location, presence = presence, extendedMs = tonumber(extendedMs),
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
local function setLockEnd(id, lockEnd)
  lockEndOf[id], dirtyLockEnds[id] = lockEnd, lockEnd
end
-- extendedMs: how much an outage lengthened the lease since the last accepted post.
local function renew(one)
  if one.extendedMs ~= 0 then one.extendedMs, dirty[one.id] = 0, one end
  setLeaseEnd(one.id, now + one.leaseMs)
  if lockEndOf[one.id] then setLockEnd(one.id, now + lockMs) end
end
local function shorten(id, leaseMs)
  if present(id) then setLeaseEnd(id, math.min(leaseEnds[id], now + leaseMs)) end
end

local function write(command, key, args)
  for first = 1, #args, 1000 do call(command, key, unpack(args, first, math.min(first + 999, #args))) end
end
-- Writes the dirty entries. Called before the whole room is read, and at the end.
local function flush()
  local records, ends = {}, {}
  for id, one in pairs(dirty) do
    records[#records + 1] = id
    records[#records + 1] = concat({
      text(one.at), text(one.activeAt), text(one.seq), one.leaseMs, one.leaving and '1' or '0', one.activity, one.member, one.profile,
      one.location, one.presence, one.extendedMs,
    }, '\n')
  end
  for id, leaseEnd in pairs(dirtyLeases) do
    ends[#ends + 1] = leaseEnd
    ends[#ends + 1] = id
  end
  write('HSET', connections, records)
  write('ZADD', leases, ends)
  ends = {}
  for id, lockEnd in pairs(dirtyLockEnds) do
    ends[#ends + 1] = lockEnd
    ends[#ends + 1] = id
  end
  write('ZADD', lockEnds, ends)
  dirty, dirtyLeases, dirtyLockEnds = {}, {}, {}
end

local function tombstoneOf(id)
  local stored = call('HGET', tombstones, id)
  if not stored then return nil end
  local at, seq, reason, shown, member = string.match(stored, '^(.-)\n(.-)\n(.-)\n(.-)\n(.*)$')
  return { at = tonumber(at), seq = tonumber(seq), reason = reason, shown = shown == '1', member = member }
end

-- The highest lockSeq of each connection, once readLocks was called.
local lockSeqs

-- The changes that this batch made to each connection. shown: viewers knew the connection before the batch.
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

-- Deletes what was kept of a connection that is gone: its tombstone and its lockSeq. The lockSeq was kept because an
-- earlier lock call may have been in flight.
local function forget(id)
  call('HDEL', tombstones, id)
  if not anyLocks then return end
  call('HDEL', locks, 'S' .. id)
  if lockSeqs then lockSeqs[id] = nil end
end

local function bury(id, member, seq, reason)
  local before = tombstoneOf(id)
  local shown = before and before.shown or drafts[id] and drafts[id].shown
  local at = before and before.at or version
  if before and before.member ~= '' then member = before.member end
  call('HSET', tombstones, id, concat({ text(at), text(seq), reason, shown and '1' or '0', member }, '\n'))
  call('ZADD', shown and purges or unseen, now + tombstoneMs, id)
  if not shown and call('ZCARD', unseen) > maxUnseen then forget(call('ZPOPMIN', unseen)[1]) end
end

-- The locks of the room: places by location, the places of each holder in the order of their fences, and the claims.
-- These and lockSeqs are read when the first action needs them.
local places, placesOf, placeCount, claims
local function readLocks()
  if places then return end
  places, placesOf, placeCount, lockSeqs, claims = {}, {}, 0, {}, {}
  if not anyLocks then return end
  local flat = call('HGETALL', locks)
  for n = 1, #flat, 2 do
    local kind, name, value = string.sub(flat[n], 1, 1), string.sub(flat[n], 2), flat[n + 1]
    if kind == 'L' then
      local fence, id = string.match(value, '^(.-)\n(.*)$')
      local place = { location = name, fence = tonumber(fence), id = id }
      places[name], placeCount = place, placeCount + 1
      placesOf[id] = placesOf[id] or {}
      table.insert(placesOf[id], place)
    elseif kind == 'S' then lockSeqs[name] = tonumber(value)
    else
      local id, location = string.match(name, '^(.-)\n(.*)$')
      local order, fence = string.match(value, '^(.-)\n(.*)$')
      claims[#claims + 1] = { id = id, location = location, order = tonumber(order), fence = tonumber(fence) }
    end
  end
  for _, held in pairs(placesOf) do table.sort(held, function(a, b) return a.fence < b.fence end) end
end

-- Ends the lock of a place without telling viewers.
local function dropPlace(place)
  local rest = {}
  for _, held in ipairs(placesOf[place.id]) do if held ~= place then rest[#rest + 1] = held end end
  places[place.location], placeCount = nil, placeCount - 1
  placesOf[place.id] = #rest > 0 and rest or nil
  call('HDEL', locks, 'L' .. place.location)
  if #rest == 0 then
    lockEndOf[place.id], dirtyLockEnds[place.id] = nil, nil
    call('ZREM', lockEnds, place.id)
  end
end
local function dropClaims(isDropped)
  local rest = {}
  for _, claim in ipairs(claims) do
    if isDropped(claim) then call('HDEL', locks, 'C' .. claim.id .. '\n' .. claim.location) else rest[#rest + 1] = claim end
  end
  local count = #claims - #rest
  claims = rest
  return count
end
-- Tells viewers that the locks of a connection changed.
local function showLocks(one)
  one.at, dirty[one.id] = version, one
  draft(one.id, true).change.locks = true
end
local function locksJson(id)
  local list = {}
  for n, place in ipairs(placesOf and placesOf[id] or {}) do
    list[n] = '{"location":' .. place.location .. ',"fence":' .. text(place.fence) .. '}'
  end
  return concat(list, ',')
end
-- Ends the locks of a connection that is gone or did not post in time.
local function dropLocks(id)
  if not lockEndOf[id] then return end
  readLocks()
  for _, place in ipairs(placesOf[id] or {}) do dropPlace(place) end
end
-- Ends the locks and the claims of a connection that is gone.
local function endLocks(id)
  if not anyLocks then return end
  dropLocks(id)
  if not claimsUntil then return end
  readLocks()
  dropClaims(function(claim) return claim.id == id end)
end

local size = call('HLEN', connections)
local function remove(one, reason)
  endLocks(one.id)
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

-- Returns a connection if it is present. If its lease has expired, it is removed first, and expired locks end first, so
-- that every rule sees the current room.
local function live(id)
  local one = present(id)
  if not one then return one end
  if now >= leaseEnds[id] then
    lapse(one)
    return false
  end
  if lockEndOf[id] and now >= lockEndOf[id] then
    dropLocks(id)
    showLocks(one)
  end
  return one
end

local function posted(outcome, member, seq) return concat({ outcome, text(seq), member }, '\n') end

local function enter(id, member, seq, location, profile, activity, presence, leaseMs, agoMicros)
  if size >= roomConnections then return 'full\nroom' end
  if tonumber(call('HGET', members, member) or 0) >= memberConnections then return 'full\nmember' end
  local one = {
    id = id, at = version, activeAt = math.max(1, version - agoMicros), seq = seq, leaseMs = leaseMs, extendedMs = 0, leaving = false,
    member = member,
    activity = activity ~= '' and activity or 'active', profile = profile ~= '' and profile or 'null', location = location,
    presence = presence ~= '' and presence or '{}',
  }
  local before = tombstoneOf(id)
  -- A connection that returns was shown before: if it leaves again in this batch, viewers must be notified.
  draft(id, before ~= nil and before.shown).entered = true
  if before then
    call('HDEL', tombstones, id)
    call('ZREM', purges, id)
    call('ZREM', unseen, id)
  end
  known[id], dirty[id] = one, one
  size = size + 1
  call('HINCRBY', members, member, 1)
  renew(one)
  return posted('applied', member, seq)
end

-- Returns whether a change implies that the connection was used: it moved or became active. Its commit needs no
-- activeAt then.
local function impliesUse(change) return change.location ~= nil or change.activity == 'active' end

-- Applies the changed fields of a post. Returns false when nothing changed and the post is no use of the connection.
local function show(one, location, profile, activity, presence, used)
  local change = {}
  if location ~= one.location then change.location = location end
  if profile ~= '' and profile ~= one.profile then change.profile = profile end
  if activity ~= '' and activity ~= one.activity then change.activity = activity end
  if presence ~= '' and presence ~= one.presence then change.presence = presence end
  local isUsed = used == '1' or impliesUse(change)
  if not next(change) and not isUsed then return false end
  local shown = draft(one.id, true).change
  for name, value in pairs(change) do shown[name], one[name] = value, value end
  one.at = version
  if isUsed then one.activeAt = version end
  return true
end

local function post(id, member, owned, seq, location, profile, activity, leaseMs, used, agoMicros, presence)
  local one = live(id)
  local before = not one and tombstoneOf(id) or nil
  local last = one or before
  if last and owned == '1' and last.member ~= '' and last.member ~= member then return 'owned' end
  local owner = last and last.member ~= '' and last.member or member
  -- A connection that left does not return when a late post arrives. A lost one may return.
  if before and before.reason ~= 'lost' then return posted('left', owner, before.seq) end
  seq = tonumber(seq) or (last and last.seq + 1 or 1)
  -- No seq can follow the largest integer that a double holds exactly.
  if last and seq > 9007199254740991 then return posted('stale', owner, last.seq) end
  -- The server cannot distinguish a retry from a reordered request: only a post with a newer seq is applied.
  if last and seq < last.seq then return posted('stale', owner, last.seq) end
  if before and seq == before.seq then return posted('expired', owner, before.seq) end
  if not one then 
    return enter(id, member, seq, location, profile, activity, presence, tonumber(leaseMs), tonumber(agoMicros))
  end
  if seq == one.seq then
    if not one.leaving then renew(one) end
    return posted('same', owner, seq)
  end
  one.seq, one.leaving, one.leaseMs = seq, false, tonumber(leaseMs)
  dirty[id] = one
  renew(one)
  return posted(show(one, location, profile, activity, presence, used) and 'applied' or 'same', owner, seq)
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
  -- Ignored: a newer post was applied first and undoes this leave.
  if leaveSeq and leaveSeq < one.seq then return 'leaving' end
  -- Raises the stored seq, so that posts sent before the leave do not undo it when they arrive late.
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

-- Returns the connection that holds a place.
local function holderOf(location)
  local place = places[location]
  local one = place and live(place.id)
  return one and places[location] and one or nil
end
local function lockOf(id, location)
  local place = places[location]
  return place and place.id == id and place or nil
end

local function take(location, one, takeOver, claimed)
  local held = placesOf[one.id]
  -- The time of the last accepted post, or an earlier time when the lease was shortened, because the client may be
  -- gone.
  local lastPost = math.min(now, leaseEnds[one.id] - one.leaseMs - one.extendedMs)
  local lockEnd = held and lockEndOf[one.id] or lastPost + lockMs
  if lockEnd <= now then return 'lock\nabsent' end
  local holder = holderOf(location)
  if holder and not (holder.member == one.member and (holder.leaving or takeOver)) then
    return concat({ 'lock\ntaken', holder.id, holder.member }, '\n')
  end
  if not holder and placeCount >= roomLocks or #(held or {}) >= connectionLocks then return 'lock\nfull' end
  if holder then
    dropPlace(places[location])
    showLocks(holder)
  end
  -- One commit may grant two places, or the same place twice. Each grant gets a fence of its own even then.
  lastFence = math.max(version, lastFence + 1, claimed + 1)
  local place = { location = location, fence = lastFence, id = one.id }
  places[location], placeCount = place, placeCount + 1
  placesOf[one.id] = placesOf[one.id] or {}
  table.insert(placesOf[one.id], place)
  call('HSET', locks, 'L' .. location, text(place.fence) .. '\n' .. one.id)
  call('HSET', room, 'fence', text(lastFence))
  setLockEnd(one.id, lockEnd)
  showLocks(one)
  return 'lock\nlocked\n' .. text(place.fence)
end

-- Collects a claim. A fence is a version: a claim whose fence is more than a minute ahead of the clock is not genuine.
local function claim(one, location, fence)
  if fence and fence <= version + 60000000 then
    local mine, order, isNew = 0, 0, true
    for _, each in ipairs(claims) do
      order = math.max(order, each.order)
      if each.id == one.id then
        mine = mine + 1
        if each.location == location then isNew = false end
      end
    end
    if isNew and mine >= connectionLocks then return 'lock\nfull' end
    dropClaims(function(each) return each.id == one.id and each.location == location end)
    claims[#claims + 1] = { id = one.id, location = location, order = order + 1, fence = fence }
    call('HSET', locks, 'C' .. one.id .. '\n' .. location, text(order + 1) .. '\n' .. text(fence))
  end
  return 'lock\ntaken\n\n\n' .. text(math.ceil(claimsUntil - now))
end

-- Grants the claims when the time for collecting them is over. The claim with the highest fence wins each place, and of
-- equal claims the earlier.
local function settle()
  claimsUntil = nil
  readLocks()
  local highest = claims
  claims = {}
  table.sort(highest, function(a, b) return a.fence > b.fence or a.fence == b.fence and a.order < b.order end)
  for _, each in ipairs(highest) do
    call('HDEL', locks, 'C' .. each.id .. '\n' .. each.location)
    local one = not places[each.location] and live(each.id)
    if one and not one.leaving then take(each.location, one, false, each.fence) end
  end
end

local function setLockSeq(id, lockSeq)
  lockSeqs[id], anyLocks = lockSeq, true
  call('HSET', locks, 'S' .. id, text(lockSeq))
end
local function lock(id, member, location, lockSeq, claimed, takeOver)
  local one = live(id)
  if one and member ~= '' and one.member ~= member then return 'owned' end
  if not one or one.leaving then return 'lock\nabsent' end
  readLocks()
  local held, last = lockOf(id, location), lockSeqs[id] or -1
  lockSeq = tonumber(lockSeq)
  if lockSeq < last or lockSeq == last and not held then return 'lock\nstale' end
  setLockSeq(id, lockSeq)
  if held then return 'lock\nlocked\n' .. text(held.fence) end
  if claimsUntil then return claim(one, location, tonumber(claimed)) end
  return take(location, one, takeOver == '1', 0)
end

local function unlock(id, member, location, lockSeq, fence)
  local one = live(id)
  if one and member ~= '' and one.member ~= member then return 'owned' end
  readLocks()
  lockSeq, fence = tonumber(lockSeq), tonumber(fence)
  if one then
    if lockSeq < (lockSeqs[id] or -1) then return 'unlock\nstale' end
    setLockSeq(id, lockSeq)
    local isMine = function(each) return each.id == id and each.location == location and each.fence == fence end
    if dropClaims(isMine) > 0 then return 'unlock\nunlocked' end
    local held = lockOf(id, location)
    if held and held.fence == fence then
      dropPlace(held)
      showLocks(one)
      return 'unlock\nunlocked'
    end
  end
  local holder = holderOf(location)
  return holder and concat({ 'unlock\ngone', holder.id, holder.member }, '\n') or 'unlock\ngone'
end

-- Ends the lock of a place, regardless of its holder.
local function release(location)
  readLocks()
  dropClaims(function(each) return each.location == location end)
  local holder = holderOf(location)
  if not holder then return 'released\n0' end
  dropPlace(places[location])
  showLocks(holder)
  return 'released\n1'
end

local function checkLock(location, member, fence)
  if claimsUntil then return 'lockChecked\n' end
  readLocks()
  local holder = holderOf(location)
  local isHeld = holder and holder.member == member and places[location].fence == tonumber(fence)
  return 'lockChecked\n' .. (isHeld and '1' or '0')
end

local function sweep()
  flush()
  for _, id in ipairs(call('ZRANGEBYSCORE', leases, '-inf', now)) do lapse(present(id)) end
  if anyLocks then
    for _, id in ipairs(call('ZRANGEBYSCORE', lockEnds, '-inf', now)) do live(id) end
  end
  for _, id in ipairs(call('ZRANGEBYSCORE', purges, '-inf', now)) do
    -- Once the tombstone is purged, changes no longer tell a viewer below its version that the connection left: such a
    -- viewer needs a snapshot.
    floor = math.max(floor, tombstoneOf(id).at)
    forget(id)
    call('ZREM', purges, id)
  end
  for _, id in ipairs(call('ZRANGEBYSCORE', unseen, '-inf', now)) do
    forget(id)
    call('ZREM', unseen, id)
  end
  return 'done'
end

-- After a silence of more than outageMs, Redis is assumed to have been unreachable, or its clock to have been stepped
-- forward, so nobody could renew. Every lease is renewed, except those of connections that are leaving. Tombstones are
-- kept longer by the length of the silence, because posts from before it may still arrive.
if seen and now - seen > outageMs and renews then
  for _, id in ipairs(call('HKEYS', connections)) do
    local one = present(id)
    -- Locks are not renewed, because their holders measure the time by their own clocks.
    local leaseEnd = now + one.leaseMs
    if not one.leaving and leaseEnds[id] < leaseEnd then
      one.extendedMs, dirty[id] = one.extendedMs + leaseEnd - leaseEnds[id], one
      setLeaseEnd(id, leaseEnd)
    end
  end
  postpone(purges, now - seen)
  postpone(unseen, now - seen)
end

if claimsUntil and now >= claimsUntil then settle() end

local outcomes = {}
local i = firstAction
while i <= #ARGV do
  local kind, a, b, c, d, e, f, g, h, j, k, m = unpack(ARGV, i, i + 11)
  local outcome = 'done'
  if kind == 'p' then outcome = post(a, b, c, d, e, f, g, h, j, k, m)
  elseif kind == 'l' then outcome = leave(a, b, c, d)
  elseif kind == 's' then shorten(a, tonumber(b))
  elseif kind == 'r' then outcome = revoke(a)
  elseif kind == 'k' then outcome = lock(a, b, c, d, e, f)
  elseif kind == 'u' then outcome = unlock(a, b, c, d, e)
  elseif kind == 'f' then outcome = release(a)
  elseif kind == 'c' then outcome = checkLock(a, b, c)
  else outcome = sweep()
  end
  outcomes[#outcomes + 1] = outcome
  i = i + fields[kind]
end
flush()

-- The commit has one entry for each changed connection. Ids have a safe alphabet and need no escaping; a member is JSON.
local entered, changed, left = {}, {}, {}
for _, id in ipairs(drafted) do
  local made, one = drafts[id], known[id]
  if one and made.entered then
    entered[#entered + 1] = concat({
      '{"connectionId":"', id, '","memberId":', one.member, ',"profile":', one.profile, ',"location":', one.location,
      ',"activity":"', one.activity, '"', one.presence ~= '{}' and ',"presence":' .. one.presence or '', ',"at":', text(one.at),
      one.activeAt ~= one.at and ',"activeAt":' .. text(one.activeAt) or '',
      placesOf and placesOf[id] and ',"locks":[' .. locksJson(id) .. ']' or '', '}',
    })
  elseif one then
    local change = made.change
    changed[#changed + 1] = concat({
      '{"connectionId":"', id, '"',
      change.location and ',"location":' .. change.location or '',
      change.profile and ',"profile":' .. change.profile or '',
      change.activity and ',"activity":"' .. change.activity .. '"' or '',
      change.presence and ',"presence":' .. change.presence or '',
      one.activeAt == version and not impliesUse(change) and ',"activeAt":' .. text(version) or '',
      change.locks and ',"locks":[' .. locksJson(id) .. ']' or '',
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
if claimsUntil then call('HSET', room, 'claimsUntil', text(claimsUntil))
elseif meta[6] then call('HDEL', room, 'claimsUntil')
end
local last = call('ZRANGE', leases, -1, -1, 'WITHSCORES')[2]
local stayMs = math.ceil(math.max(keepMs, last and tonumber(last) - now + tombstoneMs or 0))
for _, key in ipairs(KEYS) do call('PEXPIRE', key, stayMs) end

local due = claimsUntil
for _, key in ipairs({ leases, purges, unseen, lockEnds }) do
  local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  if first and (not due or tonumber(first) < due) then due = tonumber(first) end
end
local reply = { epoch, text(head), due and text(math.max(0, math.ceil(due - now))) or '', commit, outcomes }
if reads then
  reply[6] = { text(floor), call('HGETALL', connections), call('HGETALL', tombstones), call('HGETALL', locks) }
end
return reply
