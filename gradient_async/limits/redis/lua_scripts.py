"""The Lua that decides, inside Redis, what a shared budget allows.

Contract: every script is atomic and uses the time of the Redis server, in microseconds. The keys are, in
this order: the stamps (a sorted set: one member per request, its score the time it counts from), the end of
the pause, the use by others, and the generation (a token that changes when the data is lost). All of them
expire by themselves.

A window of capacity C has room exactly when the C-th latest stamp is older than the window, as in
`gradient_async._protocol.rate_limit.bucket`. A held permit has a score in the future: it counts until it is settled
or its lease ends. Others are counted per window as a number that falls evenly from one time to another.
"""

from __future__ import annotations

__all__ = ["ASK", "BLAME", "PAUSE", "SETTLE"]

_COMMON = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function text(number) return string.format('%.0f', number) end
local function others(window)
  local row = redis.call('HMGET', KEYS[3], 'count' .. window, 'first' .. window, 'last' .. window)
  local count, first, last = tonumber(row[1] or 0), tonumber(row[2] or 0), tonumber(row[3] or 0)
  if count <= 0 or now >= last then return 0, 0, last end
  if now < first then return count, first - now, last end
  local step = (last - first) / count
  local left = math.min(count, math.floor((last - now) / step))
  return left, math.max(1, last - now - left * step), last
end
local function blame(window, count, first, last)
  redis.call('HSET', KEYS[3], 'count' .. window, count, 'first' .. window, text(first), 'last' .. window, text(last))
  local left = math.ceil((last - now) / 1000) + 1000
  if redis.call('PTTL', KEYS[3]) < left then redis.call('PEXPIRE', KEYS[3], left) end
end
"""

ASK = (
    _COMMON
    + """
-- ARGV: how many, the prefix of their members, lease, a fresh generation, expiry (ms), the generation the caller
-- knows or '', then capacity and span of each window, the shortest first. Returns how many were granted, the wait
-- for the next, the generation, and the use of each window: all of it, and the part of others.
local prefix, lease, expiry = ARGV[2], tonumber(ARGV[3]), ARGV[5]
redis.call('SET', KEYS[4], ARGV[4], 'NX')
local capacity, span, foreign, drop = {}, {}, {}, {}
for at = 7, #ARGV, 2 do
  capacity[#capacity + 1], span[#span + 1] = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  foreign[#foreign + 1], drop[#drop + 1] = others(#capacity)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - span[#span]))
local size = redis.call('ZCARD', KEYS[1])
local wait = math.max(0, tonumber(redis.call('GET', KEYS[2]) or 0) - now)
local granted, many, generation = 0, tonumber(ARGV[1]), redis.call('GET', KEYS[4])
if ARGV[6] ~= '' and ARGV[6] ~= generation then many = 0 end
while wait <= 0 and granted < many do
  for window = 1, #capacity do
    local room, delay = capacity[window] - foreign[window], 0
    if room <= 0 then
      delay = drop[window]
    elseif size >= room then
      -- A held permit lies in the future; the soonest it can end is one window after now.
      local stamp = redis.call('ZREVRANGE', KEYS[1], room - 1, room - 1, 'WITHSCORES')[2]
      delay = math.min(tonumber(stamp), now) + span[window] - now
      if delay > 0 and foreign[window] > 0 then delay = math.min(delay, drop[window]) end
    end
    wait = math.max(wait, delay)
  end
  if wait <= 0 then
    granted, size = granted + 1, size + 1
    redis.call('ZADD', KEYS[1], text(now + lease), prefix .. granted)
  end
end
redis.call('PEXPIRE', KEYS[1], expiry)
redis.call('PEXPIRE', KEYS[4], expiry)
local answer = {granted, math.ceil(wait), generation}
for window = 1, #capacity do
  answer[#answer + 1] = redis.call('ZCOUNT', KEYS[1], '(' .. text(now - span[window]), '+inf') + foreign[window]
  answer[#answer + 1] = foreign[window]
end
return answer
"""
)

SETTLE = (
    _COMMON
    + """
-- ARGV: expiry (ms), then pairs of a member and its age; a negative age takes the member out.
for at = 2, #ARGV, 2 do
  local age = tonumber(ARGV[at + 1])
  if age < 0 then redis.call('ZREM', KEYS[1], ARGV[at])
  else redis.call('ZADD', KEYS[1], text(now - age), ARGV[at]) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""
)

PAUSE = (
    _COMMON
    + """
-- ARGV: how long, then the window that is full until then (0 for none), its capacity and span.
local ends, window = now + tonumber(ARGV[1]), tonumber(ARGV[2])
if ends > tonumber(redis.call('GET', KEYS[2]) or 0) then
  redis.call('SET', KEYS[2], text(ends), 'PX', math.ceil(tonumber(ARGV[1]) / 1000) + 1)
end
if window == 0 then return end
local span, foreign = tonumber(ARGV[4]), others(window)
local missing = tonumber(ARGV[3]) - foreign - redis.call('ZCOUNT', KEYS[1], text(now - span), '+inf')
if missing > 0 then blame(window, foreign + missing, ends, math.max(ends + 1, now + span)) end
"""
)

BLAME = (
    _COMMON
    + """
-- ARGV: the window, what the service counted, the age of the request, the time until reset (0 if unknown), the
-- span and the period of the window.
local window, counted = tonumber(ARGV[1]), tonumber(ARGV[2])
local span, foreign, drop, last = tonumber(ARGV[5]), others(window)
local unknown = counted - foreign - redis.call('ZCOUNT', KEYS[1], text(now - span), '+inf')
if unknown > 0 then
  return blame(window, foreign + unknown, now + math.min(tonumber(ARGV[4]), span - 1), now + span)
end
local before = text(now - tonumber(ARGV[3]))
local most = math.max(0, counted - redis.call('ZCOUNT', KEYS[1], text(now - tonumber(ARGV[6])), before))
if foreign > most then blame(window, most, now, last) end
"""
)
