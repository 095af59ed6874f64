-- Permits: outcomes, leases, expiry, and times that a set clock made wrong.
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
  for window = budget.first, #budget.windows do
    if get(budget, 'floor_at' .. window) > now then put(budget, 'floor_at' .. window, now) end
  end
end
-- Counts a permit whose process never said what became of it as sent at the end of its lease.
local function end_leases(budget)
  local rows = redis.call('ZRANGEBYSCORE', budget.key, HELD, HELD + now - LEASE, 'WITHSCORES')
  for at = 1, #rows, 2 do add_member(budget, rows[at], tonumber(rows[at + 1]) - HELD + LEASE) end
  save_members(budget)
  if #rows > 0 and budget.windows[TOKENS] then expire_amounts(budget, tonumber(rows[2]) - HELD + LEASE) end
end
-- Removes expired permits, except those that a floor is still compared with.
local function remove_expired(budget)
  local oldest = now - budget.kept
  for window = budget.first, #budget.windows do
    local at, span = get(budget, 'floor_at' .. window), budget.windows[window][2]
    if at > 0 and now < at + span then oldest = math.min(oldest, at - span) end
  end
  redis.call('ZREMRANGEBYSCORE', budget.key, 1, oldest)
end
-- Returns how many permits, or tokens, of a floor are known.
local function count_known(budget, window, at)
  local span, latest = budget.windows[window][2], at + FLOOR_SLACK
  if window == TOKENS then
    return sum_amounts(budget, at - span, latest) + sum_amounts(budget, HELD - 1, HELD + latest)
  end
  return count_permits(budget, at - span, latest) + count_permits(budget, HELD - 1, HELD + latest)
end
-- Runs *settle*; a permit that is refunded or sent later by it is no longer missing from a floor either, nor are tokens
-- that it drops.
local function settle_below_floors(budget, settle)
  local known = {}
  for window = budget.first, #budget.windows do
    local at = get(budget, 'floor_at' .. window)
    known[window] = at > 0 and count_known(budget, window, at) or 0
  end
  settle()
  for window = budget.first, #budget.windows do
    local at = get(budget, 'floor_at' .. window)
    local removed = at > 0 and known[window] - count_known(budget, window, at) or 0
    if removed > 0 then put(budget, 'floor' .. window, get(budget, 'floor' .. window) - removed) end
  end
end
local function refund_permits(budget, permits)
  if budget.windows[TOKENS] then
    for _, permit in ipairs(permits) do set_amount(budget, permit, 0) end
  end
  call_in_parts('ZREM', budget.key, permits)
end
local function save_permits(budget)
  save_members(budget)
  for _, spend in ipairs(budget.terms.spent or {}) do settle_amount(budget, unpack(spend)) end
end
local function settle_permits(budget)
  local terms = budget.terms
  for _, permit in ipairs(terms.sent or {}) do add_member(budget, permit[1], now - permit[2]) end
  for _, permit in ipairs(terms.held or {}) do add_member(budget, permit[1], HELD + now - permit[2]) end
  if terms.refunded then
    settle_below_floors(budget, function() refund_permits(budget, terms.refunded) end)
  end
  if #budget.added > 0 then settle_below_floors(budget, function() save_permits(budget) end) end
end
local function update_permits(budget)
  local is_cleaning = request.seq % CLEANING == 0
  if is_cleaning or is_clock_off or request.expected == 0 then
    correct_future_registers(budget)
    correct_future_times(budget)
    end_leases(budget)
  end
  settle_permits(budget)
  if budget.windows[TOKENS] then
    end_token_floor(budget)
    settle_below_floors(budget, function() expire_amounts(budget) end)
  end
  if is_cleaning then remove_expired(budget) end
end
