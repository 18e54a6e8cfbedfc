package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	growth "github.com/zakibelm/astrogrowth"
)

// follower watches the jobs of a campaign until all of them have ended.
type follower struct {
	progress func(context.Context) (progress, error)
	before   progress      // as it was before this run
	poll     time.Duration // between two looks
	patience time.Duration // how long the API may be silent
	meter    meter
	err      io.Writer
}

// follow returns what it saw last, also when it could not see the end.
func (f *follower) follow(ctx context.Context) (progress, error) {
	seen := f.before
	var silentSince time.Time
	for {
		p, err := f.progress(ctx)
		switch {
		case err == nil:
			seen, silentSince = p, time.Time{}
			done, total := p.ended()-f.before.ended(), p.Total-f.before.ended()
			f.meter.set(done, total, unusual(p))
			if done >= total {
				return seen, nil
			}
		case !growth.CodeOf(err).Retryable():
			return seen, err
		case silentSince.IsZero():
			silentSince = time.Now()
			say(f.err, "the API does not answer; waiting for it (the jobs are safe)")
		case time.Since(silentSince) >= f.patience:
			return seen, err
		}
		if err := pause(ctx, f.poll); err != nil {
			return seen, err
		}
	}
}

// unusual says what keeps jobs from ending, empty when nothing does.
func unusual(p progress) string {
	var s strings.Builder
	for _, state := range []growth.JobState{growth.JobRetrying, growth.JobWaiting, growth.JobScheduled, growth.JobFailed} {
		if n := p.ByState[state]; n > 0 {
			s.WriteString(", " + count(n) + " " + string(state))
		}
	}
	return s.String()
}

// meter shows how far something is.
type meter interface {
	set(done, total int, note string)
	end()
}

// newMeter shows a bar where a person is watching, and lines now and then elsewhere. from is how much of it was done at the
// instant began: it says nothing of how fast it goes.
func newMeter(w io.Writer, what string, began time.Time, from int) meter {
	if terminal(w) {
		return &barMeter{w: w, what: what, began: began, from: from}
	}
	return &lineMeter{w: w, what: what, every: 5 * time.Second, began: began, from: from}
}

// pace says how fast it goes and how long it will take; from was done before.
func pace(done, total, from int, took time.Duration) string {
	if done <= from || took <= 0 {
		return ""
	}
	rate := float64(done-from) / took.Seconds()
	s := fmt.Sprintf(", %.1f leads/s", rate)
	if done < total {
		left := time.Duration(float64(total-done) / rate * float64(time.Second))
		s += fmt.Sprintf(", %s left", max(left.Round(time.Second), time.Second))
	}
	return s
}

// barMeter is a bar with the rate and the time left.
type barMeter struct {
	w     io.Writer
	what  string
	began time.Time
	from  int
	bar   *progressbar.ProgressBar
	total int
}

func (m *barMeter) set(done, total int, note string) {
	if total <= 0 {
		return
	}
	if m.bar == nil {
		m.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(m.w), progressbar.OptionShowCount(), progressbar.OptionSetWidth(30),
			progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), // both are in the description,
			progressbar.OptionShowDescriptionAtLineEnd()) // where a stop of the programs does not spoil them
		m.total = total
	}
	if total != m.total {
		m.bar.ChangeMax(total)
		m.total = total
	}
	m.bar.Describe(" " + m.what + pace(done, total, m.from, time.Since(m.began)) + note + "  ")
	_ = m.bar.Set(done) // a terminal that went away is no reason to stop
}

func (m *barMeter) end() {
	if m.bar != nil {
		say(m.w, "")
	}
}

// lineMeter writes a line every few seconds, for logs.
type lineMeter struct {
	w     io.Writer
	what  string
	every time.Duration
	began time.Time
	from  int
	shown time.Time
	ended bool
}

func (m *lineMeter) set(done, total int, note string) {
	now := time.Now()
	ended := done >= total
	if total <= 0 || (ended && m.ended) || (!ended && now.Sub(m.shown) < m.every) {
		return
	}
	m.shown, m.ended = now, ended
	say(m.w, "%s: %s of %s (%d %%)%s%s", m.what, count(done), count(total), done*100/total, pace(done, total, m.from, now.Sub(m.began)), note)
}

func (m *lineMeter) end() {}
