-- Takes one call out of a pool's allowance, or gives the caller a place in the line of those who wait for one.
--
-- KEYS  1 used      sorted set: the calls of the present window, by when they ended; one that is under way, by when the
--                   provider has counted it at the latest
--       2 line      sorted set: the tickets of those who wait, in the order in which they came
--       3 promised  sorted set: the same tickets, by when they lose their place if they do not come
--       4 state     hash: day, count (of that day), seq, limit and daily (what the provider said) with learned (until
--                   when that holds), blocked (nothing before) with why
--       5 processes sorted set: who took part lately
-- ARGV  1 now in ms, 0: the server's clock   2 window ms   3 calls per window, 0: any   4 day ms   5 calls per day, 0: any
--       6 margin ms around the end of a day   7 ticket   8 mode: look, take, soon or keep   9 horizon ms of "soon"
--       10 grace ms after which a promise lapses   11 most tickets in the line   12 this process
--       13 ms after which a call that has not ended is taken to be counted
-- Returns {1 when granted, ms to wait, why (1 window, 2 day), ahead in the line, calls today, processes, calls left
--          today or -1, number of the call}
local used, line, promised, state, processes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now, window, limit, daylen, daily = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local margin, ticket, mode, horizon, grace, most = tonumber(ARGV[6]), ARGV[7], ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
if now == 0 then
  local t = redis.call('TIME')
  now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

local st = redis.call('HMGET', state, 'day', 'count', 'limit', 'daily', 'learned', 'blocked', 'why', 'flight')
if (tonumber(st[5] or 0) or 0) > now then
  local said = tonumber(st[3] or 0) or 0
  if said > 0 and (limit == 0 or said < limit) then limit = said end
  said = tonumber(st[4] or 0) or 0
  if said > 0 and (daily == 0 or said < daily) then daily = said end
end
local day = math.floor(now / daylen)
local midnight = (day + 1) * daylen
local count = 0
if tonumber(st[1] or -1) == day then count = tonumber(st[2] or 0) end
local blocked = tonumber(st[6] or 0) or 0

redis.call('ZREMRANGEBYSCORE', used, '-inf', now - window)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', promised, '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', line, gone)
  redis.call('ZREM', promised, gone)
end
redis.call('ZREMRANGEBYSCORE', processes, '-inf', now - 60000)
if mode ~= 'look' then
  redis.call('ZADD', processes, now, ARGV[12])
  redis.call('PEXPIRE', processes, 120000)
end

local n = redis.call('ZCARD', used)
local flight = tonumber(st[8] or 0) or 0
local mine = ticket ~= '' and redis.call('ZRANK', line, ticket)
local ahead = mine or redis.call('ZCARD', line)
local left = -1
if daily > 0 then left = math.max(daily - count, 0) end

-- when the window has room for a call with r others before it
local function slot(r)
  if limit == 0 or r < limit - n then return now end
  local j, len = r - (limit - n), math.max(n, limit)
  local round = 1
  if j >= len then
    round = 2 + math.floor((j - len) / limit)
    j = len - limit + (j - len) % limit
  end
  if j < n then
    local counted = tonumber(redis.call('ZRANGE', used, j, j, 'WITHSCORES')[2])
    return math.min(counted, now + flight) + round * window
  end
  return now + flight + round * window
end

-- when it can be made by every rule, and which rule it is that it waits for
local function moment(r)
  local t, why = slot(r), 1
  if daily > 0 then
    local today = left
    if limit > 0 then
      today = math.min(today, math.max(limit - n, 0) + math.floor((midnight - now) / window) * limit)
    end
    if r >= today then
      local each = daily
      if limit > 0 then each = math.min(each, (math.floor(daylen / window) + 1) * limit) end
      local later, i = math.floor((r - today) / each), (r - today) % each
      t = midnight + later * daylen + margin
      if limit > 0 then t = t + math.floor(i / limit) * window end
      if today == left then why = 2 end
    elseif midnight - now < margin then
      t = math.max(t, midnight + margin)
    elseif now % daylen < margin then
      t = math.max(t, now - now % daylen + margin)
    end
  end
  if blocked > t then
    t, why = blocked, tonumber(st[7] or 1)
    if limit > 0 then t = t + math.floor(r / limit) * window end
  end
  return t, why
end

local t, why = moment(ahead)
local left_after, number = left, 0
local granted = 0
if t <= now and mode ~= 'look' then
  granted, number = 1, redis.call('HINCRBY', state, 'seq', 1)
  if mine then
    redis.call('ZREM', line, ticket)
    redis.call('ZREM', promised, ticket)
  end
  redis.call('ZADD', used, now + tonumber(ARGV[13]), number)
  redis.call('PEXPIRE', used, window + tonumber(ARGV[13]))
  count = count + 1
  redis.call('HSET', state, 'day', day, 'count', count)
  redis.call('PEXPIRE', state, math.max(2 * daylen, 3600000))
  if left > 0 then left_after = left - 1 end
elseif mode == 'keep' or (mode == 'soon' and t - now <= horizon) then
  if not mine and redis.call('ZCARD', line) < most then
    redis.call('ZADD', line, redis.call('HINCRBY', state, 'seq', 1), ticket)
    redis.call('PEXPIRE', state, math.max(2 * daylen, 3600000))
    mine = ahead
  end
  if mine then redis.call('ZADD', promised, t + grace, ticket) end
  local life = math.max(redis.call('PTTL', line), t - now + grace + 1000)
  redis.call('PEXPIRE', line, life)
  redis.call('PEXPIRE', promised, life)
elseif mine and mode == 'soon' then
  redis.call('ZREM', line, ticket)
  redis.call('ZREM', promised, ticket)
end
return {granted, math.max(t - now, 0), why, ahead, count, redis.call('ZCARD', processes), left_after, number}
