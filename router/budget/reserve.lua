-- Takes the estimate of a call from every budget that covers it, or from none.
-- KEYS: the state. ARGV: version of the budgets, call, estimate, then for each budget its window and its limit.
--
-- A call may ask again, after a rebuild that has found its row. It is counted once, but being counted is no leave: a
-- rebuild counts every row, also that of a call whose money was given away while the row was on its way to the ledger.
-- So a call is allowed only by sums that, with it, are within the limits.
local state = redis.call('HMGET', KEYS[1], 'gen', 'ver', 'o:' .. ARGV[2])
if not state[1] then
  return {'lost'}
end
if state[2] ~= ARGV[1] then
  return {'version', state[2]}
end
local counted = state[3]
local more = counted and '0' or ARGV[3]
local full = {'full'}
local windows = {}
for i = 4, #ARGV, 2 do
  local window = ARGV[i]
  local have = redis.call('HMGET', KEYS[1], 's:' .. window, 'h:' .. window, 'x:' .. window)
  local spent, held, unknown = have[1] or '0', have[2] or '0', have[3] or '0'
  if tonumber(spent) + tonumber(held) + tonumber(unknown) + tonumber(more) > tonumber(ARGV[i + 1]) then
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
if not counted then
  for _, window in ipairs(windows) do
    redis.call('HINCRBY', KEYS[1], 'h:' .. window, ARGV[3])
  end
  redis.call('HSET', KEYS[1], 'o:' .. ARGV[2], ARGV[3] .. ';0;' .. table.concat(windows, ','))
end
return {'ok', state[1]}
