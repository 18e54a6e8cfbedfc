-- Counts a thing when every window has room for it.
-- KEYS: the things that were let through, by the microsecond. ARGV: the thing, the time in microseconds (empty: this
-- server's), then for each window how many it allows and how long it is, in microseconds.
-- Returns whether it is allowed, how many more are, the wait until one is, and the wait until nothing counts any more.
local key, thing = KEYS[1], ARGV[1]
local now = tonumber(ARGV[2])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local longest = 0
for i = 3, #ARGV, 2 do
  longest = math.max(longest, tonumber(ARGV[i + 1]))
end
-- What happened exactly a window ago is outside it.
redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now - longest))
local known = redis.call('ZSCORE', key, thing)
local remaining, wait = nil, 0
for i = 3, #ARGV, 2 do
  local max, per = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local from = string.format('(%.0f', now - per)
  local n = redis.call('ZCOUNT', key, from, '+inf')
  if known and tonumber(known) > now - per then
    n = n - 1 -- it does not stand in its own way
  end
  remaining = math.min(remaining or max, max - n)
  if n >= max then
    -- There is room once all but max - 1 of them have left.
    local skip, leaving = n - max, nil
    local at = redis.call('ZRANGEBYSCORE', key, from, '+inf', 'WITHSCORES', 'LIMIT', 0, skip + 2)
    for j = 1, #at, 2 do
      if at[j] ~= thing then
        if skip == 0 then
          leaving = tonumber(at[j + 1])
          break
        end
        skip = skip - 1
      end
    end
    wait = math.max(wait, leaving + per - now)
  end
end
local allowed = wait == 0
if allowed then
  redis.call('ZADD', key, string.format('%.0f', now), thing)
  remaining = remaining - 1
end
local newest = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
local reset = 0
if newest[2] then
  reset = tonumber(newest[2]) + longest - now
  redis.call('PEXPIRE', key, math.ceil(reset / 1000))
end
return {allowed and 1 or 0, math.max(remaining or 0, 0), wait, math.max(reset, 0)}
