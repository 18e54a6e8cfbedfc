package quota

import (
	"context"
	"encoding/json"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	restsKey = "astrogrowth:cooldowns"        // hash: name to shared
	channel  = "astrogrowth:cooldown-changes" // Pub/Sub: shared

	// again is how often a process compares what it knows with what is shared: what a lost connection swallowed is made
	// good then.
	again = 5 * time.Second
)

// notice is a rest that began in this process, and that the others are to be told of.
type notice struct {
	Name  string
	Code  growth.Code
	Until time.Time
}

// shared is a rest as the processes tell each other. By the clock of Redis, because theirs may differ.
type shared struct {
	Name string      `json:"name"`
	Code growth.Code `json:"code"`
	Left int64       `json:"left"` // milliseconds, when it was sent
	From string      `json:"from"`
}

// restScript keeps the longer of two rests, with the end by the clock of Redis, and tells everybody.
var restScript = redis.NewScript(`
local t = redis.call('TIME')
local ends = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) + tonumber(ARGV[2])
local known = tonumber(string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '0', '^%d+') or 0)
if known >= ends then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', ends) .. ' ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[2]) + 1000))
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1`)

// restsScript lists the rests that have not ended, with what is left of each, and drops the others.
var restsScript = redis.NewScript(`
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local all, out = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
  local ends, code = string.match(all[i + 1], '^(%d+) (.*)$')
  if ends and tonumber(ends) > now then
    out[#out + 1] = all[i]
    out[#out + 1] = code
    out[#out + 1] = string.format('%.0f', tonumber(ends) - now)
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
return out`)

// Share tells the other processes of the rests that begin here and learns theirs, until ctx ends. It first learns the
// ones that are under way. process names this process.
func (c *Cooldowns) Share(ctx context.Context, rdb redis.UniversalClient, process string) {
	sub := rdb.Subscribe(ctx, channel)
	defer func() { _ = sub.Close() }()
	news := make(chan struct{}, 1)
	c.connect(news)
	defer c.connect(nil)
	c.load(ctx, rdb)
	c.tell(ctx, rdb, process) // of what began before this ran
	messages := sub.Channel()
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			c.connect(nil)
			c.tell(context.WithoutCancel(ctx), rdb, process) // what began before the end must not be lost with the process
			return
		case <-news:
			c.tell(ctx, rdb, process)
		case m, ok := <-messages:
			if !ok {
				return
			}
			var s shared
			if json.Unmarshal([]byte(m.Payload), &s) == nil && s.From != process {
				c.apply(s)
			}
		case <-tick.C:
			c.tell(ctx, rdb, process)
			c.load(ctx, rdb)
		}
	}
}

// tell sends what began here and has not been sent. What Redis does not take is sent with the next.
func (c *Cooldowns) tell(ctx context.Context, rdb redis.UniversalClient, process string) {
	for _, n := range c.untold() {
		if c.send(ctx, rdb, process, n) != nil {
			return
		}
		c.told(n)
	}
}

func (c *Cooldowns) untold() []notice {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []notice
	for name, r := range c.until {
		if r.untold {
			out = append(out, notice{Name: name, Code: r.code, Until: r.until})
		}
	}
	return out
}

func (c *Cooldowns) told(n notice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r, ok := c.until[n.Name]; ok && r.until.Equal(n.Until) {
		r.untold = false
		c.until[n.Name] = r
	}
}

func (c *Cooldowns) connect(news chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.news = news
}

// send tells the others. A rest that has ended meanwhile is no news.
func (c *Cooldowns) send(ctx context.Context, rdb redis.UniversalClient, process string, n notice) error {
	left := n.Until.Sub(c.now()).Milliseconds()
	if left <= 0 {
		return nil
	}
	code := n.Code.String()
	message, err := json.Marshal(shared{Name: n.Name, Code: n.Code, Left: left, From: process})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return restScript.Run(ctx, rdb, []string{restsKey}, n.Name, left, code, channel, message).Err()
}

// Learn takes over the rests that are in force, so that a process knows them before its first call. Without Redis it
// learns by itself.
func (c *Cooldowns) Learn(ctx context.Context, rdb redis.UniversalClient) { c.load(ctx, rdb) }

func (c *Cooldowns) load(ctx context.Context, rdb redis.UniversalClient) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	all, err := restsScript.Run(ctx, rdb, []string{restsKey}).StringSlice()
	if err != nil {
		return // a process that knows nothing learns by itself
	}
	for i := 0; i+2 < len(all); i += 3 {
		left, err := time.ParseDuration(all[i+2] + "ms")
		if err == nil {
			c.apply(shared{Name: all[i], Code: growth.ParseCode(all[i+1]), Left: left.Milliseconds()})
		}
	}
}

func (c *Cooldowns) apply(s shared) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.note(s.Name, rest{until: now.Add(time.Duration(s.Left) * time.Millisecond), code: s.Code}, now)
}
