package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
)

// Failovers of direct calls count too: their rows name the walk.
func TestChainHealthCountsTheWalksOfDirectCalls(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	call := func(walk growth.WalkID, provider string, decision growth.Decision, code string) {
		c := ended(started(b, ""), "0.1")
		c.WalkID, c.Provider, c.Decision, c.Code = walk, provider, decision, code
		if decision == growth.DecisionFailed {
			c.Status = growth.CallFailed
		}
		b.must(saveCall(b, c, 0))
	}
	walks := []growth.WalkID{growth.WalkID(growth.NewID()), growth.WalkID(growth.NewID()), growth.WalkID(growth.NewID()), ""}
	call(walks[0], "openrouter", growth.DecisionFailed, "unavailable")
	call(walks[0], "ollama", growth.DecisionAnswered, "")
	call(walks[1], "openrouter", growth.DecisionFailed, "unavailable")
	call(walks[1], "ollama", growth.DecisionFailed, "unavailable")
	call(walks[2], "openrouter", growth.DecisionAnswered, "")
	call(walks[3], "openrouter", growth.DecisionFailed, "unavailable") // from before walks had ids
	h, err := b.sc.ChainHealth(b.ctx, time.Now().Add(-time.Hour))
	if err != nil || h.Failovers != 2 || h.FailoversOK != 1 {
		t.Errorf("%d failovers, %d succeeded, %v; want 2 and 1", h.Failovers, h.FailoversOK, err)
	}
	calls, err := b.sc.CallsOfWalk(b.ctx, walks[0])
	if err != nil || len(calls) != 2 || calls[0].WalkID != walks[0] || calls[1].Provider != "ollama" {
		t.Errorf("calls of the walk = %+v, %v", calls, err)
	}
}

// A notice is told once; an end that is put off is another one; what is old is forgotten.
func TestModelNoticesAreToldOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	book := b.s.ModelBook(map[string]string{"p": "here"})
	soon, later := time.Now().Add(24*time.Hour).UTC().Truncate(time.Second), time.Now().Add(48*time.Hour).UTC().Truncate(time.Second)
	note := func(kind growth.ModelNoticeKind, expires *time.Time) bool {
		first, err := book.Note(b.ctx, growth.ModelNotice{Kind: kind, Provider: "p", Model: "m", At: time.Now(), Expires: expires})
		b.must(err)
		return first
	}
	got := []bool{
		note(growth.NoticeGone, nil), note(growth.NoticeGone, nil),
		note(growth.NoticeExpiring, &soon), note(growth.NoticeExpiring, &soon), note(growth.NoticeExpiring, &later),
	}
	if diff := cmp.Diff([]bool{true, false, true, false, true}, got); diff != "" {
		t.Errorf("told for the first time (-want +got):\n%s", diff)
	}
	events, err := b.sc.Events(b.ctx, 0, "", 10)
	if err != nil || len(events) != 3 {
		t.Errorf("events = %+v, %v; want 3", events, err)
	}
	other, err := b.s.ModelBook(map[string]string{"p": "there"}).Gone(b.ctx)
	if err != nil || len(other) != 0 {
		t.Errorf("at another address %+v are gone, %v", other, err)
	}
	b.exec(`UPDATE model_notices SET noticed_at = now() - interval '91 days'`)
	_, err = b.s.Purge(b.ctx, 90*24*time.Hour)
	b.must(err)
	if gone, err := book.Gone(b.ctx); err != nil || len(gone) != 0 {
		t.Errorf("after the retention %+v are gone, %v", gone, err)
	}
}

// What a list names is back, unless it was called gone after the list was read.
func TestModelListBringsBackWhatItNames(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	book, read := b.s.ModelBook(nil), time.Now().UTC()
	for model, at := range map[string]time.Time{"before": read.Add(-time.Minute), "after": read.Add(time.Minute), "unlisted": read.Add(-time.Minute)} {
		_, err := book.Note(b.ctx, growth.ModelNotice{Kind: growth.NoticeGone, Provider: "p", Model: model, At: at})
		b.must(err)
	}
	b.must(book.SaveList(b.ctx, growth.ModelList{Provider: "p", ReadAt: read, Models: []byte(`[{"ID":"before"},{"ID":"after"}]`)}))
	gone, err := book.Gone(b.ctx)
	b.must(err)
	names := []string{}
	for _, n := range gone {
		names = append(names, n.Model)
	}
	if diff := cmp.Diff([]string{"after", "unlisted"}, names); diff != "" {
		t.Errorf("gone (-want +got):\n%s", diff)
	}
}
