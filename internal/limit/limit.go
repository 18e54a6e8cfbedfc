// Package limit counts what happens under a key and says no when a sliding window is full. The count lies in Redis, one
// sorted set for each key, so that every process shares it; one script looks and counts in one step. It refuses to know
// what is limited and why, and it keeps nothing that Redis may not lose: where that would matter, the caller has the
// truth elsewhere.
package limit

import (
	"context"
	_ "embed" // the script
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
)

// MaxEntries is the largest number that a window may allow: a key remembers each thing that it let through.
const MaxEntries = 100_000

// redisTimeout bounds a look: whoever asks has a job or a request waiting.
const redisTimeout = 2 * time.Second

var (
	//go:embed allow.lua
	allowLua    string
	allowScript = redis.NewScript(allowLua)
)

// Limiter keeps sliding windows. It is safe for concurrent use.
type Limiter struct {
	redis  redis.UniversalClient
	prefix string
	now    func() time.Time // nil: Redis's own clock, which all processes share
}

// New returns a limiter whose keys begin with prefix, so that several can share a Redis.
func New(rdb redis.UniversalClient, prefix string) *Limiter {
	return &Limiter{redis: rdb, prefix: prefix}
}

// Window allows Max things in any stretch of Per. A thing that happened exactly Per ago is outside.
type Window struct {
	Max int
	Per time.Duration
}

// Decision is what the windows of a key say.
type Decision struct {
	Allowed    bool
	Remaining  int           // things that the fullest window still allows now
	RetryAfter time.Duration // until the next is allowed; 0: now
	ResetAfter time.Duration // until every window is empty again
}

// Allow counts one thing under key, when fewer than most were counted in the last per.
func (l *Limiter) Allow(ctx context.Context, key string, most int, per time.Duration) (Decision, error) {
	return l.AllowOnce(ctx, key, growth.NewID(), Window{Max: most, Per: per})
}

// AllowOnce is Allow for a thing with a name, which counts once however often it is asked for, under several windows at
// once: it is let through by all of them, and then counted, or by none.
func (l *Limiter) AllowOnce(ctx context.Context, key, name string, windows ...Window) (Decision, error) {
	args := []any{name, ""}
	if l.now != nil {
		args[1] = l.now().UnixMicro()
	}
	for _, w := range windows {
		if w.Max < 1 || w.Max > MaxEntries || w.Per < time.Millisecond {
			return Decision{}, growth.Errorf(growth.Invalid, "limit.Allow", "a window allows 1 to %d things in a millisecond or more", MaxEntries)
		}
		args = append(args, w.Max, w.Per.Microseconds())
	}
	if len(windows) == 0 {
		return Decision{Allowed: true}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	out, err := allowScript.Run(ctx, l.redis, []string{l.key(key)}, args...).Int64Slice()
	if err != nil {
		return Decision{}, unavailable(err)
	}
	if len(out) != 4 {
		return Decision{}, unavailable(fmt.Errorf("the script answered %s", strconv.Quote(fmt.Sprint(out))))
	}
	return Decision{
		Allowed: out[0] == 1, Remaining: int(out[1]), RetryAfter: time.Duration(out[2]) * time.Microsecond, ResetAfter: time.Duration(out[3]) * time.Microsecond,
	}, nil
}

// Forget takes back a thing that was counted and did not happen.
func (l *Limiter) Forget(ctx context.Context, key, name string) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	if err := l.redis.ZRem(ctx, l.key(key), name).Err(); err != nil {
		return unavailable(err)
	}
	return nil
}

// key is one key for each limit, so that a script never needs two slots of a cluster.
func (l *Limiter) key(key string) string { return "limit:" + l.prefix + ":" + key }

func unavailable(err error) error {
	return &growth.Error{Code: growth.Unavailable, Op: "limit.Allow", Message: "the count of what was let through cannot be reached", Err: err}
}
