package store_test

import (
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// imports takes leads in as a file would bring them.
func (b *bed) imports(puts ...store.LeadPut) (growth.ImportID, []growth.LeadID) {
	b.tb.Helper()
	i, err := b.sc.AddImport(b.ctx, store.Import{FileName: "f.csv"}, strings.NewReader(someFile))
	b.must(err)
	_, err = b.sc.BeginImport(b.ctx, i.ID, "")
	b.must(err)
	saved, err := b.sc.ImportLeads(b.ctx, i.ID, puts, always, keepOld)
	b.must(err)
	_, err = b.sc.FinishImport(b.ctx, i.ID)
	b.must(err)
	ids := make([]growth.LeadID, len(saved))
	for n, s := range saved {
		ids[n] = s.Lead.ID
	}
	return i.ID, ids
}

func (b *bed) exists(id growth.LeadID) bool {
	b.tb.Helper()
	return b.count(`SELECT count(*) FROM leads WHERE id = $1`, id) == 1
}

func TestUndoKeepsTheLeadsThatAPersonJudged(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	imported, ids := b.imports(named("Chez A", "a.ca"), named("Chez B", "b.ca"), named("Chez C", "c.ca"))
	for _, id := range ids {
		b.qualify(id, 30, "f")
	}
	score := 90
	_, err := b.review(ids[0], store.ReviewOverride, &score)
	b.must(err)
	_, err = b.review(ids[1], store.ReviewContest, nil)
	b.must(err)
	_, err = b.sc.BeginUndo(b.ctx, imported)
	b.must(err)
	undone, err := b.sc.UndoLeads(b.ctx, imported, 10, noKeys)
	b.must(err)
	if erased := undone.Erased; len(erased) != 1 || erased[0] != ids[2] || !b.exists(ids[0]) || !b.exists(ids[1]) {
		t.Errorf("erased %v of %v; the first has a person's score, the second was contested", erased, ids)
	}
	kept, err := b.sc.KeptLeads(b.ctx, imported)
	b.must(err)
	if len(kept) != 2 || kept[0].Why != "a person spoke about its score" {
		t.Errorf("kept %+v", kept)
	}
}

func TestIdleLeadStaysWhileItsScoreIsContested(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	leads := b.put(named("Chez A", "a.ca"), named("Chez B", "b.ca"), named("Chez C", "c.ca"))
	contested, answered, quiet := leads[0].Lead.ID, leads[1].Lead.ID, leads[2].Lead.ID
	for _, l := range leads {
		b.qualify(l.Lead.ID, 30, "f")
	}
	for _, id := range []growth.LeadID{contested, answered} {
		_, err := b.review(id, store.ReviewContest, nil)
		b.must(err)
	}
	_, err := b.review(answered, store.ReviewUpheld, nil)
	b.must(err)
	b.exec(`UPDATE jobs SET state = 'succeeded', finished_at = now()`)
	b.exec(`UPDATE leads SET updated_at = now() - interval '60 days'`)
	rule := growth.LeadRetention{IdleDays: 30}
	stale := func(now time.Time) map[growth.LeadID]bool {
		ids, err := b.sc.StaleLeads(b.ctx, rule, now, 10)
		b.must(err)
		out := map[growth.LeadID]bool{}
		for _, id := range ids {
			out[id] = true
		}
		return out
	}
	if got := stale(time.Now()); len(got) != 1 || !got[quiet] {
		t.Errorf("stale now: %v; want only the one about which nobody said anything, %s", got, quiet)
	}
	if got := stale(time.Now().AddDate(0, 0, 60)); len(got) != 2 || got[contested] {
		t.Errorf("stale after 60 days: %v; want all but the contested %s", got, contested)
	}
}

// A kill between two commits would keep a lead out for good for which nobody had asked that.
func TestDroppedLeadNeverHasATombstone(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := named("Chez A", "a.ca")
	id := b.put(p)[0].Lead.ID
	b.exec(`CREATE FUNCTION no_tombstones() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'buried'; END $$`)
	b.exec(`CREATE TRIGGER no_tombstones BEFORE INSERT OR DELETE ON tombstones FOR EACH ROW EXECUTE FUNCTION no_tombstones()`)
	_, err := b.sc.DropLead(b.ctx, id, "retention", nil)
	b.must(err)
	if back := b.put(p)[0].Lead.ID; back == id {
		t.Error("the lead is still there")
	}
}
