package store_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// fill keeps what the lead that stays has.
func fill(into, from growth.Lead) growth.Lead {
	if into.City == "" {
		into.City = from.City
	}
	return into
}

func noKeys(growth.Lead) []store.LeadKey { return nil }

func (b *bed) kinds(id growth.LeadID) string {
	b.tb.Helper()
	entries, err := b.sc.LeadHistory(b.ctx, id, "", 100)
	b.must(err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Kind)
	}
	return strings.Join(out, " ")
}

func TestMergedLeadLivesOnInTheOther(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	dup, main := named("Chez A", "a.ca"), named("Chez A inc.", "a.com")
	dup.Lead.City = "Laval"
	from, into := b.put(dup)[0].Lead.ID, b.put(main)[0].Lead.ID
	job := b.qualify(from, 50, "f1")
	merged, err := b.sc.MergeLeads(b.ctx, store.Merge{From: from, Into: into, By: "ann"}, fill, noKeys)
	b.must(err)
	if merged.Lead.ID != into || merged.Lead.City != "Laval" || merged.Score == nil || *merged.Score != 50 {
		t.Errorf("merged = %+v", merged)
	}
	again, err := b.sc.MergeLeads(b.ctx, store.Merge{From: from, Into: into}, fill, noKeys)
	b.must(err)
	old, err := b.sc.Lead(b.ctx, from)
	b.must(err)
	if again.Lead.ID != into || old.Lead.ID != into || old.MergedInto != into {
		t.Errorf("asked by the old id: %+v", old)
	}
	j, err := b.sc.Job(b.ctx, job)
	b.must(err)
	var input struct {
		LeadID growth.LeadID `json:"lead_id"`
	}
	if err := json.Unmarshal(j.Input, &input); err == nil && input.LeadID == from {
		t.Errorf("the job still names the lead that is gone: %s", j.Input)
	}
	qs, err := b.sc.Qualifications(b.ctx, into, store.Page{})
	b.must(err)
	keys, err := b.sc.KeysOfLead(b.ctx, into)
	b.must(err)
	if len(qs) != 1 || len(keys) != len(dup.Keys)+len(main.Keys) {
		t.Errorf("%d scores, keys %v", len(qs), keys)
	}
	for _, kind := range []string{"merged", "changed", "qualified", "transferred", "created"} {
		if got := b.kinds(into); !strings.Contains(got, kind) {
			t.Errorf("history %q lacks %s", got, kind)
		}
	}
	if back := b.put(dup)[0]; back.Lead.ID != into {
		t.Errorf("the lead that was merged came back as %s", back.Lead.ID)
	}
	third := b.put(named("Chez C", "c.ca"))[0].Lead.ID
	_, err = b.sc.MergeLeads(b.ctx, store.Merge{From: from, Into: third}, fill, noKeys)
	wantCode(t, err, growth.Conflict)
	_, err = b.sc.MergeLeads(b.ctx, store.Merge{From: third, Into: third}, fill, noKeys)
	wantCode(t, err, growth.Invalid)
	_, err = b.sc.MergeLeads(b.ctx, store.Merge{From: into, Into: third}, fill, noKeys)
	b.must(err)
	if end, err := b.sc.Lead(b.ctx, from); err != nil || end.Lead.ID != third {
		t.Errorf("at the end of the chain: %+v, %v", end, err)
	}
}

func TestHistoryTellsOldAndNewUntilTheLeadIsErased(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.put(named("Chez A", "a.ca"))[0].Lead.ID
	for _, city := range []string{"Laval", "Québec", "Québec"} {
		_, err := b.sc.As("ann").ChangeLead(b.ctx, id, func(l growth.Lead) (growth.Lead, []store.LeadKey, error) {
			l.City = city
			return l, nil, nil
		})
		b.must(err)
	}
	first, err := b.sc.LeadHistory(b.ctx, id, "", 1)
	b.must(err)
	if len(first) != 1 || first[0].By != "ann" || string(first[0].Data) != `{"fields": {"city": {"new": "Québec", "old": "Laval"}}}` {
		t.Errorf("newest = %+v %s", first, first[0].Data)
	}
	rest, err := b.sc.LeadHistory(b.ctx, id, first[0].Key, 10)
	b.must(err)
	if len(rest) != 2 || rest[0].Kind != "changed" || rest[1].Kind != "created" {
		t.Errorf("the rest = %+v", rest)
	}
	_, err = b.sc.EraseLead(b.ctx, id, "", nil)
	b.must(err)
	var left int
	b.must(b.db.QueryRowContext(b.ctx, `SELECT count(*) FROM lead_changes`).Scan(&left))
	if left != 0 {
		t.Errorf("%d changes outlive the lead", left)
	}
}

func (b *bed) told(kind string) int {
	b.tb.Helper()
	var n int
	b.must(b.db.QueryRowContext(b.ctx, `SELECT count(*) FROM events WHERE type = $1`, kind).Scan(&n))
	return n
}

func (b *bed) completes(quiet time.Duration) {
	b.tb.Helper()
	_, err := b.s.CompleteCampaigns(b.ctx, quiet)
	b.must(err)
}

func TestCampaignIsCompletedOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	c, err := b.sc.EnsureCampaign(b.ctx, "spring")
	b.must(err)
	b.completes(0)
	if n := b.told("campaign.completed"); n != 0 {
		t.Fatalf("a campaign without jobs was completed %d times", n)
	}
	job := newJob()
	job.Options.CampaignID = c.ID
	out, err := b.sc.Accept(b.ctx, []store.NewJob{job})
	b.must(err)
	b.completes(0)
	b.exec(`UPDATE jobs SET state = 'succeeded', finished_at = now() WHERE id = $1`, out[0].ID)
	b.completes(time.Hour)
	if n := b.told("campaign.completed"); n != 0 {
		t.Fatalf("completed %d times before its job ended, or while more may come", n)
	}
	for range 3 {
		b.completes(0)
	}
	if n := b.told("campaign.completed"); n != 1 {
		t.Errorf("completed %d times, want once", n)
	}
	closed, open := store.CampaignClosed, store.CampaignOpen
	c, err = b.sc.ChangeCampaign(b.ctx, c.ID, store.CampaignChange{Status: &closed})
	b.must(err)
	if c.ClosedAt == nil || c.CompletedAt == nil {
		t.Errorf("closed %+v", c)
	}
	another := newJob()
	another.Options.CampaignID = c.ID
	_, err = b.sc.Accept(b.ctx, []store.NewJob{another})
	wantCode(t, err, growth.Conflict)
	c, err = b.sc.ChangeCampaign(b.ctx, c.ID, store.CampaignChange{Status: &open})
	b.must(err)
	if c.CompletedAt != nil || c.ClosedAt != nil {
		t.Errorf("opened again %+v", c)
	}
	_, err = b.sc.Accept(b.ctx, []store.NewJob{another})
	b.must(err)
}

func TestClosedCampaignIsCompletedWithoutWaiting(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	c, err := b.sc.EnsureCampaign(b.ctx, "spring")
	b.must(err)
	job := newJob()
	job.Options.CampaignID = c.ID
	out, err := b.sc.Accept(b.ctx, []store.NewJob{job})
	b.must(err)
	b.exec(`UPDATE jobs SET state = 'failed', finished_at = now() WHERE id = $1`, out[0].ID)
	closed := store.CampaignClosed
	_, err = b.sc.ChangeCampaign(b.ctx, c.ID, store.CampaignChange{Status: &closed})
	b.must(err)
	b.completes(time.Hour)
	if n := b.told("campaign.completed"); n != 1 {
		t.Errorf("completed %d times", n)
	}
	other, err := b.sc.EnsureCampaign(b.ctx, "autumn")
	b.must(err)
	_, err = b.sc.ChangeCampaign(b.ctx, other.ID, store.CampaignChange{Name: &c.Name})
	wantCode(t, err, growth.Conflict)
}

func TestEndedConsentIsToldOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	past := time.Now().Add(-time.Hour)
	consents := map[string]*growth.Consent{
		"expired": {Basis: "express", ExpiresAt: &past}, "valid": {Basis: "express"}, "other": {Basis: "contract", ExpiresAt: &past},
		"withdrawn": {Basis: "contract", WithdrawnAt: &past}, "none": nil,
	}
	for name, c := range consents {
		p := named(name, name+".ca")
		p.Lead.Consent = c
		b.put(p)
	}
	for range 2 {
		_, err := b.s.ConsentsEnded(b.ctx, time.Now())
		b.must(err)
	}
	if n := b.told("leads.consent_ended"); n != 1 {
		t.Errorf("told %d times", n)
	}
	for state, want := range map[growth.ConsentState]int{growth.ConsentExpired: 1, growth.ConsentWithdrawn: 1, growth.ConsentValid: 2, growth.ConsentNone: 1} {
		leads, err := b.sc.Leads(b.ctx, store.LeadFilter{Consent: state}, store.Page{})
		b.must(err)
		if len(leads) != want {
			t.Errorf("%s: %d leads, want %d", state, len(leads), want)
		}
		for _, l := range leads {
			if got := l.Lead.Consent.State(time.Now()); got != state {
				t.Errorf("Go calls it %s, SQL %s", got, state)
			}
		}
	}
}

func TestLiftedTombstoneLetsTheLeadBack(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := named("Chez Z", "z.ca")
	id := b.put(p)[0].Lead.ID
	_, err := b.sc.EraseLead(b.ctx, id, "", nil)
	b.must(err)
	_, err = b.sc.PutLeads(b.ctx, []store.LeadPut{p}, always, keepOld)
	wantCode(t, err, growth.Conflict)
	_, err = b.sc.LiftTombstones(b.ctx, "", []store.LeadKey{{Kind: "email", Value: "nobody@z.ca"}}, store.Lift{By: "ann", Reason: "asked"})
	wantCode(t, err, growth.NotFound)
	lifted, err := b.sc.LiftTombstones(b.ctx, "", p.Keys[:1], store.Lift{By: "ann", Reason: "asked"})
	b.must(err)
	if len(lifted) != 1 || lifted[0].LeadID != id || lifted[0].Lifted == nil || lifted[0].Lifted.By != "ann" || lifted[0].Lifted.Reason != "asked" {
		t.Errorf("lifted = %+v", lifted)
	}
	if back := b.put(p)[0]; back.Lead.ID == id {
		t.Error("the lead came back under its old id")
	}
}

func TestImportIsReadyOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	i, err := b.sc.AddImport(b.ctx, store.Import{FileName: "f.csv"}, strings.NewReader(someFile))
	b.must(err)
	_, err = b.sc.BeginImport(b.ctx, i.ID, "")
	b.must(err)
	leads, err := b.sc.ImportLeads(b.ctx, i.ID, []store.LeadPut{named("Chez A", "a.ca")}, always, keepOld)
	b.must(err)
	job := newJob()
	job.Type, job.LeadID = growth.JobLeadQualification, leads[0].Lead.ID
	out, err := b.sc.Accept(b.ctx, []store.NewJob{job})
	b.must(err)
	ready := func() int {
		_, err := b.s.ReadyImports(b.ctx)
		b.must(err)
		return b.told("leads.ready")
	}
	if n := ready(); n != 0 {
		t.Fatalf("a running import is ready: %d", n)
	}
	_, err = b.sc.FinishImport(b.ctx, i.ID)
	b.must(err)
	if n := ready(); n != 0 {
		t.Fatalf("ready before its lead is scored: %d", n)
	}
	b.exec(`UPDATE jobs SET state = 'succeeded', finished_at = now() WHERE id = $1`, out[0].ID)
	if first, second := ready(), ready(); first != 1 || second != 1 {
		t.Errorf("told %d, then %d times", first, second)
	}
}
