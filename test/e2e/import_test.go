//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const waitLong = 30 * time.Second

// montreal is the real file, as a person would send it.
func montreal(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("ASTROGROWTH_TESTDATA")
	if dir == "" {
		t.Skip("ASTROGROWTH_TESTDATA is not set: it names the folder with the test data")
	}
	return filepath.Join(dir, "leads_montreal_restaurants.cp1252.csv")
}

func TestImportOfARealFile(t *testing.T) {
	t.Parallel()
	file := montreal(t)
	s := newStack(t)
	s.start()
	out, code := s.cli("import", file, "--yes")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	for _, want := range []string{"windows-1252", "666 leads", "1,167 rows", "AU BON CAFÉ", "PHO-MAISONNEUVE", "89 leads will be disqualified", "666 accepted"} {
		if !strings.Contains(out, want) {
			t.Errorf("the import does not say %q:\n%s", want, out)
		}
	}
	before := s.callCount()
	s.eachLeadScoredOnce(666)
	out, code = s.cli("import", file, "--yes")
	if code != 0 || !strings.Contains(out, "Nothing new") {
		t.Errorf("second import: exit %d\n%s", code, out)
	}
	if after := s.callCount(); after != before {
		t.Errorf("the second import made %v calls", after-before)
	}
	s.eachLeadScoredOnce(666)
}

// TestKillOfEverythingInTheMiddle kills up, its programs and both stores at once, and starts again.
func TestKillOfEverythingInTheMiddle(t *testing.T) {
	t.Parallel()
	file := montreal(t)
	s := newStack(t, "SIMULATOR_LATENCY_MS=400", "WORKER_CONCURRENCY=8")
	s.start()
	if out, code := s.cli("import", file, "--yes", "--detach"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	s.await(waitLong, "some leads to be done and some not", func() bool { return s.succeeded() > 20 })
	if n := s.succeeded(); n >= 666 {
		t.Fatalf("all %d were done before the blow", n)
	}
	s.killAll()
	s.start()
	s.await(3*time.Minute, "the rest to be done", func() bool { return s.succeeded() == 666 })
	s.eachLeadScoredOnce(666)
}

func (s *stack) campaign() string {
	s.t.Helper()
	var list obj
	s.call(http.MethodGet, s.api+"/v1/campaigns", nil, &list)
	return list.str("data.0.id")
}

func (s *stack) succeeded() int {
	s.t.Helper()
	var p obj
	s.call(http.MethodGet, s.api+"/v1/campaigns/"+s.campaign()+"/progress", nil, &p)
	n, _ := p.at("by_state.succeeded").(float64)
	return int(n)
}

func (s *stack) callCount() float64 {
	s.t.Helper()
	var sum obj
	s.call(http.MethodGet, s.api+"/v1/analytics/summary", nil, &sum)
	n, _ := sum.at("total.calls").(float64)
	return n
}

// eachLeadScoredOnce reads every lead and counts its scores.
func (s *stack) eachLeadScoredOnce(want int) {
	s.t.Helper()
	cursor, leads := "", 0
	for {
		var page obj
		url := s.api + "/v1/leads?limit=200"
		if cursor != "" {
			url += "&cursor=" + cursor
		}
		s.call(http.MethodGet, url, nil, &page)
		for _, l := range page.list("data") {
			leads++
			row, _ := l.(map[string]any)
			id := obj(row).str("lead.id")
			var q obj
			s.call(http.MethodGet, s.api+"/v1/leads/"+id+"/qualifications", nil, &q)
			if n := len(q.list("data")); n != 1 {
				s.t.Fatalf("lead %s has %d scores, want 1", id, n)
			}
		}
		next, ok := page.at("next_cursor").(string)
		if !ok {
			break
		}
		cursor = next
	}
	if leads != want {
		s.t.Errorf("%d leads, want %d", leads, want)
	}
}
