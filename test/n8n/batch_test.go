//go:build n8n

package n8n

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// summary is what the second workflow says of a run.
type summary struct {
	Leads, Written, Failed, Approved int
	NotTaken                         int      `json:"not_taken"`
	AtWork                           int      `json:"still_at_work"`
	ForAPerson                       int      `json:"for_a_person"`
	Reasons                          []string `json:"reasons"`
	Campaign                         string
	Cost                             struct{ Currency string }
}

func summaryOf(t *testing.T, r run) summary {
	t.Helper()
	if r.ran("Summary") != 1 {
		t.Fatalf("run %d %s without a summary: %s %+v", r.ID, r.Status, r.Error, r.Nodes)
	}
	raw, err := json.Marshal(r.Nodes["Summary"][0].JSON)
	if err != nil {
		t.Fatal(err)
	}
	var out summary
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	t.Logf("run %d (%s): %+v", r.ID, r.Mode, out)
	return out
}

func TestTheBatchIsWrittenOnce(t *testing.T) {
	p, s := begin(t)
	p.call(t, http.MethodPut, "/v1/workspace/settings", map[string]any{"brand": map[string]any{"name": "Agence", "trusted_posts": 5}}, nil)
	for _, name := range []string{"Zoe", "Max", "Eve", "Jan", "Kim", "Lea", "Tom"} {
		lead := bistro(name)
		delete(lead, "tables")
		delete(lead, "colour of the door")
		var made job
		p.call(t, http.MethodPost, "/v1/jobs/lead-qualification", map[string]any{"lead": lead}, &made)
		p.call(t, http.MethodGet, "/v1/jobs/"+made.ID+"?wait=60s", nil, &made)
		if made.State != "succeeded" {
			t.Fatalf("%+v", made)
		}
	}
	var leads struct{ Data []json.RawMessage }
	p.call(t, http.MethodGet, "/v1/leads?priority=high&content=none&limit=200", nil, &leads)
	first := batch(t, s, p, len(leads.Data))
	if first.ran("This round") != (len(leads.Data)+4)/5 || first.ran("A moment") == 0 {
		t.Errorf("%d rounds of five, %d pauses; want all leads in rounds, and waiting", first.ran("This round"), first.ran("A moment"))
	}
	jobs := len(p.jobs(t, "type=content-generation"))
	before := s.newest(t)
	if out, err := s.cli("execute", "--id="+contentID); err != nil || !strings.Contains(out, "Execution was successful") {
		t.Fatalf("%v %s", err, out)
	}
	if r := s.becomes(t, before, contentID, "success"); r.ran("Nothing to write about") != 1 || r.ran("Write") != 0 {
		t.Errorf("a second run: %+v; want nothing to write about", r.Nodes)
	}
	if again := len(p.jobs(t, "type=content-generation")); again != jobs {
		t.Errorf("%d jobs after a second run, %d before", again, jobs)
	}
}

// batch runs the second workflow by hand and holds its summary against the product's own word.
func batch(t *testing.T, s *server, p *product, leads int) run {
	t.Helper()
	before := s.newest(t)
	if out, err := s.cli("execute", "--id="+contentID); err != nil || !strings.Contains(out, "Execution was successful") {
		t.Fatalf("%v %s", err, out)
	}
	r := s.becomes(t, before, contentID, "success")
	got := summaryOf(t, r)
	if got.Leads != leads || got.Written != leads || got.NotTaken+got.Failed+got.AtWork != 0 || got.Approved+got.ForAPerson != leads || got.Approved == 0 || got.Cost.Currency == "" {
		t.Errorf("summary = %+v; want %d leads, a post about each, and some approved", got, leads)
	}
	approved := 0
	for _, j := range p.jobs(t, "type=content-generation") {
		for _, v := range j.Result.Variants {
			var c struct{ Status string }
			p.call(t, http.MethodGet, "/v1/contents/"+v.ContentID, nil, &c)
			if c.Status == "approved" {
				approved++
			}
		}
	}
	if approved != got.Approved {
		t.Errorf("the summary counts %d approved, the product %d", got.Approved, approved)
	}
	return r
}
