package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/tasks"
)

const maintenance = "maintenance"

func TestJobRunsToItsEnd(t *testing.T) {
	t.Parallel()
	p := newPlant(t).does(func(_ context.Context, job *tasks.Job[chore]) error { return done(job) })
	id := p.enqueue(chore{"tidy"}, growth.JobOptions{})
	j := p.becomes(id, growth.JobSucceeded)
	if string(j.Result) != `{"did": "tidy"}` || j.Attempts != 1 || j.Error != nil {
		t.Errorf("job = %s after %d attempts, %+v", j.Result, j.Attempts, j.Error)
	}
	eventually(t, "the task has left Redis", func() bool {
		_, err := p.inspect.GetTaskInfo(maintenance, string(id))
		return errors.Is(err, asynq.ErrTaskNotFound)
	})
}

// Redis holds ids and nothing else of a job.
func TestTaskInRedisCarriesNoContent(t *testing.T) {
	t.Parallel()
	p := newPlant(t).relays()
	id := p.enqueue(chore{"secret"}, growth.JobOptions{Priority: growth.PriorityHigh, MaxAttempts: 4, TimeoutS: 90})
	var info *asynq.TaskInfo
	eventually(t, "the task is in Redis", func() bool {
		var err error
		info, err = p.inspect.GetTaskInfo(maintenance+":high", string(id))
		return err == nil
	})
	if want := fmt.Sprintf(`{"job_id":%q}`, id); string(info.Payload) != want || info.MaxRetry != 3 || info.Timeout != 150*time.Second {
		t.Errorf("payload %s, max retry %d, timeout %v; want %s, 3, 2m30s", info.Payload, info.MaxRetry, info.Timeout, want)
	}
	if info.Headers["trace-id"] != "trace-1" || info.Headers["workspace-id"] != string(p.ws.ID) {
		t.Errorf("headers = %v", info.Headers)
	}
}

func TestFailureIsRetriedByAsynq(t *testing.T) {
	t.Parallel()
	var runs atomic.Int32
	p := newPlant(t).does(func(_ context.Context, job *tasks.Job[chore]) error {
		if runs.Add(1) == 1 {
			return &growth.Error{Code: growth.Unavailable, Op: "x", Message: "the service is down", Err: errors.New("dial 10.0.0.1: token hunter2")}
		}
		return done(job)
	})
	id := p.enqueue(chore{}, growth.JobOptions{})
	j := p.becomes(id, growth.JobRetrying)
	if j.Error == nil || *j.Error != (growth.JobError{Code: growth.Unavailable, Message: "the service is down", Retryable: true}) {
		t.Errorf("error = %+v", j.Error)
	}
	if d := time.Until(j.RunAt); d < 0 || d > 3*time.Second {
		t.Errorf("next attempt in %v; want 1 to 3 s", d)
	}
	eventually(t, "the task is in asynq's retry set", func() bool { return len(p.inRetry(maintenance)) == 1 })
	if task := p.inRetry(maintenance)[0]; task.ID != string(id) || task.Retried != 1 || task.LastErr != "unavailable" {
		t.Errorf("task %s retried %d: %q; want no more than the code in Redis", task.ID, task.Retried, task.LastErr)
	}
	p.must(p.inspect.RunTask(maintenance, string(id))) // an operator's button; else the delay
	if j = p.becomes(id, growth.JobSucceeded); j.Attempts != 2 || j.Error != nil {
		t.Errorf("attempts %d, error %+v; want 2, none", j.Attempts, j.Error)
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		after time.Duration
		asynq bool // holds the task until then
	}{{"short", 30 * time.Second, true}, {"long", 5 * time.Minute, false}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t).does(func(context.Context, *tasks.Job[chore]) error {
				return &growth.Error{Code: growth.Throttled, RetryAfter: tc.after}
			})
			id := p.enqueue(chore{}, growth.JobOptions{})
			j := p.becomes(id, growth.JobRetrying)
			if d := time.Until(j.RunAt); d > tc.after || d < tc.after-5*time.Second {
				t.Errorf("next attempt in %v; want %v", d, tc.after)
			}
			if tc.asynq {
				eventually(t, "asynq holds the task", func() bool { return len(p.inRetry(maintenance)) == 1 })
			} else if n := p.count(`SELECT count(*) FROM jobs WHERE dispatched_at IS NULL AND epoch = 1`); n != 1 {
				t.Error("the job is not back in the outbox")
			}
		})
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	var runs atomic.Int32
	p := newPlant(t).does(func(context.Context, *tasks.Job[chore]) error {
		runs.Add(1)
		return growth.Errorf(growth.Unavailable, "x", "down")
	})
	id := p.enqueue(chore{}, growth.JobOptions{MaxAttempts: 2})
	p.becomes(id, growth.JobRetrying)
	eventually(t, "asynq holds the task", func() bool { return len(p.inRetry(maintenance)) == 1 })
	p.must(p.inspect.RunTask(maintenance, string(id)))
	if j := p.becomes(id, growth.JobFailed); j.Attempts != 2 || runs.Load() != 2 {
		t.Errorf("%d attempts, %d runs; want 2", j.Attempts, runs.Load())
	}
	eventually(t, "the task is in the archive", func() bool { return len(p.archived(maintenance)) == 1 })
}

func TestPermanentFailureIsArchivedAtOnce(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"invalid":  growth.InvalidField("x", "lead_id", "use an id"),
		"refused":  growth.Errorf(growth.Refused, "x", "no"),
		"conflict": growth.Errorf(growth.Conflict, "x", "no"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t).does(func(context.Context, *tasks.Job[chore]) error { return err })
			id := p.enqueue(chore{}, growth.JobOptions{})
			if j := p.becomes(id, growth.JobFailed); j.Attempts != 1 || j.Error.Code != growth.CodeOf(err) || j.Error.Retryable {
				t.Errorf("after %d attempts: %+v", j.Attempts, j.Error)
			}
			eventually(t, "the task is in the archive", func() bool { return len(p.archived(maintenance)) == 1 })
			p.must(p.sc.RetryJob(t.Context(), id))
			p.queue.Wake()
			eventually(t, "it is tried again although its first id lies in the archive", func() bool { return len(p.archived(maintenance)) == 2 })
		})
	}
}

func TestPanicIsAFaultLikeAnyOther(t *testing.T) {
	t.Parallel()
	var runs atomic.Int32
	p := newPlant(t).does(func(_ context.Context, job *tasks.Job[chore]) error {
		if runs.Add(1) == 1 {
			panic("lead jean@example.com")
		}
		return done(job)
	})
	id := p.enqueue(chore{}, growth.JobOptions{})
	j := p.becomes(id, growth.JobRetrying)
	if j.Error.Code != growth.Internal || strings.Contains(j.Error.Message, "jean") {
		t.Errorf("error = %+v; want our own fault, without what the panic said", j.Error)
	}
	if r := p.reported(); len(r) != 1 || !strings.Contains(r[0].Error(), "panic") {
		t.Errorf("reported %v", r)
	}
	eventually(t, "asynq holds the task", func() bool { return len(p.inRetry(maintenance)) == 1 })
	p.must(p.inspect.RunTask(maintenance, string(id)))
	p.becomes(id, growth.JobSucceeded)
}

func TestTimeLimitEndsAnAttempt(t *testing.T) {
	t.Parallel()
	p := newPlant(t).does(func(ctx context.Context, _ *tasks.Job[chore]) error {
		<-ctx.Done()
		return ctx.Err()
	})
	id := p.enqueue(chore{}, growth.JobOptions{TimeoutS: 1, MaxAttempts: 1})
	if j := p.becomes(id, growth.JobFailed); j.Error.Code != growth.Unavailable || !strings.Contains(j.Error.Message, "time limit") {
		t.Errorf("error = %+v", j.Error)
	}
}

func TestWorkerWithoutAResultIsOurFault(t *testing.T) {
	t.Parallel()
	p := newPlant(t).does(func(context.Context, *tasks.Job[chore]) error { return nil })
	id := p.enqueue(chore{}, growth.JobOptions{MaxAttempts: 1})
	if j := p.becomes(id, growth.JobFailed); j.Error.Code != growth.Internal {
		t.Errorf("error = %+v", j.Error)
	}
	if len(p.reported()) == 0 {
		t.Error("nobody was told")
	}
}

func TestJobOfATypeThatNobodyKnowsFails(t *testing.T) {
	t.Parallel()
	p := newPlant(t).relays().serves(growth.JobMaintenance)
	if j := p.becomes(p.enqueue(chore{}, growth.JobOptions{}), growth.JobFailed); j.Error.Code != growth.Invalid {
		t.Errorf("error = %+v", j.Error)
	}
}

// A task that nobody of ours made must not be delivered for ever.
func TestForeignTaskIsArchived(t *testing.T) {
	t.Parallel()
	p := newPlant(t).does(func(_ context.Context, job *tasks.Job[chore]) error { return done(job) })
	client := asynq.NewClientFromRedisClient(p.rdb)
	id := growth.NewID()
	for name, task := range map[string]*asynq.Task{
		"no-job":       asynq.NewTask("maintenance", []byte(`{}`)),
		id:             asynq.NewTask("maintenance", fmt.Appendf(nil, `{"job_id":%q}`, growth.NewID())),
		id + "~x":      asynq.NewTask("maintenance", fmt.Appendf(nil, `{"job_id":%q}`, id)),
		growth.NewID(): asynq.NewTask("maintenance", []byte(`not json`)),
	} {
		_, err := client.Enqueue(task, asynq.TaskID(name), asynq.Queue(maintenance))
		p.must(err)
	}
	eventually(t, "all four are in the archive", func() bool { return len(p.archived(maintenance)) == 4 })
}

func TestWaitUsesUpNoAttempt(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		tries int
		asynq bool
	}{{"retries are left", 3, true}, {"the last attempt", 1, false}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var runs atomic.Int32
			until := time.Now().Add(2 * time.Second)
			p := newPlant(t).does(func(_ context.Context, job *tasks.Job[chore]) error {
				if runs.Add(1) == 1 {
					return &tasks.WaitError{Reason: growth.WaitRateLimited, Until: until}
				}
				return done(job)
			})
			id := p.enqueue(chore{}, growth.JobOptions{MaxAttempts: tc.tries})
			j := p.becomes(id, growth.JobWaiting)
			if j.Attempts != 0 || j.Waiting.Reason != growth.WaitRateLimited || j.Waiting.Until.Sub(until).Abs() > time.Millisecond {
				t.Errorf("attempts %d, waiting %+v", j.Attempts, j.Waiting)
			}
			if tc.asynq {
				eventually(t, "asynq holds the task", func() bool { return len(p.inRetry(maintenance)) == 1 })
				if task := p.inRetry(maintenance)[0]; task.Retried != 0 {
					t.Errorf("retried = %d; want 0", task.Retried)
				}
			}
			if j = p.becomes(id, growth.JobSucceeded); j.Attempts != 1 || j.Waiting != nil {
				t.Errorf("attempts %d, waiting %+v; want 1, none", j.Attempts, j.Waiting)
			}
			if early := time.Until(until); early > time.Second {
				t.Errorf("it went on %v too early", early)
			}
			if n := len(p.archived(maintenance)); n != 0 {
				t.Errorf("%d tasks in the archive; a wait is no failure", n)
			}
		})
	}
}

func TestLongWaitsLieInPostgres(t *testing.T) {
	t.Parallel()
	for name, until := range map[string]time.Time{"an hour": time.Now().Add(time.Hour), "a person": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t).does(func(context.Context, *tasks.Job[chore]) error {
				return &tasks.WaitError{Reason: growth.WaitQuota, Until: until}
			})
			id := p.enqueue(chore{}, growth.JobOptions{})
			j := p.becomes(id, growth.JobWaiting)
			if (j.Waiting.Until == nil) != until.IsZero() {
				t.Errorf("waiting until %v", j.Waiting.Until)
			}
			eventually(t, "the task has left Redis", func() bool {
				_, err := p.inspect.GetTaskInfo(maintenance, string(id))
				return errors.Is(err, asynq.ErrTaskNotFound)
			})
		})
	}
}
