package store_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

func dollars(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// monthly is a budget of the whole workspace.
func monthly(name, limit string, change ...func(*growth.Budget)) growth.Budget {
	out := growth.Budget{Name: name, Period: growth.BudgetMonth, LimitUSD: dollars(limit), Policy: growth.BudgetStop}
	for _, f := range change {
		f(&out)
	}
	return out
}

func (b *bed) budget(want growth.Budget) growth.Budget {
	b.tb.Helper()
	got, err := b.sc.AddBudget(b.ctx, want)
	b.must(err)
	return got
}

// open writes the row of a call that holds money and whose cost nobody knows.
func (b *bed) open(reserved string, status growth.CallStatus, change ...func(*growth.Call)) growth.CallID {
	b.tb.Helper()
	c := started(b, "")
	d := dollars(reserved)
	c.Reserved, c.Status = &d, status
	for _, f := range change {
		f(&c)
	}
	b.must(saveCall(b, c, 0))
	return c.ID
}

func (b *bed) status(id growth.BudgetID) growth.BudgetStatus {
	b.tb.Helper()
	got, err := b.sc.BudgetStatus(b.ctx, id, time.Now())
	b.must(err)
	if len(got) != 1 {
		b.tb.Fatalf("%d budgets; want one", len(got))
	}
	return got[0]
}

func TestBudgetStandsWhereItsCallsPutIt(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	campaign, err := b.sc.EnsureCampaign(b.ctx, "spring")
	b.must(err)
	all := b.budget(monthly("all", "1"))
	task := b.budget(monthly("task", "1", func(g *growth.Budget) { g.Task = growth.TaskSimple }))
	camp := b.budget(monthly("campaign", "1", func(g *growth.Budget) { g.Campaign, g.Period = campaign.ID, growth.BudgetDay }))
	b.must(saveCall(b, ended(started(b, ""), "0.4000000001"), 0))
	simple := ended(started(b, ""), "0.2")
	simple.Task, simple.Campaign = growth.TaskSimple, campaign.ID
	b.must(saveCall(b, simple, 0))
	b.open("0.002", growth.CallStarted)
	b.open("0.003", growth.CallUnknown)
	last := started(b, "") // of another window
	last.StartedAt = time.Now().AddDate(0, -2, 0)
	b.must(saveCall(b, ended(last, "7"), 0))

	got := b.status(all.ID)
	if !got.SpentUSD.Equal(dollars("0.6000000001")) || !got.ReservedUSD.Equal(dollars("0.002")) || got.UnknownCalls != 1 ||
		!got.UnknownUSD.Equal(dollars("0.003")) || got.State != growth.BudgetNotice {
		t.Errorf("all = %+v", got)
	}
	if start, end := growth.BudgetMonth.Window(time.Now()); !got.WindowStart.Equal(start) || !got.WindowEnd.Equal(end) {
		t.Errorf("window %v to %v; want %v to %v", got.WindowStart, got.WindowEnd, start, end)
	}
	for _, one := range []growth.Budget{task, camp} {
		if got := b.status(one.ID); !got.SpentUSD.Equal(dollars("0.2")) || got.UnknownCalls != 0 || got.State != growth.BudgetOK {
			t.Errorf("%s = %+v; want what it covers alone", one.Name, got)
		}
	}

	tally, err := b.s.Tally(b.ctx, b.ws.ID, time.Now())
	b.must(err)
	spent := map[growth.BudgetID]int64{}
	for _, w := range tally.Windows {
		spent[w.Budget] += w.SpentNano
	}
	if spent[all.ID] != 600_000_001 || spent[task.ID] != 200_000_000 || spent[camp.ID] != 200_000_000 || len(tally.Open) != 2 || tally.Version != 3 {
		t.Errorf("tally = %+v; want each cost rounded up to a billionth, two open calls, version 3", tally)
	}
}

func TestBudgetsRefuseWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.budget(monthly("taken", "1"))
	other := b.neighbour()
	foreign, err := other.sc.EnsureCampaign(b.ctx, "theirs")
	b.must(err)
	key, err := b.s.AddKey(b.ctx, store.Key{Workspace: other.ws.ID, Name: "k", Scopes: []string{"read"}}, []byte("h"))
	b.must(err)
	for name, tc := range map[string]struct {
		budget growth.Budget
		want   growth.Code
	}{
		"name":     {monthly("taken", "1"), growth.Conflict},
		"campaign": {monthly("c", "1", func(g *growth.Budget) { g.Campaign = foreign.ID }), growth.Invalid},
		"key":      {monthly("k", "1", func(g *growth.Budget) { g.Key = key.ID }), growth.Invalid},
	} {
		_, err := b.sc.AddBudget(b.ctx, tc.budget)
		if growth.CodeOf(err) != tc.want || err == nil {
			t.Errorf("another one's %s: %v, want %v", name, err, tc.want)
		}
	}
}

func TestJobsThatWaitForABudgetLookAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	budget := b.budget(monthly("m", "1"))
	id := b.accept()
	c := b.claim(id)
	b.must(b.s.Finish(b.ctx, c.Job, c.Fence, store.Outcome{
		State: growth.JobWaiting, Waiting: growth.WaitBudget, RunAt: time.Now().Add(240 * time.Hour), Refund: true, Redeliver: true,
	}))
	if due := b.handOver(10); len(due) != 0 {
		t.Fatalf("%d jobs are due while the budget is spent", len(due))
	}
	more := dollars("2")
	_, err := b.sc.ChangeBudget(b.ctx, budget.ID, store.BudgetChange{LimitUSD: &more})
	b.must(err)
	if due := b.handOver(10); len(due) != 1 || due[0].ID != id {
		t.Errorf("due = %+v; want the job", due)
	}
}

func TestAlertIsAnEventOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	budget := b.budget(monthly("m", "1"))
	start, _ := growth.BudgetMonth.Window(time.Now())
	alert := growth.BudgetAlert{Budget: budget, Start: start, Threshold: 80, UsedUSD: dollars("0.81")}
	var wg sync.WaitGroup
	var mu sync.Mutex
	firsts := 0
	for range 8 {
		wg.Go(func() {
			first, err := b.s.Announce(b.ctx, alert)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if first {
				firsts++
			}
		})
	}
	wg.Wait()
	if n := b.count(`SELECT count(*) FROM events WHERE type = 'budget.threshold' AND workspace_id = $1`, b.ws.ID); n != 1 || firsts != 1 {
		t.Errorf("%d events, %d told that they were first; want one", n, firsts)
	}
	next := alert
	next.Start = start.AddDate(0, 1, 0)
	higher := alert
	higher.Budget.LimitUSD = dollars("2")
	for _, a := range []growth.BudgetAlert{next, higher} {
		if first, err := b.s.Announce(b.ctx, a); err != nil || !first {
			t.Errorf("another window, or another limit, is another crossing: %v %v", first, err)
		}
	}
	full := alert
	full.Threshold = 100
	_, err := b.s.Announce(b.ctx, full)
	b.must(err)
	if got := b.status(budget.ID); got.State != growth.BudgetExhausted {
		t.Errorf("state = %s after a call was turned away; want exhausted", got.State)
	}
}

func TestUnknownCostIsSettledOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	budget := b.budget(monthly("m", "1"))
	var told []growth.Call
	b.s.OnCalls(func(c []growth.Call) { told = append(told, c...) })
	flying, lost := b.open("0.01", growth.CallStarted), b.open("0.02", growth.CallUnknown)
	cost := growth.USD(dollars("0.005"), growth.CostSettled)
	_, err := b.sc.SettleCall(b.ctx, flying, cost, "me")
	wantCode(t, err, growth.Conflict)
	got, err := b.sc.SettleCall(b.ctx, lost, cost, "me")
	b.must(err)
	if got.Cost.Provenance != growth.CostSettled || got.SettledBy != "me" || len(told) != 1 || told[0].Workspace != b.ws.ID {
		t.Errorf("settled = %+v, told %+v", got, told)
	}
	_, err = b.sc.SettleCall(b.ctx, lost, cost, "me")
	wantCode(t, err, growth.Conflict)
	if s := b.status(budget.ID); !s.SpentUSD.Equal(dollars("0.005")) || s.UnknownCalls != 0 || !s.ReservedUSD.Equal(dollars("0.01")) {
		t.Errorf("budget = %+v", s)
	}
	// The end that comes after all knows better, unless it knows nothing.
	for _, tc := range []struct{ usd, want string }{{"", "0.005"}, {"0.004", "0.004"}} {
		end := ended(started(b, ""), tc.usd)
		end.ID, end.Status = lost, growth.CallUnknown
		b.must(saveCall(b, end, 0))
		rows, err := b.sc.LedgerRows(b.ctx, store.CallFilter{Status: "unknown"}, store.Page{})
		b.must(err)
		if len(rows) != 1 || rows[0].Cost.USD == nil || !rows[0].Cost.USD.Equal(dollars(tc.want)) || rows[0].Reserved == nil {
			t.Errorf("after an end of %q: %+v, want %s", tc.usd, rows, tc.want)
		}
	}
}

func TestUnknownCostsRaiseOneAlertAModelAndDay(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.open("0.01", growth.CallStarted)
	if told, err := b.s.AlertUnknownCosts(b.ctx); err != nil || len(told) != 0 {
		t.Errorf("alert for a call in flight: %v %v", told, err)
	}
	b.open("0.01", growth.CallUnknown)
	b.must(saveCall(b, ended(started(b, ""), ""), 0))
	b.open("0.01", growth.CallUnknown, func(c *growth.Call) { c.Model = "other" })
	for _, want := range []int{2, 0} {
		if told, err := b.s.AlertUnknownCosts(b.ctx); err != nil || len(told) != want {
			t.Errorf("alerts = %v %v; want %d", told, err, want)
		}
	}
	if n := b.count(`SELECT count(*) FROM events WHERE type = 'cost.unknown'`); n != 2 {
		t.Errorf("%d events; want one a model", n)
	}
}

func TestUnpricedCallsAreTakenByOne(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	named := func(c *growth.Call) { c.Generation = "gen-9" }
	b.open("0.01", growth.CallStarted, named)
	b.open("0.01", growth.CallUnknown) // nobody to ask for
	want := b.open("0.01", growth.CallUnknown, named)
	got, err := b.s.TakeUnpriced(b.ctx, "openrouter", 10)
	b.must(err)
	if len(got) != 1 || got[0].ID != want || got[0].Generation != "gen-9" || got[0].Workspace != b.ws.ID {
		t.Errorf("taken = %+v", got)
	}
	if again, err := b.s.TakeUnpriced(b.ctx, "openrouter", 10); err != nil || len(again) != 0 {
		t.Errorf("taken at once again: %+v %v", again, err)
	}
	b.exec(`UPDATE calls SET ask_after = now() - interval '1 second'`)
	if again, err := b.s.TakeUnpriced(b.ctx, "openrouter", 10); err != nil || len(again) != 1 {
		t.Errorf("after the pause: %+v %v", again, err)
	}
}

func TestPricesAreKeptAsTheyChange(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for i, step := range []struct {
		price string
		want  int64
	}{{`{"prompt":"1"}`, 1}, {`{"prompt":"1"}`, 0}, {`{"prompt":"2"}`, 1}, {`{"prompt":"1"}`, 1}} {
		n, err := b.s.SavePrices(b.ctx, "openrouter", at.Add(time.Duration(i)*time.Hour), map[string]json.RawMessage{"m": json.RawMessage(step.price)})
		if err != nil || n != step.want {
			t.Errorf("reading %d kept %d (%v); want %d", i, n, err, step.want)
		}
	}
	got, err := b.s.Prices(b.ctx)
	b.must(err)
	if len(got) != 1 || got[0].Model != "m" || !got[0].ReadAt.Equal(at.Add(3*time.Hour)) {
		t.Errorf("newest = %+v", got)
	}
}

// A row that holds money is on disk before its call is sent; others are not waited for.
func TestLedgerWriterCommitsReservationsBeforeTheCall(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	w := store.NewLedgerWriter(b.s, zerolog.Nop())
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(context.WithoutCancel(b.ctx))
	t.Cleanup(func() { stop(); wg.Wait() })
	wg.Go(func() { w.Run(ctx) })
	var callers sync.WaitGroup
	for range 40 {
		callers.Go(func() {
			c := started(b, "")
			d := dollars("0.002")
			c.Reserved = &d
			if err := w.Start(b.ctx, c); err != nil {
				t.Error(err)
				return
			}
			var n int
			if err := b.db.QueryRowContext(b.ctx, `SELECT count(*) FROM calls WHERE id = $1 AND reserved_usd = 0.002`, c.ID).Scan(&n); err != nil || n != 1 {
				t.Errorf("%d rows when Start returned, %v", n, err)
			}
		})
	}
	callers.Wait()
	bad := started(b, "")
	d := dollars("0.002")
	bad.Reserved, bad.Workspace = &d, growth.WorkspaceID(growth.NewID())
	if err := w.Start(b.ctx, bad); err == nil {
		t.Error("Start says nothing of a row that cannot be written")
	}
}
