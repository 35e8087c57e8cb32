/**
 * The one operation that is asked for all day, requests to a limiter with a single token bucket, in a script of its own: it runs in
 * a third of the time of the general one, and decides for every key that was asked for in one turn of the event loop. It reads and
 * writes the same values by the same arithmetic, and works out the whole decisions, since whole numbers cost the server less to
 * tell than states. test/lua-parity.test.ts compares it too.
 *
 * KEYS: a state for each request; they may repeat. ARGV: rate, burst, the most that is ever left, the time ('' for the server's), and
 * the costs where not all are 1.
 * Reply: the time in microseconds; then for each request what is left, the wait (0 when it is granted, -1 for never) and when all
 * is there again.
 */
export const takeTokenScript = `
local rate, burst, most, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local held, micros = 0, 0
if now then
  held, micros = 600000, now * 1000
else
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
  micros = time[1] * 1000000 + time[2]
end
local slack = burst * 1e-9
local ceiling = burst + slack
local values = redis.call('MGET', unpack(KEYS))
local boxes, reply, costly = {}, { micros }, ARGV[5]
for i, key in ipairs(KEYS) do
  local cost = costly and tonumber(ARGV[i + 4]) or 1
  local box = boxes[key]
  if not box then
    local value = values[i]
    local oldRate, oldBurst, _, blocked, level, at = rate, burst, 0, 0, 0, 0
    if value and #value == 48 then oldRate, oldBurst, _, blocked, level, at = struct.unpack('<dddddd', value) end
    box = { blocked = blocked, level = level, at = at }
    local elapsed = now - at
    if elapsed > 0 then
      level = level - elapsed * oldRate
      box.level, box.at = level > 0 and level or 0, now
    elseif level == 0 then
      box.at = now
    end
    if oldBurst ~= burst or oldRate ~= rate then
      box.level, box.changed = box.level * (burst / oldBurst), true
    end
    boxes[key] = box
  end
  local level, lag = box.level, 0
  if box.at > now then lag = box.at - now end
  local after = level + cost
  local over = after - ceiling
  local n = #reply
  if box.blocked > now then
    local wait = math.ceil(box.blocked - now)
    reply[n + 1], reply[n + 2], reply[n + 3] = 0, wait, wait
  elseif over <= 0 then
    local left = burst - after
    reply[n + 1] = left <= 0 and 0 or math.min(most, math.floor(left + slack))
    reply[n + 2] = 0
    reply[n + 3] = math.ceil((lag + after / rate) * (1 - 1e-12))
    box.level, box.changed = after > slack and after or 0, true
  else
    local left = burst - level
    reply[n + 1] = left <= 0 and 0 or math.min(most, math.floor(left + slack))
    reply[n + 2] = cost > burst and -1 or math.ceil((lag + over / rate) * (1 - 1e-12))
    reply[n + 3] = math.ceil((lag + level / rate) * (1 - 1e-12))
  end
end
for key, box in pairs(boxes) do
  if box.changed then
    -- Longer times than that are not written as whole numbers.
    local ttl = math.min(9e13, math.ceil(math.max(box.at + box.level / rate, box.blocked) - now)) + held
    local value = struct.pack('<dddddd', rate, burst, 0, box.blocked, box.level, box.at)
    redis.call('SET', key, value, 'PX', ttl > 0 and ttl or 1)
  end
end
return reply
`;
