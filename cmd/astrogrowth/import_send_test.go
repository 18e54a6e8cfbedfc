package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
)

func leadsNamed(names ...string) []growth.Lead {
	var out []growth.Lead
	for _, n := range names {
		out = append(out, growth.Lead{BusinessName: n})
	}
	return out
}

func statuses(all ...string) batchResult {
	var r batchResult
	for i, s := range all {
		item := batchItem{Index: i, Status: s}
		if s == "busy" || s == "wrong" {
			item.Status, item.Error = "rejected", &fault{Message: "m", Code: map[string]string{"busy": "unavailable", "wrong": "invalid"}[s]}
		}
		r.Data = append(r.Data, item)
	}
	return r
}

func TestSenderTriesAgainWhatMaySucceed(t *testing.T) {
	t.Parallel()
	down := growth.Errorf(growth.Unavailable, "", "no answer")
	busy := &growth.Error{Code: growth.Throttled, Message: "slow down", RetryAfter: time.Minute}
	type answer struct {
		result batchResult
		err    error
	}
	for _, tc := range []struct {
		name    string
		answers []answer
		sizes   []int
		took    time.Duration
		want    sent
		code    growth.Code
		failed  bool
	}{
		{
			"the API comes back",
			[]answer{{err: down}, {err: down}, {result: statuses("accepted", "existing", "unchanged")}},
			[]int{3, 3, 3},
			3 * time.Second,
			sent{Accepted: 1, Existing: 1, Unchanged: 1},
			0, false,
		},
		{
			"only the leads that were not taken",
			[]answer{{result: statuses("accepted", "busy", "wrong")}, {result: statuses("accepted")}},
			[]int{3, 1},
			time.Second,
			sent{Accepted: 2, Rejected: 1, Rejections: []string{`"c": m`}},
			0, false,
		},
		{"told when to come again", []answer{{err: busy}, {result: statuses("accepted", "accepted", "accepted")}}, []int{3, 3}, time.Minute, sent{Accepted: 3}, 0, false},
		{"it stays down", []answer{{err: down}, {err: down}, {err: down}}, []int{3, 3, 3}, 3 * time.Second, sent{}, growth.Unavailable, true},
		{"a refusal is final", []answer{{err: growth.Errorf(growth.Forbidden, "", "no")}}, []int{3}, 0, sent{}, growth.Forbidden, true},
		{
			"given up on single leads",
			[]answer{{result: statuses("busy", "accepted", "accepted")}, {result: statuses("busy")}, {result: statuses("busy")}},
			[]int{3, 1, 1},
			3 * time.Second,
			sent{Accepted: 2, Rejected: 1, Rejections: []string{`"a": m`}},
			0, false,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var sizes []int
				s := &sender{
					pauses: []time.Duration{time.Second, 2 * time.Second}, trouble: func(error) {},
					batch: func(_ context.Context, jobs []batchJob) (batchResult, error) {
						a := tc.answers[len(sizes)]
						sizes = append(sizes, len(jobs))
						return a.result, a.err
					},
				}
				began := time.Now()
				err := s.send(t.Context(), leadsNamed("a", "b", "c"), func(sent) {})
				if (err != nil) != tc.failed || (tc.failed && growth.CodeOf(err) != tc.code) {
					t.Errorf("error = %v", err)
				}
				if took := time.Since(began); took != tc.took {
					t.Errorf("took %s, want %s", took, tc.took)
				}
				if diff := cmp.Diff(tc.sizes, sizes); diff != "" {
					t.Errorf("batches (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tc.want, s.sent); diff != "" {
					t.Errorf("sent (-want +got):\n%s", diff)
				}
			})
		})
	}
}
