package lead_test

import (
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

func TestVerdictGoesWithTheScore(t *testing.T) {
	t.Parallel()
	r := load(t, "")
	now := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	past := now.Add(-time.Hour)
	both := growth.Lead{BusinessName: "B", Phone: "514 555-0100", Email: "a@b.ca"}
	ended := both
	ended.Consent = &growth.Consent{Basis: "express", ExpiresAt: &past}
	for _, tc := range []struct {
		name  string
		lead  growth.Lead
		score int
		wish  lead.Verdict
		want  lead.Verdict
		field string // at fault
		says  string
	}{
		{"derived high", both, 85, lead.Verdict{}, lead.Verdict{"A1", "high", "call"}, "", ""},
		{"derived medium", both, 55, lead.Verdict{}, lead.Verdict{"B2", "medium", "email"}, "", ""},
		{"derived low", both, 0, lead.Verdict{}, lead.Verdict{"C3", "low", "nurture"}, "", ""},
		{"nothing to reach it by", growth.Lead{BusinessName: "B"}, 85, lead.Verdict{}, lead.Verdict{"A1", "high", "research"}, "", ""},
		{"consent has ended", ended, 85, lead.Verdict{}, lead.Verdict{"A1", "high", "review"}, "", ""},
		{"given", both, 60, lead.Verdict{"A3", "high", "research"}, lead.Verdict{"A3", "high", "research"}, "", ""},
		{"out of the question", both, 5, lead.Verdict{NextAction: "disqualify"}, lead.Verdict{"C3", "low", "disqualify"}, "", ""},
		{"grade above the score", both, 20, lead.Verdict{Grade: "A1"}, lead.Verdict{}, "body.grade", "score from 70 to 100"},
		{"grade below the score", both, 95, lead.Verdict{Grade: "C1"}, lead.Verdict{}, "body.grade", "score from 28 to 63"},
		{"priority of the other end", both, 90, lead.Verdict{Priority: "low"}, lead.Verdict{}, "body.priority", "is of high priority"},
		{"call for a low one", both, 5, lead.Verdict{NextAction: "call"}, lead.Verdict{}, "body.next_action", "use nurture, research, review, disqualify"},
		{"set aside a high one", both, 90, lead.Verdict{NextAction: "disqualify"}, lead.Verdict{}, "body.next_action", "not for disqualify"},
		{"call without a number", growth.Lead{Email: "a@b.ca"}, 90, lead.Verdict{NextAction: "call"}, lead.Verdict{}, "body.next_action", "no phone number"},
		{"write without an address", growth.Lead{Phone: "514 555-0100"}, 90, lead.Verdict{NextAction: "email"}, lead.Verdict{}, "body.next_action", "no e-mail address"},
		{"write against the consent", ended, 90, lead.Verdict{NextAction: "email"}, lead.Verdict{}, "body.next_action", "consent has ended"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := r.Judge(tc.lead, tc.score, tc.wish, now)
			if tc.field == "" {
				if err != nil || got != tc.want {
					t.Errorf("%+v, %v; want %+v", got, err, tc.want)
				}
				return
			}
			e, ok := err.(*growth.Error) //nolint:errorlint // it is this one, unwrapped
			if !ok || e.Field != tc.field || e.Code != growth.Invalid || !strings.Contains(e.Message, tc.says) {
				t.Errorf("%+v, %v; want the field %s and %q", got, err, tc.field, tc.says)
			}
		})
	}
}

// Whatever score a rubric computes, a person may give the same with the same grade.
func TestComputedGradesAreNeverRefused(t *testing.T) {
	t.Parallel()
	r := load(t, "b2b")
	grades := map[string]bool{}
	for score := range 101 {
		for _, g := range []string{"A1", "A2", "A3", "B1", "B2", "B3", "C1", "C2", "C3"} {
			if _, err := r.Judge(growth.Lead{}, score, lead.Verdict{Grade: g}, time.Time{}); err == nil {
				grades[g] = true
			}
		}
		if _, err := r.Judge(growth.Lead{}, score, lead.Verdict{}, time.Time{}); err != nil {
			t.Errorf("the grade that is derived from %d: %v", score, err)
		}
	}
	if len(grades) != 9 {
		t.Errorf("only %v can be given", grades)
	}
}
