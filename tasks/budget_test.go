package tasks_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/budget"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// writesUnder runs content jobs under the budgets of the plant's workspace.
func (p *plant) writesUnder(w *world) *budget.Keeper {
	p.t.Helper()
	k := budget.New(budget.Config{Redis: p.rdb, Book: p.s, Log: zerolog.Nop()})
	p.s.OnCalls(k.Committed)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { k.Run(ctx) })
	p.t.Cleanup(func() { stop(); wg.Wait() })
	tasks.AddWorker(p.runner, tasks.ContentWorker{Store: p.s, Chain: w.chain(func(c *router.Config) { c.Budget = k })})
	p.relays().serves(growth.JobContentGeneration)
	return k
}

// limit makes a budget for a campaign.
func (p *plant) limit(k *budget.Keeper, usd string, policy growth.BudgetPolicy, campaign growth.CampaignID) growth.Budget {
	p.t.Helper()
	b, err := p.sc.AddBudget(p.t.Context(), growth.Budget{
		Name: "Ads", Period: growth.BudgetMonth, LimitUSD: decimal.RequireFromString(usd), Policy: policy, Campaign: campaign,
	})
	p.must(err)
	p.must(k.Changed(p.t.Context(), p.ws.ID))
	return b
}

func TestJobWaitsForItsBudget(t *testing.T) {
	t.Parallel()
	p, w := newPlant(t), newWorld(t)
	k := p.writesUnder(w)
	campaign, err := p.sc.EnsureCampaign(t.Context(), "spring")
	p.must(err)
	b := p.limit(k, "0.0001", growth.BudgetWait, campaign.ID)
	id := p.enqueue(tasks.ContentArgs{Topic: "bread"}, growth.JobOptions{CampaignID: campaign.ID})
	j := p.becomes(id, growth.JobWaiting)
	_, end := growth.BudgetMonth.Window(time.Now())
	if j.Waiting.Reason != growth.WaitBudget || j.Waiting.Until == nil || j.Waiting.Until.Sub(end).Abs() > time.Minute || j.Attempts != 0 {
		t.Errorf("waiting = %+v after %d attempts; want the budget's, until %v, none", j.Waiting, j.Attempts, end)
	}
	if diff := cmp.Diff([]string{"openrouter: skipped"}, decisions(j.Calls)); diff != "" || w.requests(simulator.OpenRouter) > 1 { // the list of models
		t.Errorf("calls (-want +got):\n%s%d requests", diff, w.requests(simulator.OpenRouter))
	}
	other := p.enqueue(tasks.ContentArgs{Topic: "cake"}, growth.JobOptions{}) // of no campaign: not covered
	p.becomes(other, growth.JobSucceeded)

	more := decimal.NewFromInt(5)
	_, err = p.sc.ChangeBudget(t.Context(), b.ID, store.BudgetChange{LimitUSD: &more})
	p.must(err)
	p.must(k.Changed(t.Context(), p.ws.ID))
	p.relay.Wake()
	done := p.becomes(id, growth.JobSucceeded)
	status := func() growth.BudgetStatus {
		got, err := p.sc.BudgetStatus(t.Context(), b.ID, time.Now())
		p.must(err)
		return got[0]
	}
	if s := status(); !s.SpentUSD.Equal(*done.Cost.USD) || !s.ReservedUSD.IsZero() || s.UnknownCalls != 0 {
		t.Errorf("budget = %+v; want the job's %s", s, done.Cost.USD)
	}
}

func TestJobFailsWhenTheBudgetSaysStop(t *testing.T) {
	t.Parallel()
	p, w := newPlant(t), newWorld(t)
	k := p.writesUnder(w)
	p.limit(k, "0.0001", growth.BudgetStop, "")
	id := p.enqueue(tasks.ContentArgs{Topic: "bread"}, growth.JobOptions{})
	j := p.becomes(id, growth.JobFailed)
	if j.Error == nil || j.Error.Code != growth.Exhausted || j.Attempts != 1 {
		t.Errorf("error = %+v after %d attempts; want exhausted, at once", j.Error, j.Attempts)
	}
}

// teller asks the simulated OpenRouter.
type teller struct{ *providers.OpenRouter }

func (t teller) Cost(ctx context.Context, id string) (decimal.Decimal, error) {
	g, err := t.Generation(ctx, id)
	return g.CostUSD, err
}

// A cost that the answer did not tell is asked for, and told once as unknown until then.
func TestBookkeeperFindsOutUnknownCosts(t *testing.T) {
	t.Parallel()
	p, w := newPlant(t), newWorld(t)
	k := p.writesUnder(w)
	b := p.limit(k, "5", growth.BudgetStop, "")
	w.fails(simulator.KindMissingUsage, simulator.FaultParams{}, simulator.OpenRouter)
	id := p.enqueue(tasks.ContentArgs{Topic: "bread"}, growth.JobOptions{})
	if j := p.becomes(id, growth.JobSucceeded); j.Cost.USD != nil {
		t.Fatalf("cost = %s; the answers told none", j.Cost.USD)
	}
	before, err := p.sc.BudgetStatus(t.Context(), b.ID, time.Now())
	p.must(err)
	if before[0].UnknownCalls == 0 || !before[0].UnknownUSD.IsPositive() || !before[0].SpentUSD.IsZero() {
		t.Errorf("budget = %+v; want calls of unknown cost, counted", before[0])
	}
	keeper := &tasks.Bookkeeper{Store: p.s, Redis: p.rdb, Log: zerolog.Nop(), Tellers: []tasks.CostTeller{
		teller{providers.NewOpenRouter(providers.Settings{BaseURL: w.url + "/openrouter/api/v1", Key: "sim-key", HTTP: w.web})},
	}}
	p.must(keeper.Alert(t.Context()))
	p.must(keeper.Alert(t.Context()))
	if n, models := p.count(`SELECT count(*) FROM events WHERE type = 'cost.unknown'`), p.count(`SELECT count(DISTINCT model) FROM calls WHERE cost_usd IS NULL`); n != models || n == 0 {
		t.Errorf("%d alerts for %d models", n, models)
	}
	p.must(keeper.Ask(t.Context()))
	j := p.job(id)
	book := w.sim.Totals().Providers[simulator.OpenRouter].CostUSD
	after, err := p.sc.BudgetStatus(t.Context(), b.ID, time.Now())
	p.must(err)
	if j.Cost.USD == nil || !j.Cost.USD.Equal(book) || !after[0].SpentUSD.Equal(book) || after[0].UnknownCalls != 0 {
		t.Errorf("cost = %+v, budget %+v; the book has %s", j.Cost, after[0], book)
	}
}
