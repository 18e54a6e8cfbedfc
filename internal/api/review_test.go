package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/store"
)

// scoredLead is a lead with a score that the rules gave it.
func (f *face) scoredLead() growth.LeadID {
	f.t.Helper()
	made := f.call(http.MethodPost, "/v1/jobs/lead-qualification", `{"lead":{"business_name":"Bistro","business_type":"Restaurant","email":"ann@x.ca","notes":"devis urgent"}}`)
	leads, err := f.s.In(f.ws.ID).Leads(f.t.Context(), store.LeadFilter{}, store.Page{})
	if err != nil || made.status != http.StatusAccepted || len(leads) == 0 {
		f.t.Fatalf("%d %s, %v", made.status, made.body, err)
	}
	l := leads[0].Lead
	r, err := lead.Load("")
	if err != nil {
		f.t.Fatal(err)
	}
	q := lead.Score(r, l, lead.Rules(r, l), growth.ScoredByRules)
	result, err := json.Marshal(q)
	if err != nil {
		f.t.Fatal(err)
	}
	db := testenv.SQL(f.t, f.s)
	for _, query := range []string{
		`INSERT INTO qualifications (id, workspace_id, lead_id, job_id, fingerprint, score, result) VALUES (gen_random_uuid(), $1, $2, $3, 'f', $4, $5)`,
		`UPDATE leads SET score = $4, fingerprint = 'f' WHERE workspace_id = $1 AND id = $2 AND $3 <> '' AND $5 <> ''`,
	} {
		if _, err := db.ExecContext(f.t.Context(), query, f.ws.ID, l.ID, made.json(f.t)["id"], q.Score, string(result)); err != nil {
			f.t.Fatal(err)
		}
	}
	return l.ID
}

// read decodes an answer of the wanted status.
func read[T any](t testing.TB, a answer, status int) T {
	t.Helper()
	var out T
	if err := json.Unmarshal(a.body, &out); err != nil || a.status != status {
		t.Fatalf("%d %s, want %d; %v", a.status, a.body, status, err)
	}
	return out
}

func TestScoreIsExplainedContestedAndAnswered(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	if a := f.call(http.MethodPut, "/v1/workspace/settings", `{"reviewer":"Ann Roy, privacy@example.com"}`); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	path := "/v1/leads/" + string(f.scoredLead())
	e := read[api.Explained](t, f.call(http.MethodGet, path+"/explanation", ""), http.StatusOK)
	fr, en := e.Explanations["fr"], e.Explanations["en"]
	if e.DecidedBy != "automated" || *e.Score != e.Automated.Score || !strings.Contains(fr.Notice, "calculée automatiquement") || !strings.Contains(en.Notice, "computed automatically") ||
		len(fr.MainFactors) == 0 || len(en.DataUsed) == 0 || !strings.HasSuffix(en.Reviewer, "Ann Roy, privacy@example.com") {
		t.Fatalf("explanation = %+v", e)
	}
	p := read[api.Packet](t, f.call(http.MethodPost, path+"/contest", `{"observations":"Nous avons un budget.","by":"Luc"}`), http.StatusCreated)
	if p.Contest.Message != "Nous avons un budget." || p.Contest.By != "Luc" || *p.Contest.ScoreBefore != *e.Score || len(p.Reviews) != 1 || p.Explanations["fr"].Notice != fr.Notice {
		t.Errorf("packet = %+v", p)
	}
	if open := read[api.List[store.Review]](t, f.call(http.MethodGet, "/v1/contests", ""), http.StatusOK); len(open.Data) != 1 {
		t.Errorf("open contests = %+v", open)
	}
	e = read[api.Explained](t, f.call(http.MethodPost, path+"/override", `{"score":85,"reason":"The budget was told by telephone."}`), http.StatusOK)
	if *e.Score != 85 || e.Grade != "A1" || e.Priority != "high" || e.NextAction == "" || e.DecidedBy != "person" || len(e.Reviews) != 2 || e.Automated.Score == 85 {
		t.Errorf("overridden = %+v", e)
	}
	if r := e.Reviews[0]; r.Grade != e.Grade || r.Priority != e.Priority || r.NextAction != e.NextAction {
		t.Errorf("the review does not say what came with the score: %+v", r)
	}
	for query, want := range map[string]int{
		"grade=A1": 1, "priority=high": 1, "next_action=" + e.NextAction: 1, "min_score=85": 1, "grade=C": 0, "priority=low": 0, "next_action=disqualify": 0,
	} {
		if l := read[api.List[store.SavedLead]](t, f.call(http.MethodGet, "/v1/leads?"+query, ""), http.StatusOK); len(l.Data) != want {
			t.Errorf("%s: %d leads, want %d", query, len(l.Data), want)
		}
	}
	if l := read[store.SavedLead](t, f.call(http.MethodGet, path, ""), http.StatusOK); *l.Score != 85 || l.Grade != "A1" || l.Priority != "high" || l.NextAction != e.NextAction {
		t.Errorf("the lead = %+v", l)
	}
	if out := string(f.call(http.MethodGet, "/v1/leads/export.csv", "").body); !strings.Contains(out, ",85,A1,high,true,") || !strings.HasSuffix(strings.TrimSpace(out), ","+e.NextAction) {
		t.Errorf("the export: %s", out)
	}
	if open := read[api.List[store.Review]](t, f.call(http.MethodGet, "/v1/contests", ""), http.StatusOK); len(open.Data) != 0 {
		t.Errorf("still open = %+v", open)
	}
	for language, said := range map[string]string{"fr": "la note en vigueur est 85", "en": "the score in force is 85"} {
		if !strings.Contains(e.Explanations[language].Notice, said) {
			t.Errorf("notice = %q; want the person's answer in it", e.Explanations[language].Notice)
		}
	}
	e = read[api.Explained](t, f.call(http.MethodPost, path+"/override", `{"action":"lift","reason":"It was another lead."}`), http.StatusOK)
	if *e.Score != e.Automated.Score || e.Grade != e.Automated.Grade || e.NextAction != e.Automated.NextAction || e.DecidedBy != "automated" || len(e.Reviews) != 3 {
		t.Errorf("lifted = %+v", e)
	}
}

func TestReviewsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	path := "/v1/leads/" + string(f.scoredLead())
	for _, tc := range []struct {
		path, body string
		status     int
		says       string
	}{
		{path + "/override", `{"reason":"x"}`, 422, `"field":"body.score"`},
		{path + "/override", `{"score":101,"reason":"x"}`, 422, `body.score`},
		{path + "/override", `{"score":50}`, 422, `reason`},
		{path + "/override", `{"score":10,"grade":"A1","reason":"x"}`, 422, `"field":"body.grade"`},
		{path + "/override", `{"score":10,"grade":"D1","reason":"x"}`, 422, `body.grade`},
		{path + "/override", `{"score":95,"priority":"low","reason":"x"}`, 422, `"field":"body.priority"`},
		{path + "/override", `{"score":10,"next_action":"call","reason":"x"}`, 422, `"field":"body.next_action"`},
		{path + "/override", `{"action":"lift","next_action":"call","reason":"x"}`, 422, `"field":"body.score"`},
		{path + "/override", `{"action":"uphold","score":50,"reason":"x"}`, 422, `"field":"body.score"`},
		{path + "/override", `{"action":"lift","reason":"x"}`, 409, `no person has set`},
		{path + "/contest", `{}`, 422, `observations`},
		{"/v1/leads/" + nobody + "/contest", `{"observations":"x"}`, 404, `no lead`},
		{"/v1/leads/rescore", `{"rubric":"c3"}`, 422, `"field":"rubric"`},
	} {
		if a := f.call(http.MethodPost, tc.path, tc.body); a.status != tc.status || !strings.Contains(string(a.body), tc.says) {
			t.Errorf("%s %s: %d %s; want %d, %s", tc.path, tc.body, a.status, a.body, tc.status, tc.says)
		}
	}
	f.call(http.MethodPost, "/v1/jobs/lead-qualification", `{"lead":{"business_name":"Other","city":"Laval"}}`)
	leads, err := f.s.In(f.ws.ID).Leads(t.Context(), store.LeadFilter{Query: "Laval"}, store.Page{})
	if err != nil || len(leads) != 1 {
		t.Fatalf("%d leads, %v", len(leads), err)
	}
	if a := f.call(http.MethodGet, "/v1/leads/"+string(leads[0].Lead.ID)+"/explanation", ""); a.status != http.StatusConflict {
		t.Errorf("explanation without a score: %d %s", a.status, a.body)
	}
}

func TestOnlyAPersonMayOverride(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.RequireKeys = true })
	key := f.key(f.ws.ID, "read", "enqueue")
	if a := f.call(http.MethodPost, "/v1/leads/"+nobody+"/override", `{"score":85,"reason":"x"}`, "X-API-Key", key); a.status != http.StatusForbidden {
		t.Errorf("override without the scope approve: %d %s", a.status, a.body)
	}
}

func TestRescoreMakesJobsOfLowPriority(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	f.scoredLead()
	out := f.call(http.MethodPost, "/v1/leads/rescore", `{"rubric":"b2b"}`).json(t)
	if out["looked_at"] != 1.0 || out["enqueued"] != 1.0 || out["next_cursor"] != nil {
		t.Fatalf("rescored: %v", out)
	}
	jobs, err := f.s.In(f.ws.ID).Jobs(t.Context(), store.JobFilter{}, store.Page{})
	if err != nil || len(jobs) != 2 || jobs[0].Priority != growth.PriorityLow {
		t.Errorf("jobs %+v, %v", jobs, err)
	}
}

func TestChangedLeadSaysThatItsScoreIsStale(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	id := f.scoredLead()
	jobs := func() int {
		var n int
		if err := testenv.SQL(t, f.s).QueryRowContext(t.Context(), `SELECT count(*) FROM jobs WHERE lead_id = $1 AND priority = 'low'`, id).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if a := f.call(http.MethodPatch, "/v1/leads/"+string(id), `{"notes":"pas de budget"}`); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if n := jobs(); n != 1 {
		t.Errorf("%d jobs score the changed lead again, want 1", n)
	}
	e := read[api.Explained](t, f.call(http.MethodGet, "/v1/leads/"+string(id)+"/explanation", ""), http.StatusOK)
	if !e.Stale || !strings.Contains(e.Explanations["fr"].Notice, "a changé depuis") || !strings.Contains(e.Explanations["en"].Notice, "has changed since") {
		t.Errorf("explained %+v", e)
	}
}
