package store_test

import (
	"testing"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// A cost that becomes known after the call's end is written once, and only behind that end.
func TestACostCanBeLearntAfterTheCall(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	c := b.claim(id)
	call := started(b, id)
	b.must(b.s.StartCall(b.ctx, call, c.Fence))
	learnt := ended(call, "0.002")
	learnt.Usage = growth.Usage{PromptTokens: 10, CompletionTokens: 7, ReasoningTokens: 2, TotalTokens: 17}
	learn := func(want bool) {
		t.Helper()
		if written, err := b.sc.LearnCost(b.ctx, learnt); err != nil || written != want {
			t.Errorf("written = %v, %v; want %v", written, err, want)
		}
	}
	learn(false) // in flight: its end would write the unknown cost over this one

	broken := ended(call, "")
	broken.Status, broken.Code, broken.Detail = growth.CallFailed, "malformed", "the answer broke off after 40 characters"
	b.must(saveCall(b, broken, c.Fence))
	if written, err := b.neighbour().sc.LearnCost(b.ctx, learnt); err != nil || written {
		t.Errorf("another workspace wrote it: %v, %v", written, err)
	}
	learn(true)
	got := b.job(id).Calls[0]
	if !got.Cost.USD.Equal(decimal.RequireFromString("0.002")) || got.Cost.Provenance != growth.CostReported || got.Detail != broken.Detail {
		t.Errorf("call = %+v", got)
	}
	if got.Usage != learnt.Usage {
		t.Errorf("usage = %+v, want %+v", got.Usage, learnt.Usage)
	}
	learnt.Cost = growth.USD(decimal.RequireFromString("9"), growth.CostReported)
	learn(true) // known already; the first word stands
	if got := b.job(id).Calls[0]; !got.Cost.USD.Equal(decimal.RequireFromString("0.002")) {
		t.Errorf("cost = %s", got.Cost.USD)
	}
	learnt.Cost = growth.UnknownMoney("USD")
	_, err := b.sc.LearnCost(b.ctx, learnt)
	wantCode(t, err, growth.Invalid)
}
