import type { LimitKind } from '../../algorithms/limit.ts';

/** What the rules and the operations of the script use. */
export const PRELUDE = `
local TICK, HEAD, LONGEST = 1e-3, 24, 9e13

local function text(number) return string.format('%.17g', number) end

local function slackOf(capacity) return math.min(capacity * 1e-9, 1e-3) end

local function wholeMs(wait)
  if wait <= 0 then return 0 end
  return math.ceil(wait * (1 - 1e-12))
end

local rules = {}
`;

/**
 * The limits of `src/algorithms` in Lua, for the server: the same numbers and the same arithmetic in the same order. For
 * each kind: what is used, how a charge or refund changes the state, when the state expires, and how to convert a state
 * that was stored under other parameters.
 *
 * `p` are the parameters of the limit, `state` its numbers; lists start at 1.
 */
export const RULES: Readonly<Record<LimitKind, string>> = {
  tokenBucket: `
local bucket = {}
function bucket.used(state, p, now)
  local elapsed = now - state[2]
  if elapsed <= 0 then return state[1] end
  local left = state[1] - elapsed * p[1]
  return left > 0 and left or 0
end
function bucket.charge(state, p, now, amount, stamp)
  local level = bucket.used(state, p, now)
  if amount >= 0 then
    level = level + amount
  else
    local most = stamp and math.max(0, p[2] - (now - stamp) * p[1]) or -amount
    level = level - math.min(-amount, most)
    if level <= slackOf(p[2]) then level = 0 end
  end
  if state[1] == 0 or now > state[2] then state[2] = now end
  state[1] = level
end
function bucket.expires(state, p) return state[2] + state[1] / p[1] end
function bucket.inherit(state, old, p, now)
  local elapsed, level = now - state[2], state[1]
  if elapsed > 0 then level = level - elapsed * old[1] end
  if level <= 0 then return { 0, 0 } end
  return { level * (p[2] / old[2]), elapsed > 0 and now or state[2] }
end
rules.tokenBucket = bucket
`,
  fixedWindow: `
local fixed = {}
function fixed.live(state, p, now) return state[2] > 0 and now < state[1] + p[2] - TICK end
function fixed.used(state, p, now) return fixed.live(state, p, now) and state[2] or 0 end
function fixed.charge(state, p, now, amount, stamp)
  if amount > 0 then
    if fixed.live(state, p, now) then state[2] = state[2] + amount else return { now, amount } end
  elseif fixed.live(state, p, now) and (stamp or now) >= (state.since or state[1]) then
    state[2] = math.max(0, state[2] + amount)
  end
end
function fixed.expires(state, p) return state[2] > 0 and state[1] + p[2] or 0 end
function fixed.inherit(state, old, p, now)
  if not fixed.live(state, old, now) then return { 0, 0 } end
  return { state[1], state[2] * (p[1] / old[1]) }
end
-- The form that INCREX counts: the ratio of the limit that is used, and the time to live of the key for the end of the
-- window. A key still exists in the millisecond in which it expires, and the window began in that of state.since.
function fixed.loadCounted(box, value, p, now)
  local used = value and #value < HEAD + 16 and tonumber(value)
  local ends = used and redis.call('PEXPIRETIME', box.key) or -1
  if ends < 0 then return false end
  local began = ends - p[2]
  box.state = { math.min(now, began + 1), used * p[1], since = math.min(now, began) }
  box.began = box.state[1]
  return true
end
function fixed.saveCounted(box, p)
  if p[4] ~= 1 then
    -- The other form has one number for both, and refunds must still reach the window.
    box.state[1] = box.state.since or box.state[1]
    return false
  end
  local used = string.format('%.17g', box.state[2] / p[1])
  if box.began == box.state[1] then
    redis.call('SET', box.key, used, 'KEEPTTL')
  else
    redis.call('SET', box.key, used, 'PXAT', math.floor(box.state[1]) + p[2])
  end
  return true
end
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
  local from, to, refund = cell - p[3], cell, -amount
  if stamp then
    from = math.floor((stamp + TICK) / p[2])
    to = from
  end
  for at = from, to do
    local count = window.count(state, p, at, cell)
    if count > 0 and refund > 0 then
      local refunded = math.min(count, refund)
      state[2 + at % ring] = count - refunded
      refund = refund - refunded
    end
  end
  -- An empty window becomes the state of an unused key.
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
function window.inherit(state, old, p, now)
  local head, converted = state[1], {}
  local cell = math.floor((math.max(now, head * old[2]) + TICK) / p[2])
  for i = 1, p[3] + 2 do converted[i] = 0 end
  for at = math.max(head - old[3], math.floor((now + TICK) / old[2]) - old[3], 0), head do
    local ends = (at + 1) * old[2]
    local target = old[2] < p[2] and math.floor((ends - TICK) / p[2]) or math.floor((ends + TICK) / p[2]) - 1
    target = math.min(cell, target)
    local count = state[2 + at % (old[3] + 1)]
    if count ~= 0 and target >= cell - p[3] then
      local index = 2 + target % (p[3] + 1)
      converted[index] = converted[index] + count * (p[1] / old[1])
      converted[1] = cell
    end
  end
  return converted
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
    if #kept > 0 and (kept[#kept - 1] == at or #kept >= 2000) then
      kept[#kept - 1] = at
      kept[#kept] = kept[#kept] + amount
    else
      kept[#kept + 1] = at
      kept[#kept + 1] = amount
    end
    return kept
  end
  local refund, kept, slack = -amount, {}, slackOf(p[1])
  for i = log.first(state, p, now), #state, 2 do
    local cost, given = state[i + 1], refund > 0 and (not stamp or state[i] == stamp)
    if given then
      local refunded = math.min(cost, refund)
      cost = cost - refunded
      refund = refund - refunded
    end
    if not given or cost > slack then
      kept[#kept + 1] = state[i]
      kept[#kept + 1] = cost
    end
  end
  return kept
end
function log.expires(state, p) return #state > 0 and state[#state - 1] + p[2] or 0 end
function log.inherit(state, old, p, now)
  local latest, converted = now, {}
  if #state > 0 then latest = math.max(now, state[#state - 1]) end
  for i = 1, #state, 2 do
    if state[i] + old[2] - TICK > latest then
      converted[#converted + 1] = state[i]
      converted[#converted + 1] = state[i + 1] * (p[1] / old[1])
    end
  end
  return converted
end
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
function permits.inherit(state) return state end
rules.concurrency = permits
`,
};
