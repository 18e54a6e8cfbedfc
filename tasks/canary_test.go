package tasks_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/cache"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// durableRedis is a Redis of its own that writes everything to an append-only file in dir.
func durableRedis(t *testing.T, dir string) redis.UniversalClient {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed")
	}
	sock, err := os.MkdirTemp("", "aof") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(sock) })
	path := filepath.Join(sock, "s")
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), bin, "--port", "0", "--unixsocket", path, "--dir", dir, "--appendonly", "yes", "--save", "", "--daemonize", "no")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	rdb, err := tasks.Redis("redis-socket://" + path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	eventually(t, "the Redis answers", func() bool { return rdb.Ping(t.Context()).Err() == nil })
	return rdb
}

// textOf is every file below dir.
func textOf(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		b.Write(content)
		b.WriteByte('\n')
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// faltering fails the first attempt, and for good any job that names a rubric: asynq archives its task.
type faltering struct {
	tasks.QualifyWorker
	fell *atomic.Int32
}

func (s faltering) Work(ctx context.Context, job *tasks.Job[tasks.QualifyArgs]) error {
	if job.Args.Rubric != "" {
		return growth.Errorf(growth.Invalid, "test", "this job fails for good")
	}
	return tripping(s).Work(ctx, job)
}

// The same canary as in TestErasedLeadIsNowhere, looked for where data outlives a process: the files of Redis with their
// log rewritten, archived tasks, and the programs' log files at their most talkative. An export is a stream of the API and
// no file of ours.
func TestErasedLeadIsInNoFile(t *testing.T) {
	t.Parallel()
	data, logs := t.TempDir(), t.TempDir()
	rdb := durableRedis(t, data)
	s := testenv.Store(t)
	p := newPlantOn(t, s, testenv.Workspace(t, s), rdb)
	log, closer := daemon.NewLogger(daemon.LogOptions{Level: "trace", Dir: logs, Program: "worker", Out: &strings.Builder{}})
	t.Cleanup(func() { _ = closer.Close() })
	stopping, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(stop)
	p.stop = stop
	p.relay = tasks.NewRelay(s, rdb, log)
	p.queue = tasks.NewQueue(s, p.relay)
	p.runner = tasks.NewRunner(stopping, s, p.relay, "test", log, func(_ context.Context, err error) { log.Error().Err(err).Msg("fault") })
	kept, err := cache.New(rdb, cache.Settings{Patience: 10 * time.Second})
	p.must(err)
	t.Cleanup(kept.Close)
	w := newWorld(t)
	chain := w.chain(func(c *router.Config) { c.Cache = kept })
	tasks.AddWorker(p.runner, faltering{tasks.QualifyWorker{Store: s, Chain: chain}, &atomic.Int32{}})
	p.relays().serves(growth.JobLeadQualification)
	a := aviary{p, kept, tasks.Importer{Store: s, Queue: p.queue, Cache: kept}}

	a.imported(canaryFile)
	id := a.leadNamed(canaryMail)
	eventually(t, "both leads are scored after a failure", func() bool {
		return a.count(`SELECT count(*) FROM jobs WHERE state = 'succeeded' AND attempts > 1`) == 2
	})
	other := growth.Lead{BusinessName: "Volière " + canaryWord + " inc.", Notes: canaryWord, City: "Laval"}
	twin, err := p.sc.PutLeads(t.Context(), []store.LeadPut{{Lead: other, Keys: tasks.LeadKeys(other)}}, never, replaced)
	p.must(err)
	p.asks(twin[0].Lead.ID)
	eventually(t, "its double is scored too", func() bool { return a.count(`SELECT count(*) FROM qualifications`) == 3 })
	_, err = p.sc.MergeLeads(t.Context(), store.Merge{From: twin[0].Lead.ID, Into: id}, func(into, _ growth.Lead) growth.Lead { return into }, tasks.LeadKeys)
	p.must(err)
	_, err = p.sc.ChangeLead(t.Context(), id, func(l growth.Lead) (growth.Lead, []store.LeadKey, error) {
		l.Email = "neuf." + canaryMail
		return l, tasks.LeadKeys(l), nil
	})
	p.must(err)
	_, err = p.queue.Enqueue(t.Context(), p.ws.ID, tasks.Submission{Args: tasks.QualifyArgs{LeadID: id, Rubric: "b2b"}, LeadID: id})
	p.must(err)
	queue := growth.JobLeadQualification.Queue()
	eventually(t, "a task of the lead is archived", func() bool { return len(p.archived(queue)) == 1 })
	if n := len(where(textOf(t, data), canaryWord)) + len(where(a.redisText(), canaryWord)); n == 0 && a.count(`SELECT count(*) FROM calls`) == 0 {
		t.Fatal("nothing of the lead ever went through Redis or to a model")
	}

	full, err := kept.Size(t.Context(), p.ws.ID)
	p.must(err)
	_, err = a.im.Erase(t.Context(), p.ws.ID, twin[0].Lead.ID, "somebody") // by the id of the double
	p.must(err)
	p.must(rdb.BgRewriteAOF(t.Context()).Err())
	eventually(t, "the log of Redis is rewritten", func() bool {
		info := rdb.Info(t.Context(), "persistence").Val()
		return strings.Contains(info, "aof_rewrite_in_progress:0") && strings.Contains(info, "aof_rewrite_scheduled:0") && strings.Contains(info, "aof_last_bgrewrite_status:ok")
	})
	if left, err := kept.Size(t.Context(), p.ws.ID); err != nil || left.Entries > full.Entries-2 {
		t.Errorf("the cache holds %d answers, had %d with those of both leads: %v", left.Entries, full.Entries, err)
	}
	if len(p.archived(queue)) != 1 {
		t.Error("the archived task went away by itself: it proves nothing")
	}
	places := map[string]string{"database": a.dump(), "Redis": a.redisText(), "files of Redis": textOf(t, data), "logs": textOf(t, logs)}
	if len(places["logs"]) < 200 || len(places["files of Redis"]) < 200 {
		t.Fatalf("there is hardly anything to look through: %d and %d bytes", len(places["logs"]), len(places["files of Redis"]))
	}
	for place, text := range places {
		for _, mark := range []string{canaryMail, canaryWord, "du Perchoir", "555-0199"} {
			if found := where(text, mark); len(found) > 0 {
				t.Errorf("%q stands in the %s: %q", mark, place, found)
			}
		}
	}
}
