package store_test

import (
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

func (b *bed) review(lead growth.LeadID, kind store.ReviewKind, score *int) (store.Review, error) {
	b.tb.Helper()
	r := store.Review{LeadID: lead, Kind: kind, Message: "because", Score: score, By: "ann"}
	if score != nil {
		r.Grade, r.Priority, r.NextAction = "B1", "high", "call"
	}
	return b.sc.AddReview(b.ctx, r)
}

func TestAPersonsScoreOutlivesTheMachines(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	lead := b.put(named("Chez A", "a.ca"))[0].Lead.ID
	_, err := b.review(lead, store.ReviewContest, nil)
	wantCode(t, err, growth.Conflict) // there is nothing to contest
	b.qualify(lead, 30, "f1")
	_, err = b.review(lead, store.ReviewLifted, nil)
	wantCode(t, err, growth.Conflict)

	score := 90
	r, err := b.review(lead, store.ReviewOverride, &score)
	b.must(err)
	if *r.ScoreBefore != 30 || *r.AutomatedScore != 30 || *r.Score != 90 || r.By != "ann" || r.At.IsZero() {
		t.Errorf("review = %+v", r)
	}
	b.qualify(lead, 40, "f2")
	now := func() store.SavedLead {
		l, err := b.sc.Lead(b.ctx, lead)
		b.must(err)
		return l
	}
	if l := now(); *l.Score != 90 || l.Grade != "B1" || l.Priority != "high" || l.NextAction != "call" || l.Fingerprint != "f2" {
		t.Errorf("after another automated score the lead has %d %s %s %s on %s", *l.Score, l.Grade, l.Priority, l.NextAction, l.Fingerprint)
	}
	r, err = b.review(lead, store.ReviewLifted, nil)
	b.must(err)
	if *r.ScoreBefore != 90 || *r.AutomatedScore != 40 {
		t.Errorf("lifted: %+v", r)
	}
	if l := now(); *l.Score != 40 || l.Grade != "A1" || l.NextAction != "nurture" {
		t.Errorf("lifted: the lead has %d %s %s, want the newest automated 40 A1 nurture", *l.Score, l.Grade, l.NextAction)
	}
	all, err := b.sc.Reviews(b.ctx, lead)
	b.must(err)
	if len(all) != 2 || all[0].Kind != store.ReviewLifted || all[1].Kind != store.ReviewOverride {
		t.Errorf("reviews = %+v", all)
	}
	if n := b.count(`SELECT count(*) FROM events WHERE type = 'lead.reviewed' AND data::text NOT LIKE '%because%'`); n != 2 {
		t.Errorf("%d events", n)
	}
}

func TestContestsAreOpenUntilAPersonAnswers(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	leads := b.put(named("Chez A", "a.ca"), named("Chez B", "b.ca"))
	for _, l := range leads {
		b.qualify(l.Lead.ID, 30, "f")
		_, err := b.review(l.Lead.ID, store.ReviewContest, nil)
		b.must(err)
	}
	_, err := b.review(leads[0].Lead.ID, store.ReviewUpheld, nil)
	b.must(err)
	open, err := b.sc.OpenContests(b.ctx, store.Page{})
	b.must(err)
	if len(open) != 1 || open[0].LeadID != leads[1].Lead.ID {
		t.Errorf("open = %+v", open)
	}
	l, err := b.sc.Lead(b.ctx, leads[0].Lead.ID)
	b.must(err)
	if *l.Score != 30 {
		t.Errorf("an upheld score became %d", *l.Score)
	}
	b.exec(`DELETE FROM leads WHERE id = $1`, leads[1].Lead.ID)
	if n := b.count(`SELECT count(*) FROM lead_reviews`); n != 2 {
		t.Errorf("%d reviews; those of an erased lead go with it", n)
	}
}
