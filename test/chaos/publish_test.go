//go:build e2e

package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNoPostIsMadeTwice is the promise of the publisher: publish jobs over many accounts, every kind of fault that an
// answer can have, and workers killed at every point of a send. Small in the checks, 2,000 jobs by `make publish-chaos`.
func TestNoPostIsMadeTwice(t *testing.T) {
	jobs := number(t, "PUBLISH_JOBS", 160)
	w := &pressRoom{world: newStores(t, build(t), uint64(number(t, "PUBLISH_SEED", 1)))}
	w.start()
	w.connect(min(40, jobs/4))
	picture := w.picture()
	for _, f := range []string{
		`{"provider":"linkedin","kind":"timeout_after_accept","rate":0.01}`, `{"provider":"linkedin","kind":"500_after_accept","rate":0.015}`,
		`{"provider":"linkedin","kind":"reset_after_accept","rate":0.015}`, `{"provider":"linkedin","kind":"reset","rate":0.015}`,
		`{"provider":"linkedin","kind":"503","rate":0.015}`, `{"provider":"linkedin","kind":"no_id","rate":0.01}`,
		`{"provider":"linkedin","kind":"422","rate":0.015}`, `{"provider":"linkedin","kind":"429","rate":0.015,"params":{"retry_after":1}}`,
		`{"provider":"linkedin","kind":"409","rate":0.015}`, `{"provider":"linkedin","kind":"revoked","rate":0.01}`,
		`{"provider":"linkedin","kind":"reset","endpoint":"images","rate":0.02}`,
	} {
		w.fault(f)
	}
	began := time.Now()
	stop := w.operator()
	w.killAll(jobs, picture)
	w.await(20*time.Minute, "every job to come to its end", func() bool { return w.ended() >= jobs })
	stop()
	w.judge(jobs, time.Since(began))
}

type pressRoom struct {
	*world

	gates    []*gate
	accounts []string
	tokens   []string
	kills    map[hold]int
}

func (w *pressRoom) start() {
	w.t.Helper()
	_, pgPort, err := net.SplitHostPort(w.pgLink.addr())
	if err != nil {
		w.t.Fatal(err)
	}
	simPort := port(w.t)
	w.sim = "http://127.0.0.1:" + simPort
	base := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "OWN_STORES=true", "SIMULATOR=on", "SIMULATOR_PORT=" + simPort, "SIMULATOR_LATENCY_MS=30",
		"DATABASE_URL=postgres://astrogrowth@127.0.0.1:" + pgPort + "/astrogrowth?sslmode=disable", "REDIS_URL=" + w.redisURL,
		"ENCRYPTION_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "LOG_LEVEL=error", "WORKER_CONCURRENCY=40", "DATA_DIR=" + w.dev.DataDir,
		"LINKEDIN_MIN_POST_INTERVAL_MS=0", "LINKEDIN_MAX_POSTS_PER_DAY=100000", "LINKEDIN_MAX_CALLS_PER_DAY=1000000",
	}
	migrate := exec.CommandContext(w.t.Context(), filepath.Join(w.bin, "astrogrowth"), "migrate")
	migrate.Env = base
	if out, err := migrate.CombinedOutput(); err != nil {
		w.t.Fatalf("migrate: %v\n%s", err, out)
	}
	w.program("simulator", w.sim, base, "astrogrowth", "simulator")
	p := port(w.t)
	w.apis = []string{"http://127.0.0.1:" + p}
	w.program("enqueuer-0", w.apis[0], append(base, "PORT="+p), "enqueuer")
	for i := range 3 {
		g, p := newGate(w.t, "127.0.0.1:"+simPort), port(w.t)
		w.gates = append(w.gates, g)
		w.program(fmt.Sprintf("worker-%d", i), "http://127.0.0.1:"+p, append(base, "WORKER_PORT="+p, "SIMULATOR_URL="+g.url()), "worker")
	}
	if code, err := w.try(http.MethodPut, w.sim+"/_control/bodies", map[string]int{"keep": 10_000}, nil); err != nil || code/100 != 2 {
		w.t.Fatalf("bodies: %d %v", code, err)
	}
}

func (w *pressRoom) fault(f string) {
	w.t.Helper()
	if code, err := w.try(http.MethodPut, w.sim+"/_control/faults", json.RawMessage(f), nil); err != nil || code/100 != 2 {
		w.t.Fatalf("fault %s: %d %v", f, code, err)
	}
}

func (w *pressRoom) connect(n int) {
	w.t.Helper()
	for i := range n {
		w.tokens = append(w.tokens, fmt.Sprintf("sim-author-%d", i))
		w.accounts = append(w.accounts, w.reconnect(w.tokens[i]))
	}
}

// reconnect gives an account its token, as a person does whose account LinkedIn has turned down.
func (w *pressRoom) reconnect(token string) string {
	var out struct {
		ID string `json:"id"`
	}
	if code, err := w.try(http.MethodPost, w.apis[0]+"/v1/linkedin/accounts", map[string]string{"token": token}, &out); err != nil || code != http.StatusOK {
		w.t.Errorf("connect: %d %v", code, err)
	}
	return out.ID
}

func (w *pressRoom) picture() string {
	w.t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.apis[0]+"/v1/media?alt_text=a+square", &b)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "image/png")
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var m struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&m); err != nil || resp.StatusCode != http.StatusCreated {
		w.t.Fatalf("media: %d %v", resp.StatusCode, err)
	}
	return m.ID
}

func textOf(i int) string { return fmt.Sprintf("Annonce numéro %d (à lire) #terrasse", i) }

// enqueue accepts the jobs from one number to another: each its own text, one in five with a picture.
func (w *pressRoom) enqueue(from, to int, picture string) {
	w.t.Helper()
	type job struct {
		Type    string   `json:"type"`
		Key     string   `json:"idempotency_key"`
		Text    string   `json:"text"`
		Account string   `json:"account_id"`
		Images  []string `json:"images,omitempty"`
		Max     int      `json:"max_attempts"`
	}
	for first := from; first < to; first += 50 {
		var batch []job
		for i := first; i < min(first+50, to); i++ {
			j := job{Type: "linkedin-publish", Key: fmt.Sprint("post-", i), Text: textOf(i), Account: w.accounts[i%len(w.accounts)], Max: 20}
			if i%5 == 0 {
				j.Images = []string{picture}
			}
			batch = append(batch, j)
		}
		var out struct{ Accepted, Rejected int }
		if code, err := w.try(http.MethodPost, w.apis[0]+"/v1/jobs/batch", batch, &out); err != nil || out.Accepted != len(batch) {
			w.t.Errorf("batch: %d %v %+v", code, err, out)
		}
	}
}

// operator does what people and time do: accounts that were turned down are connected again, and waits of minutes are
// over at once. Nothing that it does touches a job whose outcome is unknown.
func (w *pressRoom) operator() (stop func()) {
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				w.goOn()
			}
		}
	}()
	return func() { close(end); <-done }
}

// goOn is one round of the operator.
func (w *pressRoom) goOn() {
	w.t.Helper()
	if w.count(`SELECT count(*) FROM linkedin_accounts WHERE status = 'reconnect'`) > 0 {
		for i, id := range w.accounts {
			if w.count(`SELECT count(*) FROM linkedin_accounts WHERE status = 'reconnect' AND id = '`+id+`'`) > 0 {
				w.reconnect(w.tokens[i])
			}
		}
	}
	w.exec(`UPDATE linkedin_stops SET seen_at = now() - interval '1 hour' WHERE seen_at < now() - interval '3 seconds'`)
	w.exec(`UPDATE jobs SET run_at = now() WHERE state IN ('waiting', 'retrying') AND run_at > now() + interval '3 seconds'
		AND dispatched_at IS NULL AND coalesce(waiting_reason, '') IN ('', 'rate_limited', 'api_version')`)
}

func (w *pressRoom) exec(query string) {
	if _, err := w.db.ExecContext(w.t.Context(), query); err != nil && w.t.Context().Err() == nil {
		w.t.Error(err)
	}
}

// killAll brings the jobs in portions, and into each a kill, at each point of a send in turn; in the middle LinkedIn
// retires the version.
func (w *pressRoom) killAll(jobs int, picture string) {
	w.t.Helper()
	w.kills = map[hold]int{}
	points := []hold{beforeClaim, afterClaim, midRequest, afterAccepted}
	rounds := max(4, min(40, jobs/50))
	for i := range rounds {
		if i == rounds/2 {
			w.fault(`{"provider":"linkedin","kind":"426","count":2}`)
		}
		at, n := points[i%len(points)], w.dice.IntN(len(w.gates))
		held := w.gates[n].arm(at)
		w.enqueue(jobs*i/rounds, jobs*(i+1)/rounds, picture)
		select {
		case <-held:
			w.kill(fmt.Sprintf("worker-%d", n))
			w.kills[at]++
		case <-time.After(30 * time.Second):
			w.t.Logf("nothing came to be held %s", at)
		}
	}
}

// ended counts the jobs that have come to an end, or wait for a person to say how they ended.
func (w *pressRoom) ended() int {
	w.t.Helper()
	return w.count(`SELECT count(*) FROM jobs WHERE type = 'linkedin-publish'
		AND (state IN ('succeeded', 'failed', 'canceled') OR state = 'waiting' AND waiting_reason = 'outcome_unknown')`)
}

// sent is one request for a post, as the simulator's book has it.
type sent struct {
	status   int
	fault    string
	canceled bool
}

// maybe says whether the sender cannot know that this request made no post.
func (s sent) maybe() bool { return s.status == 0 || s.status == 201 || s.status >= 500 || s.canceled }

// requestsByText reads from the book which requests came for each text, in their order.
func (w *pressRoom) requestsByText() map[string][]sent {
	w.t.Helper()
	var book struct {
		Entries []struct {
			Seq      int64
			Endpoint string
			Method   string
			Status   int
			Fault    string
			Canceled bool
		}
	}
	var kept struct {
		Bodies []struct {
			Seq  int64
			Body string
		}
	}
	for path, into := range map[string]any{"/_book?provider=linkedin&limit=0": &book, "/_control/bodies": &kept} {
		if code, err := w.try(http.MethodGet, w.sim+path, nil, into); err != nil || code != http.StatusOK {
			w.t.Fatalf("%s: %d %v", path, code, err)
		}
	}
	texts := map[int64]string{}
	for _, b := range kept.Bodies {
		var p struct{ Commentary string }
		if json.Unmarshal([]byte(b.Body), &p) == nil && p.Commentary != "" {
			texts[b.Seq] = strings.ReplaceAll(p.Commentary, `\`, "")
		}
	}
	out := map[string][]sent{}
	for _, e := range book.Entries {
		if text := texts[e.Seq]; text != "" && e.Endpoint == "posts" && e.Method == http.MethodPost {
			out[text] = append(out[text], sent{e.Status, e.Fault, e.Canceled})
		}
	}
	return out
}

// judge compares what the database says with what the simulator has.
func (w *pressRoom) judge(jobs int, took time.Duration) {
	w.t.Helper()
	var feed struct {
		Posts []struct{ URN, Text string }
	}
	if code, err := w.try(http.MethodGet, w.sim+"/_control/posts", nil, &feed); err != nil || code != http.StatusOK {
		w.t.Fatalf("posts: %d %v", code, err)
	}
	live := map[string][]string{}
	for _, p := range feed.Posts {
		live[p.Text] = append(live[p.Text], p.URN)
	}
	requests := w.requestsByText()
	rows, err := w.db.QueryContext(w.t.Context(), `
		SELECT j.input->>'text', j.state, coalesce(j.waiting_reason, ''), coalesce(j.error_message, ''), coalesce(p.state, ''), coalesce(p.urn, ''), coalesce(p.error, '')
		FROM jobs j LEFT JOIN publications p ON p.job_id = j.id WHERE j.type = 'linkedin-publish'`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	tally := map[string]int{}
	for rows.Next() {
		var text, job, waiting, fault, pub, urn, reason string
		if err := rows.Scan(&text, &job, &waiting, &fault, &pub, &urn, &reason); err != nil {
			w.t.Fatal(err)
		}
		posts := live[text]
		verdict := job + "/" + pub
		tally[verdict]++
		switch {
		case len(posts) > 1:
			w.t.Errorf("%d live posts of one job (%s): %s", len(posts), verdict, text)
		case verdict == "succeeded/published" && (len(posts) != 1 || urn != "" && urn != posts[0]):
			w.t.Errorf("published as %q, live are %v: %s", urn, posts, text)
		case verdict == "failed/rejected" && (len(posts) != 0 || reason == ""):
			w.t.Errorf("rejected (%q), live are %v: %s", reason, posts, text)
		case verdict == "failed/ready" && (len(posts) != 0 || fault == ""):
			w.t.Errorf("given up (%q), live are %v: %s", fault, posts, text)
		case verdict == "waiting/unknown" && (waiting != "outcome_unknown" || reason == ""):
			w.t.Errorf("unknown for %q, waits for %s: %s", reason, waiting, text)
		}
		w.neverAfterMaybe(text, requests[text])
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	w.report(jobs, took, tally, len(feed.Posts), requests)
}

// neverAfterMaybe fails when anything was sent after a request that may have made the post.
func (w *pressRoom) neverAfterMaybe(text string, requests []sent) {
	w.t.Helper()
	for i, r := range requests {
		if r.maybe() && i < len(requests)-1 {
			w.t.Errorf("sent again after %+v: %+v: %s", r, requests[i+1:], text)
			return
		}
	}
}

func (w *pressRoom) report(jobs int, took time.Duration, tally map[string]int, posts int, requests map[string][]sent) {
	w.t.Helper()
	sum, befell := 0, map[string]int{}
	for verdict, n := range tally {
		sum += n
		switch verdict {
		case "succeeded/published", "failed/rejected", "failed/ready", "waiting/unknown":
		default:
			w.t.Errorf("%d jobs are %s", n, verdict)
		}
	}
	all := 0
	for _, list := range requests {
		all += len(list)
		for _, r := range list {
			if r.fault != "" {
				befell[r.fault]++
			}
		}
	}
	if sum != jobs {
		w.t.Errorf("%d jobs, want %d", sum, jobs)
	}
	if n := w.count(`SELECT count(*) FROM publications p WHERE state = 'unknown' AND NOT EXISTS (SELECT 1 FROM events e WHERE e.job_id = p.job_id AND e.type = 'post.unknown')`); n != 0 {
		w.t.Errorf("%d unknown publications were not announced", n)
	}
	w.t.Logf("%d jobs over %d accounts in %.0f s: %v; %d requests, %d live posts", jobs, len(w.accounts), took.Seconds(), tally, all, posts)
	w.t.Logf("faults: %v; kills: %v", befell, w.kills)
}
