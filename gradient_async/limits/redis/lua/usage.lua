-- The usage of every window: own permits, foreign usage and permits that are missing after a loss.
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
local function find_missing(budget, window)
  return count_missing(budget, window, get(budget, 'floor' .. window), get(budget, 'floor_at' .. window))
end
local function raise_floors(budget)
  for number, floor in ipairs(budget.terms.floors or {}) do
    local window, at = number + budget.first - 1, now - floor[2]
    if count_missing(budget, window, floor[1], at) >= find_missing(budget, window) then
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
-- Drops usage that was assumed after a refusal, because requests succeed again.
local function release_assumed(budget)
  for _, released in ipairs(budget.terms.released or {}) do
    local window, count = unpack(released)
    local foreign, _, last = count_foreign(budget, window)
    if foreign > 0 then set_foreign(budget, window, math.max(0, foreign - count), now, last) end
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
  for window = budget.first, #budget.windows do
    local capacity, span = unpack(budget.windows[window])
    local foreign, change = count_foreign(budget, window)
    local missing, ends = find_missing(budget, window)
    if missing > 0 and (change <= 0 or ends < change) then change = ends end
    local used = window == TOKENS and get(budget, 'spent') or count_permits(budget, now - span)
    local room = capacity - foreign - missing
    budget.usage[window] = {used = used, others = foreign + missing, room = room, change = change}
    if window ~= TOKENS then budget.free = math.min(budget.free, math.max(0, room - used)) end
  end
end
-- Returns the time until *amount* model tokens are free.
local function find_token_delay(budget, amount)
  local usage = budget.usage[TOKENS]
  local surplus = usage.used + amount - usage.room
  if surplus <= 0 then return 0 end
  save_members(budget)
  local delay = find_release(budget, surplus)
  return usage.change > 0 and math.min(delay, usage.change) or delay
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
