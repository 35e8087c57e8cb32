/**
 * The script for the most frequent operation, takes from a single token bucket. It costs the server far less than the general
 * script, and decides all requests of one turn of the event loop. It reads and writes the same values with the same
 * arithmetic, and computes complete decisions, since a reply of integers is cheaper for the server than one of states.
 * test/lua-parity.test.ts compares it with the algorithm.
 *
 * KEYS: the key of the bucket of each request, then the key of the block of each; keys may repeat. ARGV: rate, burst, the
 * maximum of `remaining`, the time ('' for that of the server), and the costs unless all are 1.
 * Reply: the time in microseconds; then for each request `remaining`, the wait (0: granted, -1: never) and the time until
 * the bucket is full. Times that an integer cannot hold are sent as text.
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
local ceil, floor, min, pack, unpackValue = math.ceil, math.floor, math.min, struct.pack, struct.unpack
local slack = min(burst * 1e-9, 1e-3)
local ceiling, ROUND, INTEGER = burst + slack, 1 - 1e-12, 9e15
local function text(ms) return string.format('%.17g', ms) end
local values, count = redis.call('MGET', unpack(KEYS)), #KEYS / 2
local buckets, reply, hasCosts, n = {}, { micros }, ARGV[5], 1
for i = 1, count do
  local key = KEYS[i]
  local cost = hasCosts and tonumber(ARGV[i + 4]) or 1
  local bucket = buckets[key]
  if not bucket then
    local value, block = values[i], values[count + i]
    local oldRate, oldBurst, _, level, at = rate, burst, 0, 0, 0
    if value and #value == 40 then oldRate, oldBurst, _, level, at = unpackValue('<ddddd', value) end
    local changed, wait = oldBurst ~= burst or oldRate ~= rate, false
    if block then
      local left = (tonumber(block) or 0) - now
      wait = left > 0 and ceil(left)
    end
    if changed or not wait then
      local elapsed = now - at
      if elapsed > 0 then
        level = level - elapsed * oldRate
        if level < 0 then level = 0 end
        at = now
      elseif level == 0 then
        at = now
      end
    end
    if changed then level = level * (burst / oldBurst) end
    bucket = { level = level, at = at, changed = changed, wait = wait }
    buckets[key] = bucket
  end
  local level, lag, wait = bucket.level, bucket.at - now, bucket.wait
  local left, retry, reset = 0, 0, 0
  if wait then
    -- The decision at the end of the block, plus the wait until then.
    local elapsed = now + wait - bucket.at
    lag = elapsed < 0 and level > 0 and -elapsed or 0
    if elapsed > 0 then level = math.max(0, level - elapsed * rate) end
    local over = level + cost - ceiling
    retry = cost > burst and -1 or over > 0 and wait + ceil((lag + over / rate) * ROUND) or wait
    reset = wait + ceil((lag + level / rate) * ROUND)
  else
    local after = level + cost
    local over = after - ceiling
    if over <= 0 then
      level = after
      bucket.level, bucket.changed = after, true
    else
      retry = cost > burst and -1 or ceil((lag + over / rate) * ROUND)
    end
    left = burst - level
    left = left <= 0 and 0 or min(max, floor(left + slack))
    reset = ceil((lag + level / rate) * ROUND)
  end
  reply[n + 1] = left
  reply[n + 2] = retry < INTEGER and retry or text(retry)
  reply[n + 3] = reset < INTEGER and reset or text(reset)
  n = n + 3
end
for key, bucket in pairs(buckets) do
  if bucket.changed then
    -- Lua would write larger numbers in exponential form, which SET does not parse.
    local ttl = min(9e13, ceil(bucket.at + bucket.level / rate - now)) + extraTtl
    redis.call('SET', key, pack('<ddddd', rate, burst, 0, bucket.level, bucket.at), 'PX', ttl > 0 and ttl or 1)
  end
end
return reply
`;
