package tasks_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/tasks"
)

func TestFillOptions(t *testing.T) {
	t.Parallel()
	far := time.Now().AddDate(3, 0, 0)
	for _, tc := range []struct {
		name  string
		in    growth.JobOptions
		want  growth.JobOptions
		field string
	}{
		{"defaults", growth.JobOptions{}, growth.JobOptions{Priority: growth.PriorityNormal, MaxAttempts: 5, TimeoutS: 300}, ""},
		{
			"the edges",
			growth.JobOptions{Priority: growth.PriorityLow, MaxAttempts: 25, TimeoutS: 3600},
			growth.JobOptions{Priority: growth.PriorityLow, MaxAttempts: 25, TimeoutS: 3600},
			"",
		},
		{"unknown priority", growth.JobOptions{Priority: "urgent"}, growth.JobOptions{}, "priority"},
		{"too many attempts", growth.JobOptions{MaxAttempts: 26}, growth.JobOptions{}, "max_attempts"},
		{"negative attempts", growth.JobOptions{MaxAttempts: -1}, growth.JobOptions{}, "max_attempts"},
		{"too long", growth.JobOptions{TimeoutS: 3601}, growth.JobOptions{}, "timeout_s"},
		{"metadata too large", growth.JobOptions{Metadata: json.RawMessage(`"` + strings.Repeat("x", tasks.MaxMetadata) + `"`)}, growth.JobOptions{}, "metadata"},
		{"campaign by name", growth.JobOptions{CampaignID: "spring"}, growth.JobOptions{}, "campaign_id"},
		{"in three years", growth.JobOptions{RunAt: &far}, growth.JobOptions{}, "run_at"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := tasks.FillOptions(growth.JobMaintenance, tc.in)
			if tc.field != "" {
				if e, ok := errors.AsType[*growth.Error](err); !ok || e.Code != growth.Invalid || e.Field != tc.field {
					t.Fatalf("error = %v; want invalid %s", err, tc.field)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("%v, options (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestEnqueueUnderOneKeyAnswersTheSame(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	enqueue := func(body string) (growth.JobID, bool, error) {
		out, err := p.queue.Enqueue(t.Context(), p.ws.ID, tasks.Submission{Args: chore{}, IdempotencyKey: "k", Body: []byte(body)})
		if err != nil {
			return "", false, err
		}
		return out[0].ID, out[0].Replayed, nil
	}
	first, replayed, err := enqueue("a")
	if err != nil || replayed {
		t.Fatal(replayed, err)
	}
	if second, replayed, err := enqueue("a"); err != nil || !replayed || second != first {
		t.Errorf("second = %s, %v, %v; want %s again", second, replayed, err, first)
	}
	if _, _, err := enqueue("b"); growth.CodeOf(err) != growth.Invalid || err == nil {
		t.Errorf("another body: %v; want invalid", err)
	}
}

func TestOneBadJobRefusesTheBatch(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	_, err := p.queue.Enqueue(t.Context(), p.ws.ID, tasks.Submission{Args: chore{}}, tasks.Submission{Args: chore{}, Options: growth.JobOptions{TimeoutS: -1}})
	if growth.CodeOf(err) != growth.Invalid || err == nil {
		t.Fatalf("error = %v", err)
	}
	if n := p.count(`SELECT count(*) FROM jobs`); n != 0 {
		t.Errorf("%d jobs; want none", n)
	}
}
