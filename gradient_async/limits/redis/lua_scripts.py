"""The Lua scripts that decide, inside Redis, whether a request of a shared budget may be sent.

Contract: every script is atomic and uses the time of the Redis server, in microseconds. Every key expires by itself.

KEYS, in this order:

1. the sent times: a sorted set with one member per permit; its score is the time from which it counts
2. the end of the pause
3. the foreign usage: a hash with a count and two times for each window
4. the generation: a token that changes when Redis lost its data

The algorithm is that of `gradient_async._protocol.rate_limit.window_counter`: a window of capacity C has room exactly
when the C-th latest sent time is older than the window. It differs in two points. A reserved permit has a score in
the future: it counts until it is settled or its lease ends. Foreign usage is a number that falls evenly from
``count`` at ``first`` to 0 at ``last``, instead of a list of expiry times.
"""

from __future__ import annotations

__all__ = ["PAUSE", "REQUEST_PERMITS", "SETTLE_PERMITS", "UPDATE_FOREIGN_USAGE"]

_COMMON = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function text(number) return string.format('%.0f', number) end
-- Returns the foreign usage of a window, the time until it falls by one, and the time when it ends.
local function foreign_usage(window)
  local row = redis.call('HMGET', KEYS[3], 'count' .. window, 'first' .. window, 'last' .. window)
  local count, first, last = tonumber(row[1] or 0), tonumber(row[2] or 0), tonumber(row[3] or 0)
  if count <= 0 or now >= last then return 0, 0, last end
  if now < first then return count, first - now, last end
  local step = (last - first) / count
  local remaining = math.min(count, math.floor((last - now) / step))
  return remaining, math.max(1, last - now - remaining * step), last
end
local function set_foreign_usage(window, count, first, last)
  redis.call('HSET', KEYS[3], 'count' .. window, count, 'first' .. window, text(first), 'last' .. window, text(last))
  local expiry = math.ceil((last - now) / 1000) + 1000
  if redis.call('PTTL', KEYS[3]) < expiry then redis.call('PEXPIRE', KEYS[3], expiry) end
end
"""

REQUEST_PERMITS = (
    _COMMON
    + """
-- ARGV: the number wanted, the prefix of their names, lease, a fresh generation, expiry (ms), the generation the caller
-- knows or '', then capacity and span of each window, the shortest first. Returns the number granted, the wait
-- for the next, the generation, and for each window the tokens used and the part used by others.
local wanted, prefix, lease, expiry = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[5]
redis.call('SET', KEYS[4], ARGV[4], 'NX')
local capacity, span, foreign, next_expiry = {}, {}, {}, {}
for at = 7, #ARGV, 2 do
  capacity[#capacity + 1], span[#span + 1] = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  foreign[#foreign + 1], next_expiry[#next_expiry + 1] = foreign_usage(#capacity)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - span[#span]))
local sent = redis.call('ZCARD', KEYS[1])
local wait = math.max(0, tonumber(redis.call('GET', KEYS[2]) or 0) - now)
local granted, generation = 0, redis.call('GET', KEYS[4])
if ARGV[6] ~= '' and ARGV[6] ~= generation then wanted = 0 end
while wait <= 0 and granted < wanted do
  for window = 1, #capacity do
    local room, delay = capacity[window] - foreign[window], 0
    if room <= 0 then
      delay = next_expiry[window]
    elseif sent >= room then
      -- The score of a reserved permit is in the future; it can expire one span after now at the earliest.
      local sent_at = redis.call('ZREVRANGE', KEYS[1], room - 1, room - 1, 'WITHSCORES')[2]
      delay = math.min(tonumber(sent_at), now) + span[window] - now
      if delay > 0 and foreign[window] > 0 then delay = math.min(delay, next_expiry[window]) end
    end
    wait = math.max(wait, delay)
  end
  if wait <= 0 then
    granted, sent = granted + 1, sent + 1
    redis.call('ZADD', KEYS[1], text(now + lease), prefix .. granted)
  end
end
redis.call('PEXPIRE', KEYS[1], expiry)
redis.call('PEXPIRE', KEYS[4], expiry)
local reply = {granted, math.ceil(wait), generation}
for window = 1, #capacity do
  reply[#reply + 1] = redis.call('ZCOUNT', KEYS[1], '(' .. text(now - span[window]), '+inf') + foreign[window]
  reply[#reply + 1] = foreign[window]
end
return reply
"""
)

SETTLE_PERMITS = (
    _COMMON
    + """
-- ARGV: expiry (ms), then pairs of a permit's name and its age; a negative age removes it.
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
-- ARGV: length of the pause, then the window that is full until its end (0 for none), its capacity and span.
local pause_end, window = now + tonumber(ARGV[1]), tonumber(ARGV[2])
if pause_end > tonumber(redis.call('GET', KEYS[2]) or 0) then
  redis.call('SET', KEYS[2], text(pause_end), 'PX', math.ceil(tonumber(ARGV[1]) / 1000) + 1)
end
if window == 0 then return end
local span, foreign = tonumber(ARGV[4]), foreign_usage(window)
local free = tonumber(ARGV[3]) - foreign - redis.call('ZCOUNT', KEYS[1], text(now - span), '+inf')
if free > 0 then set_foreign_usage(window, foreign + free, pause_end, math.max(pause_end + 1, now + span)) end
"""
)

UPDATE_FOREIGN_USAGE = (
    _COMMON
    + """
-- ARGV: the window, the service's count, the age of the request, the time until reset (0 if unknown), the span and
-- the period of the window.
local window, counted = tonumber(ARGV[1]), tonumber(ARGV[2])
local span, foreign, next_expiry, last = tonumber(ARGV[5]), foreign_usage(window)
local unknown = counted - foreign - redis.call('ZCOUNT', KEYS[1], text(now - span), '+inf')
if unknown > 0 then
  return set_foreign_usage(window, foreign + unknown, now + math.min(tonumber(ARGV[4]), span - 1), now + span)
end
local sent_at = text(now - tonumber(ARGV[3]))
local most = math.max(0, counted - redis.call('ZCOUNT', KEYS[1], text(now - tonumber(ARGV[6])), sent_at))
if foreign > most then set_foreign_usage(window, most, now, last) end
"""
)
