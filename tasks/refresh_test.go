package tasks_test

import (
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func (p *plant) notes(id growth.LeadID, notes string) {
	p.t.Helper()
	_, err := p.sc.ChangeLead(p.t.Context(), id, func(l growth.Lead) (growth.Lead, []store.LeadKey, error) {
		l.Notes = notes
		return l, nil, nil
	})
	p.must(err)
}

// A changed lead is scored again by the rubric that scored it; when the change is taken back, the first score is in
// force again, and no model is asked.
func TestChangedLeadIsScoredAgainAndBack(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.qualifies(w)
	first := p.scores("b2b", []growth.Lead{bistro()})[0]
	id := first.lead
	stale := func() bool {
		l, err := p.sc.Lead(t.Context(), id)
		p.must(err)
		old, err := tasks.Stale(t.Context(), p.sc, l, growth.WorkspaceSettings{})
		p.must(err)
		return old
	}
	refreshed := func(want tasks.Rescored) {
		t.Helper()
		out, err := p.queue.Refresh(t.Context(), p.ws.ID, tasks.Rescore{}, id)
		p.must(err)
		if out != want {
			t.Errorf("refreshed %+v, want %+v", out, want)
		}
		eventually(t, "the score is not stale", func() bool { return !stale() })
	}
	refreshed(tasks.Rescored{Looked: 1, Unchanged: 1})
	p.notes(id, "Pas de budget, pas intéressé.")
	if !stale() {
		t.Error("the score counts as fresh though the notes are others")
	}
	refreshed(tasks.Rescored{Looked: 1, Enqueued: 1})
	if n := p.count(`SELECT count(*) FROM qualifications WHERE result->>'rubric' LIKE 'b2b@%'`); n != 2 {
		t.Errorf("%d scores by the rubric of the first", n)
	}
	calls := p.count(`SELECT count(*) FROM calls`)
	p.notes(id, bistro().Notes)
	refreshed(tasks.Rescored{Looked: 1, Enqueued: 1})
	q, _, _, err := p.sc.NewestQualification(t.Context(), id)
	p.must(err)
	l, err := p.sc.Lead(t.Context(), id)
	p.must(err)
	if q.Score != first.q.Score || !q.Reused || *l.Score != first.q.Score || p.count(`SELECT count(*) FROM calls`) != calls {
		t.Errorf("taken back: the newest score %d, in force %d, want %d without a call", q.Score, *l.Score, first.q.Score)
	}
}
