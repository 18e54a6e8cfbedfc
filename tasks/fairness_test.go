package tasks_test

import (
	"context"
	"sync"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/tasks"
)

// ledgerOfStarts notes in which order jobs begin.
type ledgerOfStarts struct {
	mu    sync.Mutex
	names []string
}

func (l *ledgerOfStarts) note(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names = append(l.names, name)
}

func (l *ledgerOfStarts) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.names)
}

// from counts the jobs that began after the first n, up to and without the one of that name.
func (l *ledgerOfStarts) from(n int, name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, s := range l.names[n:] {
		if s == name {
			return i
		}
	}
	return -1
}

// However long one client's backlog is and however slow its jobs are, another client's job finds a free slot and few
// tasks before it: it is not the clock that is tested here but how many go first.
func TestBacklogDoesNotStandBeforeAnotherClientsJob(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	other := newPlantOn(t, p.s, testenv.Workspace(t, p.s), p.rdb)
	var starts ledgerOfStarts
	release := make(chan struct{})
	p.does(func(ctx context.Context, job *tasks.Job[chore]) error {
		starts.note(job.Args.Name)
		if job.Args.Name == "big" {
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return done(job)
	})
	subs := make([]tasks.Submission, 2000)
	for i := range subs {
		subs[i] = tasks.Submission{Args: chore{"big"}}
	}
	_, err := p.queue.Enqueue(t.Context(), p.ws.ID, subs...)
	p.must(err)
	eventually(t, "the backlog fills its slots", func() bool { return starts.len() >= 4 })
	before := starts.len()
	lone := other.enqueue(chore{"lone"}, growth.JobOptions{})
	p.queue.Wake()
	eventually(t, "the lone job begins while every job of the backlog goes on", func() bool { return starts.from(before, "lone") >= 0 })
	close(release)
	other.becomes(lone, growth.JobSucceeded)
	if n := starts.from(before, "lone"); n > 8 {
		t.Errorf("%d jobs of the backlog began before the lone one; want no more than lay in the lane", n)
	}
}

// A file's jobs are of low priority: what the same client's form brings finds a free slot before them, and they go on.
func TestAFormsLeadDoesNotWaitBehindAFile(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	var starts ledgerOfStarts
	p.does(func(_ context.Context, job *tasks.Job[chore]) error {
		starts.note(job.Args.Name)
		return done(job)
	})
	subs := make([]tasks.Submission, 2000)
	for i := range subs {
		subs[i] = tasks.Submission{Args: chore{"row"}, Options: growth.JobOptions{Priority: growth.PriorityLow}}
	}
	_, err := p.queue.Enqueue(t.Context(), p.ws.ID, subs...)
	p.must(err)
	eventually(t, "the file is under way", func() bool { return starts.len() >= 4 })
	before := starts.len()
	form := p.enqueue(chore{"form"}, growth.JobOptions{})
	p.queue.Wake()
	p.becomes(form, growth.JobSucceeded)
	if n := starts.from(before, "form"); n < 0 || n > 200 {
		t.Errorf("%d rows of the file began before the form's lead", n)
	}
	behind := starts.len()
	eventually(t, "the file goes on", func() bool { return starts.len() > behind })
}
