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
	// The database is that of other tests too.
	b.exec(`CREATE FUNCTION no_tombstones() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF coalesce(NEW.workspace_id, OLD.workspace_id) = '` + string(b.ws.ID) + `' THEN RAISE 'buried'; END IF;
		RETURN coalesce(NEW, OLD);
	END $$`)
	b.exec(`CREATE TRIGGER no_tombstones BEFORE INSERT OR DELETE ON tombstones FOR EACH ROW EXECUTE FUNCTION no_tombstones()`)
	_, err := b.sc.DropLead(b.ctx, id, "retention", nil)
	b.must(err)
	if back := b.put(p)[0].Lead.ID; back == id {
		t.Error("the lead is still there")
	}
}

// BenchmarkUndo takes an import of 20,000 scored leads back.
func BenchmarkUndo(b *testing.B) {
	const leads = 20_000
	for b.Loop() {
		b.StopTimer()
		d := newBed(b)
		i, err := d.sc.AddImport(d.ctx, store.Import{FileName: "f.csv"}, strings.NewReader(someFile))
		d.must(err)
		_, err = d.sc.BeginImport(d.ctx, i.ID, "")
		d.must(err)
		d.exec(`INSERT INTO leads (id, workspace_id, data) SELECT gen_random_uuid(), $1, jsonb_build_object('business_name', 'B' || n) FROM generate_series(1, $2) AS n`, d.ws.ID, leads)
		d.exec(`INSERT INTO import_leads (import_id, lead_id, after) SELECT $1, id, md5(data::text) FROM leads`, i.ID)
		d.exec(`INSERT INTO lead_keys (workspace_id, kind, value, lead_id) SELECT workspace_id, 'name', id::text, id FROM leads`)
		d.exec(`INSERT INTO jobs (id, workspace_id, type, lane, priority, state, input, lead_id, trace_id, max_attempts, timeout_s, run_at, finished_at)
			SELECT gen_random_uuid(), workspace_id, 'lead-qualification', 'lead-qualification', 'normal', 'succeeded', '{}', id, '', 5, 300, now(), now() FROM leads`)
		d.exec(`INSERT INTO qualifications (id, workspace_id, lead_id, job_id, fingerprint, score, result)
			SELECT gen_random_uuid(), workspace_id, lead_id, id, 'f', 50, '{}' FROM jobs`)
		d.exec(`INSERT INTO transfers (workspace_id, lead_id, job_id, provider, model, fields) SELECT workspace_id, lead_id, id, 'p', 'm', '{city}' FROM jobs`)
		d.exec(`INSERT INTO events (workspace_id, job_id, type, data) SELECT workspace_id, id, 'job.succeeded', '{}' FROM jobs`)
		d.exec(`ANALYZE`)
		_, err = d.sc.FinishImport(d.ctx, i.ID)
		d.must(err)
		_, err = d.sc.BeginUndo(d.ctx, i.ID)
		d.must(err)
		b.StartTimer()
		for done := false; !done; {
			undone, err := d.sc.UndoLeads(d.ctx, i.ID, 500, noKeys)
			d.must(err)
			done = undone.Done
		}
		b.StopTimer()
		if n := d.count(`SELECT count(*) FROM leads`); n != 0 {
			b.Fatalf("%d leads are left", n)
		}
		b.StartTimer()
	}
	b.ReportMetric(leads*float64(b.N)/b.Elapsed().Seconds(), "leads/s")
}
