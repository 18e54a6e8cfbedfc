package quota

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
)

// Refusal is what a provider said when it turned a call of a pool down: our count was wrong, or others use the account.
type Refusal struct {
	Code  growth.Code   // Throttled: the window is full; Exhausted: the day is
	Wait  time.Duration // until when nothing is allowed; 0: until our own window has passed
	Limit int           // how many calls the provider says that it allows; 0: it did not say
}

// The limit that was said holds for the rest of the day and the whole of the next one: long enough not to run into it
// every day, short enough to notice when the account has become a better one.
var correctScript = redis.NewScript(`
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
if ARGV[1] ~= '0' then now = tonumber(ARGV[1]) end
local until_, daylen, limit = now + tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5])
if until_ > (tonumber(redis.call('HGET', KEYS[4], 'blocked') or 0) or 0) then
  redis.call('HSET', KEYS[4], 'blocked', until_, 'why', ARGV[3])
end
if limit > 0 then
  redis.call('HSET', KEYS[4], ARGV[3] == '2' and 'daily' or 'limit', limit, 'learned', (math.floor(now / daylen) + 2) * daylen)
end
redis.call('PEXPIRE', KEYS[4], math.max(2 * daylen, 3600000))
return 1`)

// Correct takes over what a provider said, for every process, and returns how long the pool rests.
func (p *Pools) Correct(ctx context.Context, name string, r Refusal) time.Duration {
	q := p.named(name)
	if q == nil {
		return r.Wait
	}
	now := p.now()
	why := "1"
	switch {
	case r.Code == growth.Exhausted:
		why = "2"
		if r.Wait <= 0 {
			r.Wait = time.UnixMilli((q.dayOf(now) + 1) * q.Day.Milliseconds()).Sub(now)
		}
		r.Wait += q.margin()
	case r.Wait <= 0:
		r.Wait = q.Window
	}
	q.shut(Grant{Until: now.Add(r.Wait), Code: r.Code})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.patience())
	defer cancel()
	var at int64
	if p.Now != nil {
		at = now.UnixMilli()
	}
	// When Redis does not hear of it, the other processes find out for themselves.
	_ = correctScript.Run(ctx, p.rdb, q.keys, at, r.Wait.Milliseconds(), why, q.Day.Milliseconds(), r.Limit).Err()
	return r.Wait
}

// Outlook is where a pool stands, and when those who wait will have been served.
type Outlook struct {
	Name   string
	Calls  int           // allowed in a Window; 0: any number
	Window time.Duration // as the provider counts it
	Daily  int           // allowed in a day; 0: any number
	Today  int           // made today
	Ahead  int           // in the line
	Finish time.Time     // when the last of the line, with those who were asked about, will have been served at this pace
}

// Outlook says when more calls of a pool would be done if they joined the line now: how many are ahead of them, and the
// moment at which the last of them would have its turn. More 0 asks for the line as it is.
func (p *Pools) Outlook(ctx context.Context, name string, more int) (Outlook, error) {
	q := p.named(name)
	if q == nil {
		return Outlook{}, growth.Errorf(growth.NotFound, "quota.Outlook", "there is no pool with this name")
	}
	now := p.now()
	a, err := p.ask(ctx, q, "look", Request{})
	if err != nil {
		return Outlook{}, &growth.Error{Code: growth.Unavailable, Op: "quota.Outlook", Message: "Redis does not answer", Err: err}
	}
	o := Outlook{Name: q.Name, Calls: q.Calls, Window: q.Window, Daily: q.perDay(), Today: a.today, Ahead: a.ahead}
	o.Finish = now.Add(a.wait + q.pace(max(more-1, 0)))
	return o, nil
}

// pace is how long n more calls take after one that has its turn: an estimate, by whole windows and days.
func (q *pool) pace(n int) time.Duration {
	if n == 0 {
		return 0
	}
	var d time.Duration
	if q.Calls > 0 {
		d = time.Duration(n/q.Calls) * q.Window
	}
	if daily := q.perDay(); daily > 0 {
		d = max(d, time.Duration(n/daily)*q.Day)
	}
	return d
}
