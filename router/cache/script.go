package cache

import (
	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
)

// What Redis holds for a workspace, all under {workspace}:
//
//	e:<task>:<digest>   a value, until its end
//	index               a sorted set of the members <task>:<digest> by their ends
//	about               a hash: member → "<bytes> <provider>/<model>"
//	bytes               the sum of those bytes
//	generation          counts the workspace's invalidations
//	call:… job:… lead:… sets of the members that one of them knows
//	lease:<digest>      who makes the answer; see Await
//
// Everything but the generation ends with the longest life of what it speaks of.

// dropLua defines drop(member), which takes one entry out. It needs the locals index, about, bytes and prefix.
const dropLua = `
local function drop(m)
	local a = redis.call('HGET', about, m)
	local n = redis.call('DEL', prefix .. m)
	redis.call('ZREM', index, m)
	if a then
		redis.call('HDEL', about, m)
		redis.call('DECRBY', bytes, tonumber(string.match(a, '^%d+')))
	end
	return n
end
local function live(key, ms)
	if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end
`

// storeScript keeps a value: 1 kept, 0 the workspace was invalidated since, -1 it does not fit. What ends soonest makes
// room.
var storeScript = redis.NewScript(`
local entry, index, about, bytes, generation = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local seen, member, value, ttl = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local size, model, max, prefix, most = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9])
` + dropLua + `
if seen > 0 and seen ~= tonumber(redis.call('GET', generation) or '0') + 1 then return 0 end
if size > max then return -1 end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
for _, m in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now, 'LIMIT', 0, 100)) do drop(m) end
if redis.call('ZSCORE', index, member) then drop(member) end
for _ = 1, 1000 do
	if tonumber(redis.call('GET', bytes) or '0') + size <= max then break end
	local first = redis.call('ZRANGE', index, 0, 0)[1]
	if not first then redis.call('DEL', bytes) break end
	drop(first)
end
if tonumber(redis.call('GET', bytes) or '0') + size > max then return -1 end
redis.call('SET', entry, value, 'PX', ttl)
redis.call('ZADD', index, now + ttl, member)
redis.call('HSET', about, member, size .. ' ' .. model)
redis.call('INCRBY', bytes, size)
for _, key in ipairs({index, about, bytes}) do live(key, ttl + 60000) end
for i = 6, #KEYS do
	if redis.call('SCARD', KEYS[i]) < most then redis.call('SADD', KEYS[i], member) end
	live(KEYS[i], ttl)
end
return 1
`)

// linkScript adds a member that is still kept to the sets of its owners.
var linkScript = redis.NewScript(`
local left = redis.call('PTTL', KEYS[1])
if left <= 0 then return 0 end
for i = 2, #KEYS do
	if redis.call('SCARD', KEYS[i]) < tonumber(ARGV[2]) then redis.call('SADD', KEYS[i], ARGV[1]) end
	if redis.call('PTTL', KEYS[i]) < left then redis.call('PEXPIRE', KEYS[i], left) end
end
return 1
`)

// dropScript takes the named members out and says how many were there.
var dropScript = redis.NewScript(`
local index, about, bytes, prefix = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
` + dropLua + `
local n = 0
for i = 2, #ARGV do n = n + drop(ARGV[i]) end
return n
`)

// releaseScript gives a lease back, and renewScript prolongs it, if it is still this holder's.
var (
	releaseScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`)
	renewScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
`)
)

func (c *Cache) storeKeys(k Key, e Entry) []string {
	keys := []string{
		k.entryName(), redisName(k.Workspace, "index"), redisName(k.Workspace, "about"),
		redisName(k.Workspace, "bytes"), k.generationName(),
	}
	return append(keys, owners(k.Workspace, e.Call, e.Job, e.Lead)...)
}

// owners names the sets of those that are given.
func owners(ws growth.WorkspaceID, call growth.CallID, job growth.JobID, lead growth.LeadID) []string {
	var out []string
	for _, o := range [][2]string{{"call", string(call)}, {"job", string(job)}, {"lead", string(lead)}} {
		if o[1] != "" {
			out = append(out, redisName(ws, o[0], o[1]))
		}
	}
	return out
}
