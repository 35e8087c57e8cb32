import { Script } from './script.ts';

/**
 * The Lua scripts, in the order of their use. A lease is stored in place of its entry (`lease:…`) or under a key of its
 * own (`beside:…`); see `Leases`.
 *
 * Reads entries, and takes leases. KEYS: entry and separate lease, for each read. ARGV: the time to live of a lease,
 * the prefix of leases (empty to take none), the number of the first lease. Replies with two items for each read: the
 * entry and its remaining time, or nothing and whether a lease was taken: 1, or 0 when another holder has it, or -1
 * when the server refuses writes. A key that is not a string counts as absent.
 */
export const readScript: Script = new Script(`
local reply = {}
for i = 1, #KEYS, 2 do
  local entry = redis.pcall('GET', KEYS[i])
  if type(entry) == 'string' then
    reply[i] = entry
    reply[i + 1] = redis.call('PTTL', KEYS[i])
  else
    reply[i] = false
    reply[i + 1] = 0
    if ARGV[2] ~= '' then
      local lease = ARGV[2] .. string.format('%.0f', ARGV[3] + (i - 1) / 2)
      local taken = redis.pcall('SET', KEYS[i + 1], lease, 'NX', 'PX', ARGV[1])
      if taken and taken.err then reply[i + 1] = -1 elseif taken then reply[i + 1] = 1 end
    end
  end
end
return reply`);

/** The same where leases are stored in place of entries, or none are taken. KEYS: the entries. */
export const readInPlaceScript: Script = new Script(`
local reply = {}
for i = 1, #KEYS do
  local entry = redis.pcall('GET', KEYS[i])
  reply[2 * i - 1] = false
  reply[2 * i] = 0
  if type(entry) == 'string' then
    reply[2 * i - 1] = entry
    reply[2 * i] = redis.call('PTTL', KEYS[i])
  elseif entry == false and ARGV[2] ~= '' then
    local taken = redis.pcall('SET', KEYS[i], ARGV[2] .. string.format('%.0f', ARGV[3] + i - 1), 'PX', ARGV[1])
    reply[2 * i] = taken.err and -1 or 1
  end
end
return reply`);

/**
 * Takes a lease whatever is stored. KEYS: entry, separate lease. ARGV: the time to live of the lease, its name, 1 to
 * take it from another holder, 1 where leases are stored in place of entries. Replies where it is stored now: 1 in
 * place of the entry, 2 separately, 0 for not taken.
 */
export const takeLeaseScript: Script = new Script(`
local start = redis.pcall('GETRANGE', KEYS[1], 0, 5)
local leased = start == 'lease:'
if ARGV[3] ~= '1' and (leased or redis.call('EXISTS', KEYS[2]) == 1) then return 0 end
if ARGV[4] == '1' and (leased or start == '') then
  redis.call('SET', KEYS[1], 'lease:' .. ARGV[2], 'PX', ARGV[1])
  redis.call('DEL', KEYS[2])
  return 1
end
if leased then redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[2], 'beside:' .. ARGV[2], 'PX', ARGV[1])
return 2`);

/**
 * Fills an entry under a separate lease. KEYS: entry, separate lease. ARGV: the lease, the entry, its time to live.
 * Replies 1, or 0 when the lease no longer exists.
 */
export const fillScript: Script = new Script(`
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1`);

/**
 * The equivalent of `SET … IFEQ`, for a server that turns out not to support it. KEYS: the lease, in place of the
 * entry. ARGV: the lease, the entry, its time to live.
 */
export const fillInPlaceScript: Script = new Script(`
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`);

/**
 * Writes an entry before a deadline; see `DeadlineWriter`. KEYS: entry, separate lease. ARGV: the entry, its time to
 * live, the deadline in milliseconds of the server clock. Replies whether it was written, and the time of the server.
 */
export const writeScript: Script = new Script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local reply = { 0, string.format('%.0f', now) }
if now > tonumber(ARGV[3]) then return reply end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
reply[1] = 1
return reply`);

/** Releases a lease. KEYS: where it is stored. ARGV: the lease. */
export const releaseScript: Script = new Script(`
if redis.pcall('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1`);

/**
 * Expires entries: replaces their heads and shortens their time to live. KEYS: entry and separate lease, for each.
 * ARGV: the new head, the maximum time to live. A key that is not a string is removed.
 */
export const expireScript: Script = new Script(`
for i = 1, #KEYS, 2 do
  redis.call('DEL', KEYS[i + 1])
  local remaining = redis.call('PTTL', KEYS[i])
  local start = redis.pcall('GETRANGE', KEYS[i], 0, 5)
  if ARGV[2] == '0' or start == 'lease:' or type(start) ~= 'string' then
    redis.call('UNLINK', KEYS[i])
  elseif remaining ~= -2 then
    redis.call('SETRANGE', KEYS[i], 0, ARGV[1])
    if remaining < 0 or remaining > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
  end
end
return 1`);

/**
 * Publishes a change. Each gets a sequence number, so that whoever misses one notices, even when the message itself is
 * lost. `publish` takes the key of the sequence, the log, and the maximum length of the log; 0 means a channel instead
 * of a log.
 *
 * A full server refuses commands that take memory, which must not prevent invalidations. It lets a script continue that
 * began with a write that takes none, so each script begins with `PERSIST`; what they store is bounded.
 */
const PUBLISH = `
redis.pcall('PERSIST', KEYS[#KEYS])
local function publish(sequence, log, maxLength, ...)
  local number = redis.call('INCR', sequence)
  if maxLength == '0' then
    redis.call('PUBLISH', log, cjson.encode({ tostring(number), ... }))
  else
    redis.call('XADD', log, 'MAXLEN', '~', maxLength, '*', 'n', number, 'm', cjson.encode({ ... }))
  end
  return number
end`;

/** KEYS: sequence, log. ARGV: maximum length of the log, sender, cache, code, data. */
export const publishScript: Script = new Script(`${PUBLISH}
return publish(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])`);

/**
 * The marks of a cache are a sorted set by position. Its first member is the epoch (\`e:…\`, score 0), so that marks
 * and epoch can only be lost together. Next is the server that gave the newest position (\`s:…\`, score 0). Then follow
 * \`f\`, the position up to which marks were dropped, and the marks: \`i:\` and \`x:\` with the tag.
 *
 * Positions are microseconds of the server clock, and always larger than the one before. Another server, or the same
 * one after a restart, may have lost the newest marks, and its clock may be behind. So the first position that it gives
 * is 2^40 microseconds (twelve days) ahead, beyond any lost position. Positions stay below 2^53 until the year 2255,
 * however often that happens.
 */
const EPOCH = `
local function epochOf(marks, fresh)
  local first = redis.pcall('ZRANGE', marks, 0, 0)
  if type(first) ~= 'table' or first.err or first[1] == nil or string.sub(first[1], 1, 2) ~= 'e:' then
    redis.call('DEL', marks)
    redis.call('ZADD', marks, 0, 'e:' .. fresh)
    return fresh
  end
  return string.sub(first[1], 3)
end`;

/** Reads all marks. KEYS: marks. ARGV: a name for a new epoch. Replies with members and scores. */
export const marksScript: Script = new Script(`${EPOCH}
epochOf(KEYS[1], ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')`);

/**
 * Marks tags. KEYS: marks, sequence, log. ARGV: maximum length of the log, sender, cache, code (`i` or `x`), a name for
 * a new epoch, maximum number of marks, the tags as JSON. Replies with epoch and position.
 */
export const markScript: Script = new Script(`${PUBLISH}${EPOCH}
local marks = KEYS[1]
local epoch = epochOf(marks, ARGV[5])
local time = redis.call('TIME')
local position = time[1] * 1000000 + time[2]
local last = tonumber(redis.call('ZREVRANGE', marks, 0, 0, 'WITHSCORES')[2])
if last >= position then position = last + 1 end
-- INFO may be forbidden for this user; then the clock alone decides.
local info = redis.pcall('INFO', 'server')
local server = type(info) == 'string' and string.match(info, 'run_id:(%x+)')
local previous = redis.call('ZRANGEBYSCORE', marks, 0, 0)[2]
if server and previous ~= 's:' .. server then
  if previous then redis.call('ZREM', marks, previous) end
  redis.call('ZADD', marks, 0, 's:' .. server)
  if position < 2 ^ 52 then position = position + 2 ^ 40 end
end
local at = string.format('%.0f', position)
for _, tag in ipairs(cjson.decode(ARGV[7])) do redis.call('ZADD', marks, at, ARGV[4] .. ':' .. tag) end
local first = redis.call('ZCOUNT', marks, 0, 0)
local over = redis.call('ZCARD', marks) - first - 1 - tonumber(ARGV[6])
if over > 0 then
  local dropped = redis.call('ZRANGE', marks, first, first + over - 1, 'WITHSCORES')
  redis.call('ZREMRANGEBYRANK', marks, first, first + over - 1)
  redis.call('ZADD', marks, dropped[#dropped], 'f')
  for i = 1, #dropped, 2 do
    if dropped[i] == 'i:' then redis.call('ZADD', marks, dropped[i + 1], 'i:') end
  end
end
publish(KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3], ARGV[4], cjson.encode({ epoch, at, ARGV[7] }))
return { epoch, at }`);

/**
 * Reads the position of the feed. KEYS: sequence, log. Replies with the newest sequence number and the id of the newest
 * log entry.
 */
export const positionScript: Script = new Script(`
local newest = redis.pcall('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
local position = '0-0'
if type(newest) == 'table' and newest[1] then position = newest[1][1] end
return { redis.call('GET', KEYS[1]) or '0', position }`);
