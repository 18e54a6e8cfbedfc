//go:build e2e

package chaos

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/zakibelm/astrogrowth/internal/devstack"
)

// TestAcceptingWhileRedisIsDown stops Redis, accepts jobs, and starts it again.
func TestAcceptingWhileRedisIsDown(t *testing.T) {
	jobs, down := number(t, "CHAOS_JOBS", 200), time.Duration(number(t, "CHAOS_REDIS_DOWN_S", 5))*time.Second
	jobs = min(jobs, 1000)
	w := newWorld(t, build(t), 99)
	ctx := context.WithoutCancel(t.Context())
	if err := w.redis.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for i := range jobs {
		body := map[string]any{"topic": "Conseil pour les commerces", "brief": "Des idées simples."}
		if code, err := w.try(http.MethodPost, w.apis[i%2]+"/v1/jobs/content-generation", body, nil); err != nil || code != http.StatusAccepted {
			t.Fatalf("job %d while Redis is down: %d %v", i, code, err)
		}
	}
	t.Logf("%d jobs answered 202 in %.1f s without Redis", jobs, time.Since(began).Seconds())
	time.Sleep(max(down-time.Since(began), 0)) // the length of the outage is what is tested
	var err error
	if w.redis, err = devstack.StartRedis(ctx, w.dev); err != nil {
		t.Fatal(err)
	}
	w.await(5*time.Minute, "every job to be done", func() bool {
		return w.count(`SELECT count(*) FROM jobs WHERE state = 'succeeded'`) == jobs
	})
	if n := w.count(`SELECT count(*) FROM contents`); n != jobs {
		t.Errorf("%d pieces of content, want %d", n, jobs)
	}
}
