import type { LimitKind } from '../../algorithms/limit.ts';
import { PRELUDE, RULES } from './rules.ts';

/**
 * The general script, behind every operation on Redis or Valkey: one atomic step, in the time of the server, for all limits
 * of one subject (a key of the limiter) or of several subjects.
 *
 * It stores the same numbers as the algorithms in TypeScript and does the same arithmetic in the same order, so that both
 * agree to the last bit (tested by test/lua-parity.test.ts). It only decides and writes; it returns the states before the
 * operation, from which the caller computes the fields of the decision.
 *
 * KEYS: for each subject, the key of each limit and that of its block; those of one subject have the same hash tag.
 * ARGV: the operation, the time ('' for that of the server), the number of subjects; for each subject the number of limits,
 * the amount, and a number whose meaning depends on the operation; and for each of its limits the kind, the length of
 * its state (0: varies), the capacity, four parameters, and 1 if it only watches.
 * Reply: for each subject one string, separated by bars: 1 done, 0 not done, or 2 if only limits that watch would have
 * denied it (with a block: if all limits only watch); the time; until when the subject is blocked; what was granted, or
 * the wait; and the states before.
 *
 * A script contains only the rules of the kinds of limit that a limiter has: the server executes all of it for each
 * decision, and defining an unused rule costs as much as defining a used one.
 *
 * A value is a header of three doubles, and the state. The header has the parameters under which it was written, so that
 * the state can be converted after a change of the limit, here or in another process. A block has a key of its own, so that
 * it outlives every change of the limits; its value is the time of its end. It and the reply have doubles as text with 17
 * digits, which is lossless. A denial writes nothing, unless the parameters changed. Every write sets a time to live, so
 * that a key without one expires, too.
 */
const MAIN = `
local operation, now, extraTtl = ARGV[1], tonumber(ARGV[2]), 0
if now then
  -- A test controls the time; its keys must not expire in real time meanwhile.
  extraTtl = 600000
else
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
end

-- MGET returns nothing for a value of another type, which is not ours; it is overwritten.
local values, boxes = redis.call('MGET', unpack(KEYS)), {}
-- Numbers per entry, of states of varying length.
local ENTRY = { slidingLog = 2, concurrency = 3 }

local function save(box)
  local limit = box.limit
  local ttl = math.min(LONGEST, math.ceil(limit.rule.expires(box.state, limit.p) - now))
  if ttl + extraTtl <= 0 then
    redis.call('DEL', box.key)
    return
  end
  if limit.rule.saveCounted and limit.rule.saveCounted(box, limit.p) then return end
  local numbers = { struct.pack('<ddd', limit.p[1], limit.p[2], limit.p[3]) }
  for j = 1, #box.state do numbers[j + 1] = struct.pack('<d', box.state[j]) end
  redis.call('SET', box.key, table.concat(numbers), 'PX', ttl + extraTtl)
end

local function load(key, value, limit)
  local box = boxes[key]
  if box then return box end
  box = { key = key, limit = limit, state = {} }
  boxes[key] = box
  if limit.rule.loadCounted and limit.rule.loadCounted(box, value, limit.p, now) then return box end
  -- A value that does not have this form is not ours, and is ignored.
  local size = (value and #value or 0) - HEAD
  local old = {}
  if size >= 0 and size % 8 == 0 then
    old[1], old[2], old[3] = struct.unpack('<ddd', value)
    for j = 1, size / 8 do box.state[j] = struct.unpack('<d', value, HEAD + j * 8 - 7) end
    local wanted = limit.kind == 'slidingWindow' and old[3] + 2 or limit.width
    if limit.width > 0 and #box.state ~= wanted or #box.state % (ENTRY[limit.kind] or 1) > 0 then old = {} end
  end
  local p = limit.p
  if #old == 0 or #box.state == 0 then
    box.state = {}
    for j = 1, limit.width do box.state[j] = 0 end
  elseif old[1] ~= p[1] or old[2] ~= p[2] or old[3] ~= p[3] then
    box.state = limit.rule.inherit(box.state, old, p, now)
    -- Saved even if the decision is a denial: from now on the new parameters apply to it.
    if operation ~= 'peek' then save(box) end
  end
  return box
end

local subjects, at, key = {}, 4, 0
for i = 1, tonumber(ARGV[3]) do
  local subject = { amount = tonumber(ARGV[at + 1]), extra = tonumber(ARGV[at + 2]) }
  local count = tonumber(ARGV[at])
  at = at + 3
  for j = 1, count do
    key = key + 1
    local limit = { rule = rules[ARGV[at]], kind = ARGV[at], width = tonumber(ARGV[at + 1]), capacity = tonumber(ARGV[at + 2]) }
    limit.p = { tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6]) }
    limit.onlyWatches = ARGV[at + 7] == '1'
    limit.slack = limit.kind == 'concurrency' and 0 or slackOf(limit.capacity)
    limit.box = load(KEYS[key], values[key], limit)
    subject[j] = limit
    at = at + 8
  end
  key = key + 1
  subject.block, subject.blockedUntil = KEYS[key], tonumber(values[key] or 0) or 0
  subjects[i] = subject
end

local function charge(limit, amount, more, at)
  local box = limit.box
  box.state = limit.rule.charge(box.state, limit.p, at or now, amount, more) or box.state
  box.changed = true
end

local function saveAll()
  for _, box in pairs(boxes) do
    if box.changed then save(box) end
  end
end

-- The states of the subject as text, for the reply. Must be called before they change.
local function statesText(subject)
  local states = {}
  for i, limit in ipairs(subject) do
    local numbers = {}
    for j = 1, #limit.box.state do numbers[j] = text(limit.box.state[j]) end
    states[i] = table.concat(numbers, ' ')
  end
  return table.concat(states, '|')
end

local function reply(subject, done, value, states)
  return table.concat({ done, text(now), text(subject.blockedUntil), text(value), states }, '|')
end

local function onlyWatched(subject)
  for _, limit in ipairs(subject) do
    if not limit.onlyWatches then return false end
  end
  return true
end

-- Decides for one subject, and charges it without saving. Returns the reply, and whether it was granted.
local function take(subject)
  local amount = subject.amount
  if operation == 'upTo' then
    for _, limit in ipairs(subject) do
      if not limit.onlyWatches then
        local left = limit.capacity - limit.rule.used(limit.box.state, limit.p, now)
        amount = math.min(amount, left <= 0 and 0 or math.floor(left + limit.slack))
      end
    end
  end
  local states, done = statesText(subject), amount > 0 and '1' or '0'
  if subject.blockedUntil > now then done = onlyWatched(subject) and '2' or '0' end
  for _, limit in ipairs(subject) do
    if limit.rule.used(limit.box.state, limit.p, now) + amount > limit.capacity + limit.slack then
      if not limit.onlyWatches then done = '0' elseif done == '1' then done = '2' end
    end
  end
  if done ~= '0' and operation ~= 'peek' then
    for _, limit in ipairs(subject) do
      local more = limit.kind == 'concurrency' and subject.extra or nil
      if done == '1' or not limit.onlyWatches then charge(limit, amount, more) end
    end
  end
  return reply(subject, done, amount, states), done ~= '0'
end

local subject = subjects[1]
local amount, extra = subject.amount, subject.extra
if operation == 'take' or operation == 'each' or operation == 'upTo' or operation == 'peek' then
  local replies, allowed = {}, true
  for i, one in ipairs(subjects) do
    local granted
    replies[i], granted = take(one)
    allowed = allowed and granted
  end
  -- All subjects or none are charged; with 'each' they are independent, and a denied subject has not changed.
  if allowed or operation == 'each' then saveAll() end
  return replies
end

local states = statesText(subject)
if operation == 'reset' then
  redis.call('DEL', unpack(KEYS))
  return { reply(subject, '1', 0, states) }
end

if operation == 'block' then
  local ttl = math.min(LONGEST, math.ceil(amount))
  redis.call('SET', subject.block, text(now + amount), 'PX', ttl + extraTtl)
  return { reply(subject, '1', 0, states) }
end

if operation == 'charge' then
  for _, limit in ipairs(subject) do charge(limit, amount, extra) end
  saveAll()
  return { reply(subject, '1', amount, states) }
end

if operation == 'cancel' then
  for _, limit in ipairs(subject) do
    local state = limit.box.state
    local newest = state[2] + (state[1] - limit.capacity) / limit.p[1]
    local after = math.max(0, (newest - extra) * limit.p[1])
    if extra >= now and amount > after then charge(limit, after - amount) end
  end
  saveAll()
  return { reply(subject, '1', 0, states) }
end

if operation == 'reserve' then
  -- The tokens are taken when the block ends, so that they do not flow back before they may be used.
  local blocked = math.max(0, math.ceil(subject.blockedUntil - now))
  local from, wait = now + blocked, 0
  for _, limit in ipairs(subject) do
    local state = limit.box.state
    local over = limit.rule.used(state, limit.p, from) + amount - (limit.capacity + limit.slack)
    local lag = state[1] > 0 and math.max(0, state[2] - from) or 0
    if over > 0 then wait = math.max(wait, wholeMs(lag + over / limit.p[1])) end
  end
  wait = wait + blocked
  if wait <= extra then
    for _, limit in ipairs(subject) do charge(limit, amount, nil, from) end
    saveAll()
  end
  return { reply(subject, wait <= extra and '1' or '0', wait, states) }
end

-- The other operations are 'release' and 'renew'.
for _, limit in ipairs(subject) do
  local state = limit.box.state
  if limit.kind == 'concurrency' then
    for j = 1, #state, 3 do
      if state[j] == extra and state[j + 1] > now then
        if operation == 'renew' then
          state[j + 1] = now + limit.p[2]
        else
          for _ = 1, 3 do table.remove(state, j) end
        end
        save(limit.box)
        return { reply(subject, '1', 0, states) }
      end
    end
  end
end
return { reply(subject, '0', 0, states) }
`;

/** Returns the script for limits of these kinds. */
export function decideScript(kinds: readonly LimitKind[]): string {
  const needed = [...new Set(kinds)].sort();
  return [PRELUDE, ...needed.map((kind) => RULES[kind]), MAIN].join('');
}
