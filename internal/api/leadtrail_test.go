package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/store"
)

func TestLeadIsMergedAndErasedByEitherId(t *testing.T) {
	t.Parallel()
	f, ids := stocked(t)
	path := "/v1/leads/" + ids["3"]
	got := read[store.SavedLead](t, f.call(http.MethodPost, path+"/merge", `{"into":"`+ids["1"]+`"}`), http.StatusOK)
	if string(got.Lead.ID) != ids["1"] || got.Lead.City != "Montréal" || got.Lead.BusinessName != "Café Été" {
		t.Errorf("merged %+v", got)
	}
	if old := read[store.SavedLead](t, f.call(http.MethodGet, path, ""), http.StatusOK); string(old.MergedInto) != ids["1"] {
		t.Errorf("the old id answers %+v", old)
	}
	if n := len(f.leads("")); n != 2 {
		t.Errorf("%d leads are left", n)
	}
	var kinds []string
	history := read[api.List[store.LeadEntry]](t, f.call(http.MethodGet, path+"/history", ""), http.StatusOK)
	for _, e := range history.Data {
		kinds = append(kinds, e.Kind)
	}
	if !strings.Contains(strings.Join(kinds, " "), "merged") || !strings.Contains(strings.Join(kinds, " "), "imported") {
		t.Errorf("history %q", kinds)
	}
	page := read[api.List[store.LeadEntry]](t, f.call(http.MethodGet, path+"/history?limit=1", ""), http.StatusOK)
	if len(page.Data) != 1 || page.NextCursor == nil {
		t.Errorf("a page of the history: %+v", page)
	}
	for body, want := range map[string]int{`{"into":"` + ids["3"] + `"}`: 422, `{"into":"` + nobody + `"}`: 409, `{}`: 422} {
		if a := f.call(http.MethodPost, path+"/merge", body); a.status != want {
			t.Errorf("%s: %d %s, want %d", body, a.status, a.body, want)
		}
	}
	first := f.call(http.MethodDelete, path, "").json(t)
	second := f.call(http.MethodDelete, "/v1/leads/"+ids["1"], "").json(t)
	if first["id"] == nil || first["id"] != second["id"] {
		t.Errorf("receipts %v and %v", first, second)
	}
	for _, id := range []string{ids["1"], ids["3"]} {
		if a := f.call(http.MethodGet, "/v1/leads/"+id, ""); a.status != http.StatusNotFound {
			t.Errorf("the erased lead: %d %s", a.status, a.body)
		}
	}
	back := `{"lead":{"business_name":"X","email":"trois@example.com"}}`
	if a := f.call(http.MethodPost, "/v1/jobs/lead-qualification", back); a.status != http.StatusConflict {
		t.Errorf("the address of the one that was merged: %d %s", a.status, a.body)
	}
	for body, want := range map[string]int{`{"reason":"asked again"}`: 422, `{"email":"trois@example.com"}`: 422, `{"email":"no@example.com","reason":"asked again"}`: 404} {
		if a := f.call(http.MethodPost, "/v1/leads/tombstones/lift", body); a.status != want {
			t.Errorf("lift %s: %d %s, want %d", body, a.status, a.body, want)
		}
	}
	key := f.key(f.ws.ID, "read", "enqueue", "approve")
	lift := `{"email":"Trois@Example.com","reason":"asked again"}`
	if a := f.call(http.MethodPost, "/v1/leads/tombstones/lift", lift, "X-API-Key", key); a.status != http.StatusForbidden {
		t.Errorf("lift without the scope admin: %d %s", a.status, a.body)
	}
	lifted := read[api.List[store.Erasure]](t, f.call(http.MethodPost, "/v1/leads/tombstones/lift", lift), http.StatusOK)
	if len(lifted.Data) != 1 || lifted.Data[0].Lifted == nil || lifted.Data[0].Lifted.Reason != "asked again" {
		t.Errorf("lifted %+v", lifted)
	}
	if a := f.call(http.MethodPost, "/v1/jobs/lead-qualification", back); a.status != http.StatusAccepted {
		t.Errorf("after the lift: %d %s", a.status, a.body)
	}
}

func TestCampaignIsReadChangedAndClosed(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	id := fmt.Sprint(f.call(http.MethodPost, "/v1/campaigns", `{"name":"spring"}`).json(t)["id"])
	path := "/v1/campaigns/" + id
	job := `{"lead":{"business_name":"B"},"campaign_id":"` + id + `"}`
	if a := f.call(http.MethodPost, "/v1/jobs/lead-qualification", job); a.status != http.StatusAccepted {
		t.Fatalf("%d %s", a.status, a.body)
	}
	c := read[api.CampaignDetail](t, f.call(http.MethodGet, path, ""), http.StatusOK)
	if c.Jobs[growth.JobLeadQualification][growth.JobQueued] != 1 || c.Leads["unscored"] != 1 || c.Status != "open" || c.UnknownCosts != 0 || c.Cost.USD == nil {
		t.Errorf("campaign %+v", c)
	}
	budget := fmt.Sprint(f.call(http.MethodPost, "/v1/budgets", `{"name":"b","period":"month","limit_usd":"5"}`).json(t)["id"])
	c = read[api.CampaignDetail](t, f.call(http.MethodPatch, path, `{"name":"summer","budget_id":"`+budget+`"}`), http.StatusOK)
	if c.Name != "summer" || len(c.Budgets) != 1 || string(c.Budgets[0].ID) != budget {
		t.Errorf("changed %+v", c)
	}
	if a := f.call(http.MethodPatch, path, `{"budget_id":"`+nobody+`"}`); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), "budget_id") {
		t.Errorf("a budget that is none: %d %s", a.status, a.body)
	}
	if a := f.call(http.MethodPatch, path, `{"budget_id":"`+budget+`"}`, "X-API-Key", f.key(f.ws.ID, "read", "enqueue")); a.status != http.StatusForbidden {
		t.Errorf("a budget bound without the scope admin: %d %s", a.status, a.body)
	}
	if c = read[api.CampaignDetail](t, f.call(http.MethodPost, path+"/close", ""), http.StatusOK); c.Status != "closed" || c.ClosedAt == nil {
		t.Errorf("closed %+v", c)
	}
	if a := f.call(http.MethodPost, "/v1/jobs/lead-qualification", job); a.status != http.StatusConflict || !strings.Contains(string(a.body), `"field":"campaign_id"`) {
		t.Errorf("a job for a closed campaign: %d %s", a.status, a.body)
	}
}

func TestConsentBarsALead(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for consent, want := range map[string]int{
		`{"basis":"express","at":"2026-01-01T00:00:00Z","expires_at":"2026-02-01T00:00:00Z"}`: 403,
		`{"basis":"contract","withdrawn_at":"2026-02-01T00:00:00Z"}`:                          403,
		`{"basis":"contract","expires_at":"2026-02-01T00:00:00Z"}`:                            202,
		`{"basis":"express","expires_at":"2096-02-01T00:00:00Z"}`:                             202,
		`{"basis":"hearsay"}`: 422,
		`{"at":"2026-03-01T00:00:00Z","withdrawn_at":"2026-02-01T00:00:00Z"}`: 422,
	} {
		body := `{"lead":{"business_name":"B` + fmt.Sprint(len(consent)) + `","consent":` + consent + `}}`
		if a := f.call(http.MethodPost, "/v1/jobs/lead-qualification", body); a.status != want || want >= 400 && !strings.Contains(string(a.body), `"field":"lead.consent.`) {
			t.Errorf("%s: %d %s, want %d", consent, a.status, a.body, want)
		}
	}
	for state, want := range map[string]int{"valid": 2, "expired": 0, "none": 0} {
		if n := len(f.leads("consent=" + state)); n != want {
			t.Errorf("%s: %d leads, want %d", state, n, want)
		}
	}
}

func TestGoldenSetKeepsNoPersonalData(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	lead := `{"business_name":"Bistro","email":"ann@x.example","contact_name":"Ann Roy","notes":"Ann Roy veut une soumission"}`
	made := f.call(http.MethodPost, "/v1/golden-sets", `{"name":"g","rubric":"b2b","leads":[{"lead":`+lead+`,"expected":{"levels":{"role":"unknown"},"score":40,"grade":"B2"}}]}`)
	set := read[store.GoldenSet](t, made, http.StatusCreated)
	got := f.call(http.MethodGet, "/v1/golden-sets/"+set.ID, "")
	if set.Leads != 1 || !strings.HasPrefix(set.Rubric, "b2b@") || strings.Contains(string(got.body), "ann@") || strings.Contains(string(got.body), "Roy") {
		t.Errorf("%d %s", got.status, got.body)
	}
	for expected, says := range map[string]string{
		`{"levels":{"shoe":"big"}}`: "expected.levels.shoe", `{"levels":{"role":"king"}}`: "no such level", `{}`: "expected", `{"levels":{},"score":101}`: "score",
	} {
		a := f.call(http.MethodPost, "/v1/golden-sets", `{"name":"h","rubric":"b2b","leads":[{"lead":`+lead+`,"expected":`+expected+`}]}`)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), says) {
			t.Errorf("%s: %d %s; want %s", expected, a.status, a.body, says)
		}
	}
	run := f.call(http.MethodPost, "/v1/golden-sets/"+set.ID+"/runs", `{"candidates":[{"provider":"openrouter","model":"openai/gpt-4o-mini"}]}`)
	var job growth.Job
	if err := json.Unmarshal(run.body, &job); err != nil || run.status != http.StatusAccepted || job.Type != growth.JobLeadAgreement {
		t.Errorf("%d %s", run.status, run.body)
	}
	for candidate, says := range map[string]string{
		`{"provider":"openrouter","model":"openai/gpt-4o-mni"}`: `did you mean openai/gpt-4o-mini`,
		`{"provider":"openrouter","model":"gpt-4o-mini"}`:       `did you mean openai/gpt-4o-mini`,
		`{"provider":"openruter","model":"openai/gpt-4o-mini"}`: `there is no provider \"openruter\"; use openrouter`,
	} {
		a := f.call(http.MethodPost, "/v1/golden-sets/"+set.ID+"/runs", `{"candidates":[{"provider":"openrouter","model":"openai/gpt-4o-mini"},`+candidate+`]}`)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), says) || !strings.Contains(string(a.body), `"field":"body.candidates[1]"`) {
			t.Errorf("%s: %d %s; want %s", candidate, a.status, a.body, says)
		}
	}
	if a := f.call(http.MethodPost, "/v1/golden-sets/"+set.ID+"/runs", `{"candidates":[{"provider":"a","model":"b"},{"provider":"a","model":"b"}]}`); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a model twice: %d %s", a.status, a.body)
	}
}

func TestRescoreIsScheduledWithoutAnAdmin(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	key := f.key(f.ws.ID, "read", "enqueue")
	for job, want := range map[string]int{
		`{"type":"maintenance","kind":"rescore"}`:                                        201,
		`{"type":"maintenance","kind":"rescore","rescore_campaign_id":"` + nobody + `"}`: 201,
		`{"type":"maintenance","kind":"rescore","rescore_campaign_id":"spring"}`:         422,
		`{"type":"maintenance","kind":"purge"}`:                                          403,
	} {
		body := `{"name":"n` + fmt.Sprint(len(job)) + `","cron":"0 3 * * *","zone":"America/Toronto","job":` + job + `}`
		a := f.call(http.MethodPost, "/v1/schedules", body, "X-API-Key", key)
		if a.status != want || want == 422 && !strings.Contains(string(a.body), "job.rescore_campaign_id") {
			t.Errorf("%s: %d %s, want %d", job, a.status, a.body, want)
		}
	}
}
