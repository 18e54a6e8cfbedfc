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

// enter counts the job's post in the account's windows, before anything is uploaded or claimed. A job that died between
// here and its claim finds its own place again. When Redis cannot be asked, the claim alone decides: it holds the same
// limits by the rows of Postgres.
func (w PublishWorker) enter(ctx context.Context, job *Job[PublishArgs], a growth.Account) error {
	if w.Windows == nil {
		return nil
	}
	d, err := w.Windows.AllowOnce(ctx, string(a.ID), string(job.Job.ID), w.windows()...)
	if err != nil || d.Allowed {
		return nil //nolint:nilerr // as above
	}
	return &WaitError{Reason: growth.WaitPostingWindow, Until: time.Now().Add(d.RetryAfter), Err: growth.Errorf(
		growth.Throttled, "tasks.Publish", "the account's posting window is closed")}
}

// leave takes back what enter counted: no post was made. Where it fails, the account waits longer than it had to.
func (w PublishWorker) leave(ctx context.Context, job *Job[PublishArgs], a growth.Account) {
	if w.Windows == nil {
		return
	}
	_ = w.Windows.Forget(context.WithoutCancel(ctx), string(a.ID), string(job.Job.ID)) // it has a time limit of its own
}
