package store_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

func always(_, _ growth.Lead) bool { return true }

// keepOld is a merge that fills in what is new and keeps the rest.
func keepOld(old, update growth.Lead) growth.Lead {
	if update.Email != "" {
		old.Email = update.Email
	}
	if update.Notes != "" {
		old.Notes = update.Notes
	}
	return old
}

func named(name string, keys ...string) store.LeadPut {
	p := store.LeadPut{Lead: growth.Lead{BusinessName: name}}
	for _, k := range keys {
		p.Keys = append(p.Keys, store.LeadKey{Kind: "website", Value: k})
	}
	return p
}

func (b *bed) put(puts ...store.LeadPut) []store.SavedLead {
	b.tb.Helper()
	out, err := b.sc.PutLeads(b.ctx, puts, always, keepOld)
	b.must(err)
	return out
}

func TestLeadIsRecognisedByAnyOfItsKeys(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	first := b.put(named("Chez A", "a.ca", "a.com"))[0]
	update := named("Chez A", "a.com", "a.net")
	update.Lead.Email = "x@a.ca"
	second := b.put(update)[0]
	third := b.put(named("Chez A", "a.net"))[0] // by a key that only the second brought
	if second.Lead.ID != first.Lead.ID || third.Lead.ID != first.Lead.ID {
		t.Fatalf("ids %s %s %s; want one", first.Lead.ID, second.Lead.ID, third.Lead.ID)
	}
	if third.Lead.Email != "x@a.ca" || third.Lead.BusinessName != "Chez A" || third.Number != first.Number {
		t.Errorf("lead = %+v; want it merged", third)
	}
	if other := b.put(named("Chez B", "b.ca"))[0]; other.Lead.ID == first.Lead.ID {
		t.Error("a lead without a common key was recognised")
	}
	if foreign := b.neighbour().put(named("Chez A", "a.ca"))[0]; foreign.Lead.ID == first.Lead.ID {
		t.Error("a lead of another workspace was recognised")
	}
}

func TestLeadsThatShareAKeyCanBeTwo(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	branches, err := b.sc.PutLeads(b.ctx, []store.LeadPut{named("North", "chain.ca"), named("South", "chain.ca"), named("North", "chain.ca")},
		func(old, update growth.Lead) bool { return old.BusinessName == update.BusinessName }, keepOld)
	b.must(err)
	if branches[0].Lead.ID == branches[1].Lead.ID || branches[0].Lead.ID != branches[2].Lead.ID {
		t.Errorf("ids %v; want two branches and the first again", branches)
	}
}

func TestUnchangedLeadKeepsItsTime(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	first := b.put(named("Chez A", "a.ca"))[0]
	if again := b.put(named("Chez A", "a.ca"))[0]; !again.UpdatedAt.Equal(first.UpdatedAt) {
		t.Errorf("updated_at moved from %v to %v", first.UpdatedAt, again.UpdatedAt)
	}
}

func TestTwentyRequestsWithOneLeadMakeOne(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	atOnce(t, 20, func(ctx context.Context) (growth.JobID, bool, error) {
		_, err := b.sc.PutLeads(ctx, []store.LeadPut{named("Chez A", "a.ca", "b.ca")}, always, keepOld)
		return "", false, err
	})
	if n := b.count(`SELECT count(*) FROM leads`); n != 1 {
		t.Errorf("%d leads; want 1", n)
	}
}

func TestBatchesOfLeadsInOppositeOrderDoNotBarEachOther(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			puts := make([]store.LeadPut, len(names))
			for n := range names {
				at := n
				if i%2 == 1 {
					at = len(names) - 1 - n
				}
				puts[n] = named(names[at], names[at]+".ca")
			}
			if _, err := b.sc.PutLeads(t.Context(), puts, always, keepOld); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := b.count(`SELECT count(*) FROM leads`); n != len(names) {
		t.Errorf("%d leads; want %d", n, len(names))
	}
}

func TestLeadOfAnUnknownCampaignIsInvalid(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	foreign, err := b.neighbour().sc.EnsureCampaign(b.ctx, "theirs")
	b.must(err)
	for name, id := range map[string]growth.CampaignID{"no campaign": growth.CampaignID(growth.NewID()), "another workspace's": foreign.ID} {
		p := named("Chez A", "a.ca")
		p.Campaign = id
		_, err := b.sc.PutLeads(b.ctx, []store.LeadPut{p}, always, keepOld)
		if growth.CodeOf(err) != growth.Invalid || err == nil {
			t.Errorf("%s: error = %v; want invalid", name, err)
		}
	}
}

// qualify runs a job that scores a lead.
func (b *bed) qualify(lead growth.LeadID, score int, fingerprint string) growth.JobID {
	b.tb.Helper()
	id := b.accept(func(j *store.NewJob) { j.LeadID = lead })
	c := b.claim(id)
	q := growth.Qualification{LeadID: lead, Score: score, Grade: "A1", Priority: "high", NextAction: "nurture"}
	b.end(c, store.Outcome{State: growth.JobSucceeded, Save: func(ctx context.Context, tx *store.Tx) error {
		if err := tx.SaveQualification(ctx, c.Job, q, fingerprint); err != nil {
			return err
		}
		calls := []growth.Call{{Provider: "p", Model: "m", Decision: growth.DecisionFailed}, {Provider: "q", Decision: growth.DecisionSkipped}}
		return tx.AddTransfers(ctx, c.Job, lead, calls, []string{"business_name", "city"})
	}})
	return id
}

func TestLatestQualificationIsFoundByWhatItRestsOn(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	lead := b.put(named("Chez A", "a.ca"))[0].Lead.ID
	b.qualify(lead, 10, "f1")
	b.qualify(lead, 20, "f2")
	b.qualify(lead, 30, "f1")
	for fingerprint, want := range map[string]int{"f1": 30, "f2": 20} {
		q, ok, err := b.sc.LatestQualification(b.ctx, lead, fingerprint)
		if err != nil || !ok || q.Score != want {
			t.Errorf("%s: score %d, %v, %v; want %d", fingerprint, q.Score, ok, err, want)
		}
	}
	if _, ok, err := b.sc.LatestQualification(b.ctx, lead, "f3"); ok || err != nil {
		t.Errorf("an unknown fingerprint was found: %v %v", ok, err)
	}
	saved, err := b.sc.Lead(b.ctx, lead)
	b.must(err)
	if saved.Score == nil || *saved.Score != 30 || saved.Fingerprint != "f1" || saved.Priority != "high" {
		t.Errorf("lead = %+v; want the newest score", saved)
	}
	all, err := b.sc.Qualifications(b.ctx, lead, store.Page{})
	b.must(err)
	var newest growth.Qualification
	b.must(json.Unmarshal(all[0].Result, &newest))
	if len(all) != 3 || newest.Score != 30 {
		t.Errorf("%d scores, the newest %d; want 3, 30", len(all), newest.Score)
	}
}

func TestTransfersNameWhoGotWhichFields(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	lead := b.put(named("Chez A", "a.ca"))[0].Lead.ID
	job := b.qualify(lead, 10, "f1")
	got, err := b.sc.TransfersOfLead(b.ctx, lead)
	b.must(err)
	if len(got) != 1 {
		t.Fatalf("%d transfers; want one: a skipped candidate got nothing", len(got))
	}
	got[0].At = got[0].At.UTC()
	want := store.Transfer{Job: job, Provider: "p", Model: "m", Fields: []string{"business_name", "city"}, At: got[0].At}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("transfer (-want +got):\n%s", diff)
	}
}

func TestLeadIsFoundByItsNumber(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	l := b.put(named("Chez A", "a.ca"))[0]
	for _, ref := range []string{string(l.Lead.ID), "1"} {
		if got, err := b.sc.LeadByRef(b.ctx, ref); err != nil || got.Lead.ID != l.Lead.ID {
			t.Errorf("%s: %v, %v", ref, got.Lead.ID, err)
		}
	}
	_, err := b.sc.LeadByRef(b.ctx, "2")
	wantCode(t, err, growth.NotFound)
}
