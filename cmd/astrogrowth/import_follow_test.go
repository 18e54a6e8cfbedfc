package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
)

func jobsDone(done, total int, others ...growth.JobState) progress {
	p := progress{Total: total, ByState: map[growth.JobState]int{growth.JobSucceeded: done}}
	for _, s := range others {
		p.ByState[s]++
	}
	return p
}

func TestFollowUntilTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		began := time.Now()
		f := &follower{
			before: jobsDone(10, 10), poll: time.Second, patience: time.Minute, err: &out,
			meter: &lineMeter{w: &out, what: "qualified", every: 5 * time.Second, began: began},
			progress: func(context.Context) (progress, error) {
				switch s := int(time.Since(began) / time.Second); {
				case s == 0:
					return jobsDone(10, 1210), nil
				case s < 12:
					return jobsDone(10+100*s, 1210, growth.JobWaiting, growth.JobRetrying), nil
				default:
					return jobsDone(1209, 1210, growth.JobFailed), nil
				}
			},
		}
		seen, err := f.follow(t.Context())
		if err != nil || seen.ended() != 1210 {
			t.Errorf("ended = %d, error %v", seen.ended(), err)
		}
		want := `qualified: 0 of 1,200 (0 %)
qualified: 500 of 1,200 (41 %), 100.0 leads/s, 7s left, 1 retrying, 1 waiting
qualified: 1,000 of 1,200 (83 %), 100.0 leads/s, 2s left, 1 retrying, 1 waiting
qualified: 1,200 of 1,200 (100 %), 100.0 leads/s, 1 failed
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	})
}

func TestFollowOutlivesARestart(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		back time.Duration // when the API answers again
		want growth.Code
		took time.Duration
	}{
		{"back in time", 50 * time.Second, 0, 50 * time.Second},
		{"gone for good", time.Hour, growth.Unavailable, time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				began := time.Now()
				f := &follower{
					poll: time.Second, patience: time.Minute, err: &out, meter: &lineMeter{w: &out, what: "qualified", began: began},
					progress: func(context.Context) (progress, error) {
						if time.Since(began) < tc.back {
							return progress{}, growth.Errorf(growth.Unavailable, "", "no answer")
						}
						return jobsDone(3, 3), nil
					},
				}
				_, err := f.follow(t.Context())
				if took := time.Since(began); took != tc.took {
					t.Errorf("took %s, want %s", took, tc.took)
				}
				if (err != nil) != (tc.want != 0) || (err != nil && growth.CodeOf(err) != tc.want) {
					t.Errorf("error = %v", err)
				}
				if n := strings.Count(out.String(), "does not answer"); n != 1 {
					t.Errorf("the silence is told %d times:\n%s", n, out.String())
				}
			})
		})
	}
}

func TestFollowStopsAtARefusal(t *testing.T) {
	t.Parallel()
	f := &follower{
		poll: time.Hour, meter: &lineMeter{},
		progress: func(context.Context) (progress, error) {
			return progress{}, growth.Errorf(growth.NotFound, "", "there is no such campaign")
		},
	}
	if _, err := f.follow(t.Context()); growth.CodeOf(err) != growth.NotFound {
		t.Errorf("error = %v", err)
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -12: "-12", -123456: "-123,456"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}
