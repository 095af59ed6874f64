-- Quotas of models: buckets that are refilled evenly. A model has these registers in the budget of its key: when each
-- bucket was empty, if it had only been refilled since, the announced limits, the end of a pause, and when the model was
-- asked for last, and how many requests of all processes flew before its first response. Processes may know different sizes of a bucket; the time when it was empty is the same for all.
local function name_register(kind, model, number) return kind .. (number or '') .. ':' .. model.name end
local function forget_unused_models(budget)
  local unused = {}
  for name, seen in pairs(budget.registers) do
    local model = string.sub(name, 1, 5) == 'seen:' and {name = string.sub(name, 6)}
    if model and now > seen + FORGET_MODEL and now > get(budget, name_register('pause', model)) then
      unused[#unused + 1] = model
    end
  end
  for _, model in ipairs(unused) do
    for _, kind in ipairs({'seen', 'pause', 'flown'}) do put(budget, name_register(kind, model), 0) end
    for number = 0, 3 do
      for _, kind in ipairs({'empty', 'limit'}) do put(budget, name_register(kind, model, number), 0) end
    end
  end
end
local function update_model(budget, model, is_repeated)
  put(budget, name_register('seen', model), now)
  for _, limit in ipairs(model.limits) do put(budget, name_register('limit', model, limit[1]), limit[2]) end
  local pause_end = math.max(get(budget, name_register('pause', model)), now + model.pause)
  put(budget, name_register('pause', model), pause_end > now and pause_end or 0)
  for _, quota in ipairs(model.quotas) do
    local number, tick, burst, level, _, returned = unpack(quota)
    local name = name_register('empty', model, number)
    local latest = now + BURSTS_AHEAD * burst * tick  -- the clock may have gone back
    local empty_at = math.min(get(budget, name) - (is_repeated and 0 or returned) * tick, latest)
    -- A first response does not count the requests of other processes that are on their way.
    local unseen = number > 0 and get(budget, name) == 0 and get(budget, name_register('flown', model)) - model.flown or 0
    put(budget, name, math.max(empty_at, now - (level - math.max(0, unseen)) * tick))
  end
end
local function find_empty_time(budget, model, quota)
  local number, tick, burst = unpack(quota)
  return math.max(get(budget, name_register('empty', model, number)), now - burst * tick)
end
-- Returns how long until a bucket has the tokens for a request, negative if it has more; a larger one waits for all.
local function find_shortage(budget, model, quota)
  local _, tick, burst, _, cost = unpack(quota)
  return find_empty_time(budget, model, quota) + math.min(cost, burst) * tick - now
end
local function has_limits(budget, model)
  for number = 1, 3 do
    if get(budget, name_register('limit', model, number)) > 0 then return true end
  end
  return false
end
-- Returns how many of *wanted* requests the quotas of a model admit: none to a process that does not know them yet.
local function admit_requests(budget, model, wanted)
  if get(budget, name_register('pause', model)) > now then return 0 end
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
    local empty_at = find_empty_time(budget, model, quota) + granted * cost * tick
    if granted > 0 then put(budget, name_register('empty', model, number), empty_at) end
    if number == 0 then
      put(budget, name_register('flown', model), get(budget, name_register('flown', model)) + granted)
    end
  end
end
local function describe_model(budget, model, reply)
  local pause = math.max(0, get(budget, name_register('pause', model)) - now)
  local delay = pause
  for _, quota in ipairs(model.quotas) do
    local shortage = find_shortage(budget, model, quota)
    if shortage > 1 then delay = math.max(delay, shortage) end
  end
  reply[#reply + 1], reply[#reply + 2] = math.ceil(delay), math.ceil(pause)
  for number = 1, 3 do reply[#reply + 1] = get(budget, name_register('limit', model, number)) end
end
