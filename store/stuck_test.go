package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/store"
)

// waits ends a claim as a worker does that found nothing approved, or no account.
func (b *bed) waits(c store.Claimed, reason growth.WaitReason) {
	b.tb.Helper()
	b.must(b.s.Finish(b.ctx, c.Job, c.Fence, store.Outcome{State: growth.JobWaiting, Waiting: reason, Redeliver: true, Refund: true}))
}

// wake wakes what waits for nothing any more, and says in which state a job is then.
func (b *bed) wake(id growth.JobID) growth.JobState {
	b.tb.Helper()
	_, err := b.s.WakeWaiting(b.ctx)
	b.must(err)
	return b.job(id).State
}

// A person decides between a worker's look and the commit with which its job begins to wait.
func TestJobThatWaitsForWhatHasComeIsWoken(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	c := b.create("Bonjour", growth.ContentInReview)
	late := b.claim(b.publishJob(c.ID))
	_, err := b.sc.ApproveContent(b.ctx, c.ID, c.Hash, "person")
	b.must(err)
	b.waits(late, growth.WaitApproval)
	if s := b.wake(late.Job.ID); s != growth.JobQueued {
		t.Errorf("its content is approved, the job is %s", s)
	}
	a := b.account()
	b.must(b.sc.DisconnectAccount(b.ctx, a.ID))
	late = b.claim(b.accept(func(j *store.NewJob) {
		j.Type, j.Input = growth.JobLinkedInPublish, json.RawMessage(fmt.Sprintf(`{"text":"x","account_id":%q}`, a.ID))
	}))
	_, err = b.sc.PutAccount(b.ctx, growth.Account{URN: a.URN, Name: "A"}, func(growth.AccountID) (string, error) { return "new", nil })
	b.must(err)
	b.waits(late, growth.WaitReconnect)
	if s := b.wake(late.Job.ID); s != growth.JobQueued {
		t.Errorf("its account is connected, the job is %s", s)
	}
}

func TestJobThatWaitsRightlyIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	a := b.account()
	unapproved := b.claim(b.publishJob(b.create("Bonjour", growth.ContentInReview).ID))
	b.waits(unapproved, growth.WaitApproval)
	held := b.claim(b.accept(func(j *store.NewJob) {
		j.Type, j.Input = growth.JobLinkedInPublish, json.RawMessage(fmt.Sprintf(`{"content_id":%q}`, b.create("Bonsoir", growth.ContentApproved).ID))
		when := somewhen(a.ID)
		j.Post = &store.PostWish{Time: when}
	}))
	b.exec(`UPDATE post_times SET verdict = 'held'`)
	b.waits(held, growth.WaitApproval)
	b.must(b.sc.DisconnectAccount(b.ctx, a.ID))
	dead := b.claim(b.accept(func(j *store.NewJob) { j.Type, j.Input = growth.JobLinkedInPublish, json.RawMessage(`{"text":"x"}`) }))
	b.waits(dead, growth.WaitReconnect)
	for name, c := range map[string]store.Claimed{"unapproved": unapproved, "held": held, "disconnected": dead} {
		if s := b.wake(c.Job.ID); s != growth.JobWaiting {
			t.Errorf("%s: the job is %s", name, s)
		}
	}
}

func TestErasedContentEndsTheWaitForIt(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	lead := b.put(named("Canari", "canari.ca"))[0].Lead.ID
	b.exec(`UPDATE leads SET data = data || '{"email":"canari@oiseau.example"}' WHERE id = $1`, lead)
	c := draft("Écrivez à canari@oiseau.example", growth.ContentInReview)
	c.LeadID = &lead
	c, _, err := b.sc.CreateContent(b.ctx, c, "tester")
	b.must(err)
	job := b.claim(b.publishJob(c.ID))
	b.waits(job, growth.WaitApproval)
	_, err = b.sc.EraseLead(b.ctx, lead, "us", nil)
	b.must(err)
	if _, err := b.sc.Content(b.ctx, c.ID); growth.CodeOf(err) != growth.NotFound {
		t.Fatalf("the content is still there: %v", err)
	}
	if s := b.wake(job.Job.ID); s != growth.JobQueued {
		t.Errorf("the job is %s; it has to find out that there is nothing to publish", s)
	}
}

// An erasure that comes while a post is being claimed leaves the post's row: it keeps the text from going out again.
func TestErasureWaitsForAClaim(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	a := b.account()
	lead := b.put(named("Canari", "canari.ca"))[0].Lead.ID
	b.exec(`UPDATE leads SET data = data || '{"email":"canari@oiseau.example"}' WHERE id = $1`, lead)
	c := draft("Écrivez à canari@oiseau.example", growth.ContentApproved)
	c.LeadID = &lead
	c, _, err := b.sc.CreateContent(b.ctx, c, "tester")
	b.must(err)
	p := b.prepare(a, c.Body, &c, false)
	var wg sync.WaitGroup
	var erased error
	_, err = b.s.ClaimPublication(b.ctx, p.c.Job, p.c.Fence, noSpacing, manyADay, func(growth.Post, *growth.Content) error {
		wg.Go(func() { _, erased = b.sc.EraseLead(context.WithoutCancel(b.ctx), lead, "us", nil) })
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
			if b.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0 {
				return nil
			}
		}
		t.Error("the erasure did not wait")
		return nil
	})
	b.must(err)
	wg.Wait()
	b.must(erased)
	if n := b.count(`SELECT count(*) FROM publications p JOIN jobs j ON j.id = p.job_id WHERE p.id = $1 AND p.state = 'publishing'`, p.p.ID); n != 1 {
		t.Error("the post in flight went with its guard")
	}
}

func TestPostInFlightOfAnEndedJobGoesToAPerson(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.prepare(b.account(), "Bonjour", nil, false)
	_, err := b.claimPost(p)
	b.must(err)
	b.end(p.c, store.Outcome{State: growth.JobFailed, Err: &growth.JobError{Code: growth.Unavailable}})
	if n, err := b.s.SettleStuck(b.ctx); err != nil || n != 0 {
		t.Fatalf("%d settled at once, %v: its worker may be about to say", n, err)
	}
	b.exec(`UPDATE publications SET updated_at = now() - interval '2 minutes'`)
	if n, err := b.s.SettleStuck(b.ctx); err != nil || n != 1 {
		t.Fatalf("%d settled, %v", n, err)
	}
	if j := b.job(p.c.Job.ID); b.publication(p.p.ID).State != growth.PublicationUnknown || j.State != growth.JobWaiting || j.Waiting.Reason != growth.WaitOutcomeUnknown {
		t.Errorf("publication %s, job %s %+v", b.publication(p.p.ID).State, j.State, j.Waiting)
	}
	if _, err := b.sc.Settle(b.ctx, p.p.ID, store.SettleDrop, "", ""); err != nil {
		t.Errorf("a person cannot settle it: %v", err)
	}
}

func TestNoPostIsClaimedAfterACancelWasAccepted(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.prepare(b.account(), "Bonjour", nil, false)
	_, err := b.sc.CancelJob(b.ctx, p.c.Job.ID)
	b.must(err)
	if _, err := b.claimPost(p); growth.CodeOf(err) != growth.Canceled {
		t.Errorf("claim after the cancel: %v", err)
	}
}

func TestSecondRequestWaitsUntilTheFirstCannotBeOnItsWay(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.prepare(b.account(), "Bonjour", nil, false)
	_, err := b.claimPost(p)
	b.must(err)
	b.expire(p.c.Job.ID)
	_, err = b.s.SweepLeases(b.ctx)
	b.must(err)
	_, err = b.sc.Settle(b.ctx, p.p.ID, store.SettleSendAgain, "", "")
	if growth.CodeOf(err) != growth.Conflict || growth.RetryAfterOf(err) <= 30*time.Second {
		t.Errorf("send again at once: %v", err)
	}
	b.exec(`UPDATE publications SET sent_at = now() - interval '61 seconds'`)
	if _, err := b.sc.Settle(b.ctx, p.p.ID, store.SettleSendAgain, "", ""); err != nil {
		t.Errorf("send again a minute later: %v", err)
	}
}

func TestRefusedPostCanBeTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	c := b.create("Bonjour", growth.ContentApproved)
	p := b.prepare(b.account(), "Bonjour", &c, false)
	_, err := b.claimPost(p)
	b.must(err)
	b.settle(p, growth.PublicationRejected, store.Outcome{State: growth.JobFailed, Err: &growth.JobError{Code: growth.Forbidden}})
	if n, err := b.sc.RetryAll(b.ctx, store.JobFilter{}, 100); err != nil || n != 0 {
		t.Errorf("a retry of everything took the refused post along: %d, %v", n, err)
	}
	b.must(b.sc.RetryJob(b.ctx, p.c.Job.ID))
	now, err := b.sc.Content(b.ctx, c.ID)
	b.must(err)
	if b.publication(p.p.ID).State != growth.PublicationReady || now.Status != growth.ContentApproved {
		t.Errorf("publication %s, content %s", b.publication(p.p.ID).State, now.Status)
	}
}

func TestDroppedPostIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.prepare(b.account(), "Bonjour", nil, false)
	_, err := b.claimPost(p)
	b.must(err)
	b.settle(p, growth.PublicationUnknown, store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitOutcomeUnknown, Redeliver: true})
	_, err = b.sc.Settle(b.ctx, p.p.ID, store.SettleDrop, "", "")
	b.must(err)
	if err := b.sc.RetryJob(b.ctx, p.c.Job.ID); growth.CodeOf(err) != growth.Conflict {
		t.Errorf("retry of a dropped post: %v", err)
	}
}

func TestReadBackTakesNoOthersPost(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	a := b.account()
	x := b.prepare(a, "Bonjour", nil, true)
	_, err := b.claimPost(x)
	b.must(err)
	b.settle(x, growth.PublicationUnknown, store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitOutcomeUnknown, Redeliver: true})
	y := b.prepare(a, "Bonjour", nil, true)
	_, err = b.claimPost(y) // LinkedIn may have it, and we do not know its URN yet
	b.must(err)
	if found, err := b.sc.FoundOnLinkedIn(b.ctx, x.p.ID, "urn:li:share:1", "u"); err != nil || found {
		t.Errorf("x took what may be y's: %v, %v", found, err)
	}
	b.settle(y, growth.PublicationPublished, store.Outcome{State: growth.JobSucceeded})
	if whose, err := b.sc.WhosePost(b.ctx, x.p.ID, "urn:li:share:1"); err != nil || whose != store.PostOthers {
		t.Errorf("y's post counts as %q: %v", whose, err)
	}
	if found, err := b.sc.FoundOnLinkedIn(b.ctx, x.p.ID, "urn:li:share:1", "u"); err != nil || found {
		t.Errorf("x took y's post: %v, %v", found, err)
	}
	if found, err := b.sc.FoundOnLinkedIn(b.ctx, x.p.ID, "urn:li:share:2", "u"); err != nil || !found {
		t.Errorf("its own post was not taken: %v, %v", found, err)
	}
}

// LinkedIn answered 201 without an id: that post is there, and nobody knows which it is.
func TestReadBackTakesNoPostThatLinkedInDidNotName(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	a := b.account()
	unnamed := b.prepare(a, "Bonjour", nil, true)
	_, err := b.claimPost(unnamed)
	b.must(err)
	b.end(unnamed.c, store.Outcome{State: growth.JobSucceeded, Save: func(ctx context.Context, tx *store.Tx) error {
		return tx.SettlePublication(ctx, unnamed.c.Job.ID, growth.Publication{State: growth.PublicationPublished})
	}})
	p := b.unknown(a, "Bonjour")
	if found, err := b.sc.FoundOnLinkedIn(b.ctx, p.p.ID, "urn:li:share:1000", "u"); err != nil || found {
		t.Errorf("it took what may be the unnamed post: %v, %v", found, err)
	}
	if _, err := b.sc.Settle(b.ctx, p.p.ID, store.SettlePublished, "urn:li:share:1000", "u"); err != nil {
		t.Errorf("a person who has looked cannot say so: %v", err)
	}
}

// unknown is a publication whose outcome is unknown, of a text that may be there twice.
func (b *bed) unknown(a growth.Account, text string) posting {
	b.tb.Helper()
	p := b.prepare(a, text, nil, true)
	_, err := b.claimPost(p)
	b.must(err)
	b.settle(p, growth.PublicationUnknown, store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitOutcomeUnknown, Redeliver: true})
	return p
}

// Two people settle two unknown publications at once, with the address of one post.
func TestOnePostSettlesOnePublication(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	a := b.account()
	open := make(chan posting, 8)
	for range 8 {
		open <- b.unknown(a, "Bonjour")
	}
	_, yes := atOnce(t, 8, func(ctx context.Context) (growth.JobID, bool, error) {
		_, err := b.sc.Settle(ctx, (<-open).p.ID, store.SettlePublished, "urn:li:share:7", "u")
		if growth.CodeOf(err) == growth.Conflict {
			return "", false, nil
		}
		return "", err == nil, err
	})
	if yes != 1 {
		t.Errorf("%d publications have one post; want 1", yes)
	}
}

// The worker was taken for dead while it held LinkedIn's answer.
func TestAnswerThatCameLateSettlesThePublication(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.prepare(b.account(), "Bonjour", nil, false)
	_, err := b.claimPost(p)
	b.must(err)
	b.expire(p.c.Job.ID)
	_, err = b.s.SweepLeases(b.ctx)
	b.must(err)
	if found, err := b.sc.AnsweredByLinkedIn(b.ctx, p.p.ID, "urn:li:share:9", "u"); err != nil || !found {
		t.Fatal(found, err)
	}
	if got := b.publication(p.p.ID); got.State != growth.PublicationPublished || got.URN != "urn:li:share:9" || b.job(p.c.Job.ID).State != growth.JobSucceeded {
		t.Errorf("publication %s %s, job %s", got.State, got.URN, b.job(p.c.Job.ID).State)
	}
}

func TestPictureOfATextIsKept(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	m, err := b.sc.PutMedia(b.ctx, growth.Media{Type: "image/png", Width: 1, Height: 1, Frames: 1}, []byte("x"))
	b.must(err)
	c := draft("Bonjour", growth.ContentApproved)
	c.Media = []string{string(m.ID)}
	c.Hash = content.HashOf(c)
	_, _, err = b.sc.CreateContent(b.ctx, c, "t")
	b.must(err)
	if err := b.sc.DeleteMedia(b.ctx, m.ID); growth.CodeOf(err) != growth.Conflict {
		t.Errorf("deleting the picture of an approved text: %v", err)
	}
}

// Two people decide about one post at once: one rejects its text, the other cancels its job.
func TestRejectAndCancelDoNotBlockEachOther(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	for range 40 {
		c := b.create("Bonjour "+growth.NewID(), growth.ContentApproved)
		job := b.claim(b.publishJob(c.ID))
		b.waits(job, growth.WaitApproval)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := b.sc.RejectContent(b.ctx, c.ID, c.Hash, "no"); err != nil && growth.CodeOf(err) != growth.Conflict {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := b.sc.CancelJob(b.ctx, job.Job.ID); err != nil && growth.CodeOf(err) != growth.Conflict {
				t.Error(err)
			}
		})
		wg.Wait()
	}
}

// A delivery of a job whose lease is about to end arrives while its worker commits the claim of the post: only one of
// the two may have it.
func TestJobIsNotTakenWhileItsPostIsClaimed(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.prepare(b.account(), "Bonjour", nil, false)
	b.exec(`UPDATE jobs SET lease_until = now() + interval '1 second'`)
	taken := make(chan bool, 1)
	_, err := b.s.ClaimPublication(b.ctx, p.c.Job, p.c.Fence, noSpacing, manyADay, func(growth.Post, *growth.Content) error {
		time.Sleep(1100 * time.Millisecond) // until the lease that the other sees has ended
		go func() {
			_, ok, err := b.s.Claim(context.WithoutCancel(b.ctx), p.c.Job.ID, p.c.Epoch, "other", lease)
			taken <- ok || err != nil
		}()
		time.Sleep(300 * time.Millisecond) // until it waits for the row
		return nil
	})
	b.must(err)
	if <-taken {
		t.Error("another worker has the job whose post is about to be sent")
	}
}

func TestPostIsNotClaimedAfterTheLease(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.prepare(b.account(), "Bonjour", nil, false)
	b.expire(p.c.Job.ID)
	if _, err := b.claimPost(p); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("claim: %v; want a lost lease", err)
	}
}

// LinkedIn's answer comes after a person has said "send again", and before anybody does.
func TestLateAnswerIsTakenInsteadOfSendingAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.prepare(b.account(), "Bonjour", nil, false)
	_, err := b.claimPost(p)
	b.must(err)
	b.expire(p.c.Job.ID)
	_, err = b.s.SweepLeases(b.ctx)
	b.must(err)
	b.exec(`UPDATE publications SET sent_at = now() - interval '2 minutes'`)
	_, err = b.sc.Settle(b.ctx, p.p.ID, store.SettleSendAgain, "", "")
	b.must(err)
	if found, err := b.sc.AnsweredByLinkedIn(b.ctx, p.p.ID, "urn:li:share:9", "u"); err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	if got := b.publication(p.p.ID); got.State != growth.PublicationPublished || b.job(p.c.Job.ID).State != growth.JobSucceeded {
		t.Errorf("publication %s, job %s; want it published", got.State, b.job(p.c.Job.ID).State)
	}
}

// A person gives an account up while a job uploads its pictures.
func TestNothingIsPostedAsAnAccountThatWasGivenUp(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	a := b.account()
	p := b.prepare(a, "Bonjour", nil, false)
	b.must(b.sc.DisconnectAccount(b.ctx, a.ID))
	if _, err := b.claimPost(p); growth.CodeOf(err) != growth.KeyRejected {
		t.Errorf("claim: %v; want the account to be missing", err)
	}
}

// A page joins the grant of a member whose token was refreshed before.
func TestRefreshReachesEveryAccountOfAGrant(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	end := time.Now().Add(time.Hour)
	g := store.Grant{Member: "urn:li:person:m", Scopes: []string{"w_member_social", "w_organization_social"}, ExpiresAt: &end}
	connect := func(urn, token string) growth.Account {
		c, err := b.sc.Connect(b.ctx, growth.Account{URN: urn, Name: urn}, g, func(growth.AccountID) (store.Credential, error) {
			return store.Credential{Token: token, Refresh: "refresh " + token}, nil
		})
		b.must(err)
		return c.Account
	}
	refresh := func(a growth.Account, token string) {
		r, ok, err := b.s.TakeRefresh(b.ctx, store.DueGrant{Workspace: b.ws.ID, Grant: a.Grant, TokenAt: a.TokenAt}, time.Minute)
		b.must(err)
		if !ok {
			t.Fatal("the grant is not to be had")
		}
		got := store.Refreshed{ExpiresAt: &end}
		for range r.Accounts {
			got.Credentials = append(got.Credentials, store.Credential{Token: token, Refresh: "refresh " + token})
		}
		_, err = b.s.SaveRefresh(b.ctx, r, got)
		b.must(err)
	}
	member := connect("urn:li:person:m", "one")
	refresh(member, "two")
	page := connect("urn:li:organization:7", "three")
	refresh(page, "four")
	for _, a := range []growth.Account{member, page} {
		if _, c, err := b.sc.AccountCredential(b.ctx, a.ID); err != nil || c.Token != "four" || c.Refresh != "refresh four" {
			t.Errorf("%s has %q and %q, %v; want the new ones", a.URN, c.Token, c.Refresh, err)
		}
	}
}
