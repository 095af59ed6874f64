"""The Lua script that decides, inside Redis, whether requests of a shared budget may be sent.

Contract: the script is atomic and uses the time of the Redis server, in microseconds. It is the only access to the
keys, and every key expires by itself. `messages` builds its argument and parses its reply.

One key per budget. A budget is one sorted set, so that it is lost as a whole or not at all. The score says what a
member is, here with a span of 60 s at the time 1000 s::

    score          member           meaning
    -1020.5        pause            register: nobody sends before 1020.5
    -37            seq:4f1a         register: the last exchange of process 4f1a was number 37
    -112           served:4f1a      register: it was granted 112 permits
    930            4f1a:12:1        a sent permit, expired: 930 + 60 <= 1000
    955.25         9c20:7:3         a sent permit, counts until 1015.25
    HELD + 999     4f1a:37:1        a held permit, granted at 999: counts until it is sent, refunded or its lease ends

Windows. The algorithm is that of `gradient_async._protocol.rate_limit.window_counter`: a window of capacity C has room
exactly when the C-th latest sent time is older than the window. Foreign usage is a number that falls evenly from
``count`` at ``first`` to 0 at ``last``, instead of a list of expiry times.

Lost replies. A process numbers its exchanges and has one at a time. If an exchange is repeated, because the connection
broke, the members that it added are found by their names and granted again. If the process gave up on an exchange that
Redis executes later, its number is lower than the register: it is ignored as a whole. The permits that the process
never learned of are refunded by its next exchange.

Lost data. A process states the number of its last exchange that Redis answered. If the register shows a lower one,
the key was lost, or the writes of this process were not replicated before a failover. Then nothing is granted; the
process writes its permits again, and the usage that it saw last (``floor``), so that permits of processes that are
idle now still count. Example: 20 of 20 were used at 950, 5 of them by this process. After the loss it writes its 5
permits and the floor (20, 950); 15 are missing and count as used until 1010. When their process writes 12 of them
again, 3 are missing.

Clock. Stamps of the future, after the clock went back, count from now. A process sends the time that it expects; if
the clock differs, nothing is granted, and the process decides whether the clock was set or the call took long.

Fair shares. A process registers how many of its requests wait, and the script counts the permits it was served. Free
tokens go to the process that was served least, as in a fair queue: a process may take its g-th token now if the
others that wait for less than that find theirs in what is left. A lead counts up to half the shortest window, so
neither a newcomer nor a process that was alone for long waits for more than that. Example: 10 tokens are free; A was
served 4 and wants 9, B was served 6 and wants 9. If B asks first it may take 4: when B has 10, A must be able to reach
10 as well, which are the other 6. A process that does not come back when it said it would, loses its claim.
"""

from __future__ import annotations

import hashlib

__all__ = ["EXCHANGE", "EXCHANGE_SHA", "HELD", "LEASE", "MAX_INTERVAL"]

HELD = 4_000_000_000_000_000
"""Added to the score of a held permit; in microseconds of the epoch, a time in the year 2096."""
LEASE = 60.0
"""Seconds after which a held permit of a process that died counts as sent."""
MAX_INTERVAL = 1.0
"""Seconds after which a process that waits, or whose permits count, asks again: data may be lost, others may refund."""
_GRACE = 0.25
"""Seconds by which a waiting process may be late without losing its claim."""
_CLOCK_TOLERANCE = 0.25
"""Seconds by which the time may differ from the expected one."""
_FLOOR_SLACK = 0.1
"""Seconds by which processes may date the same moment differently, because their calls take different times."""

_RENEWAL = 2.0
"""Seconds between two renewals of the time after which Redis removes the key."""
_CLEANING = 8
"""Exchanges of a process between two removals of expired permits and ended leases."""

_FORGET_MODEL = 3600.0
"""Seconds after which a model that nobody asked for is forgotten."""
_BURSTS_AHEAD = 3
"""Full buckets of a quota that may be taken beyond its level, by requests that are larger than the bucket."""

_SETUP = f"""
local HELD, LEASE, INTERVAL = {HELD}, {LEASE * 1e6:.0f}, {MAX_INTERVAL * 1e6:.0f}
local GRACE, CLOCK_TOLERANCE = {_GRACE * 1e6:.0f}, {_CLOCK_TOLERANCE * 1e6:.0f}
local FORGET_MODEL, BURSTS_AHEAD = {_FORGET_MODEL * 1e6:.0f}, {_BURSTS_AHEAD}
local FLOOR_SLACK, RENEWAL, CLEANING = {_FLOOR_SLACK * 1e6:.0f}, {_RENEWAL * 1e6:.0f}, {_CLEANING}
local request = cjson.decode(ARGV[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local is_clock_off = request.expected > 0 and math.abs(now - request.expected) > CLOCK_TOLERANCE
"""

_BUDGET = """
-- Runs a command for a long list of arguments.
local function call_in_parts(command, key, arguments)
  for at = 1, #arguments, 2000 do
    redis.call(command, key, unpack(arguments, at, math.min(at + 1999, #arguments)))
  end
end
-- Returns the number of permits that count from later than *after*, but not later than *upto*. Times are whole numbers.
local function count_permits(budget, after, upto)
  return redis.call('ZCOUNT', budget.key, after + 1, upto or '+inf')
end
local function get(budget, name) return budget.registers[name] or 0 end
local function put(budget, name, number)
  number = number > 0 and number or nil
  if budget.registers[name] == number then return end
  budget.registers[name] = number
  if number then budget.changed[name] = true; budget.removed[name] = nil
  else budget.removed[name] = true; budget.changed[name] = nil end
end
-- Adds a member, or changes its score, when the budget is saved.
local function add_member(budget, name, score)
  local added = budget.added
  added[#added + 1] = score; added[#added + 1] = name
end
local function open_budget(key, terms)
  local windows = terms.windows
  local budget = {key = key, terms = terms, windows = windows, longest = windows[#windows][2]}
  budget.registers, budget.changed, budget.removed, budget.added, budget.usage = {}, {}, {}, {}, {}
  budget.unused = {}
  local rows = redis.call('ZRANGEBYSCORE', key, '-inf', -1, 'WITHSCORES')
  for at = 1, #rows, 2 do budget.registers[rows[at]] = -tonumber(rows[at + 1]) end
  return budget
end
local function save_members(budget)
  call_in_parts('ZADD', budget.key, budget.added)
  budget.added = {}
end
local function save_budget(budget)
  local is_due = now > get(budget, 'renewed') + RENEWAL
  if is_due then put(budget, 'renewed', now) end
  for name in pairs(budget.changed) do add_member(budget, name, -budget.registers[name]) end
  save_members(budget)
  local removed = {}
  for name in pairs(budget.removed) do removed[#removed + 1] = name end
  call_in_parts('ZREM', budget.key, removed)
  if is_due then
    redis.call('PEXPIRE', budget.key, math.ceil((budget.longest + LEASE + 2 * RENEWAL) / 1000))
  end
end
"""

_PERMITS = """
-- Nothing lies in the future: if the clock went back, it begins now.
local function correct_future_times(budget)
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', budget.key, now + 1, HELD - 1)) do add_member(budget, name, now) end
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', budget.key, HELD + now + 1, '+inf')) do
    add_member(budget, name, HELD + now)
  end
  save_members(budget)
end
local function correct_future_registers(budget)
  local ahead = get(budget, 'pause_from') - now
  if ahead > 0 then
    put(budget, 'pause', get(budget, 'pause') - ahead)
    put(budget, 'pause_from', now)
  end
  if get(budget, 'renewed') > now then put(budget, 'renewed', 0) end
  for window = 1, #budget.windows do
    if get(budget, 'floor_at' .. window) > now then put(budget, 'floor_at' .. window, now) end
  end
end
-- Counts a permit whose process never said what became of it as sent at the end of its lease.
local function end_leases(budget)
  local rows = redis.call('ZRANGEBYSCORE', budget.key, HELD, HELD + now - LEASE, 'WITHSCORES')
  for at = 1, #rows, 2 do add_member(budget, rows[at], tonumber(rows[at + 1]) - HELD + LEASE) end
  save_members(budget)
end
-- Removes expired permits, except those that a floor is still compared with.
local function remove_expired(budget)
  local oldest = now - budget.longest
  for window = 1, #budget.windows do
    local at, span = get(budget, 'floor_at' .. window), budget.windows[window][2]
    if at > 0 and now < at + span then oldest = math.min(oldest, at - span) end
  end
  redis.call('ZREMRANGEBYSCORE', budget.key, 1, oldest)
end
-- Returns how many permits of a floor are known.
local function count_known(budget, window, at)
  local span, latest = budget.windows[window][2], at + FLOOR_SLACK
  return count_permits(budget, at - span, latest) + count_permits(budget, HELD - 1, HELD + latest)
end
-- Runs *settle*; a permit that is refunded or sent later by it is no longer missing from a floor either.
local function settle_below_floors(budget, settle)
  local known = {}
  for window = 1, #budget.windows do
    local at = get(budget, 'floor_at' .. window)
    known[window] = at > 0 and count_known(budget, window, at) or 0
  end
  settle()
  for window = 1, #budget.windows do
    local at = get(budget, 'floor_at' .. window)
    local removed = at > 0 and known[window] - count_known(budget, window, at) or 0
    if removed > 0 then put(budget, 'floor' .. window, get(budget, 'floor' .. window) - removed) end
  end
end
local function settle_permits(budget)
  local terms = budget.terms
  for _, permit in ipairs(terms.sent or {}) do add_member(budget, permit[1], now - permit[2]) end
  for _, permit in ipairs(terms.held or {}) do add_member(budget, permit[1], HELD + now - permit[2]) end
  if terms.refunded then
    settle_below_floors(budget, function() call_in_parts('ZREM', budget.key, terms.refunded) end)
  end
  if #budget.added > 0 then settle_below_floors(budget, function() save_members(budget) end) end
end
local function update_permits(budget)
  local is_cleaning = request.seq % CLEANING == 0
  if is_cleaning or is_clock_off or request.expected == 0 then
    correct_future_registers(budget)
    correct_future_times(budget)
    end_leases(budget)
  end
  settle_permits(budget)
  if is_cleaning then remove_expired(budget) end
end
"""

_USAGE = """
-- Returns the foreign usage of a window, the time until it falls by one, and the time when it ends.
local function count_foreign(budget, window)
  local count, first = get(budget, 'count' .. window), get(budget, 'first' .. window)
  local last = get(budget, 'last' .. window)
  if count <= 0 or now >= last then return 0, 0, last end
  if now < first then return count, first - now, last end
  local step = (last - first) / count
  local remaining = math.min(count, math.floor((last - now) / step))
  return remaining, math.max(1, last - now - remaining * step), last
end
local function set_foreign(budget, window, count, first, last)
  put(budget, 'count' .. window, count)
  put(budget, 'first' .. window, first)
  put(budget, 'last' .. window, last)
end
-- Returns how many permits of a floor are missing, and the time until they count no longer.
local function count_missing(budget, window, count, at)
  local span = budget.windows[window][2]
  if count <= 0 or now >= at + span then return 0, 0 end
  return math.max(0, count - count_known(budget, window, at)), at + span - now
end
local function raise_floors(budget)
  for window, floor in ipairs(budget.terms.floors or {}) do
    local at = now - floor[2]
    local before = count_missing(budget, window, get(budget, 'floor' .. window), get(budget, 'floor_at' .. window))
    if count_missing(budget, window, floor[1], at) >= before then
      put(budget, 'floor' .. window, floor[1])
      put(budget, 'floor_at' .. window, at)
    end
  end
end
local function begin_pause(budget)
  if not budget.terms.pause then return end
  local length, window = unpack(budget.terms.pause)
  local pause_end = now + length
  if pause_end > get(budget, 'pause') then
    put(budget, 'pause', pause_end)
    put(budget, 'pause_from', now)
  end
  if window == 0 then return end
  local capacity, span = unpack(budget.windows[window])
  local foreign = count_foreign(budget, window)
  local free = capacity - foreign - count_permits(budget, now - span)
  if free > 0 then
    set_foreign(budget, window, foreign + free, pause_end, math.max(pause_end + 1, now + span))
  end
end
-- Compares the service's count of the longest window with our own.
local function update_foreign(budget)
  if not budget.terms.counted then return end
  local counted, age, reset, period = unpack(budget.terms.counted)
  local window, span = #budget.windows, budget.longest
  local foreign, _, last = count_foreign(budget, window)
  local unknown = counted - foreign - count_permits(budget, now - span)
  if unknown > 0 then
    return set_foreign(budget, window, foreign + unknown, now + math.min(reset, span - 1), now + span)
  end
  local most = math.max(0, counted - count_permits(budget, now - period, now - age))
  if foreign > most then set_foreign(budget, window, most, now, last) end
end
local function measure_usage(budget)
  budget.free = math.huge
  for window = 1, #budget.windows do
    local capacity, span = unpack(budget.windows[window])
    local foreign, change = count_foreign(budget, window)
    local missing, ends =
      count_missing(budget, window, get(budget, 'floor' .. window), get(budget, 'floor_at' .. window))
    if missing > 0 and (change <= 0 or ends < change) then change = ends end
    local used, room = count_permits(budget, now - span), capacity - foreign - missing
    budget.usage[window] = {used = used, others = foreign + missing, room = room, change = change}
    budget.free = math.min(budget.free, math.max(0, room - used))
  end
end
-- Returns the time until *tokens* are free in every window.
local function find_delay(budget, tokens)
  local longest_delay = math.max(0, get(budget, 'pause') - now)
  for window, usage in ipairs(budget.usage) do
    local capacity, span = unpack(budget.windows[window])
    local wanted = math.max(1, math.min(tokens, capacity))
    local delay = 0
    if usage.room < wanted then
      delay = usage.change > 0 and usage.change or span
    elseif usage.used > usage.room - wanted then
      -- A held permit expires one span after now at the earliest.
      local at = usage.room - wanted
      save_members(budget)
      local sent_at = tonumber(redis.call('ZREVRANGE', budget.key, at, at, 'WITHSCORES')[2])
      delay = math.max(1, math.min(sent_at, now) + span - now)
      if usage.change > 0 then delay = math.min(delay, usage.change) end
    end
    longest_delay = math.max(longest_delay, delay)
  end
  return longest_delay
end
"""

_SHARES = """
local function forget_process(budget, id)
  for _, name in ipairs({'seq:', 'due:', 'demand:', 'served:'}) do put(budget, name .. id, 0) end
end
-- Returns the other processes that wait, and forgets those that are gone.
local function list_rivals(budget)
  local rivals, gone = {}, {}
  for name, due in pairs(budget.registers) do
    local id = string.sub(name, 1, 4) == 'due:' and string.sub(name, 5) or request.id
    if id ~= request.id then
      local demand = get(budget, 'demand:' .. id)
      if due + budget.longest + LEASE < now then gone[#gone + 1] = id
      elseif demand > 0 and now <= due + GRACE and due <= now + INTERVAL + GRACE then
        rivals[#rivals + 1] = {served = get(budget, 'served:' .. id), demand = demand}
      end
    end
  end
  for _, id in ipairs(gone) do forget_process(budget, id) end
  return rivals
end
-- Bounds the lead of this process over its rivals, and theirs over it.
local function bound_lead(budget)
  local served, credit = get(budget, 'served:' .. request.id), math.max(1, math.floor(budget.windows[1][1] / 2))
  for _, rival in ipairs(budget.rivals) do served = math.min(served, rival.served + credit) end
  for _, rival in ipairs(budget.rivals) do served = math.max(served, rival.served - credit) end
  return served
end
-- Returns how many tokens the rivals may claim until each of them was served *level*.
local function count_claims(budget, level)
  local claims = 0
  for _, rival in ipairs(budget.rivals) do
    claims = claims + math.min(rival.demand, math.max(0, level - rival.served))
  end
  return claims
end
-- Returns how many of the free tokens this process may take.
local function find_share(budget, wanted)
  budget.rivals = list_rivals(budget)
  budget.served = bound_lead(budget)
  local low, high = 0, math.min(wanted, budget.free)
  if get(budget, 'pause') > now then return 0 end
  while low < high do
    local share = math.ceil((low + high) / 2)
    if count_claims(budget, budget.served + share - 1) + share <= budget.free then low = share
    else high = share - 1 end
  end
  return low
end
local function name_permit(number) return string.format('%s:%d:%d', request.id, request.seq, number) end
local function add_permits(budget, granted)
  local score = request.hold and HELD + now or now
  for number = 1, granted do add_member(budget, name_permit(number), score) end
  for _, usage in ipairs(budget.usage) do usage.used = usage.used + granted end
  budget.free, budget.served = budget.free - granted, budget.served + granted
end
local function register_demand(budget, granted)
  local demand = math.max(0, budget.terms.demand - granted)
  budget.earliest = find_delay(budget, 1)
  budget.turn = demand > 0 and find_delay(budget, count_claims(budget, budget.served) + 1) or budget.earliest
  put(budget, 'seq:' .. request.id, request.seq)
  put(budget, 'due:' .. request.id, now + math.min(budget.turn, INTERVAL))
  put(budget, 'demand:' .. request.id, demand)
  put(budget, 'served:' .. request.id, budget.served)
end
"""

_MODELS = """
-- The registers of a model, in the budget of its key: when each bucket is full again, the announced limits, the end of
-- a pause, and when the model was asked for.
local function name_register(kind, model, number) return kind .. (number or '') .. ':' .. model.name end
local function forget_unused_models(budget)
  for name, seen in pairs(budget.registers) do
    local model = string.sub(name, 1, 5) == 'seen:' and {name = string.sub(name, 6)}
    if model and now > seen + FORGET_MODEL and now > get(budget, name_register('hold', model)) then
      budget.unused[#budget.unused + 1] = model
    end
  end
  for _, model in ipairs(budget.unused) do
    for _, kind in ipairs({'seen', 'hold'}) do put(budget, name_register(kind, model), 0) end
    for number = 0, 3 do
      for _, kind in ipairs({'full', 'limit'}) do put(budget, name_register(kind, model, number), 0) end
    end
  end
end
local function update_model(budget, model, is_repeated)
  put(budget, name_register('seen', model), now)
  for _, limit in ipairs(model.limits) do put(budget, name_register('limit', model, limit[1]), limit[2]) end
  local pause_end = math.max(get(budget, name_register('hold', model)), now + model.pause)
  put(budget, name_register('hold', model), pause_end > now and pause_end or 0)
  for _, quota in ipairs(model.quotas) do
    local number, tick, burst, level, _, returned = unpack(quota)
    local name = name_register('full', model, number)
    local longest = now + (burst + BURSTS_AHEAD * burst) * tick  -- the clock may have gone back
    local full_at = math.min(get(budget, name) - (is_repeated and 0 or returned) * tick, longest)
    full_at = math.max(full_at, now + (burst - level) * tick)
    put(budget, name, full_at > now and full_at or 0)
  end
end
-- Returns how long until a bucket has the tokens for a request, negative if it has more; a larger one waits for all.
local function find_shortage(budget, model, quota)
  local number, tick, burst, _, cost = unpack(quota)
  local full_at = math.max(now, get(budget, name_register('full', model, number)))
  return full_at - now - (burst - math.min(cost, burst)) * tick
end
local function has_limits(budget, model)
  for number = 1, 3 do
    if get(budget, name_register('limit', model, number)) > 0 then return true end
  end
  return false
end
-- Returns how many of *wanted* requests the quotas of a model admit: none to a process that does not know them yet.
local function admit_requests(budget, model, wanted)
  if get(budget, name_register('hold', model)) > now then return 0 end
  for _, quota in ipairs(model.quotas) do
    local number, tick, _, _, cost = unpack(quota)
    if number == 0 and has_limits(budget, model) then return 0 end
    local shortage = find_shortage(budget, model, quota)
    wanted = math.min(wanted, shortage > 1 and 0 or math.floor(-shortage / (cost * tick) + 1.000001))
  end
  return wanted
end
local function charge_model(budget, model, granted)
  for _, quota in ipairs(model.quotas) do
    local number, tick, _, _, cost = unpack(quota)
    local name = name_register('full', model, number)
    if granted > 0 then put(budget, name, math.max(now, get(budget, name)) + granted * cost * tick) end
  end
end
local function describe_model(budget, model, reply)
  local pause = math.max(0, get(budget, name_register('hold', model)) - now)
  local delay = pause
  for _, quota in ipairs(model.quotas) do
    local shortage = find_shortage(budget, model, quota)
    if shortage > 1 then delay = math.max(delay, shortage) end
  end
  reply[#reply + 1], reply[#reply + 2] = math.ceil(delay), math.ceil(pause)
  for number = 1, 3 do reply[#reply + 1] = get(budget, name_register('limit', model, number)) end
end
"""

_EXCHANGE = """
local budgets, wanted, is_repeated = {}, request.wanted, false
for at, key in ipairs(KEYS) do
  local budget = open_budget(key, request.budgets[at])
  local last = get(budget, 'seq:' .. request.id)
  if request.seq < last then return '' end
  is_repeated = is_repeated or request.seq == last
  budget.is_lost = last < budget.terms.answered
  if budget.is_lost then wanted = 0 end
  budgets[at] = budget
end
if is_clock_off then wanted = 0 end
local granted = wanted
for _, budget in ipairs(budgets) do
  update_permits(budget)
  raise_floors(budget)
  begin_pause(budget)
  update_foreign(budget)
  measure_usage(budget)
  granted = math.min(granted, find_share(budget, granted))
end
local models, asked = request.models or {}, nil
for _, model in ipairs(models) do update_model(budgets[1], model, is_repeated) end
if request.asks_model then
  asked = models[1]
  granted = admit_requests(budgets[1], asked, granted)
end
if request.seq % CLEANING == 0 then forget_unused_models(budgets[1]) end
if is_repeated then
  granted = 0
  while redis.call('ZSCORE', KEYS[1], name_permit(granted + 1)) do granted = granted + 1 end
end
local reply = {granted, clock[1], clock[2], is_clock_off and 1 or 0}
for at, budget in ipairs(budgets) do
  if not is_repeated then add_permits(budget, granted) end
  if asked and at == 1 and not is_repeated then charge_model(budget, asked, granted) end
  register_demand(budget, granted)
  save_budget(budget)
  reply[#reply + 1] = budget.is_lost and 1 or 0
  reply[#reply + 1] = math.ceil(math.max(0, get(budget, 'pause') - now))
  reply[#reply + 1] = math.ceil(budget.earliest)
  reply[#reply + 1] = math.ceil(budget.turn)
  for _, usage in ipairs(budget.usage) do
    reply[#reply + 1] = usage.used + usage.others
    reply[#reply + 1] = usage.others
  end
end
if asked then describe_model(budgets[1], asked, reply) end
-- One string: clients parse a list of numbers one by one.
return table.concat(reply, ' ')
"""

EXCHANGE = _SETUP + _BUDGET + _PERMITS + _USAGE + _SHARES + _MODELS + _EXCHANGE
EXCHANGE_SHA = hashlib.sha1(EXCHANGE.encode(), usedforsecurity=False).hexdigest()
"""The name of the script in Redis."""
