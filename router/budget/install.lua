-- Puts a rebuilt state in its place, unless its builder has lost the lock in the meantime, or somebody has made a state
-- although it seems to have the lock (a command that took the lock may arrive twice, the second time long after the lock
-- was lost): what it read may be old.
-- KEYS: the state, the lock, the new state. ARGV: the lock's token, the life of the state in milliseconds.
if redis.call('GET', KEYS[2]) ~= ARGV[1] or redis.call('HEXISTS', KEYS[1], 'gen') == 1 then
  redis.call('DEL', KEYS[3])
  return 0
end
redis.call('RENAME', KEYS[3], KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('DEL', KEYS[2])
return 1
