package dashboard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func TestMain(m *testing.M) {
	suite := testenv.Around(m)
	os.Exit(suite.Run())
}

// workspace makes a workspace for one test.
func workspace(t *testing.T, s *store.Store, name string) growth.Workspace {
	t.Helper()
	ws, err := s.EnsureWorkspace(t.Context(), "t-"+growth.NewID(), name)
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

// seed writes rows as the other programs do.
type seed struct {
	t  *testing.T
	s  *store.Store
	ws growth.Workspace
}

func (d seed) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// job accepts a job.
func (d seed) job(kind growth.JobType, input any, lead growth.LeadID) growth.JobID {
	d.t.Helper()
	b, err := json.Marshal(input)
	d.must(err)
	out, err := d.s.In(d.ws.ID).Accept(d.t.Context(), []store.NewJob{{
		Type: kind, Input: b, LeadID: lead, TraceID: "trace-1",
		Options: growth.JobOptions{Priority: growth.PriorityNormal, MaxAttempts: 5, TimeoutS: 300},
	}})
	d.must(err)
	return out[0].ID
}

// run claims a job, saves calls and ends it.
func (d seed) run(id growth.JobID, calls []growth.Call, o store.Outcome) {
	d.t.Helper()
	ctx := d.t.Context()
	c, ok, err := d.s.Claim(ctx, id, 0, "test", time.Minute)
	d.must(err)
	if !ok {
		d.t.Fatalf("job %s cannot be claimed", id)
	}
	for i := range calls {
		calls[i].ID, calls[i].Workspace, calls[i].JobID = growth.CallID(growth.NewID()), d.ws.ID, id
		if calls[i].StartedAt.IsZero() {
			calls[i].StartedAt = time.Now().UTC()
		}
	}
	d.must(d.s.SaveStep(ctx, id, c.Fence, "extract", json.RawMessage(`{}`), calls))
	d.must(d.s.Finish(ctx, c.Job, c.Fence, o))
}

// lead stores a lead with its score.
func (d seed) lead(l growth.Lead, q *growth.Qualification, calls []growth.Call) growth.LeadID {
	d.t.Helper()
	saved, err := d.s.In(d.ws.ID).PutLeads(d.t.Context(), []store.LeadPut{{Lead: l}}, func(_, _ growth.Lead) bool { return true },
		func(_, l growth.Lead) growth.Lead { return l })
	d.must(err)
	id := saved[0].Lead.ID
	if q == nil {
		return id
	}
	q.LeadID = id
	job := d.job(growth.JobLeadQualification, map[string]any{"lead_id": id}, id)
	result, err := json.Marshal(q)
	d.must(err)
	d.run(job, calls, store.Outcome{State: growth.JobSucceeded, Result: result, Simulated: true, Save: func(ctx context.Context, tx *store.Tx) error {
		j := growth.Job{ID: job, Workspace: d.ws.ID}
		if err := tx.SaveQualification(ctx, j, *q, "fp"); err != nil {
			return err
		}
		return tx.AddTransfers(ctx, j, id, calls, []string{"business_type", "city", "google_rating"})
	}})
	return id
}

// content stores a text for review.
func (d seed) content(title, body string) growth.Content {
	d.t.Helper()
	c, _, err := d.s.In(d.ws.ID).CreateContent(d.t.Context(), growth.Content{
		ID: growth.ContentID(growth.NewID()), Variant: 1, Version: 1, Title: title, Body: body, Hashtags: []string{"#Montréal", "#Restaurants", "#Growth"},
		Language: "fr-CA", Score: 82, Status: growth.ContentInReview, Hash: "hash-" + growth.NewID(), Simulated: true,
		Checks: []growth.Check{
			{Rule: "length", Hard: true, OK: true},
			{Rule: "fold", OK: false, Detail: "the first lines do not name the offer"},
			{Rule: "numbers", Hard: true, OK: false, Detail: "40 % is not in the brief"},
		},
	}, "test")
	d.must(err)
	return c
}

// overdue makes a text in review whose post was planned for three hours ago, and waits for the approval.
func (d seed) overdue(body string) (growth.Content, growth.JobID) {
	d.t.Helper()
	ctx := d.t.Context()
	a, err := d.s.In(d.ws.ID).PutAccount(ctx, growth.Account{URN: "urn:li:person:" + growth.NewID(), Name: "Marie Tremblay", Simulated: true},
		func(growth.AccountID) (string, error) { return "sealed", nil })
	d.must(err)
	c, at := d.content("Title", body), time.Now().Add(-3*time.Hour).UTC().Truncate(time.Second)
	got, err := tasks.NewQueue(d.s, nil).Enqueue(ctx, d.ws.ID, tasks.Submission{
		Args: tasks.PublishArgs{ContentID: c.ID, AccountID: a.ID},
		Post: &store.PostWish{Time: growth.PostTime{AccountID: a.ID, Source: growth.PostAtInstant, Zone: "UTC", Local: at.Format(growth.LocalLayout), At: at}},
	})
	d.must(err)
	claimed, _, err := d.s.Claim(ctx, got[0].ID, 0, "test", time.Hour)
	d.must(err)
	d.must(d.s.Finish(ctx, claimed.Job, claimed.Fence, store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitApproval}))
	return c, got[0].ID
}

// publication makes a publication and ends it in a state.
func (d seed) publication(text string, state growth.PublicationState) growth.PublicationID {
	d.t.Helper()
	ctx := d.t.Context()
	a, err := d.s.In(d.ws.ID).PutAccount(ctx, growth.Account{URN: "urn:li:person:" + growth.NewID(), Name: "Marie Tremblay", Simulated: true},
		func(growth.AccountID) (string, error) { return "sealed", nil })
	d.must(err)
	job := d.job(growth.JobLinkedInPublish, map[string]any{"text": text}, "")
	c, ok, err := d.s.Claim(ctx, job, 0, "test", time.Minute)
	d.must(err)
	if !ok {
		d.t.Fatal("publish job cannot be claimed")
	}
	p, err := d.s.PreparePublication(ctx, growth.Publication{Workspace: d.ws.ID, JobID: job, AccountID: a.ID}, c.Fence,
		growth.Post{AuthorURN: a.URN, Text: text, Visibility: "PUBLIC"}, growth.NewID(), false)
	d.must(err)
	_, err = d.s.ClaimPublication(ctx, c.Job, c.Fence, 0, 100, func(growth.Post, *growth.Content) error { return nil })
	d.must(err)
	now := time.Now().UTC()
	end := growth.Publication{State: state, Simulated: true}
	o := store.Outcome{State: growth.JobSucceeded, Result: json.RawMessage(`{}`), Simulated: true}
	switch state {
	case growth.PublicationPublished:
		end.URN, end.PublishedAt = "urn:li:share:7012345678901234567", &now
		end.URL = "https://www.linkedin.com/feed/update/" + end.URN + "/"
		o.Result = json.RawMessage(`{"url":"` + end.URL + `"}`)
	case growth.PublicationUnknown:
		end.Error = "the connection broke after the request was sent"
		o = store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitOutcomeUnknown, Err: &growth.JobError{Code: growth.Uncertain, Message: end.Error}}
	case growth.PublicationRejected:
		end.Error = "refused"
		o = store.Outcome{State: growth.JobFailed, Err: &growth.JobError{Code: growth.Invalid, Message: "LinkedIn refused the post"}}
	case growth.PublicationReady, growth.PublicationPublishing, growth.PublicationDeleted:
		d.t.Fatalf("no end: %s", state)
	}
	o.Save = func(ctx context.Context, tx *store.Tx) error { return tx.SettlePublication(ctx, job, end) }
	d.must(d.s.Finish(ctx, c.Job, c.Fence, o))
	return p.ID
}

// answered is a call that a provider answered; usd empty: of unknown cost.
func answered(provider, model, usd string, ms int64) growth.Call {
	c := growth.Call{
		Task: growth.TaskQualification, Step: "extract", Provider: provider, Model: model, Status: growth.CallOK, Decision: growth.DecisionAnswered,
		Usage: growth.Usage{PromptTokens: 812, CompletionTokens: 164}, Cost: growth.UnknownMoney("USD"), LatencyMS: ms, Simulated: true,
	}
	if usd != "" {
		c.Cost = growth.USD(decimal.RequireFromString(usd), growth.CostReported)
	}
	return c
}

// failed is a call that went wrong and cost nothing.
func failed(provider, model string, code growth.Code) growth.Call {
	c := answered(provider, model, "0", 30_000)
	c.Status, c.Decision, c.Code, c.Detail = growth.CallFailed, growth.DecisionFailed, code.String(), "no answer within 30 s"
	c.Usage = growth.Usage{}
	return c
}

// skipped is a candidate that was not called.
func skipped(provider, model, why string) growth.Call {
	return growth.Call{
		Task: growth.TaskQualification, Step: "extract", Provider: provider, Model: model, Code: why, Decision: growth.DecisionSkipped,
		Detail: provider + " until later", Cost: growth.USD(decimal.Zero, growth.CostPriced),
	}
}

// qualification is a score with its reasons.
func qualification(score int, priority string) *growth.Qualification {
	return &growth.Qualification{
		Score: score, Fit: min(score+8, 100), Intent: max(score-12, 0), Grade: "A2", Priority: priority, Confidence: 0.86,
		Reasons: []growth.Reason{
			{Criterion: "need", Axis: "intent", Level: "explicit", Points: 30, MaxPoints: 40, Quote: "on cherche quelqu’un pour refaire notre site", Field: "notes", Verified: true},
			{Criterion: "reputation", Axis: "fit", Level: "strong", Points: 20, MaxPoints: 20, Quote: "4.7", Field: "google_rating", Verified: true},
			{Criterion: "budget", Axis: "intent", Level: "none", Points: 0, MaxPoints: 15},
		},
		PainPoints: []string{"site web vieilli"}, MissingInformation: []string{"email"}, Disqualifiers: []string{},
		RecommendedApproach: "Appeler en après-midi et proposer une maquette.", NextAction: "call", Flags: []string{"hidden_text"},
		Rubric: "local-business@1", PromptVersion: "q1", Model: "openrouter/meta-llama/llama-3.3-70b-instruct", ScoredBy: growth.ScoredByModel,
	}
}

func name(i int) string { return fmt.Sprintf("Café Numéro %02d", i) }
