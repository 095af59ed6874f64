-- Fair shares of the free tokens, and the demand of this process.
local function forget_process(budget, id)
  for _, name in ipairs({'seq:', 'due:', 'demand:', 'served:', 'cost:'}) do put(budget, name .. id, 0) end
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
        local cost = get(budget, 'cost:' .. id)
        rivals[#rivals + 1] = {served = get(budget, 'served:' .. id), demand = demand, cost = cost}
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
-- Returns how many tokens the rivals may claim until each of them was served *level*, and how many model tokens.
local function count_claims(budget, level)
  local claims, amount = 0, 0
  for _, rival in ipairs(budget.rivals) do
    local claim = math.min(rival.demand, math.max(0, level - rival.served))
    claims, amount = claims + claim, amount + claim * rival.cost
  end
  return claims, amount
end
-- Returns the model tokens that a request needs: a larger one than the limit is sent when nothing else counts.
local function bound_cost(budget, number)
  local costs = request.costs or {}
  return math.min(costs[number] or costs[#costs] or 0, budget.windows[TOKENS][1])
end
-- Returns the model tokens that the first *share* requests need.
local function sum_costs(budget, share)
  local sum = bound_cost(budget, share)
  for number = 1, share - 1 do sum = sum + request.costs[number] end
  return sum
end
-- Whether this process may take its first *share* requests now.
local function is_share_free(budget, share)
  local claims, amount = count_claims(budget, budget.served + share - 1)
  if claims + share > budget.free then return false end
  local usage = budget.usage[TOKENS]
  return not usage or usage.used + amount + sum_costs(budget, share) <= usage.room
end
-- Returns how many of the free tokens this process may take.
local function find_share(budget, wanted)
  budget.rivals = list_rivals(budget)
  budget.served = bound_lead(budget)
  local low, high = 0, math.min(wanted, budget.free)
  if get(budget, 'pause') > now then return 0 end
  while low < high do
    local share = math.ceil((low + high) / 2)
    if is_share_free(budget, share) then low = share
    else high = share - 1 end
  end
  return low
end
local function name_permit(number) return string.format('%s:%d:%d', request.id, request.seq, number) end
local function add_amounts(budget, granted)
  local spent = 0
  for number = 1, granted do
    local cost = request.costs[number]
    spent = spent + cost
    if cost > 0 then add_member(budget, name_amount(name_permit(number)), -AMOUNT - cost) end
  end
  put(budget, 'spent', get(budget, 'spent') + spent)
  budget.usage[TOKENS].used = budget.usage[TOKENS].used + spent
end
local function add_permits(budget, granted)
  local score = request.hold and HELD + now or now
  for number = 1, granted do add_member(budget, name_permit(number), score) end
  if budget.windows[TOKENS] then add_amounts(budget, granted) end
  for _, usage in ipairs(budget.usage) do usage.used = usage.used + granted end
  budget.free, budget.served = budget.free - granted, budget.served + granted
end
-- Registers the model tokens that the next request of this process needs, and finds when they are free.
local function register_cost(budget, granted, claimed)
  local cost = bound_cost(budget, granted + 1)
  put(budget, 'cost:' .. request.id, cost)
  budget.token_delay = find_token_delay(budget, claimed + cost)
end
local function register_demand(budget, granted)
  local demand = math.max(0, budget.terms.demand - granted)
  local claims, claimed = count_claims(budget, budget.served)
  budget.earliest = find_delay(budget, 1)
  budget.turn = demand > 0 and find_delay(budget, claims + 1) or budget.earliest
  if budget.windows[TOKENS] then register_cost(budget, granted, claimed) end
  put(budget, 'seq:' .. request.id, request.seq)
  put(budget, 'due:' .. request.id, now + math.min(budget.turn, INTERVAL))
  put(budget, 'demand:' .. request.id, demand)
  put(budget, 'served:' .. request.id, budget.served)
end
