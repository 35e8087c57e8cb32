/**
 * The script for the most frequent operation, takes from a single token bucket. It costs the server far less than the general
 * script, and decides all requests of one turn of the event loop. It reads and writes the same values with the same
 * arithmetic, and computes complete decisions, since a reply of integers is cheaper for the server than one of states.
 * test/lua-parity.test.ts compares it with the algorithm.
 *
 * KEYS: the key of each request; keys may repeat. ARGV: rate, burst, the maximum of `remaining`, the time ('' for that of
 * the server), and the costs unless all are 1.
 * Reply: the time in microseconds; then for each request `remaining`, the wait (0: granted, -1: never) and the time until
 * the bucket is full.
 */
export const takeTokenScript = `
local rate, burst, max, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local extraTtl, micros = 0, 0
if now then
  extraTtl, micros = 600000, now * 1000
else
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
  micros = time[1] * 1000000 + time[2]
end
local slack = burst * 1e-9
local ceiling = burst + slack
local values = redis.call('MGET', unpack(KEYS))
local buckets, reply, hasCosts = {}, { micros }, ARGV[5]
for i, key in ipairs(KEYS) do
  local cost = hasCosts and tonumber(ARGV[i + 4]) or 1
  local bucket = buckets[key]
  if not bucket then
    local value = values[i]
    local oldRate, oldBurst, _, blocked, level, at = rate, burst, 0, 0, 0, 0
    if value and #value == 48 then oldRate, oldBurst, _, blocked, level, at = struct.unpack('<dddddd', value) end
    bucket = { blocked = blocked, level = level, at = at }
    local elapsed = now - at
    if elapsed > 0 then
      level = level - elapsed * oldRate
      bucket.level, bucket.at = level > 0 and level or 0, now
    elseif level == 0 then
      bucket.at = now
    end
    if oldBurst ~= burst or oldRate ~= rate then
      bucket.level, bucket.changed = bucket.level * (burst / oldBurst), true
    end
    buckets[key] = bucket
  end
  local level, lag = bucket.level, 0
  if bucket.at > now then lag = bucket.at - now end
  local after = level + cost
  local over = after - ceiling
  local n = #reply
  if bucket.blocked > now then
    local wait = math.ceil(bucket.blocked - now)
    reply[n + 1], reply[n + 2], reply[n + 3] = 0, wait, wait
  elseif over <= 0 then
    local left = burst - after
    reply[n + 1] = left <= 0 and 0 or math.min(max, math.floor(left + slack))
    reply[n + 2] = 0
    reply[n + 3] = math.ceil((lag + after / rate) * (1 - 1e-12))
    bucket.level, bucket.changed = after > slack and after or 0, true
  else
    local left = burst - level
    reply[n + 1] = left <= 0 and 0 or math.min(max, math.floor(left + slack))
    reply[n + 2] = cost > burst and -1 or math.ceil((lag + over / rate) * (1 - 1e-12))
    reply[n + 3] = math.ceil((lag + level / rate) * (1 - 1e-12))
  end
end
for key, bucket in pairs(buckets) do
  if bucket.changed then
    -- Lua would write larger numbers in exponential form, which SET does not parse.
    local ttl = math.min(9e13, math.ceil(math.max(bucket.at + bucket.level / rate, bucket.blocked) - now)) + extraTtl
    local value = struct.pack('<dddddd', rate, burst, 0, bucket.blocked, bucket.level, bucket.at)
    redis.call('SET', key, value, 'PX', ttl > 0 and ttl or 1)
  end
end
return reply
`;
