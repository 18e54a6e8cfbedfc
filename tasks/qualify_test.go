package tasks_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// bistro is a lead with all that may and all that must not reach a provider.
func bistro() growth.Lead {
	rating, reviews := 4.6, 312
	return growth.Lead{
		BusinessName: "Bistro Boréal", BusinessType: "Restaurant", ContactName: "Marguerite Quenneville", Email: "m.quenneville@bistroboreal.example",
		Phone: "514-555-0142", Website: "https://bistroboreal.example", Address: "4821 rue Sainte-Zotique", City: "Montréal", Province: "QC",
		PostalCode: "H2S 1A1", Country: "CA", GoogleRating: &rating, GoogleReviews: &reviews,
		Notes: "Cherche à remplir sa terrasse en semaine; veut plus d'avis Google.",
	}
}

func (p *plant) lead(l growth.Lead) growth.LeadID {
	p.t.Helper()
	never := func(_, _ growth.Lead) bool { return false }
	out, err := p.sc.PutLeads(p.t.Context(), []store.LeadPut{{Lead: l}}, never, func(_, update growth.Lead) growth.Lead { return update })
	p.must(err)
	return out[0].Lead.ID
}

func (p *plant) qualifies(w *world) *plant {
	p.t.Helper()
	tasks.AddWorker(p.runner, tasks.QualifyWorker{Store: p.s, Chain: w.chain()})
	return p.relays().serves(growth.JobLeadQualification)
}

func result[T any](t *testing.T, j growth.Job) T {
	t.Helper()
	var out T
	if err := json.Unmarshal(j.Result, &out); err != nil {
		t.Fatalf("result %s: %v", j.Result, err)
	}
	return out
}

func TestLeadIsScoredByTheFirstModel(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.qualifies(w)
	lead := p.lead(bistro())
	j := p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: lead}, growth.JobOptions{}), growth.JobSucceeded)
	q := result[growth.Qualification](t, j)
	if q.ScoredBy != growth.ScoredByModel || q.LeadID != lead || len(q.Reasons) == 0 || q.Model == "" || q.PromptVersion == "" || q.Rubric == "" {
		t.Errorf("qualification = %+v", q)
	}
	text, err := json.Marshal(bistro())
	p.must(err)
	for _, r := range q.Reasons {
		if r.Verified && !strings.Contains(string(text), r.Quote) && r.Quote != "" && r.Field != "google_rating" && r.Field != "google_reviews" {
			t.Errorf("quote %q does not stand in the lead", r.Quote)
		}
	}
	if !j.Simulated || len(j.Calls) != 1 || j.Calls[0].Status != growth.CallOK || j.Cost.USD == nil {
		t.Errorf("simulated %v, calls %+v, cost %+v", j.Simulated, j.Calls, j.Cost)
	}
	saved, err := p.sc.Lead(t.Context(), lead)
	p.must(err)
	if saved.Score == nil || *saved.Score != q.Score || saved.Grade != q.Grade {
		t.Errorf("the lead has %v %s; want %d %s", saved.Score, saved.Grade, q.Score, q.Grade)
	}
}

func TestPersonalDataReachesNoProvider(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	heard := w.listens()
	p.qualifies(w)
	lead := p.lead(bistro())
	p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: lead}, growth.JobOptions{}), growth.JobSucceeded)
	bodies := heard()
	if len(bodies) == 0 || !strings.Contains(bodies[0], "Bistro Bor") {
		t.Fatalf("%d requests; want one about the business", len(bodies))
	}
	for _, secret := range []string{"Marguerite", "Quenneville", "quenneville@", "555-0142", "4821", "Zotique"} {
		if strings.Contains(strings.Join(bodies, "\n"), secret) {
			t.Errorf("%q was sent", secret)
		}
	}
	sent, err := p.sc.TransfersOfLead(t.Context(), lead)
	p.must(err)
	if len(sent) != 1 || sent[0].Provider != simulator.OpenRouter {
		t.Fatalf("transfers = %+v", sent)
	}
	for _, f := range []string{"email", "phone", "contact_name", "address"} {
		if strings.Contains(strings.Join(sent[0].Fields, " "), f) {
			t.Errorf("field %s went to %s", f, sent[0].Provider)
		}
	}
}

func TestNextProviderScoresWhenTheFirstFails(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	w.fails("503", simulator.FaultParams{}, simulator.OpenRouter)
	p.qualifies(w)
	j := p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: p.lead(bistro())}, growth.JobOptions{}), growth.JobSucceeded)
	if q := result[growth.Qualification](t, j); q.ScoredBy != growth.ScoredByFallback || !strings.HasPrefix(q.Model, "huggingface/") {
		t.Errorf("scored by %s, %s; want the fallback at Hugging Face", q.ScoredBy, q.Model)
	}
	want := []string{"openrouter: failed", "openrouter: failed", "huggingface: answered"}
	if diff := cmp.Diff(want, decisions(j.Calls)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	for _, c := range j.Calls[:2] {
		if c.Code != "unavailable" || c.Status != growth.CallFailed {
			t.Errorf("call = %+v; want why it failed", c)
		}
	}
}

func TestRulesScoreWhenTheLastAttemptHasFailed(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	w.fails("503", simulator.FaultParams{}, everyModel...)
	p.qualifies(w)
	lead := p.lead(bistro())
	id := p.enqueue(tasks.QualifyArgs{LeadID: lead}, growth.JobOptions{MaxAttempts: 2})
	if j := p.becomes(id, growth.JobRetrying); j.Error.Code != growth.Unavailable {
		t.Errorf("error = %+v", j.Error)
	}
	eventually(t, "asynq holds the task", func() bool { return len(p.inRetry("qualification")) == 1 })
	p.must(p.inspect.RunTask("qualification", string(id)))
	q := result[growth.Qualification](t, p.becomes(id, growth.JobSucceeded))
	if q.ScoredBy != growth.ScoredByRules || q.Model != "" || q.Score == 0 {
		t.Errorf("scored %d by %s with %q; want the rules", q.Score, q.ScoredBy, q.Model)
	}
	if sent, err := p.sc.TransfersOfLead(t.Context(), lead); err != nil || len(sent) == 0 {
		t.Errorf("transfers %v, %v; want those of both attempts: the lead was sent, though nobody answered", sent, err)
	}
	w.sim.ClearFaults("")
	again := result[growth.Qualification](t, p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: lead}, growth.JobOptions{}), growth.JobSucceeded))
	if again.ScoredBy == growth.ScoredByRules || again.Reused {
		t.Errorf("scored by %s, reused %v; a model is back and has not read the lead", again.ScoredBy, again.Reused)
	}
}

func TestUnchangedLeadIsNotAskedAboutTwice(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.qualifies(w)
	lead := p.lead(bistro())
	first := result[growth.Qualification](t, p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: lead}, growth.JobOptions{}), growth.JobSucceeded))
	asked := w.requests(simulator.OpenRouter)
	j := p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: lead}, growth.JobOptions{}), growth.JobSucceeded)
	second := result[growth.Qualification](t, j)
	if !second.Reused || second.Score != first.Score || len(j.Calls) != 0 || w.requests(simulator.OpenRouter) != asked {
		t.Errorf("reused %v, score %d (was %d), %d calls", second.Reused, second.Score, first.Score, len(j.Calls))
	}
	other := result[growth.Qualification](t, p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: lead, ICP: "dentists"}, growth.JobOptions{}), growth.JobSucceeded))
	if other.Reused {
		t.Error("reused for another ideal customer")
	}
}

func TestClosedBusinessIsOutOfTheQuestion(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.qualifies(w)
	l := bistro()
	l.Notes, l.Extra = "", map[string]string{"statut": "Fermé"}
	j := p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: p.lead(l)}, growth.JobOptions{}), growth.JobSucceeded)
	if q := result[growth.Qualification](t, j); len(q.Disqualifiers) == 0 || q.NextAction != "disqualify" || len(j.Calls) != 0 {
		t.Errorf("disqualifiers %v, next %s, %d calls; want none asked", q.Disqualifiers, q.NextAction, len(j.Calls))
	}
}

func TestThrottledProvidersAreWaitedFor(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	w.fails("429", simulator.FaultParams{RetryAfter: 2, Hint: simulator.HintSeconds}, everyModel...)
	p.qualifies(w)
	id := p.enqueue(tasks.QualifyArgs{LeadID: p.lead(bistro())}, growth.JobOptions{MaxAttempts: 2})
	j := p.becomes(id, growth.JobWaiting)
	if j.Waiting.Reason != growth.WaitRateLimited || j.Waiting.Until == nil || j.Attempts != 0 {
		t.Errorf("waiting %+v at attempt %d", j.Waiting, j.Attempts)
	}
	w.sim.ClearFaults("")
	if j = p.becomes(id, growth.JobSucceeded); j.Attempts != 1 {
		t.Errorf("attempts = %d; want 1: a wait is no failure", j.Attempts)
	}
}

func TestAnswerThatDoesNotFitIsAskedForAgain(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	if _, err := w.sim.SetFault(simulator.Fault{Provider: simulator.OpenRouter, Kind: simulator.KindInvalidAnswer, Count: 1, Params: simulator.FaultParams{Hint: simulator.HintProse}}); err != nil {
		t.Fatal(err)
	}
	p.qualifies(w)
	j := p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: p.lead(bistro())}, growth.JobOptions{}), growth.JobSucceeded)
	if diff := cmp.Diff([]string{"openrouter: failed", "openrouter: answered"}, decisions(j.Calls)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if j.Calls[0].Code != "malformed" || j.Calls[0].Model != j.Calls[1].Model {
		t.Errorf("calls = %+v; want the same model twice", j.Calls)
	}
	if q := result[growth.Qualification](t, j); q.ScoredBy != growth.ScoredByModel {
		t.Errorf("scored by %s; want the first model", q.ScoredBy)
	}
}

func TestLocalOnlyKeepsLeadsAtHome(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.must(p.sc.SetSettings(t.Context(), growth.WorkspaceSettings{Privacy: growth.PrivacyLocalOnly}))
	p.qualifies(w)
	before := w.requests(simulator.OpenRouter) + w.requests(simulator.HuggingFace) // lists of models
	j := p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: p.lead(bistro())}, growth.JobOptions{}), growth.JobSucceeded)
	if q := result[growth.Qualification](t, j); !strings.HasPrefix(q.Model, "ollama/") {
		t.Errorf("model = %s; want the local one", q.Model)
	}
	if n := w.requests(simulator.OpenRouter) + w.requests(simulator.HuggingFace); n != before {
		t.Errorf("%d requests left the house", n-before)
	}
}

func TestLeadOfAnotherWorkspaceIsNotFound(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.qualifies(w)
	other := newPlantOn(t, p.s, growth.Workspace{ID: p.ws.ID}, p.rdb)
	ws, err := p.s.EnsureWorkspace(t.Context(), "other", "Other")
	p.must(err)
	other.sc = p.s.In(ws.ID)
	if j := p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: other.lead(bistro())}, growth.JobOptions{}), growth.JobFailed); j.Error.Code != growth.NotFound {
		t.Errorf("error = %+v", j.Error)
	}
}
