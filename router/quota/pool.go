package quota

import (
	"context"
	_ "embed" // the scripts
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
)

// Limits are what a provider allows an account. The zero value of a count is no limit.
type Limits struct {
	Calls  int           // in any stretch of Window
	Window time.Duration // default a minute
	Daily  int           // from midnight to midnight, UTC
	Day    time.Duration // default 24 h; midnights are its multiples
}

// Pool is an allowance that several models of a provider share: OpenRouter's free ones, say.
type Pool struct {
	Name     string // as in logs and metrics: "openrouter:free"
	Account  string // tells apart the accounts of several keys; never the key itself
	Provider string
	Holds    func(slug string) bool
	Limits
}

// Wait says what a caller does when a pool has nothing to give now.
type Wait uint8

// The ways to wait.
const (
	NoWait  Wait = iota // goes elsewhere
	Shortly             // waits where it stands for at most Request.Horizon, and keeps its place as long
	InLine              // comes back when it is told to, with the same ticket, and keeps its place until then
)

var modes = [...]string{NoWait: "take", Shortly: "soon", InLine: "keep"}

// Request asks for one call.
type Request struct {
	Provider, Slug string
	Ticket         string // names the caller in the line; the same one when it comes back
	Wait           Wait
	Horizon        time.Duration
}

// Grant is the answer to a Request.
type Grant struct {
	OK    bool
	Until time.Time   // when the caller's turn will be, when it is not now
	Code  growth.Code // Throttled: the window is full; Exhausted: the day's calls are spent
	Ahead int         // callers before this one in the line

	pool   *pool
	number int64 // of the call in the pool, 0: counted in this process alone
}

const (
	maxTickets = 100_000 // in a line; those beyond get a time and no place

	// A promise lapses when its caller does not come: soon for one that waits where it stands, later for a job, which a
	// busy fleet may pick up late.
	shortGrace = 5 * time.Second
	longGrace  = time.Minute

	defaultPatience = 250 * time.Millisecond
	// redisRest is how long Redis is not asked again after it did not answer, so that its silence costs few calls.
	redisRest = time.Second
)

// Pools keeps the allowances of one installation, for all its processes together. When Redis does not answer each
// process goes on with its share. It is safe for use by many goroutines; a nil *Pools knows no limits.
type Pools struct {
	Now      func() time.Time // for tests; default: the clock of Redis, and in the process time.Now
	Patience time.Duration    // how long Redis has for an answer; default 250 ms: a call can wait no longer

	rdb     redis.UniversalClient
	process string
	pools   []*pool
	down    atomic.Int64 // unix nanoseconds: until then Redis is not asked
}

type pool struct {
	Pool
	keys   []string
	daily  atomic.Int64 // as the provider says; 0: Limits.Daily
	closed atomic.Int64 // unix nanoseconds: until then a caller that does not wait need not ask

	mu    sync.Mutex
	local local
}

// NewPools makes the pools. process names this process to the others.
func NewPools(rdb redis.UniversalClient, process string, pools ...Pool) *Pools {
	p := &Pools{rdb: rdb, process: process}
	for _, c := range pools {
		if c.Window <= 0 {
			c.Window = time.Minute
		}
		if c.Day <= 0 {
			c.Day = 24 * time.Hour
		}
		tag := "astrogrowth:quota:{" + c.Name + ":" + c.Account + "}:" // one slot of a cluster
		p.pools = append(p.pools, &pool{Pool: c, keys: []string{tag + "used", tag + "line", tag + "promised", tag + "state", tag + "processes"}})
	}
	return p
}

func (p *Pools) find(provider, slug string) *pool {
	if p == nil {
		return nil
	}
	for _, q := range p.pools {
		if q.Provider == provider && q.Holds(slug) {
			return q
		}
	}
	return nil
}

func (p *Pools) named(name string) *pool {
	if p == nil {
		return nil
	}
	for _, q := range p.pools {
		if q.Name == name {
			return q
		}
	}
	return nil
}

// Of names the pool that a model draws on, "" when there is none.
func (p *Pools) Of(provider, slug string) string {
	if q := p.find(provider, slug); q != nil {
		return q.Name
	}
	return ""
}

// Names lists the pools.
func (p *Pools) Names() []string {
	if p == nil {
		return nil
	}
	names := make([]string, 0, len(p.pools))
	for _, q := range p.pools {
		names = append(names, q.Name)
	}
	return names
}

// SetDaily sets how many calls a day a pool has, as the provider tells of the account. 0 is what was configured.
func (p *Pools) SetDaily(name string, calls int) {
	if q := p.named(name); q != nil {
		q.daily.Store(int64(max(calls, 0)))
	}
}

func (q *pool) perDay() int {
	if n := int(q.daily.Load()); n > 0 {
		return n
	}
	return q.Daily
}

// margin is how far from the end of a day a call keeps, and how much longer a process without Redis counts a window: a
// call is under way for a while between our clock and the provider's.
func (q *pool) margin() time.Duration {
	return min(max(q.Window/10, 100*time.Millisecond), 2*time.Second)
}

const (
	// arrival is how long a call can take to be counted by its provider when it has not ended by then. A call that ends
	// was counted before, wherever it was delayed: so the window is kept whatever the load.
	arrival = 5 * time.Second
	// rounding is what the milliseconds of two clocks can differ by.
	rounding = 5 * time.Millisecond
)

func (p *Pools) patience() time.Duration {
	if p.Patience > 0 {
		return p.Patience
	}
	return defaultPatience
}

func (p *Pools) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

// Take asks for one call to a model. A model that draws on no pool is always granted, without a question to anybody.
func (p *Pools) Take(ctx context.Context, r Request) Grant {
	q := p.find(r.Provider, r.Slug)
	if q == nil || q.Calls == 0 && q.perDay() == 0 {
		return Grant{OK: true}
	}
	now := p.now()
	if closed := q.closed.Load(); r.Wait == NoWait && closed > now.UnixNano() {
		return Grant{Until: time.Unix(0, closed), Code: q.why(), pool: q}
	}
	if p.down.Load() > time.Now().UnixNano() {
		return q.alone(now)
	}
	a, err := p.ask(ctx, q, modes[r.Wait], r)
	if err != nil {
		if ctx.Err() == nil {
			p.down.Store(time.Now().Add(redisRest).UnixNano())
		}
		return q.alone(now)
	}
	return q.learn(a, r, now)
}

//go:embed take.lua
var takeSource string

var takeScript = redis.NewScript(takeSource)

// answer is what the script returns.
type answer struct {
	granted            bool
	wait               time.Duration
	code               growth.Code
	ahead, today       int
	processes, leftDay int
	number             int64
}

func (p *Pools) ask(ctx context.Context, q *pool, mode string, r Request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, p.patience())
	defer cancel()
	var now int64
	if p.Now != nil {
		now = p.Now().UnixMilli()
	}
	grace := shortGrace
	if r.Wait == InLine {
		grace = longGrace
	}
	v, err := takeScript.Run(ctx, p.rdb, q.keys,
		now, (q.Window + rounding).Milliseconds(), q.Calls, q.Day.Milliseconds(), q.perDay(),
		q.margin().Milliseconds(), r.Ticket, mode, r.Horizon.Milliseconds(), grace.Milliseconds(), maxTickets, p.process, arrival.Milliseconds()).Int64Slice()
	if err != nil || len(v) != 8 {
		return answer{}, errorOf(err)
	}
	a := answer{
		granted: v[0] == 1, wait: time.Duration(v[1]) * time.Millisecond, code: growth.Throttled,
		ahead: int(v[3]), today: int(v[4]), processes: int(v[5]), leftDay: int(v[6]), number: v[7],
	}
	if v[2] == 2 {
		a.code = growth.Exhausted
	}
	return a, nil
}

func errorOf(err error) error {
	if err != nil {
		return err
	}
	return growth.Errorf(growth.Internal, "quota.Take", "the script answered in another form")
}

// learn turns the answer into a grant and keeps what this process needs for when Redis is away.
func (q *pool) learn(a answer, r Request, now time.Time) Grant {
	q.mu.Lock()
	q.local.processes, q.local.left, q.local.day = max(a.processes, 1), a.leftDay, q.dayOf(now)
	if a.granted {
		q.local.add(now, q.Calls)
	}
	q.mu.Unlock()
	g := Grant{OK: a.granted, Code: a.code, Ahead: a.ahead, pool: q, number: a.number}
	if !a.granted {
		g.Until = now.Add(a.wait)
		if r.Wait == NoWait {
			shut := g
			if g.Ahead > 0 { // those ahead may not come
				shut.Until = now.Add(min(a.wait, redisRest))
			}
			q.shut(shut)
		}
	}
	return g
}

// shut remembers until when asking is pointless. The last bit of the time says why.
func (q *pool) shut(g Grant) {
	at := g.Until.UnixNano() &^ 1
	if g.Code == growth.Exhausted {
		at |= 1
	}
	q.closed.Store(at)
}

func (q *pool) why() growth.Code {
	if q.closed.Load()&1 == 1 {
		return growth.Exhausted
	}
	return growth.Throttled
}

var doneScript = redis.NewScript(`
local now = tonumber(ARGV[2])
if now == 0 then
  local t = redis.call('TIME')
  now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
local old = tonumber(redis.call('HGET', KEYS[4], 'flight') or 0)
redis.call('HSET', KEYS[4], 'flight', string.format('%.0f', old + (tonumber(ARGV[3]) - old) / 5))
return redis.call('ZADD', KEYS[1], 'XX', 'LT', now, ARGV[1])`)

// Done notes that a granted call has ended after some time: its provider has counted it by now, and its place in the
// window is free again one window later.
func (p *Pools) Done(ctx context.Context, g Grant, took time.Duration) {
	if g.pool == nil || g.number == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.patience())
	defer cancel()
	var now int64
	if p.Now != nil {
		now = p.Now().UnixMilli()
	}
	number := strconv.FormatInt(g.number, 10)
	_ = doneScript.Run(ctx, p.rdb, g.pool.keys, number, now, took.Milliseconds()).Err() // then it counts for a little longer
}

var backScript = redis.NewScript(`
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
local count = tonumber(redis.call('HGET', KEYS[4], 'count') or 0)
if count > 0 then redis.call('HINCRBY', KEYS[4], 'count', -1) end
return 1`)

// Back returns a call that was granted and not made.
func (p *Pools) Back(ctx context.Context, g Grant) {
	if g.pool == nil || g.number == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.patience())
	defer cancel()
	_ = backScript.Run(ctx, p.rdb, g.pool.keys, strconv.FormatInt(g.number, 10)).Err() // then a call is counted too many
}

// Leave gives up a place in the line.
func (p *Pools) Leave(ctx context.Context, provider, slug, ticket string) {
	q := p.find(provider, slug)
	if q == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.patience())
	defer cancel()
	_, _ = p.rdb.Pipelined(ctx, func(c redis.Pipeliner) error { // if it fails, the promise lapses
		c.ZRem(ctx, q.keys[1], ticket)
		c.ZRem(ctx, q.keys[2], ticket)
		return nil
	})
}

// Serves says whether a provider has a pool at all.
func (p *Pools) Serves(provider string) bool {
	if p == nil {
		return false
	}
	for _, q := range p.pools {
		if q.Provider == provider {
			return true
		}
	}
	return false
}
