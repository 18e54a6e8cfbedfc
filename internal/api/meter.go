package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/limit"
)

// Bounds of what counting may cost a request.
const (
	meterTimeout = 250 * time.Millisecond
	meterPause   = 5 * time.Second // while Redis is away it is asked this often
)

// meter counts the requests of keys, for all enqueuers together. What cannot be counted is let through: jobs are
// accepted while Redis is down.
type meter struct {
	limiter *limit.Limiter
	window  limit.Window
	log     zerolog.Logger
	now     func() time.Time
	pause   atomic.Int64 // Redis is not asked before, in Unix nanoseconds; 0: it answered last time
}

// newMeter is nil, which counts nothing, without a limiter or a limit.
func newMeter(l *limit.Limiter, perHour int, log zerolog.Logger) *meter {
	if l == nil || perHour <= 0 {
		return nil
	}
	return &meter{limiter: l, window: hourly(perHour), log: log, now: time.Now}
}

// hourly is the window for a number of requests an hour. A window remembers each request, so that a very large number
// is held to in a shorter one: whoever keeps to the part keeps to the whole.
func hourly(most int) limit.Window {
	w := limit.Window{Max: most, Per: time.Hour}
	if most > limit.MaxEntries {
		w.Max = limit.MaxEntries
		w.Per = time.Duration(float64(time.Hour) * limit.MaxEntries / float64(most))
	}
	return w
}

// count counts one request; counted is false when nobody can.
func (m *meter) count(ctx context.Context, key string) (d limit.Decision, counted bool) {
	if m.now().UnixNano() < m.pause.Load() {
		return d, false
	}
	ctx, cancel := context.WithTimeout(ctx, meterTimeout)
	defer cancel()
	d, err := m.limiter.Allow(ctx, key, m.window.Max, m.window.Per)
	if err == nil {
		if m.pause.Swap(0) != 0 {
			m.log.Info().Msg("requests are counted again")
		}
		return d, true
	}
	if context.Cause(ctx) == context.Canceled { //nolint:errorlint // the caller left; that says nothing of Redis
		return d, false
	}
	if m.pause.Swap(m.now().Add(meterPause).UnixNano()) == 0 {
		m.log.Warn().Err(err).Msg("requests cannot be counted: keys are not limited until Redis is back")
	}
	return d, false
}

// admit says whether a request may go on, by what is left of its key's hour, and tells the caller how much that is. The
// user of this machine, who has no key, is not counted. Somebody who tries keys that do not exist is, by address.
func (a *api) admit(ctx context.Context, p auth.Principal, err error, free bool, tell func(name, value string)) error {
	if a.meter == nil {
		return err
	}
	if growth.CodeOf(err) == growth.Unauthorized && err != nil {
		return a.knocked(ctx, err)
	}
	if err != nil || free || p.KeyID == "" {
		return err
	}
	d, counted := a.meter.count(ctx, "key:"+p.KeyID)
	if !counted {
		return nil
	}
	w := a.meter.window
	tell("RateLimit-Limit", strconv.Itoa(w.Max))
	tell("RateLimit-Remaining", strconv.Itoa(d.Remaining))
	tell("RateLimit-Reset", strconv.Itoa(seconds(d.ResetAfter)))
	if d.Allowed {
		return nil
	}
	return &growth.Error{
		Code: growth.Throttled, Op: "api.admit", RetryAfter: d.RetryAfter,
		Message: "this key has made the " + strconv.Itoa(w.Max) + " requests that it may make in " + span(w.Per) + "; the next is allowed in " +
			strconv.Itoa(seconds(d.RetryAfter)) + " s. Reading jobs is free, and a batch counts once",
	}
}

// knocked notes that an address has tried a key that is none, and stops it when it tries too many.
func (a *api) knocked(ctx context.Context, err error) error {
	addr := daemon.Client(ctx)
	if !addr.IsValid() {
		return err
	}
	zerolog.Ctx(ctx).Warn().Str("network", daemon.ClientNetwork(ctx)).Msg("a request without a valid key")
	h := sha256.Sum256(addr.AsSlice())
	if d, counted := a.meter.count(ctx, "address:"+hex.EncodeToString(h[:8])); counted && !d.Allowed {
		return &growth.Error{
			Code: growth.Throttled, Op: "api.knocked", RetryAfter: d.RetryAfter,
			Message: "too many requests without a valid key came from this address; send an API key as Authorization: Bearer … or X-API-Key: …",
		}
	}
	return err
}

// freeOfCharge says which calls are not counted: reading jobs, and waiting for them.
func freeOfCharge(method, path string) bool {
	return method == http.MethodGet && (path == "/v1/jobs" || strings.HasPrefix(path, "/v1/jobs/"))
}

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

func span(d time.Duration) string {
	if d == time.Hour {
		return "an hour"
	}
	return d.Round(time.Second).String()
}
