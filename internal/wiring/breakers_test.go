package wiring

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/breaker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testenv.Around(m)) }

// metric is the value of a metric with these labels, -1 when there is none.
func metric(t *testing.T, reg prometheus.Gatherer, name string, labels map[string]string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			matches := f.GetName() == name
			for _, l := range m.GetLabel() {
				matches = matches && labels[l.GetName()] == l.GetValue()
			}
			if matches {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return -1
}

func TestEachChangeOfABreakerIsAnEventAndAMetric(t *testing.T) {
	t.Parallel()
	b := &Base{
		Store: testenv.Store(t), Redis: testenv.RedisClient(t), Log: zerolog.Nop(),
		Health: daemon.NewHealth("test", "test", zerolog.Nop()),
	}
	ws, err := b.Store.EnsureWorkspace(t.Context(), growth.DefaultWorkspace, "Default")
	if err != nil {
		t.Fatal(err)
	}
	name := "m-" + growth.NewID()
	set := breaker.New(breaker.Settings{Failures: 1, Timeout: time.Hour, Longest: time.Hour}, "here", name)
	w := newBreakerWatch(b, set)
	if got := metric(t, b.Health.Registry(), "astrogrowth_breaker_state", map[string]string{"breaker": name}); got != 0 {
		t.Errorf("state from the start = %v; want 0, closed", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { set.Share(ctx, b.Redis, w.changed) })
	wg.Go(func() { w.run(ctx) })
	done, _, _ := set.Allow(name)
	done(name, true)
	opened := await(t, b, ws.ID, 1)[0]
	var data struct {
		Breaker, State, Process string
		Until                   time.Time
		Trips                   int
	}
	if err := json.Unmarshal(opened.Data, &data); err != nil {
		t.Fatal(err)
	}
	if opened.Type != "breaker.changed" || data.Breaker != name || data.State != "OPEN" || data.Process != "here" || data.Trips != 1 || time.Until(data.Until) < 50*time.Minute {
		t.Errorf("event = %s %s", opened.Type, opened.Data)
	}
	if got := metric(t, b.Health.Registry(), "astrogrowth_breaker_state", map[string]string{"breaker": name}); got != 2 {
		t.Errorf("state = %v; want 2, open", got)
	}
	if got := metric(t, b.Health.Registry(), "astrogrowth_breaker_changes_total", map[string]string{"breaker": name, "state": "OPEN"}); got != 1 {
		t.Errorf("changes = %v; want 1", got)
	}
	if err := set.Reset(t.Context(), b.Redis, ""); err != nil {
		t.Fatal(err)
	}
	if reset := await(t, b, ws.ID, 2)[1]; !json.Valid(reset.Data) || string(reset.Data) == string(opened.Data) {
		t.Errorf("event of the reset = %s", reset.Data)
	}
}

// await waits until a workspace has n events.
func await(t *testing.T, b *Base, ws growth.WorkspaceID, n int) []growth.Event {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for {
		found, err := b.Store.In(ws).Events(t.Context(), 0, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) >= n {
			return found
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%d events; want %d", len(found), n)
		}
	}
}
