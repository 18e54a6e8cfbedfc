-- Takes the estimate of a call from every budget that covers it, or from none.
-- KEYS: the state. ARGV: version of the budgets, call, estimate, then for each budget its window and its limit.
local state = redis.call('HMGET', KEYS[1], 'gen', 'ver', 'o:' .. ARGV[2])
if not state[1] then
  return {'lost'}
end
if state[2] ~= ARGV[1] then
  return {'version', state[2]}
end
if state[3] then -- asked again, after a rebuild that found the call's row
  return {'ok', state[1]}
end
local full = {'full'}
local windows = {}
for i = 4, #ARGV, 2 do
  local window = ARGV[i]
  local have = redis.call('HMGET', KEYS[1], 's:' .. window, 'h:' .. window, 'x:' .. window)
  local spent, held, unknown = have[1] or '0', have[2] or '0', have[3] or '0'
  if tonumber(spent) + tonumber(held) + tonumber(unknown) + tonumber(ARGV[3]) > tonumber(ARGV[i + 1]) then
    full[#full + 1] = tostring((i - 4) / 2)
    full[#full + 1] = spent
    full[#full + 1] = held
    full[#full + 1] = unknown
  end
  windows[#windows + 1] = window
end
if #full > 1 then
  return full
end
for _, window in ipairs(windows) do
  redis.call('HINCRBY', KEYS[1], 'h:' .. window, ARGV[3])
end
redis.call('HSET', KEYS[1], 'o:' .. ARGV[2], ARGV[3] .. ';0;' .. table.concat(windows, ','))
return {'ok', state[1]}
