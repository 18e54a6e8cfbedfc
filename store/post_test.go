package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// Limits that no test meets by accident.
const (
	noSpacing = time.Duration(0)
	manyADay  = 1000
)

// asItIs is for tests that are not about what was approved.
func asItIs(growth.Post, *growth.Content) error { return nil }

func (b *bed) account() growth.Account {
	b.tb.Helper()
	a, err := b.sc.PutAccount(b.ctx, growth.Account{URN: "urn:li:person:" + growth.NewID(), Name: "A. Member"},
		func(id growth.AccountID) (string, error) { return "sealed for " + string(id), nil })
	b.must(err)
	return a
}

func (b *bed) publishJob(content growth.ContentID) growth.JobID {
	b.tb.Helper()
	return b.accept(func(j *store.NewJob) {
		j.Type, j.Input = growth.JobLinkedInPublish, json.RawMessage(fmt.Sprintf(`{"content_id":%q}`, content))
	})
}

// posting is a publish job whose publication is ready.
type posting struct {
	c store.Claimed
	p growth.Publication
}

// prepare makes a running publish job with a ready publication of text, of a content when one is given.
func (b *bed) prepare(a growth.Account, text string, c *growth.Content, allowRepeat bool) posting {
	b.tb.Helper()
	p := growth.Publication{Workspace: b.ws.ID, AccountID: a.ID}
	var id growth.ContentID
	if c != nil {
		id, p.ContentID, p.ContentHash = c.ID, &c.ID, c.Hash
	}
	claimed := b.claim(b.publishJob(id))
	p.JobID = claimed.Job.ID
	got, err := b.s.PreparePublication(b.ctx, p, claimed.Fence, growth.Post{AuthorURN: a.URN, Text: text}, "hash of "+text, allowRepeat)
	b.must(err)
	return posting{claimed, got}
}

func (b *bed) claimPost(p posting) (growth.Post, error) {
	b.tb.Helper()
	send, err := b.s.ClaimPublication(b.ctx, p.c.Job, p.c.Fence, noSpacing, manyADay, asItIs)
	return send.Post, err
}

// publishing is a publication in flight.
func (b *bed) publishing() growth.Publication {
	b.tb.Helper()
	p := b.prepare(b.account(), "Bonjour", nil, false)
	_, err := b.claimPost(p)
	b.must(err)
	return p.p
}

func (b *bed) publication(id growth.PublicationID) growth.Publication {
	b.tb.Helper()
	p, err := b.sc.Publication(b.ctx, id)
	b.must(err)
	return p
}

// settle ends the job of a publication in flight as a worker does.
func (b *bed) settle(p posting, state growth.PublicationState, o store.Outcome) {
	b.tb.Helper()
	o.Save = func(ctx context.Context, tx *store.Tx) error {
		return tx.SettlePublication(ctx, p.c.Job.ID, growth.Publication{State: state, URN: "urn:li:share:1"})
	}
	b.end(p.c, o)
}

func TestPublicationIsPreparedOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.prepare(b.account(), "Bonjour", nil, false)
	again, err := b.s.PreparePublication(b.ctx, p.p, p.c.Fence, growth.Post{Text: "Bonjour"}, "hash of Bonjour", false)
	b.must(err)
	if again.ID != p.p.ID || again.State != growth.PublicationReady {
		t.Errorf("second = %+v; want the first", again)
	}
}

// A worker that was taken for dead has an older text in its hands.
func TestOnlyTheOwnerOfAJobPreparesItsPost(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	a := b.account()
	p := b.prepare(a, "Bonjour", nil, false)
	for _, fence := range []int64{p.c.Fence - 1, p.c.Fence + 1} {
		if _, err := b.s.PreparePublication(b.ctx, p.p, fence, growth.Post{AuthorURN: a.URN, Text: "Older"}, "hash of Older", false); !errors.Is(err, store.ErrLeaseLost) {
			t.Errorf("fence %d of %d: %v; want a lost lease", fence, p.c.Fence, err)
		}
	}
	if post, err := b.claimPost(p); err != nil || post.Text != "Bonjour" {
		t.Errorf("claimed %q, %v; want the owner's text", post.Text, err)
	}
}

// A job that waits may find another text approved when it goes on; that one is to be sent.
func TestReadyPublicationFollowsTheApprovedText(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	a, c := b.account(), b.create("Bonjour", growth.ContentApproved)
	p := b.prepare(a, c.Body, &c, false)
	c.Body = "Bonsoir"
	c.Hash = hashOf(c)
	edited, err := b.sc.EditContent(b.ctx, c, "editor")
	b.must(err)
	if _, err := b.claimPost(p); growth.CodeOf(err) != growth.Conflict {
		t.Fatalf("claim of an edited text: %v; want a conflict", err)
	}
	_, err = b.sc.ApproveContent(b.ctx, c.ID, edited.Hash, "reviewer")
	b.must(err)
	p.p.ContentHash = edited.Hash
	_, err = b.s.PreparePublication(b.ctx, p.p, p.c.Fence, growth.Post{AuthorURN: a.URN, Text: edited.Body}, "hash of "+edited.Body, false)
	b.must(err)
	post, err := b.claimPost(p)
	b.must(err)
	if post.Text != "Bonsoir" {
		t.Errorf("text = %q; want the approved one", post.Text)
	}
}

func TestOneOfTwentyClaimsAPublication(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.prepare(b.account(), "Bonjour", nil, false)
	_, yes := atOnce(t, 20, func(ctx context.Context) (growth.JobID, bool, error) {
		_, err := b.s.ClaimPublication(ctx, p.c.Job, p.c.Fence, noSpacing, manyADay, asItIs)
		if growth.CodeOf(err) == growth.Conflict {
			return "", false, nil
		}
		return "", err == nil, err
	})
	if yes != 1 {
		t.Errorf("%d claims; want 1", yes)
	}
}

func TestTwentyJobsWithOnePostMakeOne(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	a := b.account()
	ready := make(chan posting, 20)
	for range 20 {
		ready <- b.prepare(a, "Bonjour", nil, false)
	}
	_, yes := atOnce(t, 20, func(ctx context.Context) (growth.JobID, bool, error) {
		p := <-ready
		_, err := b.s.ClaimPublication(ctx, p.c.Job, p.c.Fence, noSpacing, manyADay, asItIs)
		if growth.CodeOf(err) == growth.Conflict {
			return "", false, nil
		}
		return "", err == nil, err
	})
	if yes != 1 {
		t.Errorf("%d claims of one post; want 1", yes)
	}
}

func TestSamePostAgain(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		end   growth.PublicationState
		other bool // another account
		again bool // allow_repeat
		want  bool
	}{
		{"after it was published", growth.PublicationPublished, false, false, false},
		{"after an unknown outcome", growth.PublicationUnknown, false, false, false},
		{"after a refusal", growth.PublicationRejected, false, false, true},
		{"wanted again", growth.PublicationPublished, false, true, true},
		{"on another account", growth.PublicationPublished, true, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			a := b.account()
			first := b.prepare(a, "Bonjour", nil, false)
			_, err := b.claimPost(first)
			b.must(err)
			b.settle(first, tc.end, store.Outcome{State: growth.JobSucceeded})
			if tc.other {
				a = b.account()
			}
			_, err = b.claimPost(b.prepare(a, "Bonjour", nil, tc.again))
			if (err == nil) != tc.want {
				t.Errorf("second claim: %v; want it to go through: %v", err, tc.want)
			}
			if err != nil {
				wantCode(t, err, growth.Conflict)
			}
		})
	}
}

// A page that two workspaces have connected is one page for LinkedIn, and for its readers.
func TestLimitsOfAPageHoldAcrossWorkspaces(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text    string
		spacing time.Duration
		perDay  int
		want    growth.Code
	}{
		"the same text":     {"Bonjour", 0, manyADay, growth.Conflict},
		"too soon":          {"Bonsoir", 15 * time.Minute, manyADay, growth.Throttled},
		"too many in a day": {"Bonsoir", 0, 1, growth.Throttled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			n := b.neighbour()
			page := growth.Account{URN: "urn:li:organization:7", Name: "P"}
			seal := func(growth.AccountID) (string, error) { return "sealed", nil }
			ours, err := b.sc.PutAccount(b.ctx, page, seal)
			b.must(err)
			theirs, err := n.sc.PutAccount(b.ctx, page, seal)
			b.must(err)
			first, second := b.prepare(ours, "Bonjour", nil, false), n.prepare(theirs, tc.text, nil, false)
			_, err = b.claimPost(first)
			b.must(err)
			_, err = b.s.ClaimPublication(b.ctx, second.c.Job, second.c.Fence, tc.spacing, tc.perDay, asItIs)
			if growth.CodeOf(err) != tc.want {
				t.Fatalf("claim: %v; want %v", err, tc.want)
			}
			for _, other := range []string{string(b.ws.ID), string(first.c.Job.ID), string(ours.ID), "job", "workspace"} {
				if strings.Contains(err.Error(), other) {
					t.Errorf("%q tells of the other workspace's post", err)
				}
			}
		})
	}
}

// A text that failed on one account shows as published where it is out on another.
func TestContentShowsTheBestOfItsPosts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		first, second growth.PublicationState
		want          growth.ContentStatus
	}{
		{growth.PublicationPublished, growth.PublicationRejected, growth.ContentPublished},
		{growth.PublicationRejected, growth.PublicationPublished, growth.ContentPublished},
		{growth.PublicationUnknown, growth.PublicationPublished, growth.ContentUnknown},
		{growth.PublicationRejected, growth.PublicationRejected, growth.ContentFailed},
	} {
		t.Run(string(tc.first+" then "+tc.second), func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			c := b.create("Bonjour", growth.ContentApproved)
			for _, end := range []growth.PublicationState{tc.first, tc.second} {
				p := b.prepare(b.account(), c.Body, &c, false)
				_, err := b.claimPost(p)
				b.must(err)
				b.settle(p, end, store.Outcome{State: growth.JobSucceeded})
			}
			now, err := b.sc.Content(b.ctx, c.ID)
			b.must(err)
			if now.Status != tc.want {
				t.Errorf("content is %s; want %s", now.Status, tc.want)
			}
		})
	}
}

func TestOnlyTheOwnerOfTheJobClaimsItsPublication(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.prepare(b.account(), "Bonjour", nil, false)
	b.expire(p.c.Job.ID)
	b.claim(p.c.Job.ID)
	_, err := b.claimPost(p)
	wantLost(t, err)
	if got := b.publication(p.p.ID); got.State != growth.PublicationReady {
		t.Errorf("state = %s", got.State)
	}
}

// What was approved is what is sent, to the byte, however the row was changed.
func TestChangedContentIsNotClaimed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(b *bed, c growth.Content){
		"edited": func(b *bed, c growth.Content) {
			c.Body += "."
			c.Hash = hashOf(c)
			_, err := b.sc.EditContent(b.ctx, c, "e")
			b.must(err)
		},
		"rejected": func(b *bed, c growth.Content) { _, err := b.sc.RejectContent(b.ctx, c.ID, "", "no"); b.must(err) },
		"body and hash": func(b *bed, c growth.Content) {
			b.exec(`UPDATE contents SET body = body || '.', hash = 'x' WHERE id = $1`, c.ID)
		},
		"approval taken back": func(b *bed, c growth.Content) { b.exec(`UPDATE contents SET approved_hash = NULL WHERE id = $1`, c.ID) },
		"back in review":      func(b *bed, c growth.Content) { b.exec(`UPDATE contents SET status = 'in_review' WHERE id = $1`, c.ID) },
		"deleted":             func(b *bed, c growth.Content) { b.exec(`DELETE FROM contents WHERE id = $1`, c.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			c := b.create("Bonjour", growth.ContentApproved)
			p := b.prepare(b.account(), c.Body, &c, false)
			change(b, c)
			if _, err := b.claimPost(p); growth.CodeOf(err) != growth.Conflict || err == nil {
				t.Errorf("claim: %v; want a conflict", err)
			}
			if got := b.publication(p.p.ID); got.State != growth.PublicationReady {
				t.Errorf("state = %s; want ready", got.State)
			}
		})
	}
}

func TestPostingWindow(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		sent     []time.Duration // ago
		spacing  time.Duration
		perDay   int
		min, max time.Duration // to wait; 0: open
	}{
		{"nothing sent", nil, time.Hour, 1, 0, 0},
		{"too soon", []time.Duration{10 * time.Minute}, time.Hour, 10, 49 * time.Minute, 50 * time.Minute},
		{"late enough", []time.Duration{61 * time.Minute}, time.Hour, 10, 0, 0},
		{"the day is full", []time.Duration{2 * time.Hour, 20 * time.Hour}, time.Hour, 2, 3*time.Hour + 59*time.Minute, 4 * time.Hour},
		{"yesterday does not count", []time.Duration{25 * time.Hour}, time.Hour, 1, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			a := b.account()
			for i, ago := range tc.sent {
				p := b.prepare(a, fmt.Sprint("earlier ", i), nil, false)
				b.exec(`UPDATE publications SET state = 'published', sent_at = now() - $2 * interval '1 second' WHERE id = $1`, p.p.ID, ago.Seconds())
			}
			p := b.prepare(a, "Bonjour", nil, false)
			_, err := b.s.ClaimPublication(b.ctx, p.c.Job, p.c.Fence, tc.spacing, tc.perDay, asItIs)
			if tc.max == 0 {
				b.must(err)
				return
			}
			wantCode(t, err, growth.Throttled)
			if d := growth.RetryAfterOf(err); d < tc.min || d > tc.max {
				t.Errorf("wait = %v; want %v to %v", d, tc.min, tc.max)
			}
			if got := b.publication(p.p.ID); got.State != growth.PublicationReady {
				t.Errorf("state = %s; want ready", got.State)
			}
		})
	}
}

func TestPostingWindowHoldsAmongConcurrentClaims(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	a := b.account()
	ready := make(chan posting, 10)
	for i := range 10 {
		ready <- b.prepare(a, fmt.Sprint("post ", i), nil, false)
	}
	_, yes := atOnce(t, 10, func(ctx context.Context) (growth.JobID, bool, error) {
		p := <-ready
		_, err := b.s.ClaimPublication(ctx, p.c.Job, p.c.Fence, time.Hour, manyADay, asItIs)
		if growth.CodeOf(err) == growth.Throttled {
			return "", false, nil
		}
		return "", err == nil, err
	})
	if yes != 1 {
		t.Errorf("%d posts within the hour; want 1", yes)
	}
}

func TestSettleByAPerson(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		verdict store.Settlement
		state   growth.PublicationState
		job     growth.JobState
		content growth.ContentStatus
		events  []string
	}{
		{store.SettlePublished, growth.PublicationPublished, growth.JobSucceeded, growth.ContentPublished, []string{"post.unknown", "post.published", "job.succeeded"}},
		{store.SettleSendAgain, growth.PublicationReady, growth.JobQueued, growth.ContentApproved, []string{"post.unknown"}},
		{store.SettleDrop, growth.PublicationRejected, growth.JobFailed, growth.ContentFailed, []string{"post.unknown", "job.failed"}},
	} {
		t.Run(string(tc.verdict), func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			c := b.create("Bonjour", growth.ContentApproved)
			p := b.prepare(b.account(), c.Body, &c, false)
			_, err := b.claimPost(p)
			b.must(err)
			_, err = b.sc.Settle(b.ctx, p.p.ID, tc.verdict, "urn:li:share:7", "https://x")
			wantCode(t, err, growth.Conflict) // still in flight
			b.expire(p.c.Job.ID)
			b.sweep()
			b.exec(`UPDATE publications SET sent_at = now() - interval '2 minutes'`) // the request cannot be on its way any more
			got, err := b.sc.Settle(b.ctx, p.p.ID, tc.verdict, "urn:li:share:7", "https://x")
			b.must(err)
			if got.State != tc.state || (got.URN == "urn:li:share:7") != (tc.verdict == store.SettlePublished) {
				t.Errorf("publication = %+v", got)
			}
			if s := b.row(p.c.Job.ID).State; s != tc.job {
				t.Errorf("job is %s; want %s", s, tc.job)
			}
			now, err := b.sc.Content(b.ctx, c.ID)
			b.must(err)
			if now.Status != tc.content {
				t.Errorf("content is %s; want %s", now.Status, tc.content)
			}
			if diff := cmp.Diff(tc.events, b.events(p.c.Job.ID)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			_, err = b.sc.Settle(b.ctx, p.p.ID, store.SettleDrop, "", "")
			wantCode(t, err, growth.Conflict)
		})
	}
}

func TestSendAgainIsClaimedOnceMore(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*bed, growth.JobID){
		"plain":                     func(*bed, growth.JobID) {},
		"after a request to cancel": func(b *bed, id growth.JobID) { b.cancel(id) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.prepare(b.account(), "Bonjour", nil, false)
			_, err := b.claimPost(p)
			b.must(err)
			prepare(b, p.c.Job.ID)
			b.expire(p.c.Job.ID)
			b.sweep()
			b.exec(`UPDATE publications SET sent_at = now() - interval '2 minutes'`) // the request cannot be on its way any more
			_, err = b.sc.Settle(b.ctx, p.p.ID, store.SettleSendAgain, "", "")
			b.must(err)
			if got := b.handOver(10); len(got) != 1 {
				t.Fatalf("handed over %+v; want the job", got)
			}
			c := b.claim(p.c.Job.ID)
			send, err := b.s.ClaimPublication(b.ctx, c.Job, c.Fence, noSpacing, manyADay, asItIs)
			if err != nil || !send.Resent {
				t.Errorf("resent = %v, %v", send.Resent, err)
			}
		})
	}
}

func TestAUnknownVerdictSettlesNothing(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.publishing()
	b.expire(p.JobID)
	b.sweep()
	_, err := b.sc.Settle(b.ctx, p.ID, "maybe", "", "")
	wantCode(t, err, growth.Invalid)
	if got := b.publication(p.ID); got.State != growth.PublicationUnknown {
		t.Errorf("state = %s", got.State)
	}
}

func TestAPostThatMayExistIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.publishing()
	for _, state := range []string{"publishing", "unknown", "published"} {
		b.exec(`UPDATE publications SET state = $1`, state)
		b.exec(`UPDATE jobs SET state = 'failed'`)
		wantCode(t, b.sc.RetryJob(b.ctx, p.JobID), growth.Conflict)
	}
	b.exec(`UPDATE publications SET state = 'ready'`)
	b.must(b.sc.RetryJob(b.ctx, p.JobID))
}

func TestConnectingAgainWakesTheJobsOfTheAccount(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	a, other := b.account(), b.account()
	wait := func(a growth.Account) growth.JobID {
		p := b.prepare(a, "Bonjour", nil, false)
		b.end(p.c, store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitReconnect, Redeliver: true, Refund: true})
		return p.c.Job.ID
	}
	waits, still := wait(a), wait(other)
	b.must(b.sc.DisconnectAccount(b.ctx, a.ID))
	again, err := b.sc.PutAccount(b.ctx, a, func(id growth.AccountID) (string, error) { return "new token of " + string(id), nil })
	b.must(err)
	_, token, err := b.sc.Account(b.ctx, a.ID)
	b.must(err)
	if again.ID != a.ID || again.Status != "active" || token != "new token of "+string(a.ID) {
		t.Errorf("account = %+v, token %q", again, token)
	}
	if got := b.handOver(10); len(got) != 1 || got[0].ID != waits || b.row(still).State != growth.JobWaiting {
		t.Errorf("handed over %+v", got)
	}
}

// A job that stopped before it had a publication waits for its account too.
func TestConnectingAgainWakesJobsWithoutAPublication(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	a := b.account()
	job := b.accept(func(j *store.NewJob) {
		j.Type, j.Input = growth.JobLinkedInPublish, json.RawMessage(fmt.Sprintf(`{"text":"x","account_id":%q}`, a.ID))
	})
	b.end(b.claim(job), store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitReconnect, Redeliver: true, Refund: true})
	_, err := b.sc.PutAccount(b.ctx, a, func(growth.AccountID) (string, error) { return "t", nil })
	b.must(err)
	if got := b.handOver(10); len(got) != 1 || got[0].ID != job {
		t.Errorf("handed over %+v; want the job", got)
	}
}
