package tasks_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/tasks"
)

func (p *plant) writes(chain tasks.Chain) *plant {
	p.t.Helper()
	tasks.AddWorker(p.runner, tasks.ContentWorker{Store: p.s, Chain: chain})
	return p.relays().serves(growth.JobContentGeneration)
}

// written is the result of a content job.
type written struct {
	Variants []struct {
		ContentID growth.ContentID     `json:"content_id"`
		Body      string               `json:"body"`
		Score     int                  `json:"score"`
		Status    growth.ContentStatus `json:"status"`
		Checks    []growth.Check       `json:"checks"`
		Revised   bool                 `json:"revised"`
		Model     string               `json:"model"`
		Judge     string               `json:"judge_model"`
	} `json:"variants"`
}

var brief = tasks.ContentArgs{
	Topic: "Remplir la terrasse en semaine", Language: "fr-CA", Audience: "restaurateurs de Montréal",
	Brief: "Notre atelier gratuit du 12 mai montre à 30 restaurateurs comment remplir leur terrasse du lundi au jeudi.",
}

func TestContentIsWrittenCheckedAndPutBeforeAPerson(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.writes(w.chain())
	args := brief
	args.Variants, args.AutoApprove = 2, &tasks.AutoApprove{Threshold: 1}
	j := p.becomes(p.enqueue(args, growth.JobOptions{}), growth.JobSucceeded)
	out := result[written](t, j)
	if len(out.Variants) != 2 || out.Variants[0].Body == out.Variants[1].Body || !j.Simulated {
		t.Fatalf("variants = %+v", out.Variants)
	}
	for i, v := range out.Variants {
		c, err := p.sc.Content(t.Context(), v.ContentID)
		p.must(err)
		if c.Body != v.Body || c.Variant != i+1 || c.JobID == nil || *c.JobID != j.ID || c.Score != v.Score || !c.Simulated {
			t.Errorf("content = %+v; want the variant %+v", c, v)
		}
		if c.Status != growth.ContentInReview {
			t.Errorf("status = %s; a brand's first posts go to a person", c.Status)
		}
		if c.Hash != content.Hash(c.Body, c.Title, c.Hashtags, "", nil) {
			t.Error("the hash is not the text's")
		}
	}
	var judged bool
	for _, c := range j.Calls {
		judged = judged || c.Task == growth.TaskVerification && c.Status == growth.CallOK
	}
	if !judged || j.Cost.USD == nil || j.Cost.USD.IsZero() {
		t.Errorf("judged %v, cost %v; want another model's verdict and a cost", judged, j.Cost.USD)
	}
}

func TestTrustedBrandIsApprovedByItself(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.writes(w.chain())
	p.must(p.sc.SetSettings(t.Context(), growth.WorkspaceSettings{Brand: &growth.Brand{Name: "Atelier", Trusted: 5}}))
	args := brief
	args.AutoApprove = &tasks.AutoApprove{Threshold: 1}
	v := result[written](t, p.becomes(p.enqueue(args, growth.JobOptions{}), growth.JobSucceeded)).Variants[0]
	hard := ""
	for _, c := range v.Checks {
		if c.Hard && !c.OK {
			hard += c.Rule + " "
		}
	}
	if (v.Status == growth.ContentApproved) != (hard == "") {
		t.Errorf("status %s with score %d; hard rules that fail: %q", v.Status, v.Score, hard)
	}
	_, approved, err := p.sc.ContentHash(t.Context(), v.ContentID)
	p.must(err)
	if approved != (v.Status == growth.ContentApproved) {
		t.Errorf("approved %v, status %s", approved, v.Status)
	}
}

// stumbling is a chain that fails the first time it is asked for a step.
type stumbling struct {
	tasks.Chain
	step  string
	fell  atomic.Bool
	asked map[string]*atomic.Int32
}

func (c *stumbling) Complete(ctx context.Context, req router.Request) (router.Answer, error) {
	if n := c.asked[req.Step]; n != nil {
		n.Add(1)
	}
	if req.Step == c.step && c.fell.CompareAndSwap(false, true) {
		return router.Answer{}, &router.ChainError{Fault: growth.Errorf(growth.Unavailable, "test", "down")}
	}
	return c.Chain.Complete(ctx, req)
}

func TestDraftIsNotPaidForTwice(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	drafts := new(atomic.Int32)
	p.writes(&stumbling{Chain: w.chain(), step: "judge", asked: map[string]*atomic.Int32{"draft": drafts}})
	id := p.enqueue(brief, growth.JobOptions{})
	p.becomes(id, growth.JobRetrying)
	eventually(t, "asynq holds the task", func() bool { return len(p.inRetry("content")) == 1 })
	p.must(p.inspect.RunTask("content", string(id)))
	if j := p.becomes(id, growth.JobSucceeded); j.Attempts != 2 || drafts.Load() != 1 {
		t.Errorf("%d attempts, %d drafts; want 2 and 1", j.Attempts, drafts.Load())
	}
	var ids []growth.CallID
	for _, c := range p.job(id).Calls {
		if c.Step == "draft" {
			ids = append(ids, c.ID)
		}
	}
	if len(ids) != 1 {
		t.Errorf("%d rows of the draft in the ledger; want the one that was paid for", len(ids))
	}
}

func TestNextProviderWritesWhenTheFirstFails(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	w.fails("500", simulator.FaultParams{}, simulator.OpenRouter)
	p.writes(w.chain())
	j := p.becomes(p.enqueue(brief, growth.JobOptions{}), growth.JobSucceeded)
	got := decisions(j.Calls)
	if diff := cmp.Diff([]string{"openrouter: failed", "openrouter: failed", "huggingface: answered"}, got[:3]); diff != "" {
		t.Errorf("first calls (-want +got):\n%s", diff)
	}
}

func TestPlaceholdersComeBackAsTheLeadsOwnWords(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	heard := w.listens()
	p.writes(w.chain())
	args := brief
	args.LeadID = p.lead(bistro())
	v := result[written](t, p.becomes(p.enqueue(args, growth.JobOptions{}), growth.JobSucceeded)).Variants[0]
	if strings.Contains(v.Body, "[CONTACT") || strings.Contains(v.Body, "[EMAIL") {
		t.Errorf("a placeholder is left in %q", v.Body)
	}
	for _, secret := range []string{"Quenneville", "555-0142", "4821"} {
		if strings.Contains(strings.Join(heard(), "\n"), secret) {
			t.Errorf("%q was sent", secret)
		}
	}
}

func TestContentArgsAreChecked(t *testing.T) {
	t.Parallel()
	for field, args := range map[string]tasks.ContentArgs{
		"topic":                  {},
		"lead_id":                {LeadID: "7"},
		"variants":               {Topic: "x", Variants: 6},
		"brief":                  {Brief: strings.Repeat("x", 20001)},
		"hashtags":               {Topic: "x", Hashtags: make([]string, 6)},
		"auto_approve.threshold": {Topic: "x", AutoApprove: &tasks.AutoApprove{Threshold: 101}},
		"language":               {Topic: "x", Language: "de"},
	} {
		if e := asError(args.Validate()); e.Code != growth.Invalid || e.Field != field {
			t.Errorf("%s: %v", field, args.Validate())
		}
	}
	if err := brief.Validate(); err != nil {
		t.Error(err)
	}
}
