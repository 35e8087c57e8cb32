import type { LimitKind } from '../../algorithms/limit.ts';

/**
 * Length: it is one script; its parts name each other's locals, and are read together.
 *
 * The script behind every operation on Redis or Valkey: one atomic step, in the server's own time, for all limits of a key.
 *
 * It keeps the same numbers as the algorithms in TypeScript and does the same arithmetic in the same order, so the two agree to
 * the last bit (test/lua-parity.test.ts holds them to it). It only decides and writes; what there is to tell about a
 * decision is worked out by the caller from the state as it was, which the script returns.
 *
 * KEYS: where the key's block is kept, then the state under each limit; all with one hash tag.
 * ARGV: operation, amount, a number that the operation needs, the time ('' for the server's), and for each limit its kind, how
 * many numbers its state has, its capacity and four parameters.
 * Reply, in one text with bars between: whether it was done, the time, until when the key is blocked, what was granted or the wait,
 * and the states.
 *
 * A script is made of the rules of the kinds of limit that a limiter has, and no others: the server runs all of it for each
 * decision, and a rule that is not needed costs as much to define as one that is.
 *
 * States are kept as doubles, one after the other, and travel as text with 17 digits, which is what a double needs. A denial writes nothing. A state is written with
 * the time it has to live, whatever it was before: also a key that somebody left there without one expires.
 */
const PRELUDE = `
local SLACK, TICK = 1e-9, 1e-3

local function text(number) return string.format('%.17g', number) end

local function wholeMs(wait)
  if wait <= 0 then return 0 end
  return math.ceil(wait * (1 - 1e-12))
end

local rules = {}

-- Each rule: what is used, what a charge or a refund writes, and when the state is as good as none.
`;

const RULES: Readonly<Record<LimitKind, string>> = {
  tokenBucket: `
local bucket = {}
function bucket.used(state, p, now)
  local elapsed = now - state[2]
  if elapsed <= 0 then return state[1] end
  local left = state[1] - elapsed * p[1]
  return left > 0 and left or 0
end
function bucket.charge(state, p, now, amount)
  local level = bucket.used(state, p, now) + amount
  if state[1] == 0 or now > state[2] then state[2] = now end
  state[1] = level > p[2] * SLACK and level or 0
end
function bucket.expires(state, p) return state[2] + state[1] / p[1] end
rules.tokenBucket = bucket
`,
  fixedWindow: `
local fixed = {}
function fixed.live(state, p, now) return state[2] > 0 and now < state[1] + p[2] - TICK end
function fixed.used(state, p, now) return fixed.live(state, p, now) and state[2] or 0 end
function fixed.charge(state, p, now, amount, stamp)
  if amount > 0 then
    if fixed.live(state, p, now) then state[2] = state[2] + amount else state[1], state[2] = now, amount end
  elseif fixed.live(state, p, now) and (stamp or now) >= state[1] then
    state[2] = math.max(0, state[2] + amount)
  end
end
function fixed.expires(state, p) return state[2] > 0 and state[1] + p[2] or 0 end
rules.fixedWindow = fixed
`,
  slidingWindow: `
local window = {}
function window.cell(state, p, now) return math.max(math.floor((now + TICK) / p[2]), state[1]) end
function window.count(state, p, at, cell)
  if at < 0 or at > state[1] or at < state[1] - p[3] or at < cell - p[3] then return 0 end
  return state[2 + at % (p[3] + 1)]
end
function window.used(state, p, now)
  local cell, newer = window.cell(state, p, now), 0
  for at = cell - p[3] + 1, cell do newer = newer + window.count(state, p, at, cell) end
  local oldest = window.count(state, p, cell - p[3], cell)
  if p[4] == 0 or oldest == 0 then return newer + oldest end
  local passed = math.min(1, math.max(0, now / p[2] - cell))
  return newer + oldest * (1 - passed)
end
function window.charge(state, p, now, amount, stamp)
  local cell, ring = window.cell(state, p, now), p[3] + 1
  if amount > 0 then
    for gone = math.max(state[1] + 1, cell - p[3]), cell do state[2 + gone % ring] = 0 end
    state[1] = cell
    state[2 + cell % ring] = state[2 + cell % ring] + amount
    return
  end
  local from, to, back = cell - p[3], cell, -amount
  if stamp then
    from = math.floor((stamp + TICK) / p[2])
    to = from
  end
  for at = from, to do
    local count = window.count(state, p, at, cell)
    if count > 0 and back > 0 then
      local given = math.min(count, back)
      state[2 + at % ring] = count - given
      back = back - given
    end
  end
  -- With nothing left in it, the window is as good as one never used.
  if window.expires(state, p) == 0 then
    for i = 1, #state do state[i] = 0 end
  end
end
function window.expires(state, p)
  for at = state[1], state[1] - p[3], -1 do
    if window.count(state, p, at, state[1]) > 0 then return (at + p[3] + 1) * p[2] - TICK end
  end
  return 0
end
rules.slidingWindow = window
`,
  slidingLog: `
local log = {}
function log.first(state, p, now)
  local first = 1
  while first <= #state and state[first] + p[2] - TICK <= now do first = first + 2 end
  return first
end
function log.used(state, p, now)
  local newest, used = now, 0
  if #state > 0 then newest = math.max(now, state[#state - 1]) end
  for i = log.first(state, p, newest), #state, 2 do used = used + state[i + 1] end
  return used
end
function log.charge(state, p, now, amount, stamp)
  if amount > 0 then
    local at, kept = now, {}
    if #state > 0 then at = math.max(now, state[#state - 1]) end
    for i = log.first(state, p, at), #state do kept[#kept + 1] = state[i] end
    if #kept > 0 and kept[#kept - 1] == at then
      kept[#kept] = kept[#kept] + amount
    else
      kept[#kept + 1] = at
      kept[#kept + 1] = amount
    end
    return kept
  end
  local back = -amount
  for i = log.first(state, p, now), #state, 2 do
    if back > 0 and (not stamp or state[i] == stamp) then
      local given = math.min(state[i + 1], back)
      state[i + 1] = state[i + 1] - given
      back = back - given
    end
  end
end
function log.expires(state, p) return #state > 0 and state[#state - 1] + p[2] or 0 end
rules.slidingLog = log
`,
  concurrency: `
local permits = {}
function permits.used(state, p, now)
  local used = 0
  for i = 1, #state, 3 do
    if state[i + 1] > now then used = used + state[i + 2] end
  end
  return used
end
function permits.charge(state, p, now, amount, id)
  local kept = {}
  for i = 1, #state, 3 do
    if state[i + 1] > now then
      for j = i, i + 2 do kept[#kept + 1] = state[j] end
    end
  end
  kept[#kept + 1] = id
  kept[#kept + 1] = now + p[2]
  kept[#kept + 1] = amount
  return kept
end
function permits.expires(state)
  local last = 0
  for i = 1, #state, 3 do last = math.max(last, state[i + 1]) end
  return last
end
rules.concurrency = permits
`,
};

const MAIN = `
local operation, amount, extra = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now, held = tonumber(ARGV[4]), 0
if now then
  -- A test holds the time still, and its keys must not expire in real time meanwhile.
  held = 600000
else
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
end

-- A value of another type, left by somebody else, is as good as none to MGET, and is overwritten.
local values = redis.call('MGET', unpack(KEYS))
local blockedUntil = tonumber(values[1] or '') or 0
if operation == 'block' then
  blockedUntil = now + amount
  redis.call('SET', KEYS[1], text(blockedUntil), 'PX', text(math.ceil(amount) + held))
  return table.concat({ '1', text(now), text(blockedUntil), '0' }, '|')
end
if operation == 'reset' then
  redis.call('DEL', unpack(KEYS))
  return table.concat({ '1', text(now), '0', '0' }, '|')
end

local limits, reply = {}, {}
for i = 2, #KEYS do
  local at = 5 + (i - 2) * 7
  local limit = { rule = rules[ARGV[at]], kind = ARGV[at], capacity = tonumber(ARGV[at + 2]), p = {}, state = {} }
  for j = 1, 4 do limit.p[j] = tonumber(ARGV[at + 2 + j]) end
  local stored, width = values[i] or '', tonumber(ARGV[at + 1])
  -- What is not of this form was left by somebody else.
  if #stored % 8 > 0 or (width > 0 and #stored ~= width * 8) then stored = '' end
  local told = {}
  for j = 1, #stored / 8 do
    limit.state[j] = struct.unpack('<d', stored, j * 8 - 7)
    told[j] = text(limit.state[j])
  end
  for j = #limit.state + 1, width do limit.state[j] = 0 end
  limit.slack = limit.kind == 'concurrency' and 0 or limit.capacity * SLACK
  limits[i - 1] = limit
  reply[i - 1] = table.concat(told, ' ')
end

local function save(i)
  local limit = limits[i]
  local numbers, ttl = {}, math.ceil(limit.rule.expires(limit.state, limit.p) - now)
  if ttl <= 0 then
    redis.call('DEL', KEYS[i + 1])
    return
  end
  for j = 1, #limit.state do numbers[j] = struct.pack('<d', limit.state[j]) end
  redis.call('SET', KEYS[i + 1], table.concat(numbers), 'PX', ttl + held)
end

local function charge(value, more)
  for i, limit in ipairs(limits) do
    limit.state = limit.rule.charge(limit.state, limit.p, now, value, more) or limit.state
    save(i)
  end
end

local function answer(done, value)
  local told = { done and '1' or '0', text(now), text(blockedUntil), text(value) }
  for i = 1, #reply do told[i + 4] = reply[i] end
  return table.concat(told, '|')
end

if operation == 'charge' then
  charge(amount, extra)
  return answer(true, amount)
end

if operation == 'cancel' then
  for i, limit in ipairs(limits) do
    local newest = limit.state[2] + (limit.state[1] - limit.capacity) / limit.p[1]
    local after = math.max(0, (newest - extra) * limit.p[1])
    if extra >= now and amount > after then
      limit.rule.charge(limit.state, limit.p, now, after - amount)
      save(i)
    end
  end
  return answer(true, 0)
end

if operation == 'release' or operation == 'renew' then
  for i, limit in ipairs(limits) do
    if limit.kind == 'concurrency' then
      for j = 1, #limit.state, 3 do
        if limit.state[j] == extra and limit.state[j + 1] > now then
          if operation == 'renew' then
            limit.state[j + 1] = now + limit.p[2]
          else
            for _ = 1, 3 do table.remove(limit.state, j) end
          end
          save(i)
          return answer(true, 0)
        end
      end
    end
  end
  return answer(false, 0)
end

if operation == 'reserve' then
  local wait = math.max(0, blockedUntil - now)
  for _, limit in ipairs(limits) do
    local over = limit.rule.used(limit.state, limit.p, now) + amount - (limit.capacity + limit.slack)
    local lag = limit.state[1] > 0 and math.max(0, limit.state[2] - now) or 0
    if over > 0 then wait = math.max(wait, wholeMs(lag + over / limit.p[1])) end
  end
  local allowed = wait <= extra
  if allowed then charge(amount) end
  return answer(allowed, wait)
end

if operation == 'upTo' then
  for _, limit in ipairs(limits) do
    local left = limit.capacity - limit.rule.used(limit.state, limit.p, now)
    amount = math.min(amount, left <= 0 and 0 or math.floor(left + limit.slack))
  end
end
local allowed = blockedUntil <= now and amount > 0
for _, limit in ipairs(limits) do
  if limit.rule.used(limit.state, limit.p, now) + amount > limit.capacity + limit.slack then allowed = false end
end
if allowed and operation ~= 'peek' then
  for i, limit in ipairs(limits) do
    local more = limit.kind == 'concurrency' and extra or nil
    limit.state = limit.rule.charge(limit.state, limit.p, now, amount, more) or limit.state
    save(i)
  end
end
return answer(allowed, amount)
`;

/** The script for limiters with limits of these kinds. */
export function decideScript(kinds: readonly LimitKind[]): string {
  const needed = [...new Set(kinds)].sort();
  return [PRELUDE, ...needed.map((kind) => RULES[kind]), MAIN].join('');
}
