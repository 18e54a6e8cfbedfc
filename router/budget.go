package router

import (
	"context"
	"errors"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router/budget"
)

// skipBudget stands where a candidate was not called for want of money.
const skipBudget = "budget"

// Budget holds paid calls to the limits of their workspace; see package router/budget. What a call has cost reaches it
// from the ledger, once the end of the call is committed.
type Budget interface {
	// Applies says, from memory, whether a budget covers the call.
	Applies(s budget.Spend) bool
	// Reserve holds the estimate of a call; a *budget.RefusalError says why it cannot.
	Reserve(ctx context.Context, s budget.Spend) (budget.Reservation, error)
	// Confirm says whether the money is still held now that the call's row is committed.
	Confirm(ctx context.Context, r budget.Reservation) error
	// Settle puts the cost in the place of the reservation; nil: nobody knows it.
	Settle(ctx context.Context, r budget.Reservation, actual *decimal.Decimal) error
}

// overBudgetError is a request that was not sent because a budget does not allow it.
type overBudgetError struct {
	*budget.RefusalError
	noted bool // its row is written already
}

// start writes the row of a request before it is sent, with the money that a budget holds for it.
func (w *walker) start(ctx context.Context, row *growth.Call, req providers.Request) error {
	held, err := w.reserve(ctx, row, req)
	if err != nil {
		return err
	}
	if err := w.ledger.Start(ctx, *row); err != nil {
		w.release(ctx, held)
		return &ledgerError{err}
	}
	if !held.Covered() {
		return nil
	}
	if err := w.r.cfg.Budget.Confirm(ctx, held); err != nil {
		w.unsent(ctx, *row, err)
		return overBudget(err, true)
	}
	return nil
}

// reserve holds what the request may cost at most. A free candidate needs nothing.
func (w *walker) reserve(ctx context.Context, row *growth.Call, req providers.Request) (budget.Reservation, error) {
	if w.r.cfg.Budget == nil {
		return budget.Reservation{}, nil
	}
	s := budget.Spend{
		Workspace: row.Workspace, Campaign: row.Campaign, Task: row.Task, Key: row.Key, Job: row.JobID, CallID: row.ID, At: row.StartedAt,
	}
	if !w.r.cfg.Budget.Applies(s) {
		return budget.Reservation{}, nil
	}
	price, _, known := w.r.price(row.Provider, row.Model)
	if known && free(price) {
		return budget.Reservation{}, nil
	}
	if known {
		s.Estimate = estimate(price, req)
	}
	held, err := w.r.cfg.Budget.Reserve(ctx, s)
	if err != nil {
		return held, overBudget(err, false)
	}
	if held.Covered() {
		row.Reserved = &held.Held
	}
	return held, nil
}

func overBudget(err error, noted bool) error {
	if refusal, ok := errors.AsType[*budget.RefusalError](err); ok {
		return &overBudgetError{refusal, noted}
	}
	return &overBudgetError{&budget.RefusalError{Kind: budget.Unreadable, Err: err}, noted}
}

// release gives back the money of a call that was never sent.
func (w *walker) release(ctx context.Context, held budget.Reservation) {
	if !held.Covered() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_ = w.r.cfg.Budget.Settle(ctx, held, &noMoney) // what stays held is found by the audit
}

// unsent ends the row of a request that was not sent after all.
func (w *walker) unsent(ctx context.Context, row growth.Call, err error) {
	row.Status, row.Decision, row.Code, row.Detail = "", growth.DecisionSkipped, skipBudget, err.Error()
	row.Cost = growth.USD(noMoney, growth.CostPriced)
	w.calls = append(w.calls, row)
	w.ledger.End(ctx, row)
}

// overBudget is the next move after a budget has refused: the owner's policy decides. An error ends the walk.
func (w *walker) overBudget(ctx context.Context, p Provider, slug string, held *overBudgetError) error {
	if !held.noted {
		w.skip(ctx, p.Name(), slug, skipBudget, held.Error())
	}
	w.last = nil
	if !held.Until.IsZero() {
		w.waits = append(w.waits, wait{held.Until, growth.WaitBudget})
	}
	if held.Kind != budget.LimitReached {
		return nil
	}
	b := held.Budget
	w.spent = &growth.BudgetRefusal{ID: b.ID, Name: b.Name, Policy: b.Policy, FreesAt: held.Until.UTC()}
	if b.Policy == growth.BudgetFreeOnly {
		return nil
	}
	end := &ChainError{Budget: w.spent, Fault: &growth.Error{
		Code: growth.Exhausted, Op: "router.Complete", Message: held.Error(), RetryAfter: max(time.Until(held.Until), time.Second),
	}}
	if b.Policy == growth.BudgetStop && !held.Passing {
		end.Final = true
		return end
	}
	end.Reason = growth.WaitBudget
	return end
}

// soonest is the wait that ends first. A budget frees in hours or weeks: while a candidate that costs nothing may be
// back in a minute, nobody is told to wait for it.
func (w *walker) soonest(withBudget bool) wait {
	var out wait
	for _, x := range w.waits {
		if x.reason == growth.WaitBudget && !withBudget {
			continue
		}
		if out.until.IsZero() || x.until.Before(out.until) {
			out = x
		}
	}
	return out
}

// blameBudget says so when it is a budget that a walk without an answer would have to wait for.
func (w *walker) blameBudget(out *ChainError, soonest wait) {
	if soonest.reason == growth.WaitBudget && w.spent != nil {
		out.Budget, out.Fault.Code = w.spent, growth.Exhausted
		out.Fault.Message = "the budget \"" + w.spent.Name + "\" has no money left for a paid candidate until " +
			w.spent.FreesAt.Format(time.RFC3339) + ", and no free one answered"
	}
}

// What a request may hold beside the texts of its messages, in tokens: the marks of a chat template around each one,
// and what a host puts before them all.
const (
	tokensAround = 16
	tokensBefore = 64
)

// estimate is what a request can cost at most: no tokenizer makes more tokens of a text than it has bytes, and the
// answer is as long as it may be. It is nil when there is no limit to the answer.
func estimate(price providers.Price, req providers.Request) *decimal.Decimal {
	if req.MaxTokens <= 0 && !price.Completion.IsZero() {
		return nil
	}
	prompt := tokensBefore + 2*len(req.Schema) // in the request, and once more where a host turns it into words
	for _, m := range req.Messages {
		prompt += tokensAround + len(m.Role) + len(m.Content)
	}
	cost := price.Cost(growth.Usage{PromptTokens: prompt, CompletionTokens: req.MaxTokens})
	return &cost
}
