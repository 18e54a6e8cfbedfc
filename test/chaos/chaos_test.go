//go:build e2e

// Package chaos runs real programs against real stores and takes both apart while work is in flight. It is small in the
// checks and large by `make chaos` (CHAOS_JOBS, CHAOS_SEEDS).
package chaos

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq"

	"github.com/zakibelm/astrogrowth/internal/devstack"
	"github.com/zakibelm/astrogrowth/internal/testenv/program"
	"github.com/zakibelm/astrogrowth/tasks"
)

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	if v := os.Getenv(name); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	return otherwise
}

// TestNothingIsLostAndNothingDoneTwice is the promise of the job engine.
func TestNothingIsLostAndNothingDoneTwice(t *testing.T) {
	jobs := number(t, "CHAOS_JOBS", 400)
	bin := build(t)
	for seed := range number(t, "CHAOS_SEEDS", 1) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			w := newWorld(t, bin, uint64(seed))
			w.run(jobs)
		})
	}
}

func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	if err := program.Build(t.Context(), bin); err != nil {
		t.Fatal(err)
	}
	return bin
}

// world is two enqueuers, three workers, a simulator, and the stores behind links.
type world struct {
	t        *testing.T
	bin      string
	dice     *rand.Rand
	dev      devstack.Config
	pg       *devstack.Postgres
	redis    *devstack.Redis
	pgLink   *link
	rdLink   *link
	db       *sql.DB
	sim      string
	redisURL string
	apis     []string
	mu       sync.Mutex
	procs    map[string]*exec.Cmd
	envs     map[string][]string
	blows    []string
	inAir    []int
	logs     *os.File
	stopped  bool
}

// newWorld starts everything.
func newWorld(t *testing.T, bin string, seed uint64) *world {
	t.Helper()
	w := newStores(t, bin, seed)
	w.startPrograms()
	return w
}

// newStores starts the stores and their links, and no program yet.
func newStores(t *testing.T, bin string, seed uint64) *world {
	t.Helper()
	dir, err := program.Dir("ag-chaos")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	logs, err := os.Create(filepath.Join(t.TempDir(), "programs.log"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, bin: bin, dice: rand.New(rand.NewPCG(seed, 7)),
		dev:   devstack.Config{DataDir: filepath.Join(dir, "data"), Sync: true},
		procs: map[string]*exec.Cmd{}, envs: map[string][]string{}, logs: logs,
	}
	w.startStores()
	w.pgLink, w.rdLink = newLink(t, socketOf(t, w.pg.URL(), ".s.PGSQL.5432")), newLink(t, strings.TrimSuffix(strings.TrimPrefix(strings.Split(w.redis.URL(), "?")[0], "unix://"), "/"))
	if w.db, err = sql.Open("postgres", w.pg.URL()); err != nil {
		t.Fatal(err)
	}
	w.redisURL = "redis://" + w.rdLink.addr()
	t.Cleanup(w.stop)
	return w
}

// socketOf finds the directory of the socket in a connection string.
func socketOf(t *testing.T, url, name string) string {
	t.Helper()
	for _, key := range []string{"host='", "host=", "?host="} {
		if _, rest, ok := strings.Cut(url, key); ok {
			dir := strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == '\'' || r == '&' })[0]
			return filepath.Join(strings.ReplaceAll(dir, "%2F", "/"), name)
		}
	}
	t.Fatalf("no socket in %q", url)
	return ""
}

func (w *world) startStores() {
	w.t.Helper()
	var err error
	ctx := context.WithoutCancel(w.t.Context())
	if w.pg, err = devstack.StartPostgres(ctx, w.dev); err != nil {
		w.t.Fatal(err)
	}
	if w.redis, err = devstack.StartRedis(ctx, w.dev); err != nil {
		w.t.Fatal(err)
	}
}

func port(t *testing.T) string {
	t.Helper()
	ports, err := program.Ports(1)
	if err != nil {
		t.Fatal(err)
	}
	return ports[0]
}

func (w *world) startPrograms() {
	w.t.Helper()
	_, pgPort, err := net.SplitHostPort(w.pgLink.addr())
	if err != nil {
		w.t.Fatal(err)
	}
	simPort := port(w.t)
	w.sim = "http://127.0.0.1:" + simPort
	base := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "OWN_STORES=true", "SIMULATOR=on", "SIMULATOR_PORT=" + simPort, "SIMULATOR_LATENCY_MS=200",
		"DATABASE_URL=postgres://astrogrowth@127.0.0.1:" + pgPort + "/astrogrowth?sslmode=disable", "REDIS_URL=" + w.redisURL,
		"ENCRYPTION_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "LOG_LEVEL=warn", "WORKER_CONCURRENCY=160", "DATA_DIR=" + w.dev.DataDir,
	}
	migrate := exec.CommandContext(w.t.Context(), filepath.Join(w.bin, "astrogrowth"), "migrate")
	migrate.Env = base
	if out, err := migrate.CombinedOutput(); err != nil {
		w.t.Fatalf("migrate: %v\n%s", err, out)
	}
	w.program("simulator", w.sim, base, "astrogrowth", "simulator")
	for i := range 2 {
		p := port(w.t)
		w.apis = append(w.apis, "http://127.0.0.1:"+p)
		w.program(fmt.Sprintf("enqueuer-%d", i), w.apis[i], append(base, "PORT="+p), "enqueuer")
	}
	for i := range 3 {
		p := port(w.t)
		w.program(fmt.Sprintf("worker-%d", i), "http://127.0.0.1:"+p, append(base, "WORKER_PORT="+p), "worker")
	}
}

// program starts one, and waits until it is ready.
func (w *world) program(name, url string, env []string, args ...string) {
	w.t.Helper()
	w.mu.Lock()
	w.envs[name] = append(append([]string(nil), env...), args...)
	w.mu.Unlock()
	w.spawn(name, env, args)
	w.await(60*time.Second, name+" to be ready", func() bool {
		code, _ := w.try(http.MethodGet, url+"/readyz", nil, nil)
		return code == http.StatusOK
	})
}

func (w *world) spawn(name string, env, args []string) {
	w.t.Helper()
	cmd := exec.Command(filepath.Join(w.bin, args[0]), args[1:]...) //nolint:noctx // it is killed by hand: that is the test
	cmd.Env, cmd.Stdout, cmd.Stderr = env, w.logs, w.logs
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.procs[name] = cmd
}

// kill ends a program without a word and starts it again.
func (w *world) kill(name string) {
	w.mu.Lock()
	cmd, all := w.procs[name], w.envs[name]
	w.mu.Unlock()
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
	n := len(all) - 1
	if strings.HasPrefix(name, "simulator") {
		n--
	}
	w.spawn(name, all[:n], all[n:])
}

func (w *world) stop() {
	w.mu.Lock()
	w.stopped = true
	for _, p := range w.procs {
		_ = p.Process.Signal(syscall.SIGKILL)
		_ = p.Wait()
	}
	w.mu.Unlock()
	_ = w.db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_ = w.pg.Stop(ctx)
	_ = w.redis.Stop(ctx)
	if w.t.Failed() {
		b, _ := os.ReadFile(w.logs.Name())
		w.t.Logf("last lines of the programs:\n%s", b[max(0, len(b)-4000):])
	}
}

func (w *world) await(limit time.Duration, what string, done func() bool) {
	w.t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("waited %s for %s", limit, what)
		}
	}
}

func (w *world) try(method, url string, body, out any) (int, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		r = bytes.NewReader(b)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, r)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if out != nil {
		return resp.StatusCode, json.NewDecoder(resp.Body).Decode(out)
	}
	return resp.StatusCode, nil
}

// accept sends a batch until it was answered, with the same keys each time: what a careful client does.
func (w *world) accept(first, n int) {
	type job struct {
		Type  string `json:"type"`
		Key   string `json:"idempotency_key"`
		Topic string `json:"topic"`
		Brief string `json:"brief"`
		Max   int    `json:"max_attempts"`
	}
	batch := make([]job, n)
	for i := range batch {
		batch[i] = job{
			"content-generation", fmt.Sprintf("job-%d", first+i), fmt.Sprintf("Conseil numéro %d pour les commerces de quartier", first+i),
			"Des idées simples pour accueillir les clients.", 20,
		}
	}
	for try := 0; ; try++ {
		var out struct{ Accepted, Rejected int }
		code, err := w.try(http.MethodPost, w.apis[(first/max(n, 1)+try)%len(w.apis)]+"/v1/jobs/batch", batch, &out)
		if err == nil && code == http.StatusAccepted && out.Accepted == n {
			return
		}
		if try > 100 {
			w.t.Errorf("batch at %d was never accepted: %d %v %+v", first, code, err, out)
			return
		}
		time.Sleep(300 * time.Millisecond)
	}
}

func (w *world) count(query string) int {
	w.t.Helper()
	var n int
	var err error
	for range 100 { // Postgres may be restarting: that is one of the blows
		if err = w.db.QueryRowContext(w.t.Context(), query).Scan(&n); err == nil {
			return n
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.t.Fatal(err)
	return 0
}

// blow strikes while work is in flight, and notes how much was.
func (w *world) blow(name string, strike func()) {
	w.t.Helper()
	w.await(2*time.Minute, "work in flight before "+name, func() bool {
		return w.count(`SELECT count(*) FROM jobs WHERE state = 'running'`) > 0
	})
	w.blows = append(w.blows, name)
	w.inAir = append(w.inAir, w.count(`SELECT count(*) FROM jobs WHERE state = 'running'`))
	strike()
}

func (w *world) restart(pg bool) {
	w.t.Helper()
	ctx := context.WithoutCancel(w.t.Context())
	var err error
	if pg {
		_ = w.pg.Stop(ctx)
		w.pg, err = devstack.StartPostgres(ctx, w.dev)
	} else {
		_ = w.redis.Stop(ctx)
		w.redis, err = devstack.StartRedis(ctx, w.dev)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) flush() {
	rdb, err := tasks.Redis("redis-socket://" + strings.TrimPrefix(w.redis.URL(), "unix://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = rdb.Close() }()
	if err := rdb.FlushAll(w.t.Context()).Err(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) run(jobs int) {
	began := time.Now()
	for _, f := range []string{
		`{"provider":"openrouter","kind":"500","rate":0.03}`, `{"provider":"openrouter","kind":"cut_json","rate":0.01}`, `{"provider":"openrouter","kind":"reset","rate":0.01}`,
	} {
		if code, err := w.try(http.MethodPut, w.sim+"/_control/faults", json.RawMessage(f), nil); err != nil || code/100 != 2 {
			w.t.Fatalf("fault: %d %v", code, err)
		}
	}
	const batch = 50
	var accepting sync.WaitGroup
	var struck atomic.Bool
	all := 0
	accepting.Go(func() {
		for ; all < jobs; all += batch {
			w.accept(all, batch)
		}
		// A machine may do the jobs faster than the blows fall: then more come, so that each blow falls into work.
		for ; !struck.Load(); time.Sleep(100 * time.Millisecond) {
			if w.count(`SELECT count(*) FROM jobs WHERE type = 'content-generation' AND state NOT IN ('succeeded', 'failed', 'canceled')`) < batch {
				w.accept(all, batch)
				all += batch
			}
		}
	})
	w.strikeAll(jobs)
	struck.Store(true)
	accepting.Wait()
	jobs = all
	w.await(15*time.Minute, "every job to end", func() bool {
		return w.count(`SELECT count(*) FROM jobs WHERE type = 'content-generation' AND state IN ('succeeded', 'failed', 'canceled')`) >= jobs
	})
	took := time.Since(began)
	// A call whose row came into the ledger behind the end of its attempt is ended by a reconciler after a minute.
	w.await(2*time.Minute, "the sweep of open calls", func() bool { return w.count(`SELECT count(*) FROM calls WHERE status = 'started'`) == 0 })
	w.verify(jobs, took)
}

// strikeAll spreads the blows over the run: one each time another share of the jobs is done.
func (w *world) strikeAll(jobs int) {
	type strike struct {
		name string
		do   func()
	}
	var strikes []strike
	for i := range 8 {
		strikes = append(strikes, strike{fmt.Sprintf("FLUSHALL %d", i+1), w.flush})
	}
	for i := range 3 {
		strikes = append(strikes, strike{fmt.Sprintf("kill -9 worker-%d", i), func() { w.kill(fmt.Sprintf("worker-%d", i)) }})
	}
	for i := range 2 {
		strikes = append(strikes, strike{fmt.Sprintf("kill -9 enqueuer-%d", i), func() { w.kill(fmt.Sprintf("enqueuer-%d", i)) }})
	}
	strikes = append(
		strikes,
		strike{"restart Postgres", func() { w.restart(true) }}, strike{"restart Redis", func() { w.restart(false) }},
		strike{"cut Postgres 2 s", func() { w.pgLink.outage(2 * time.Second) }}, strike{"cut Redis 2 s", func() { w.rdLink.outage(2 * time.Second) }},
		strike{"slow Postgres", func() { w.pgLink.slow(20*time.Millisecond, 2*time.Second) }}, strike{"slow Redis", func() { w.rdLink.slow(20*time.Millisecond, 2*time.Second) }},
	)
	w.dice.Shuffle(len(strikes), func(i, j int) { strikes[i], strikes[j] = strikes[j], strikes[i] })
	for i, s := range strikes {
		due := jobs * i / (len(strikes) + 2)
		w.await(5*time.Minute, "the run to go on", func() bool {
			return w.count(`SELECT count(*) FROM jobs WHERE state = 'succeeded'`) >= due
		})
		w.blow(s.name, s.do)
	}
}

func (w *world) verify(jobs int, took time.Duration) {
	w.t.Helper()
	row := func(what string, got, want int) {
		verdict := "ok"
		if got != want {
			verdict = "WRONG"
			w.t.Errorf("%s: %d, want %d", what, got, want)
		}
		w.t.Logf("%-58s %7d  %s", what, got, verdict)
	}
	for i, b := range w.blows {
		w.t.Logf("%-24s with %4d jobs in flight", b, w.inAir[i])
	}
	w.t.Logf("%d jobs in %.0f s", jobs, took.Seconds())
	row("jobs accepted", w.count(`SELECT count(*) FROM jobs WHERE type = 'content-generation'`), jobs)
	row("jobs succeeded", w.count(`SELECT count(*) FROM jobs WHERE state = 'succeeded'`), jobs)
	row("pieces of content", w.count(`SELECT count(*) FROM contents`), jobs)
	row("ends of jobs recorded", w.count(`SELECT count(*) FROM events WHERE type = 'job.succeeded'`), jobs)
	row("contents announced", w.count(`SELECT count(*) FROM events WHERE type = 'content.ready'`), jobs)
	row("jobs still running", w.count(`SELECT count(*) FROM jobs WHERE state = 'running'`), 0)
	row("calls left open", w.count(`SELECT count(*) FROM calls WHERE status = 'started'`), 0)
	// A step's answered call commits with its result: two of them for one step would be a committed step that ran again.
	row("steps done twice", w.count(`
		SELECT count(*) FROM (SELECT job_id, step FROM calls WHERE status = 'ok' AND step <> ''
			GROUP BY job_id, step HAVING count(*) > 1) AS twice`), 0)
	w.reasons()
	atMost := func(what string, got, most int) {
		verdict := "ok"
		if got > most {
			verdict = "WRONG"
			w.t.Errorf("%s: %d, want at most %d", what, got, most)
		}
		w.t.Logf("%-58s %7d  %s (at most %d)", what, got, verdict, most)
	}
	inFlight := 0
	for _, n := range w.inAir {
		inFlight += n
	}
	atMost("calls in flight at a kill or a lost connection (unknown)", w.count(`SELECT count(*) FROM calls WHERE status = 'unknown'`), inFlight)
	atMost("requests that the providers were sent", w.requests(), w.count(`SELECT count(*) FROM calls WHERE status IN ('ok', 'failed', 'unknown')`))
	w.t.Logf("%-58s %7d", "attempts beyond the first", w.count(`SELECT coalesce(sum(attempts - 1), 0) FROM jobs WHERE type = 'content-generation'`))
}

// requests counts what the simulated models were asked: no more than the ledger knows of.
func (w *world) requests() int {
	w.t.Helper()
	var book struct {
		Totals struct {
			Models map[string]struct{ Requests int }
		}
	}
	if code, err := w.try(http.MethodGet, w.sim+"/_book", nil, &book); err != nil || code != http.StatusOK {
		w.t.Fatalf("book: %d %v", code, err)
	}
	n := 0
	for _, m := range book.Totals.Models {
		n += m.Requests
	}
	if n == 0 {
		w.t.Error("the simulator's book is empty")
	}
	return n
}

// reasons says why jobs failed, if any did.
func (w *world) reasons() {
	w.t.Helper()
	rows, err := w.db.QueryContext(w.t.Context(), `
		SELECT state, coalesce(error_code, ''), coalesce(error_message, ''), attempts FROM jobs
		WHERE state NOT IN ('succeeded') AND type = 'content-generation' LIMIT 20`)
	if err != nil {
		w.t.Error(err)
		return
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var state, code, message string
		var attempts int
		if err := rows.Scan(&state, &code, &message, &attempts); err != nil {
			w.t.Error(err)
		}
		w.t.Logf("%s after %d attempts: %s: %s", state, attempts, code, message)
	}
	if err := rows.Err(); err != nil {
		w.t.Error(err)
	}
}
