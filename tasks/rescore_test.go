package tasks_test

import (
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/tasks"
)

func TestRescoreAsksOnlyForWhatChanges(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.qualifies(w)
	other := bistro()
	other.BusinessName = "Bistro Austral"
	p.scores("", []growth.Lead{bistro(), other})
	p.lead(growth.Lead{BusinessName: "Never scored"})

	out, err := p.queue.Rescore(t.Context(), p.ws.ID, tasks.Rescore{Args: tasks.QualifyArgs{Language: "en"}})
	p.must(err)
	if out != (tasks.Rescored{Looked: 3, Unscored: 1, Unchanged: 2}) {
		t.Errorf("under the same rubric: %+v", out)
	}

	p.must(p.sc.SetSettings(t.Context(), growth.WorkspaceSettings{Rubric: "b2b", Language: "en"}))
	out, err = p.queue.Rescore(t.Context(), p.ws.ID, tasks.Rescore{Limit: 2})
	p.must(err)
	if out.Looked != 2 || out.Enqueued != 1 || out.NextCursor == nil {
		t.Fatalf("first page under another rubric: %+v", out)
	}
	out, err = p.queue.Rescore(t.Context(), p.ws.ID, tasks.Rescore{Limit: 2, Cursor: *out.NextCursor})
	p.must(err)
	if out.Looked != 1 || out.Enqueued != 1 || out.NextCursor != nil {
		t.Errorf("second page: %+v", out)
	}
	eventually(t, "both leads have a score by the new rubric", func() bool {
		return p.count(`SELECT count(*) FROM qualifications WHERE result->>'rubric' LIKE 'b2b@%'`) == 2
	})
	eventually(t, "nothing is left to change", func() bool {
		out, err = p.queue.Rescore(t.Context(), p.ws.ID, tasks.Rescore{})
		p.must(err)
		return out.Unchanged == 2 && out.Enqueued+out.Waiting == 0
	})
}

func TestRescoreMakesNoJobTwice(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.qualifies(w)
	p.scores("", []growth.Lead{bistro()})
	p.stop() // jobs stay where they are
	for _, s := range p.servers {
		s.Shutdown()
	}
	for _, want := range []tasks.Rescored{{Looked: 1, Enqueued: 1}, {Looked: 1, Waiting: 1}} {
		out, err := p.queue.Rescore(t.Context(), p.ws.ID, tasks.Rescore{Args: tasks.QualifyArgs{Rubric: "b2b"}})
		p.must(err)
		if out != want {
			t.Errorf("rescored %+v, want %+v", out, want)
		}
	}
	if _, err := p.queue.Rescore(t.Context(), p.ws.ID, tasks.Rescore{Args: tasks.QualifyArgs{Rubric: "c3"}}); growth.CodeOf(err) != growth.Invalid {
		t.Errorf("a rubric that is none: %v", err)
	}
}
