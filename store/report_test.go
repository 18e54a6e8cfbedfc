package store_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shopspring/decimal"

	"github.com/zakibelm/astrogrowth/store"
)

// aged fills the ledger with walks of the last days: two or three rows each, with failures, skips, unknown costs, twins and
// content, spread over the days and over midnight.
func (b *bed) aged(walks, days int) {
	b.tb.Helper()
	b.exec(`
		INSERT INTO calls (id, workspace_id, step, task_type, provider, model, status, code, decision, prompt_tokens, completion_tokens,
			cost_usd, provenance, latency_ms, simulated, started_at, walk_id)
		SELECT gen_random_uuid(), $1, s.step, s.task, CASE r.n WHEN 0 THEN 'openrouter' WHEN 1 THEN 'huggingface' ELSE 'ollama' END, 'm' || (w.i % 3),
			CASE WHEN r.last THEN 'ok' WHEN w.i % 5 = 0 THEN 'skipped' WHEN w.i % 41 = 0 THEN 'unknown' ELSE 'failed' END,
			CASE WHEN r.last THEN '' WHEN w.i % 5 = 0 THEN 'breaker_open' ELSE 'unavailable' END,
			CASE WHEN r.last THEN 'answered' WHEN w.i % 5 = 0 THEN 'skipped' ELSE 'failed' END,
			CASE WHEN w.i % 5 = 0 AND NOT r.last THEN 0 ELSE 100 + w.i % 900 END, w.i % 300,
			CASE WHEN w.i % 29 = 0 AND r.last OR w.i % 41 = 0 AND w.i % 5 <> 0 AND NOT r.last THEN NULL ELSE (w.i % 977) * 0.000001234567 END,
			CASE WHEN w.i % 29 = 0 AND r.last OR w.i % 41 = 0 AND w.i % 5 <> 0 AND NOT r.last THEN 'unknown' WHEN w.i % 2 = 0 THEN 'reported' ELSE 'priced' END,
			(w.i::bigint * 7919) % 4000, true, w.at + r.n * interval '20 seconds', w.walk
		FROM (
			SELECT i, gen_random_uuid() AS walk,
				now() - ((i * 1000003::bigint) % ($3 * 86400::bigint)) * interval '1 second' AS at FROM generate_series(1, $2::int) AS i
		) w
		CROSS JOIN LATERAL (SELECT n, n = w.i % 3 AND w.i % 17 <> 0 AS last FROM generate_series(0, w.i % 3) AS n) r
		CROSS JOIN LATERAL (SELECT CASE w.i % 4 WHEN 0 THEN '' WHEN 1 THEN 'extract' WHEN 2 THEN 'twin' ELSE 'draft' END AS step,
			CASE w.i % 4 WHEN 0 THEN 'simple' WHEN 3 THEN 'content_generation' ELSE 'qualification' END AS task) s`,
		b.ws.ID, walks, days)
}

// sumUp sums up everything that is over.
func (b *bed) sumUp(now time.Time) int {
	b.tb.Helper()
	total := 0
	for at := now; ; at = at.Add(2 * time.Minute) { // a pass marks, a later one sums up
		n, err := b.s.SumUp(b.ctx, at)
		b.must(err)
		if total += n; n == 0 && at.After(now) {
			return total
		}
	}
}

func (b *bed) report(p store.Span) store.Report {
	b.tb.Helper()
	r, err := b.sc.Report(b.ctx, p)
	b.must(err)
	return r
}

// same compares reports whatever the order of the groups of a day.
func same(want, got store.Report) string {
	return cmp.Diff(want, got, cmpopts.EquateApproxTime(0), cmpopts.EquateApprox(1e-9, 0),
		cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) }),
		cmpopts.SortSlices(func(a, b store.Use) bool { return useKey(a) < useKey(b) }))
}

func useKey(u store.Use) string {
	return u.Day.Format(time.DateOnly) + u.Provider + u.Model + string(u.Task) + string(u.Campaign) + string(u.Purpose) + string(u.Waste)
}

func TestSumsOfDaysEqualTheLedger(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const days = 12
	b.aged(3000, days)
	now := time.Now()
	span := store.Since(now, days+1)
	counted := b.report(span)
	if n := b.sumUp(now); n < days-2 {
		t.Fatalf("%d days were summed up, want at least %d", n, days-2)
	}
	if diff := same(counted, b.report(span)); diff != "" {
		t.Fatalf("summed up (-counted +summed):\n%s", diff)
	}
	if counted.Health.Failovers == 0 || counted.Health.FailoversOK == counted.Health.Failovers || counted.Health.Unknown == 0 || len(counted.Speeds) < 8 {
		t.Errorf("the ledger has nothing to tell apart: %+v", counted.Health)
	}
	// The sums are what is read: a fault in one is seen.
	b.exec(`UPDATE ledger_sums SET calls = calls + 1 WHERE workspace_id = $1`, b.ws.ID)
	if same(counted, b.report(span)) == "" {
		t.Error("the days are counted anew though they are summed up")
	}
}

func TestALateChangeOfADayIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, change string }{
		{"settled", `UPDATE calls SET cost_usd = 3, provenance = 'settled' WHERE id = (
			SELECT id FROM calls WHERE workspace_id = $1 AND cost_usd IS NULL AND status = 'ok' AND started_at < now() - interval '3 days' LIMIT 1)`},
		{"came late", `INSERT INTO calls (id, workspace_id, task_type, provider, model, status, decision, started_at)
			VALUES (gen_random_uuid(), $1, 'simple', 'ollama', 'late', 'ok', 'answered', now() - interval '3 days')`},
		{"gone", `DELETE FROM calls WHERE workspace_id = $1 AND started_at < now() - interval '3 days' AND status = 'ok'`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.aged(400, 6)
			now := time.Now()
			span := store.Since(now, 8)
			b.sumUp(now)
			before := b.report(span)
			b.exec(tc.change, b.ws.ID)
			after := b.report(span)
			b.exec(`DELETE FROM ledger_days WHERE workspace_id = $1`, b.ws.ID)
			if diff := same(b.report(span), after); diff != "" {
				t.Errorf("after the change (-ledger +report):\n%s", diff)
			}
			if same(before, after) == "" {
				t.Error("the change is not seen")
			}
		})
	}
}

// A day that changes between its mark and its sum keeps neither.
func TestADayThatChangesIsNotSummedUp(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.aged(200, 4)
	now := time.Now()
	if n, err := b.s.SumUp(b.ctx, now); err != nil || n != 0 {
		t.Fatalf("%d days summed up without having been marked, %v", n, err)
	}
	marked := b.count(`SELECT count(*) FROM ledger_days WHERE workspace_id = $1`, b.ws.ID)
	b.exec(`UPDATE calls SET latency_ms = latency_ms + 1 WHERE workspace_id = $1 AND started_at < date_trunc('day', now(), 'UTC')
		AND started_at >= date_trunc('day', now(), 'UTC') - interval '1 day'`, b.ws.ID)
	if left := b.count(`SELECT count(*) FROM ledger_days WHERE workspace_id = $1`, b.ws.ID); left != marked-1 && marked > 1 {
		t.Errorf("%d of %d marks are left", left, marked)
	}
	b.exec(`UPDATE calls SET asked = asked + 1 WHERE workspace_id = $1`, b.ws.ID) // what no sum holds changes no day
	if left := b.count(`SELECT count(*) FROM ledger_days WHERE workspace_id = $1`, b.ws.ID); left < marked-1 {
		t.Errorf("%d of %d marks are left after a change that no sum holds", left, marked)
	}
}

// BenchmarkReport reads 90 days of a ledger of LEDGER_ROWS rows (100,000), counted and summed up.
func BenchmarkReport(bm *testing.B) {
	rows, err := strconv.Atoi(os.Getenv("LEDGER_ROWS"))
	if err != nil {
		rows = 100_000
	}
	b := newBed(bm)
	b.ctx = context.WithoutCancel(b.ctx)
	b.exec(`ALTER TABLE calls DISABLE TRIGGER calls_late`) // nothing is summed up yet
	b.aged(rows/2, 90)
	b.exec(`ALTER TABLE calls ENABLE TRIGGER calls_late`)
	b.exec(`ANALYZE calls`)
	now := time.Now()
	for _, state := range []string{"counted", "summed"} {
		if state == "summed" {
			began := time.Now()
			bm.Logf("%d days summed up in %v", b.sumUp(now), time.Since(began).Round(time.Millisecond))
			b.exec(`ANALYZE`)
		}
		bm.Run(state, func(bm *testing.B) {
			for bm.Loop() {
				b.report(store.Since(now, 90))
			}
			bm.ReportMetric(float64(b.count(`SELECT count(*) FROM calls`)), "rows")
		})
	}
}
