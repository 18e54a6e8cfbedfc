package tasks_test

import (
	"context"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/limit"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/tasks"
)

// meddler changes rows between the preparation of a post and its claim.
type meddler struct{ meddle func() }

func (m meddler) AllowOnce(context.Context, string, string, ...limit.Window) (limit.Decision, error) {
	m.meddle()
	return limit.Decision{Allowed: true}, nil
}

func (m meddler) Forget(context.Context, string, string) error { return nil }

// A worker died between its place in the window and its claim: nothing was posted, and nobody waits for it.
func TestPlaceOfADeadWorkerClosesNoWindow(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	l := limit.New(p.rdb, "linkedin")
	_, err := l.AllowOnce(t.Context(), p.account.URN, growth.NewID(), limit.Window{Max: 1, Per: 15 * time.Minute})
	p.must(err)
	tasks.AddWorker(p.runner, tasks.PublishWorker{
		Store: p.s, Open: p.keys.Open, PerDay: 100, Spacing: 15 * time.Minute, Simulated: true, Windows: l,
		LinkedIn: linkedin.New(linkedin.Settings{APIURL: p.w.url + "/linkedin"}),
	})
	p.runs()
	p.becomes(p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{}), growth.JobSucceeded)
	j := p.waits(p.enqueue(tasks.PublishArgs{Text: "Bonsoir"}, growth.JobOptions{}), growth.WaitPostingWindow)
	if left := time.Until(*j.Waiting.Until); left < 14*time.Minute || left > 15*time.Minute {
		t.Errorf("the window is closed for %v after a post", left)
	}
}

func TestWindowsHoldWithAndWithoutRedis(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	w := tasks.PublishWorker{
		Store: p.s, Open: p.keys.Open, PerDay: 2, Spacing: 15 * time.Minute, Simulated: true, Windows: limit.New(p.rdb, "linkedin"),
		LinkedIn: linkedin.New(linkedin.Settings{APIURL: p.w.url + "/linkedin"}),
	}
	tasks.AddWorker(p.runner, w)
	p.runs()
	p.becomes(p.enqueue(tasks.PublishArgs{Text: "Un"}, growth.JobOptions{}), growth.JobSucceeded)
	second := p.enqueue(tasks.PublishArgs{Text: "Deux"}, growth.JobOptions{})
	waits := func(id growth.JobID, low, high time.Duration) {
		t.Helper()
		if d := time.Until(*p.waits(id, growth.WaitPostingWindow).Waiting.Until); d < low || d > high {
			t.Errorf("wait of %v; want %v to %v", d, low, high)
		}
	}
	waits(second, 14*time.Minute, 15*time.Minute)
	p.must(p.rdb.FlushDB(t.Context()).Err()) // Redis has lost everything: the rows hold the limit
	p.hurry()
	eventually(t, "it was tried and waits again", func() bool {
		return p.job(second).State == growth.JobWaiting && time.Until(*p.job(second).Waiting.Until) > time.Minute
	})
	if n := len(p.w.posts()); n != 1 {
		t.Fatalf("%d posts within 15 minutes", n)
	}
	p.exec(`UPDATE publications SET sent_at = sent_at - interval '15 minutes' WHERE sent_at IS NOT NULL`)
	p.hurry()
	p.becomes(second, growth.JobSucceeded)
	p.must(p.rdb.FlushDB(t.Context()).Err())
	p.exec(`UPDATE publications SET sent_at = sent_at - interval '15 minutes' WHERE sent_at IS NOT NULL`)
	third := p.enqueue(tasks.PublishArgs{Text: "Trois"}, growth.JobOptions{})
	waits(third, 23*time.Hour, 24*time.Hour) // two a day
}

func TestCallsOfAMembersDayAreCounted(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	const perDay = 3
	w := tasks.PublishWorker{
		Store: p.s, Open: p.keys.Open, PerDay: 100, Simulated: true,
		LinkedIn: linkedin.New(linkedin.Settings{APIURL: p.w.url + "/linkedin", Spend: func(ctx context.Context, author string) error {
			return p.s.SpendLinkedInCall(ctx, author, perDay)
		}}),
	}
	tasks.AddWorker(p.runner, w)
	m, err := tasks.SavePicture(t.Context(), p.sc, picture(t, 2), "")
	p.must(err)
	p.runs()
	p.becomes(p.enqueue(tasks.PublishArgs{Text: "Un", Images: []string{string(m.ID)}}, growth.JobOptions{}), growth.JobSucceeded) // three calls
	id := p.enqueue(tasks.PublishArgs{Text: "Deux"}, growth.JobOptions{})
	j := p.waits(id, growth.WaitRateLimited)
	midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	if late := j.Waiting.Until.Sub(midnight); late < -time.Second || late > 6*time.Minute {
		t.Errorf("until %v; want the next midnight in UTC, %v, or a little later", j.Waiting.Until, midnight)
	}
	if calls, err := p.s.LinkedInCalls(t.Context(), p.account.URN); err != nil || calls != perDay || len(p.w.posts()) != 1 {
		t.Errorf("%d calls, %d posts, %v", calls, len(p.w.posts()), err)
	}
	p.exec(`UPDATE linkedin_calls SET day = day - 1`)
	p.hurry()
	p.becomes(id, growth.JobSucceeded)
}
