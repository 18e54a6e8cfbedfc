package tasks_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// planned enqueues a post whose time is so far from now.
func (p *press) planned(text string, from time.Duration) growth.JobID {
	p.t.Helper()
	at := time.Now().Add(from).UTC().Truncate(time.Second)
	got, err := p.queue.Enqueue(p.t.Context(), p.ws.ID, tasks.Submission{
		Args: tasks.PublishArgs{Text: text, AccountID: p.account.ID}, Options: growth.JobOptions{RunAt: &at},
		Post: &store.PostWish{Time: growth.PostTime{
			AccountID: p.account.ID, Source: growth.PostAtInstant, Zone: "UTC", Local: at.Format("2006-01-02T15:04:05"), At: at,
		}},
	})
	p.must(err)
	return got[0].ID
}

func (p *press) plan(change func(*growth.PostingPlan)) {
	p.t.Helper()
	plan := growth.DefaultPlan(p.account.ID)
	plan.Zone = "America/Toronto"
	change(&plan)
	p.must(tasks.CheckPlan(plan))
	p.must(p.sc.SetPostingPlan(p.t.Context(), plan))
}

func (p *press) postTime(id growth.JobID) growth.PostTime {
	p.t.Helper()
	t, found, err := p.sc.PostTime(p.t.Context(), id)
	p.must(err)
	if !found {
		p.t.Fatal("the job has no time")
	}
	return t
}

func (p *press) events(kind string) int {
	return p.count(`SELECT count(*) FROM events WHERE type = $1`, kind)
}

// everyHour is a plan without a gap, so that a next slot is near.
func everyHour(plan *growth.PostingPlan) {
	for h := range 24 {
		plan.Slots = append(plan.Slots, growth.PostingSlot{
			Days: []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}, Time: fmt.Sprintf("%02d:00", h),
		})
	}
}

func TestPostGoesOutByItsTime(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	onTime, late := p.planned("à l'heure", 0), p.planned("dix minutes plus tard", -10*time.Minute)
	p.becomes(onTime, growth.JobSucceeded)
	p.becomes(late, growth.JobSucceeded)
	if a, b := p.postTime(onTime).Verdict, p.postTime(late).Verdict; a != growth.PostOnTime || b != growth.PostLate {
		t.Errorf("verdicts %s and %s", a, b)
	}
	if n := len(p.w.posts()); n != 2 {
		t.Errorf("%d posts, want 2", n)
	}
}

// Whatever makes a job due too early, its post waits for its time.
func TestPostNeverGoesOutBeforeItsTime(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	id := p.planned("demain", 24*time.Hour)
	p.exec(`UPDATE jobs SET state = 'queued', run_at = now() WHERE id = $1`, id)
	p.queue.Wake()
	j := p.waits(id, growth.WaitPostingWindow)
	if at := p.postTime(id).At; j.Waiting.Until == nil || !j.Waiting.Until.Equal(at) {
		t.Errorf("waits until %v, want %v", j.Waiting.Until, at)
	}
	if n := len(p.w.posts()); n != 0 {
		t.Errorf("%d posts", n)
	}
}

func TestMissedPostIsHeldForAPerson(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	id := p.planned("il y a deux heures", -2*time.Hour)
	if j := p.waits(id, growth.WaitApproval); j.Waiting.Until != nil {
		t.Errorf("waits until %v, want a person", j.Waiting.Until)
	}
	if n := p.events("post.held"); n != 1 || len(p.w.posts()) != 0 {
		t.Fatalf("%d events, %d posts", n, len(p.w.posts()))
	}
	// Being woken decides nothing.
	p.exec(`UPDATE jobs SET state = 'queued', run_at = now(), epoch = epoch + 1, dispatched_at = NULL WHERE id = $1`, id)
	p.queue.Wake()
	p.waits(id, growth.WaitApproval)
	if len(p.w.posts()) != 0 || p.events("post.held") != 1 {
		t.Fatal("a held post went out, or was told of twice")
	}
	now := time.Now().UTC()
	_, err := p.sc.MovePost(t.Context(), id, store.PostWish{Time: growth.PostTime{
		Source: growth.PostAtInstant, Zone: "UTC", Local: now.Format("2006-01-02T15:04:05"), At: now, Verdict: growth.PostOnTime,
	}})
	p.must(err)
	p.queue.Wake()
	p.becomes(id, growth.JobSucceeded)
	if _, err := p.sc.MovePost(t.Context(), id, store.PostWish{Time: growth.PostTime{Source: growth.PostAtInstant, Zone: "UTC", Local: "2027-01-01T00:00:00", At: now}}); growth.CodeOf(err) != growth.Conflict {
		t.Errorf("moving a post that is out: %v", err)
	}
}

// LinkedIn turns a post away on its day, and takes it again three days later: nobody wants Friday's wishes on a Monday
// without a question.
func TestPostThatLinkedInTurnedAwayForDaysIsHeld(t *testing.T) {
	t.Parallel()
	for _, why := range []string{"426", "429", "401"} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			var days atomic.Int64
			p := newPress(t, func(w *tasks.PublishWorker) {
				w.Now = func() time.Time { return time.Now().Add(time.Duration(days.Load()) * 24 * time.Hour) }
			})
			p.fails("posts", why, 1)
			p.runs()
			id := p.planned("Bon vendredi!", 0)
			p.becomes(id, growth.JobWaiting)
			if v := p.postTime(id).Verdict; v != "" {
				t.Errorf("its time counts as %s while it waits", v)
			}
			days.Store(3)
			p.exec(`DELETE FROM linkedin_stops`)
			p.connect("sim-new-token")
			p.hurry()
			p.until(func() bool { return p.postTime(id).Verdict != "" && p.job(id).State != growth.JobRunning })
			p.waits(id, growth.WaitApproval)
			if p.events("post.held") != 1 || len(p.w.posts()) != 0 {
				t.Errorf("%d events, %d posts", p.events("post.held"), len(p.w.posts()))
			}
		})
	}
}

// Everything stands still while a post waits for its account's window.
func TestPostThatComesOutOfItsWindowDaysLateIsHeld(t *testing.T) {
	t.Parallel()
	p := newPress(t, func(w *tasks.PublishWorker) { w.Spacing = time.Hour }).runs()
	p.becomes(p.planned("un", 0), growth.JobSucceeded)
	id := p.planned("deux", 0)
	p.waits(id, growth.WaitPostingWindow)
	p.exec(`UPDATE post_times SET at = at - interval '1 hour', judged_at = judged_at - interval '1 hour' WHERE job_id = $1`, id)
	p.exec(`UPDATE publications SET sent_at = sent_at - interval '1 hour'`)
	p.hurry() // as its window opens
	p.becomes(id, growth.JobSucceeded)
	if v := p.postTime(id).Verdict; v != growth.PostOnTime {
		t.Errorf("a post that waited for its window counts as %s", v)
	}
	late := p.planned("trois", 0)
	p.waits(late, growth.WaitPostingWindow)
	p.exec(`UPDATE post_times SET at = at - interval '3 days', judged_at = judged_at - interval '3 days' WHERE job_id = $1`, late)
	p.exec(`UPDATE publications SET sent_at = sent_at - interval '3 days'`)
	p.exec(`UPDATE jobs SET run_at = now() - interval '2 days' WHERE id = $1`, late)
	p.queue.Wake()
	p.until(func() bool { return p.events("post.held") == 1 && p.job(late).State != growth.JobRunning })
	p.waits(late, growth.WaitApproval)
	if n := len(p.w.posts()); n != 2 {
		t.Errorf("%d posts", n)
	}
}

// A person approves a text whose planned time has passed, and says at once what becomes of its post.
func TestTextThatIsApprovedAfterItsTime(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		late    growth.LatePolicy
		verdict growth.PostVerdict
		state   growth.JobState
		held    int
	}{
		{"", growth.PostHeld, growth.JobWaiting, 1},
		{growth.LateAsk, growth.PostHeld, growth.JobWaiting, 1},
		{growth.LatePublish, growth.PostLate, growth.JobQueued, 0},
		{growth.LateNextSlot, "", growth.JobScheduled, 0},
	} {
		t.Run("late: "+string(tc.late), func(t *testing.T) {
			t.Parallel()
			p := newPress(t)
			p.plan(everyHour)
			c := p.content("Bonjour", growth.ContentInReview)
			at := time.Now().Add(-3 * time.Hour).UTC().Truncate(time.Second)
			got, err := p.queue.Enqueue(t.Context(), p.ws.ID, tasks.Submission{
				Args: tasks.PublishArgs{ContentID: c.ID, AccountID: p.account.ID}, Options: growth.JobOptions{RunAt: &at},
				Post: &store.PostWish{Time: growth.PostTime{AccountID: p.account.ID, Source: growth.PostAtInstant, Zone: "UTC", Local: at.Format("2006-01-02T15:04:05"), At: at}},
			})
			p.must(err)
			id := got[0].ID
			p.exec(`UPDATE jobs SET state = 'waiting', waiting_reason = 'approval', run_at = 'infinity'`) // as its worker left it
			said, err := tasks.Approve(t.Context(), p.sc, c.ID, c.Hash, "Ada", tc.late)
			p.must(err)
			if len(said.Held) != tc.held || said.Status != growth.ContentApproved && said.Status != growth.ContentScheduled {
				t.Errorf("the approval says %s and %+v; want %d posts held", said.Status, said.Held, tc.held)
			}
			for _, h := range said.Held {
				if h.JobID != id || h.AccountID != p.account.ID || h.Account != p.account.Name || !h.PlannedFor.Equal(at) || !strings.Contains(h.Reason, "3h0m0s") {
					t.Errorf("held = %+v; want the post of %s", h, at)
				}
			}
			if pt := p.postTime(id); pt.Verdict != tc.verdict || tc.late == growth.LateNextSlot && !pt.At.After(time.Now()) {
				t.Errorf("time %+v; want %q", pt, tc.verdict)
			}
			if j := p.job(id); j.State != tc.state || p.events("post.held") != tc.held {
				t.Errorf("job is %s, %d events; want %s, %d", j.State, p.events("post.held"), tc.state, tc.held)
			}
			if tc.held > 0 { // a later word decides about what was held
				said, err := tasks.Approve(t.Context(), p.sc, c.ID, c.Hash, "Ada", growth.LatePublish)
				p.must(err)
				if pt := p.postTime(id); len(said.Held) != 0 || pt.Verdict != growth.PostLate || p.job(id).State != growth.JobQueued || p.events("post.held") != 1 {
					t.Errorf("released: %+v, time %+v, job %s", said.Held, pt, p.job(id).State)
				}
			}
			if tc.late == growth.LatePublish {
				p.runs().queue.Wake()
				p.becomes(id, growth.JobSucceeded)
			}
		})
	}
}

func TestMissedPostTakesTheNextSlotWhereThePlanSaysSo(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	p.plan(func(plan *growth.PostingPlan) { everyHour(plan); plan.Late = growth.LateNextSlot })
	p.runs()
	id := p.planned("il y a deux heures", -2*time.Hour)
	j := p.waits(id, growth.WaitPostingWindow)
	pt := p.postTime(id)
	if pt.Source != growth.PostAtSlot || !pt.At.After(time.Now()) || j.Waiting.Until == nil || !j.Waiting.Until.Equal(pt.At) || pt.At.Minute() != 0 {
		t.Errorf("time %+v, waiting %+v", pt, j.Waiting)
	}
	if moved, err := p.sc.MovedPosts(t.Context(), time.Now().Add(-3*time.Hour), time.Now()); err != nil || len(moved) != 1 || p.events("post.moved") != 1 {
		t.Errorf("moved %+v, %v", moved, err)
	}
}

// After an outage the posts that were missed do not all go out at once.
func TestLatePostsGoOutAFewAnHour(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	p.plan(func(plan *growth.PostingPlan) { plan.Late, plan.CatchUpPerHour = growth.LatePublish, 3 })
	var ids []growth.JobID
	for i := range 7 {
		ids = append(ids, p.planned(fmt.Sprintf("retard %d", i), -time.Duration(60+i)*time.Minute))
	}
	p.runs()
	out, held := 0, 0
	for _, id := range ids {
		switch j := p.settled(id); j.State {
		case growth.JobSucceeded:
			out++
		case growth.JobWaiting:
			held++
			if j.Waiting.Reason != growth.WaitPostingWindow || time.Until(*j.Waiting.Until) < 55*time.Minute {
				t.Errorf("waits %+v", j.Waiting)
			}
		default:
			t.Errorf("job is %s: %+v", j.State, j.Error)
		}
	}
	if out != 3 || held != 4 || len(p.w.posts()) != 3 {
		t.Errorf("%d out, %d held back, %d posts; want 3, 4, 3", out, held, len(p.w.posts()))
	}
	// An hour later the next ones go.
	p.exec(`UPDATE post_times SET released_at = released_at - interval '61 minutes' WHERE released_at IS NOT NULL`)
	p.exec(`UPDATE jobs SET state = 'queued', run_at = now(), epoch = epoch + 1, dispatched_at = NULL WHERE state = 'waiting'`)
	p.queue.Wake()
	p.until(func() bool { return len(p.w.posts()) == 6 })
	for _, id := range ids {
		p.settled(id)
	}
	if n := len(p.w.posts()); n != 6 {
		t.Errorf("%d posts after an hour, want 6", n)
	}
}

// settled waits until a job has ended or waits.
func (p *press) settled(id growth.JobID) growth.Job {
	p.t.Helper()
	var j growth.Job
	p.until(func() bool {
		j = p.job(id)
		return j.State.Final() || j.State == growth.JobWaiting
	})
	return j
}

// until waits for something to be so.
func (p *press) until(so func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			p.t.Fatal("it did not come to be so")
		case <-tick.C:
		}
	}
}

func TestNoTwoPostsTakeOneSlot(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	p.plan(everyHour)
	const n = 24
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			sub := tasks.Submission{
				Args: tasks.PublishArgs{Text: fmt.Sprint("post ", i), AccountID: p.account.ID},
				Post: &store.PostWish{Time: growth.PostTime{AccountID: p.account.ID}, Slot: tasks.NextSlot},
			}
			if _, err := p.queue.Enqueue(t.Context(), p.ws.ID, sub); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := p.count(`SELECT count(DISTINCT t.at) FROM post_times t JOIN jobs j ON j.id = t.job_id AND j.run_at = t.at AND j.state = 'scheduled'`); got != n {
		t.Errorf("%d different slots, want %d", got, n)
	}
	if span := p.count(`SELECT (extract(epoch FROM max(at) - min(at)) / 3600)::int FROM post_times`); span != n-1 {
		t.Errorf("the slots span %d hours: some were left out", span)
	}
}

// Canceling a post frees its slot and shows its content as approved again.
func TestCanceledPostGivesItsSlotBack(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	p.plan(everyHour)
	c := p.content("Une terrasse", growth.ContentApproved)
	take := func() (growth.JobID, time.Time) {
		got, err := p.queue.Enqueue(t.Context(), p.ws.ID, tasks.Submission{
			Args: tasks.PublishArgs{ContentID: c.ID, AccountID: p.account.ID},
			Post: &store.PostWish{Time: growth.PostTime{AccountID: p.account.ID}, Slot: tasks.NextSlot},
		})
		p.must(err)
		return got[0].ID, p.postTime(got[0].ID).At
	}
	status := func() growth.ContentStatus {
		now, err := p.sc.Content(t.Context(), c.ID)
		p.must(err)
		return now.Status
	}
	first, at := take()
	if status() != growth.ContentScheduled {
		t.Errorf("content is %s while it is planned", status())
	}
	_, err := p.sc.CancelJob(t.Context(), first)
	p.must(err)
	if status() != growth.ContentApproved {
		t.Errorf("content is %s after the cancel", status())
	}
	if _, again := take(); !again.Equal(at) {
		t.Errorf("the freed slot %v was not taken: %v", at, again)
	}
}

// The rules of zones change with a new program: what the clock shall show stays, the instant moves.
func TestPlannedPostsFollowTheRulesOfTheirZone(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	at, err := tasks.WallTime("2027-07-01T09:00", "America/Toronto")
	p.must(err)
	at.AccountID = p.account.ID
	got, err := p.queue.Enqueue(t.Context(), p.ws.ID, tasks.Submission{
		Args: tasks.PublishArgs{Text: "Bonjour"}, Options: growth.JobOptions{RunAt: &at.At}, Post: &store.PostWish{Time: at},
	})
	p.must(err)
	// As a program with other rules would have written it.
	p.exec(`UPDATE post_times SET at = at + interval '1 hour'`)
	p.exec(`UPDATE jobs SET run_at = run_at + interval '1 hour'`)
	fixed := p.planned("un instant", 48*time.Hour)
	before := p.postTime(fixed).At
	if n, err := tasks.ReclockPosts(t.Context(), p.s); err != nil || n != 1 {
		t.Fatalf("%d moved, %v; want 1", n, err)
	}
	if j := p.job(got[0].ID); !p.postTime(j.ID).At.Equal(at.At) || !j.RunAt.Equal(at.At) {
		t.Errorf("time %v, due %v; want %v", p.postTime(j.ID).At, j.RunAt, at.At)
	}
	if now := p.postTime(fixed).At; !now.Equal(before) {
		t.Errorf("an instant moved from %v to %v", before, now)
	}
	if n, err := tasks.ReclockPosts(t.Context(), p.s); err != nil || n != 0 {
		t.Errorf("a second look moved %d, %v", n, err)
	}
}
