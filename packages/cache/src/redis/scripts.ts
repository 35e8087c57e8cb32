import { Script } from './script.ts';

/**
 * KEYS: an entry and the place beside it, for each read. ARGV: how long a lease stands, what leases begin with (nothing for none),
 * the number of the first. Answers two things for each: the entry and for how long it stays, or nothing and whether a lease was
 * taken: 1, 0 when somebody else has it, -1 when the server takes none. A key that is not ours counts as nothing.
 */
export const readScript: Script = new Script(`
local answer = {}
for i = 1, #KEYS, 2 do
  local entry = redis.pcall('GET', KEYS[i])
  if type(entry) == 'string' then
    answer[i] = entry
    answer[i + 1] = redis.call('PTTL', KEYS[i])
  else
    answer[i] = false
    answer[i + 1] = 0
    if ARGV[2] ~= '' then
      local lease = ARGV[2] .. string.format('%.0f', ARGV[3] + (i - 1) / 2)
      local taken = redis.pcall('SET', KEYS[i + 1], lease, 'NX', 'PX', ARGV[1])
      if taken and taken.err then answer[i + 1] = -1 elseif taken then answer[i + 1] = 1 end
    end
  end
end
return answer`);

/** The same where leases stand in the place of entries, or none are taken. KEYS: the entries. */
export const readInPlaceScript: Script = new Script(`
local answer = {}
for i = 1, #KEYS do
  local entry = redis.pcall('GET', KEYS[i])
  answer[2 * i - 1] = false
  answer[2 * i] = 0
  if type(entry) == 'string' then
    answer[2 * i - 1] = entry
    answer[2 * i] = redis.call('PTTL', KEYS[i])
  elseif entry == false and ARGV[2] ~= '' then
    local taken = redis.pcall('SET', KEYS[i], ARGV[2] .. string.format('%.0f', ARGV[3] + i - 1), 'PX', ARGV[1])
    answer[2 * i] = taken.err and -1 or 1
  end
end
return answer`);

/**
 * KEYS: an entry and the place beside it. ARGV: how long the lease stands, its name, 1 to take it from whoever has it, 1 where
 * leases stand in the place of entries. Answers where it stands now: 1 in the entry's place, 2 beside it, 0 nowhere.
 */
export const takeScript: Script = new Script(`
local there = redis.pcall('GETRANGE', KEYS[1], 0, 5)
local leased = there == 'lease:'
if ARGV[3] ~= '1' and (leased or redis.call('EXISTS', KEYS[2]) == 1) then return 0 end
if ARGV[4] == '1' and (leased or there == '') then
  redis.call('SET', KEYS[1], 'lease:' .. ARGV[2], 'PX', ARGV[1])
  redis.call('DEL', KEYS[2])
  return 1
end
if leased then redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[2], 'beside:' .. ARGV[2], 'PX', ARGV[1])
return 2`);

/** KEYS: an entry and the lease beside it. ARGV: the lease, the entry, for how long it stays. */
export const fillScript: Script = new Script(`
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1`);

/** `SET … IFEQ`, for a server that turns out not to have it. KEYS: the lease. ARGV: the lease, the entry, for how long it stays. */
export const fillInPlaceScript: Script = new Script(`
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`);

/**
 * KEYS: an entry and its lease. ARGV: the entry, for how long it stays, until when this may be done, in milliseconds of the server.
 * Answers whether it was, and what time it is.
 */
export const writeScript: Script = new Script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = { 0, string.format('%.0f', now) }
if now > tonumber(ARGV[3]) then return answer end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
answer[1] = 1
return answer`);

/** KEYS: where the lease stands. ARGV: the lease. */
export const releaseScript: Script = new Script(`
if redis.pcall('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1`);

/** KEYS: an entry and the lease beside it, for each. ARGV: the new head, for how long it stays at most. */
export const expireScript: Script = new Script(`
for i = 1, #KEYS, 2 do
  redis.call('DEL', KEYS[i + 1])
  local remaining = redis.call('PTTL', KEYS[i])
  if ARGV[2] == '0' or redis.pcall('GETRANGE', KEYS[i], 0, 5) == 'lease:' then
    redis.call('UNLINK', KEYS[i])
  elseif remaining ~= -2 then
    redis.call('SETRANGE', KEYS[i], 0, ARGV[1])
    if remaining < 0 or remaining > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
  end
end
return 1`);

/**
 * How a change is told. Each has a number of its own, so that whoever misses one notices, also when the messages themselves are
 * lost. `tell` expects the number's key, the log, and how many changes it keeps; 0 means a channel instead of a log.
 *
 * A server that is full refuses what takes memory, and yet nothing must outlive its ending for that. It lets a script go on that has
 * begun with a write that takes none, as these do; what they keep is bounded.
 */
const TELL = `
redis.pcall('PERSIST', KEYS[#KEYS])
local function tell(numbers, log, most, ...)
  local number = redis.call('INCR', numbers)
  if most == '0' then
    redis.call('PUBLISH', log, cjson.encode({ tostring(number), ... }))
  else
    redis.call('XADD', log, 'MAXLEN', '~', most, '*', 'n', number, 'm', cjson.encode({ ... }))
  end
  return number
end`;

/** KEYS: numbers, log. ARGV: how many changes it keeps, who tells it, the cache, how it ended, what. */
export const tellScript: Script = new Script(`${TELL}
return tell(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])`);

/**
 * The marks of a cache are a sorted set by position. First in it is the epoch (\`e:…\`, at 0): marks and epoch can only be lost
 * together. Beside it stands which server gave the newest position (\`s:…\`, at 0). Then \`f\`, up to where marks were dropped, and
 * the marks: \`i:\` and \`x:\` with the tag.
 *
 * Positions are the server's microseconds, and never the same or smaller than the one before. Another server, or the same one started
 * again, may have lost the newest ones, and its clock may be behind: the first position that it gives is twelve days ahead, beyond
 * whatever the former had given that is not to be found any more. They stay below 2^53 until the year 2255, however often that happens.
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

/** KEYS: marks. ARGV: a name for a new epoch. Answers members and scores. */
export const marksScript: Script = new Script(`${EPOCH}
epochOf(KEYS[1], ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')`);

/**
 * KEYS: marks, numbers, log. ARGV: how many changes the log keeps, who tells it, the cache, how it ended (`i` or `x`), a name
 * for a new epoch, how many marks are kept, the tags as JSON. Answers epoch and position.
 */
export const markScript: Script = new Script(`${TELL}${EPOCH}
local marks = KEYS[1]
local epoch = epochOf(marks, ARGV[5])
local time = redis.call('TIME')
local position = time[1] * 1000000 + time[2]
local last = tonumber(redis.call('ZREVRANGE', marks, 0, 0, 'WITHSCORES')[2])
if last >= position then position = last + 1 end
-- Not everybody may ask; then its clock has to do.
local info = redis.pcall('INFO', 'server')
local server = type(info) == 'string' and string.match(info, 'run_id:(%x+)')
local former = redis.call('ZRANGEBYSCORE', marks, 0, 0)[2]
if server and former ~= 's:' .. server then
  if former then redis.call('ZREM', marks, former) end
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
tell(KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3], ARGV[4], cjson.encode({ epoch, at, ARGV[7] }))
return { epoch, at }`);

/** KEYS: numbers, log. Answers the newest number, and the newest place in the log. */
export const whereScript: Script = new Script(`
local newest = redis.pcall('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
local place = '0-0'
if type(newest) == 'table' and newest[1] then place = newest[1][1] end
return { redis.call('GET', KEYS[1]) or '0', place }`);
