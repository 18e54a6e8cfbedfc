package tasks

import (
	"context"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/limit"
)

// windows are the limits of an account: a pause between two posts, and a number of posts in 24 hours.
func (w PublishWorker) windows() []limit.Window {
	out := []limit.Window{{Max: min(w.PerDay, limit.MaxEntries), Per: 24 * time.Hour}}
	if w.Spacing > 0 {
		out = append(out, limit.Window{Max: 1, Per: w.Spacing})
	}
	return out
}

// enter counts the job's post in the windows of its author, before anything is uploaded or claimed. A job that died
// between here and its claim finds its own place again. Redis spares uploads for a window that is closed, and decides
// nothing: when it cannot be asked, or when it says no, Postgres has the word, which knows what was posted. A place in
// Redis may be that of a worker that died before it posted anything.
func (w PublishWorker) enter(ctx context.Context, job *Job[PublishArgs], a growth.Account) error {
	if w.Windows == nil {
		return nil
	}
	d, err := w.Windows.AllowOnce(ctx, a.URN, string(job.Job.ID), w.windows()...)
	if err != nil || d.Allowed {
		return nil //nolint:nilerr // as above
	}
	wait, busy, err := w.Store.PostingWait(ctx, job.Job.ID, a.URN, w.Spacing, w.PerDay)
	switch {
	case err != nil:
		return err
	case wait == 0 && !busy:
		return nil
	case wait == 0: // another is about to post, or to give its place up
		wait = min(d.RetryAfter, busyPause)
	}
	return &WaitError{Reason: growth.WaitPostingWindow, Until: time.Now().Add(wait), Err: growth.Errorf(
		growth.Throttled, "tasks.Publish", "the account's posting window is closed")}
}

// busyPause is how long a job waits for another's post that is being prepared.
const busyPause = time.Minute

// leave takes back what enter counted: no post was made. Where it fails, nobody waits for it; see enter.
func (w PublishWorker) leave(ctx context.Context, job *Job[PublishArgs], a growth.Account) {
	if w.Windows == nil {
		return
	}
	_ = w.Windows.Forget(context.WithoutCancel(ctx), a.URN, string(job.Job.ID)) // it has a time limit of its own
}
