-- Model tokens: how many each permit takes is a member beside it, and the sum of those that count is a register. They are
-- window 0 of a budget that has a limit of them.
local TOKENS = 0
local function name_amount(permit) return 'tokens:' .. permit end
local function find_amount(budget, permit)
  local score = redis.call('ZSCORE', budget.key, name_amount(permit))
  return score and -tonumber(score) - AMOUNT or 0
end
local function set_amount(budget, permit, tokens)
  local before = find_amount(budget, permit)
  if tokens == before then return end
  put(budget, 'spent', get(budget, 'spent') + tokens - before)
  if tokens > 0 then redis.call('ZADD', budget.key, -AMOUNT - tokens, name_amount(permit))
  else redis.call('ZREM', budget.key, name_amount(permit)) end
end
-- Sets the tokens of a permit, unless it counts no longer.
local function settle_amount(budget, permit, tokens)
  local sent_at = tonumber(redis.call('ZSCORE', budget.key, permit) or 0)
  set_amount(budget, permit, sent_at > now - budget.windows[TOKENS][2] and tokens or 0)
end
local function sum_amounts(budget, after, upto)
  local sum = 0
  for _, permit in ipairs(redis.call('ZRANGEBYSCORE', budget.key, after + 1, upto)) do
    sum = sum + find_amount(budget, permit)
  end
  return sum
end
-- Forgets the floor that no tokens are missing from any more: it costs a look at each permit.
local function end_token_floor(budget)
  if now >= get(budget, 'floor_at' .. TOKENS) + budget.windows[TOKENS][2] then
    put(budget, 'floor' .. TOKENS, 0)
    put(budget, 'floor_at' .. TOKENS, 0)
  end
end
-- Drops the tokens of permits that expired since the last time, or since *from* if that is earlier.
local function expire_amounts(budget, from)
  local last = get(budget, 'spent_upto')
  local upto = now - budget.windows[TOKENS][2]
  if last > 0 then
    for _, permit in ipairs(redis.call('ZRANGEBYSCORE', budget.key, math.min(last, from or last), upto)) do
      set_amount(budget, permit, 0)
    end
  end
  put(budget, 'spent_upto', upto)
end
-- Returns the time until the permits that expire first have taken *surplus* tokens with them.
local function find_release(budget, surplus)
  local span, at = budget.windows[TOKENS][2], 0
  local oldest = now - span + 1
  while true do
    local rows = redis.call('ZRANGEBYSCORE', budget.key, oldest, HELD - 1, 'WITHSCORES', 'LIMIT', at, 100)
    for row = 1, #rows, 2 do
      surplus = surplus - find_amount(budget, rows[row])
      if surplus <= 0 then return math.max(1, math.min(tonumber(rows[row + 1]), now) + span - now) end
    end
    if #rows < 200 then return span end
    at = at + 100
  end
end
