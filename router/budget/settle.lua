-- Puts what calls have cost in the place of their reservations.
-- KEYS: the state. ARGV: pairs of a call and its cost; an empty cost is unknown, and the call stays counted at its
-- estimate. Returns the windows that changed, each with its spent and unknown amounts.
if redis.call('HEXISTS', KEYS[1], 'gen') == 0 then
  return {'lost'}
end
local out = {'ok'}
local seen = {}
for i = 1, #ARGV, 2 do
  local open = redis.call('HGET', KEYS[1], 'o:' .. ARGV[i])
  if open then
    local estimate, unknown, list = string.match(open, '^(%d+);([01]);(.*)$')
    local cost = ARGV[i + 1]
    for window in string.gmatch(list, '[^,]+') do
      if estimate ~= '0' and not (cost == '' and unknown == '1') then
        redis.call('HINCRBY', KEYS[1], (unknown == '1' and 'x:' or 'h:') .. window, '-' .. estimate)
      end
      if cost ~= '' then
        redis.call('HINCRBY', KEYS[1], 's:' .. window, cost)
      elseif unknown == '0' then
        redis.call('HINCRBY', KEYS[1], 'x:' .. window, estimate)
      end
      if not seen[window] then
        seen[window] = true
        out[#out + 1] = window
      end
    end
    if cost ~= '' then
      redis.call('HDEL', KEYS[1], 'o:' .. ARGV[i])
    else
      redis.call('HSET', KEYS[1], 'o:' .. ARGV[i], estimate .. ';1;' .. list)
    end
  end
end
local result = {'ok'}
for i = 2, #out do
  local have = redis.call('HMGET', KEYS[1], 's:' .. out[i], 'x:' .. out[i])
  result[#result + 1] = out[i]
  result[#result + 1] = have[1] or '0'
  result[#result + 1] = have[2] or '0'
end
return result
