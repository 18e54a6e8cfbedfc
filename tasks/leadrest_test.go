package tasks_test

import (
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func TestLeadWithoutConsentIsNeitherScoredNorWrittenFor(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	tasks.AddWorker(p.runner, tasks.ContentWorker{Store: p.s, Chain: w.chain()})
	p.serves(growth.JobContentGeneration)
	p.qualifies(w)
	past := time.Now().Add(-time.Hour)
	l := bistro()
	l.Consent = &growth.Consent{Basis: "express", ExpiresAt: &past}
	id := p.lead(l)
	for _, args := range []tasks.Args{tasks.QualifyArgs{LeadID: id}, tasks.ContentArgs{LeadID: id}} {
		j := p.becomes(p.enqueue(args, growth.JobOptions{}), growth.JobFailed)
		if j.Error.Code != growth.Forbidden || j.Error.Retryable || !strings.Contains(j.Error.Message, "lead.consent.expires_at") || j.Attempts != 1 {
			t.Errorf("%s: %+v after %d attempts", j.Type, j.Error, j.Attempts)
		}
	}
	if n := p.count(`SELECT count(*) FROM calls`); n != 0 {
		t.Errorf("%d requests about the lead were made", n)
	}
	l.Consent.Basis = "contract"
	p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: p.lead(l)}, growth.JobOptions{}), growth.JobSucceeded)
}

func TestOwnRubricScores(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.qualifies(w)
	src, err := lead.BuiltIn("b2b")
	p.must(err)
	own := strings.Replace(string(src), "name: b2b", "name: ours", 1)
	_, err = p.sc.AddRubric(t.Context(), store.Rubric{Name: "ours", Version: "1", Source: own})
	p.must(err)
	p.must(p.sc.UseRubric(t.Context(), "ours"))
	id := p.lead(bistro())
	q := result[growth.Qualification](t, p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: id}, growth.JobOptions{}), growth.JobSucceeded))
	if q.Rubric != "ours@1" || q.ScoredBy != growth.ScoredByModel {
		t.Errorf("scored by %s, %s", q.Rubric, q.ScoredBy)
	}
	j := p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: id, Rubric: "ours@9"}, growth.JobOptions{}), growth.JobFailed)
	if j.Error.Code != growth.Invalid || !strings.Contains(j.Error.Message, "rubric") {
		t.Errorf("a version that is none: %+v", j.Error)
	}
}

// A lead that the rules had to score is scored again, by a schedule's job, when a model is back.
func TestScheduleScoresAgainWhatTheRulesHadTo(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	tasks.AddWorker(p.runner, tasks.MaintenanceWorker{Store: p.s, Queue: p.queue})
	p.serves(growth.JobMaintenance)
	p.qualifies(w)
	w.fails("503", simulator.FaultParams{}, everyModel...)
	id := p.lead(bistro())
	q := result[growth.Qualification](t, p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: id}, growth.JobOptions{MaxAttempts: 1}), growth.JobSucceeded))
	if q.ScoredBy != growth.ScoredByRules {
		t.Fatalf("scored by %s", q.ScoredBy)
	}
	w.sim.ClearFaults("")
	again := func() tasks.Rescored {
		return result[tasks.Rescored](t, p.becomes(p.enqueue(tasks.MaintenanceArgs{Kind: tasks.UpkeepRescore}, growth.JobOptions{}), growth.JobSucceeded))
	}
	if out := again(); out.Enqueued != 1 || out.Looked != 1 {
		t.Errorf("asked again: %+v", out)
	}
	eventually(t, "a model has scored the lead", func() bool {
		return p.count(`SELECT count(*) FROM qualifications WHERE result->>'scored_by' <> 'rules'`) == 1
	})
	eventually(t, "nothing is left to ask", func() bool { return again().Unchanged == 1 })
}

func TestLeadsPastTheirRetentionGo(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	im := tasks.Importer{Store: p.s, Queue: p.queue, Cache: forgetful{}}
	long := time.Now().Add(-60 * 24 * time.Hour)
	put := func(mail string, c *growth.Consent) growth.Lead {
		l := growth.Lead{BusinessName: mail, Email: mail, Consent: c}
		out, err := p.sc.PutLeads(t.Context(), []store.LeadPut{{Lead: l, Keys: tasks.LeadKeys(l)}}, never, replaced)
		p.must(err)
		return out[0].Lead
	}
	idle, expired := put("idle@x.example", nil), put("expired@x.example", &growth.Consent{ExpiresAt: &long})
	withdrawn, kept := put("withdrawn@x.example", &growth.Consent{WithdrawnAt: &long}), put("kept@x.example", nil)
	p.exec(`UPDATE leads SET updated_at = $1 WHERE id = $2`, long, idle.ID)
	retain := func() int {
		n, err := im.Retain(t.Context(), time.Now())
		p.must(err)
		return n
	}
	if n := retain(); n != 0 {
		t.Fatalf("%d leads went though nobody had said so", n)
	}
	p.must(p.sc.SetSettings(t.Context(), growth.WorkspaceSettings{Retain: growth.LeadRetention{IdleDays: 30, AfterConsentDays: 30}}))
	if n := retain(); n != 3 {
		t.Errorf("%d leads went, want 3", n)
	}
	if _, err := p.sc.Lead(t.Context(), kept.ID); err != nil {
		t.Errorf("the lead that is in use: %v", err)
	}
	for _, l := range []growth.Lead{idle, expired, withdrawn} {
		e, err := p.sc.Erasure(t.Context(), l.ID)
		if err != nil || e.AskedBy != "retention" || e.CacheAt == nil {
			t.Errorf("receipt of %s: %+v, %v", l.Email, e, err)
		}
		_, err = p.sc.PutLeads(t.Context(), []store.LeadPut{{Lead: growth.Lead{Email: l.Email}, Keys: tasks.LeadKeys(l)}}, never, replaced)
		if back := err == nil; back == (l.ID == withdrawn.ID) {
			t.Errorf("%s comes back: %v", l.Email, err)
		}
	}
}

func TestModelsAreHeldAgainstAGoldenSet(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	tasks.AddWorker(p.runner, tasks.AgreementWorker{Store: p.s, Chain: w.chain()})
	p.relays().serves(growth.JobLeadAgreement)
	r, err := lead.Load("")
	p.must(err)
	other := growth.Lead{BusinessName: "Dépanneur Roy", BusinessType: "Dépanneur", City: "Laval"}
	var golden []store.GoldenLead
	for _, l := range []growth.Lead{bistro(), other} {
		g := store.GoldenLead{Lead: lead.Anonymous(r, l), Keys: tasks.LeadKeys(l), Expected: store.Expected{Levels: map[string]string{}}}
		x := lead.Rules(r, l)
		for _, f := range x.Criteria {
			g.Expected.Levels[f.Criterion] = f.Level
		}
		q := lead.Score(r, l, x, growth.ScoredByRules)
		g.Expected.Score, g.Expected.Grade = &q.Score, q.Grade
		golden = append(golden, g)
	}
	set, err := p.sc.AddGoldenSet(t.Context(), store.GoldenSet{Name: "g", Rubric: r.ID()}, golden)
	p.must(err)
	readers := []tasks.Reader{{Provider: "openrouter", Model: "openai/gpt-4o-mini"}, {Provider: "ollama", Model: "no-such-model:1b"}, {Provider: "huggingface", Model: "openai/gpt-oss-20b"}}
	j := p.becomes(p.enqueue(tasks.AgreementArgs{Set: set.ID, Readers: readers}, growth.JobOptions{MaxAttempts: 1}), growth.JobSucceeded)
	out := result[tasks.AgreementResult](t, j)
	if len(out.Models) != 3 || len(out.Pairs) != 3 || out.Leads != 2 || !out.Simulated || out.Rubric != r.ID() {
		t.Fatalf("result %s", j.Result)
	}
	good, missing := out.Models[0], out.Models[1]
	if good.Read != 2 || good.Levels.Compared != 2*len(r.Criteria) || good.Levels.Share == nil || *good.Levels.Share < 0.5 || good.Score.Difference == nil || !good.CostUSD.IsPositive() {
		t.Errorf("the model that answers: %+v", good)
	}
	if missing.Read != 0 || len(missing.Failed) == 0 || missing.Levels.Share != nil || missing.Score.Difference != nil {
		t.Errorf("the model that is not there: %+v", missing)
	}
	if pair := out.Pairs[1]; pair.A != "openrouter/openai/gpt-4o-mini" || pair.Levels.Compared != 2*len(r.Criteria) {
		t.Errorf("pair %+v", pair)
	}
	// Erasing a lead reaches the golden set.
	back, err := p.sc.PutLeads(t.Context(), []store.LeadPut{{Lead: bistro(), Keys: tasks.LeadKeys(bistro())}}, never, replaced)
	p.must(err)
	e, err := p.sc.EraseLead(t.Context(), back[0].Lead.ID, "", nil)
	p.must(err)
	if _, left, err := p.sc.GoldenSet(t.Context(), set.ID); err != nil || len(left) != 1 || e.Counts.Golden != 1 {
		t.Errorf("%d golden leads are left, receipt %+v: %v", len(left), e.Counts, err)
	}
}
