-- A budget: its registers, and the members that are added when it is saved.
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
  number = number > 0 and math.min(number, AMOUNT - 1) or nil
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
  windows[0] = terms.tokens  -- capacity and span, as of the other windows
  budget.first, budget.kept = windows[0] and 0 or 1, math.max(budget.longest, windows[0] and windows[0][2] or 0)
  budget.registers, budget.changed, budget.removed, budget.added, budget.usage = {}, {}, {}, {}, {}
  local rows = redis.call('ZRANGEBYSCORE', key, 1 - AMOUNT, -1, 'WITHSCORES')
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
    redis.call('PEXPIRE', budget.key, math.ceil((budget.kept + LEASE + 2 * RENEWAL) / 1000))
  end
end
