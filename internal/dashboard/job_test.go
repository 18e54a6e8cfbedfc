package dashboard_test

import (
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/dashboard"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/store"
)

func TestJobShowsEveryCandidateAndWhyNot(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	d := seed{t, db, workspace(t, db, "Jobs")}
	id := d.job(growth.JobLeadQualification, map[string]any{"x": "needle"}, "")
	d.run(id, []growth.Call{
		skipped("openrouter", "meta/llama", "breaker_open"), failed("huggingface", "qwen", growth.Throttled), answered("ollama", "llama3", "0", 900),
	}, store.Outcome{State: growth.JobFailed, Err: &growth.JobError{Code: growth.Refused, Message: "every candidate <b>refused</b>"}})
	waiting := d.job(growth.JobContentGeneration, map[string]any{}, "")
	until := time.Now().Add(time.Hour)
	d.run(waiting, nil, store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitQuota, RunAt: until, Redeliver: true})
	s := serve(t, dashboard.Config{Store: db, Workspace: d.ws.Slug})

	body := s.page("/jobs/"+string(id), "circuit breaker open", "too many requests", "no answer within 30 s", "extract", "answered",
		"every candidate &lt;b&gt;refused&lt;/b&gt;", "final")
	if strings.Index(body, "meta/llama") > strings.Index(body, "llama3") {
		t.Error("the candidates are not in the order of the chain")
	}
	s.page("/jobs/"+string(waiting), "quota used up", until.UTC().Format("2006-01-02 15:04"))

	for _, tc := range []struct {
		query         string
		first, second bool
	}{
		{"", true, true},
		{"?state=failed", true, false},
		{"?type=content-generation", false, true},
		{"?q=needle", true, false},
		{"?state=succeeded", false, false},
	} {
		list := s.page("/jobs" + tc.query)
		if has := strings.Contains(list, string(id)); has != tc.first {
			t.Errorf("/jobs%s lists the failed job: %v", tc.query, has)
		}
		if has := strings.Contains(list, string(waiting)); has != tc.second {
			t.Errorf("/jobs%s lists the waiting job: %v", tc.query, has)
		}
	}
	for path, want := range map[string]int{
		"/jobs?state=lost": 422, "/jobs?cursor=x": 422, "/jobs/x": 404, "/jobs/" + growth.NewID(): 404, "/nowhere": 404,
	} {
		if a := s.get(path); a.status != want {
			t.Errorf("GET %s = %d, want %d", path, a.status, want)
		}
	}
}
