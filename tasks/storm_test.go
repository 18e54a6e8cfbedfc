package tasks_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// stormy is one of the receivers of a storm, and what SPEC says of a callback that it answers so.
type stormy struct {
	name   string
	answer func(w http.ResponseWriter, r *http.Request)
	ends   growth.JobState // succeeded or failed; retrying: not before the receiver is well, and until then it takes its turns
	code   growth.Code     // of a failed one
}

// stormCalls is how many callbacks a storm has: few among other tests, ten thousand by `make callback-storm`.
func stormCalls(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("STORM_CALLBACKS"))
	if err != nil {
		return 120
	}
	return n
}

// Callbacks to receivers that are slow, dead, or answer anything else end each in its own way; jobs are not delayed by
// them; and when the receivers are well again, all that can be delivered is.
func TestCallbackStorm(t *testing.T) {
	t.Parallel()
	var well atomic.Bool
	var private atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { private.Add(1) }))
	t.Cleanup(inside.Close)
	inPort := mustURL(t, inside.URL).Port()
	answers := func(status int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	kinds := []stormy{
		{"well", answers(200), growth.JobSucceeded, 0},
		{"slow", func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(400 * time.Millisecond):
			case <-r.Context().Done():
			}
			w.WriteHeader(200)
		}, growth.JobSucceeded, 0},
		{"too slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, growth.JobRetrying, 0},
		{"dead", nil, growth.JobRetrying, 0},
		{"409", answers(409), growth.JobRetrying, 0},
		{"409 finished already", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(409)
			_, _ = io.WriteString(w, `{"message":"The execution \"7\" has finished already."}`)
		}, growth.JobSucceeded, 0},
		{"410", answers(410), growth.JobFailed, growth.Refused},
		{"429", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "45"); w.WriteHeader(429) }, growth.JobRetrying, 0},
		{"500", answers(500), growth.JobRetrying, 0},
		{"503", answers(503), growth.JobRetrying, 0},
		{"redirect inside", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://localhost:"+inPort+"/latest/meta-data")
			w.WriteHeader(307)
		}, growth.JobFailed, growth.Refused},
		{"name of an inside address", nil, growth.JobFailed, growth.Forbidden},
		{"403", answers(403), growth.JobFailed, growth.Refused},
	}
	p := newPlant(t)
	w := newWorld(t)
	p.delivers(t)
	tasks.AddWorker(p.runner, tasks.QualifyWorker{Store: p.s, Chain: w.chain()})
	p.relays().serves(growth.JobCallback, growth.JobLeadQualification)

	urls := make([]string, len(kinds))
	for i, k := range kinds {
		urls[i] = stormReceiver(t, k, inPort, &well)
	}
	before := p.timesScores(t, 5)
	total := stormCalls(t)
	kindOf := p.storm(t, urls, total)
	began := time.Now()
	during := p.timesScores(t, 10)
	open := p.count(`SELECT count(*) FROM jobs WHERE type = 'callback' AND state NOT IN ('succeeded', 'failed')`)
	if open == 0 {
		t.Error("the storm was over before the jobs were: nothing was measured")
	}
	t.Logf("a qualification takes %v before the storm and %v in it (median of %d and %d; %d of %d callbacks open)",
		median(before), median(during), len(before), len(during), open, total)
	p.settles(t, kinds, kindOf, total)
	t.Logf("every callback has been judged %v after the storm began", time.Since(began).Round(time.Millisecond))
	if n := private.Load(); n != 0 {
		t.Errorf("%d calls reached the inside", n)
	}
	// Another process takes over, which knows nothing of the receivers yet.
	well.Store(true)
	p.stop()
	for _, srv := range p.servers {
		srv.Shutdown()
	}
	next := newPlantOn(t, p.s, p.ws, p.rdb)
	next.delivers(t)
	next.relays().serves(growth.JobCallback)
	next.calms(t, kinds, kindOf)
	t.Logf("all that can be delivered is, %v after the storm began", time.Since(began).Round(time.Millisecond))
}

// delivers takes callbacks on, and mends what the test's haste breaks.
func (p *plant) delivers(t *testing.T) {
	t.Helper()
	client := tasks.CallbackClient([]string{"127.0.0.1"})
	client.Timeout = 1500 * time.Millisecond // of "too slow"; in the product 15 s
	tasks.AddWorker(p.runner, tasks.CallbackWorker{Store: p.s, Client: client, Pace: tasks.NewReceivers(4), Show: func(j growth.Job) growth.Job { return j }})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { p.recon.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait(); client.CloseIdleConnections() })
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// stormReceiver is the address of a receiver; once well, it takes everything.
func stormReceiver(t *testing.T, k stormy, inPort string, well *atomic.Bool) string {
	t.Helper()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if well.Load() && k.ends == growth.JobRetrying {
			w.WriteHeader(200)
			return
		}
		k.answer(w, r)
	})
	switch k.name {
	case "dead": // nobody listens, until somebody does
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		_ = l.Close()
		revive(t, addr, well)
		return "http://" + addr
	case "name of an inside address":
		return "http://localhost:" + inPort
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// revive listens at an address once everything is well.
func revive(t *testing.T, addr string, well *atomic.Bool) {
	t.Helper()
	srv := &http.Server{Addr: addr, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }), ReadHeaderTimeout: time.Second}
	done := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for !well.Load() {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
		_ = srv.ListenAndServe()
	}()
	t.Cleanup(func() { close(stop); _ = srv.Close(); <-done })
}

// timesScores scores leads one by one and says how long each took.
func (p *plant) timesScores(t *testing.T, n int) []time.Duration {
	t.Helper()
	var out []time.Duration
	for range n {
		l := bistro()
		l.Email, l.BusinessName = growth.NewID()+"@x.test", "Bistro "+growth.NewID()[24:]
		id := p.lead(l)
		began := time.Now()
		p.asks(id)
		eventually(t, "the lead is scored", func() bool {
			return p.count(`SELECT count(*) FROM qualifications WHERE lead_id = $1`, id) == 1
		})
		out = append(out, time.Since(began))
	}
	return out
}

func median(ds []time.Duration) time.Duration {
	slices.Sort(ds)
	return ds[len(ds)/2].Round(time.Millisecond)
}

// storm ends so many jobs that want callbacks, of each receiver as many, and gives the receiver of each.
func (p *plant) storm(t *testing.T, urls []string, total int) map[growth.JobID]int {
	t.Helper()
	kindOf := map[growth.JobID]int{}
	for from := 0; from < total; from += 500 {
		var jobs []store.NewJob
		var kinds []int
		for i := from; i < min(from+500, total); i++ {
			input, err := json.Marshal(tasks.CallbackArgs{JobID: growth.JobID(growth.NewID()), URL: urls[i%len(urls)] + "/" + strconv.Itoa(i)})
			p.must(err)
			jobs = append(jobs, store.NewJob{Type: growth.JobCallback, Input: input, Options: growth.JobOptions{Priority: growth.PriorityNormal, TimeoutS: 60, MaxAttempts: 25}})
			kinds = append(kinds, i%len(urls))
		}
		out, err := p.sc.Accept(t.Context(), jobs)
		p.must(err)
		for i, a := range out {
			kindOf[a.ID] = kinds[i]
		}
	}
	// Each is the callback of a job that has ended.
	p.exec(`INSERT INTO jobs (id, workspace_id, type, lane, priority, state, input, max_attempts, timeout_s, run_at, finished_at)
		SELECT (input ->> 'job_id')::uuid, workspace_id, 'maintenance', 'maintenance', 'normal', 'succeeded', '{}', 1, 60, now(), now() FROM jobs WHERE type = 'callback'`)
	p.queue.Wake()
	return kindOf
}

// stands gives, for each receiver, how many callbacks are in which state, and how many have been tried.
func (p *plant) stands(t *testing.T, kindOf map[growth.JobID]int, kinds []stormy) (out map[string]map[growth.JobState]int, tried map[string]int) {
	t.Helper()
	out, tried = map[string]map[growth.JobState]int{}, map[string]int{}
	for _, k := range kinds {
		out[k.name] = map[growth.JobState]int{}
	}
	cursor := ""
	for {
		page, err := p.sc.Jobs(t.Context(), store.JobFilter{Type: growth.JobCallback}, store.Page{Limit: 200, Cursor: cursor})
		p.must(err)
		for _, j := range page {
			k := kinds[kindOf[j.ID]]
			state := j.State
			if state == growth.JobFailed && j.Error.Code != k.code {
				t.Fatalf("%s: failed with %+v", k.name, j.Error)
			}
			out[k.name][state]++
			if j.Attempts > 0 { // to be sent away is no attempt
				tried[k.name]++
			}
			cursor = string(j.ID)
		}
		if len(page) < 200 {
			return out, tried
		}
	}
}

// settles waits until each callback is as SPEC says: delivered, ended, or to be tried again.
func (p *plant) settles(t *testing.T, kinds []stormy, kindOf map[growth.JobID]int, total int) {
	t.Helper()
	var now map[string]map[growth.JobState]int
	var tried map[string]int
	patiently(t, total, "every callback has been judged", func() bool {
		now, tried = p.stands(t, kindOf, kinds)
		for _, k := range kinds {
			for state := range now[k.name] {
				turns := k.ends == growth.JobRetrying && slices.Contains([]growth.JobState{growth.JobWaiting, growth.JobRunning, growth.JobQueued}, state)
				if state != k.ends && !turns {
					return false
				}
			}
			if tried[k.name] == 0 {
				return false
			}
		}
		return true
	})
	for _, k := range kinds {
		t.Logf("%-26s %v, tried %d", k.name, now[k.name], tried[k.name])
	}
	if n := p.count(`SELECT count(*) FROM jobs WHERE type = 'callback' AND error_message LIKE '%429%' AND state = 'retrying' AND run_at < updated_at + interval '44 seconds'`); n != 0 {
		t.Errorf("%d callbacks do not wait as long as Retry-After says", n)
	}
}

// calms brings what is to be tried again forward until all of it is delivered.
func (p *plant) calms(t *testing.T, kinds []stormy, kindOf map[growth.JobID]int) {
	t.Helper()
	var now map[string]map[growth.JobState]int
	patiently(t, len(kindOf), "the rest is delivered", func() bool {
		p.exec(`UPDATE jobs SET run_at = now() WHERE type = 'callback' AND run_at > now() AND state IN ('retrying', 'waiting')`)
		_, _ = p.inspect.RunAllRetryTasks("callbacks") // an operator's button
		p.queue.Wake()
		now, _ = p.stands(t, kindOf, kinds)
		for _, k := range kinds {
			want := k.ends
			if want == growth.JobRetrying {
				want = growth.JobSucceeded
			}
			if states := slices.Collect(maps.Keys(now[k.name])); len(states) != 1 || states[0] != want {
				return false
			}
		}
		return true
	})
}

// patiently is eventually for as long as so many callbacks take.
func patiently(t *testing.T, total int, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(time.Minute + time.Duration(total)*100*time.Millisecond)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still not: %s", what)
		}
	}
}
