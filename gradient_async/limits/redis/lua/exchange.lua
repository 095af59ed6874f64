-- One exchange. KEYS: one sorted set for each budget. ARGV[1]: the request as JSON.
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
  if not is_repeated then release_assumed(budget) end
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
local reply = {request.seq, granted, clock[1], clock[2], is_clock_off and 1 or 0}
for at, budget in ipairs(budgets) do
  if not is_repeated then add_permits(budget, granted) end
  if asked and at == 1 and not is_repeated then charge_model(budget, asked, granted) end
  register_demand(budget, granted)
  save_budget(budget)
  reply[#reply + 1] = budget.is_lost and 1 or 0
  reply[#reply + 1] = math.ceil(math.max(0, get(budget, 'pause') - now))
  reply[#reply + 1] = math.ceil(budget.earliest)
  reply[#reply + 1] = math.ceil(budget.turn)
  if budget.windows[TOKENS] then reply[#reply + 1] = math.ceil(budget.token_delay) end
  for window = budget.first, #budget.windows do
    local usage = budget.usage[window]
    reply[#reply + 1] = usage.used + usage.others
    reply[#reply + 1] = usage.others
  end
end
if asked then describe_model(budgets[1], asked, reply) end
-- One string: clients parse a list of numbers one by one.
return table.concat(reply, ' ')
