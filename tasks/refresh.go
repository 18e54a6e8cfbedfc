package tasks

import (
	"context"
	"encoding/json"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// Refresh makes a job of low priority for each of the leads whose score rests on what it says no more: somebody changed
// it, merged it, or took an import back. The score is made by the same rubric, profile and language as before. Whoever
// has changed a lead needs not fail when this does: until the score is made again it counts as stale, and Rescore finds it.
func (q *Queue) Refresh(ctx context.Context, ws growth.WorkspaceID, r Rescore, ids ...growth.LeadID) (Rescored, error) {
	var out Rescored
	if len(ids) == 0 {
		return out, nil
	}
	sc := q.store.In(ws)
	w, err := sc.Workspace(ctx)
	if err != nil {
		return out, err
	}
	leads := make([]store.SavedLead, len(ids))
	for i, id := range ids {
		if leads[i], err = sc.Lead(ctx, id); err != nil {
			return out, err
		}
	}
	rubrics := NewRubrics(sc)
	before, err := argsBefore(ctx, sc, rubrics, ids...)
	if err != nil {
		return out, err
	}
	err = q.rescore(ctx, rescoring{Rescore: r, ws: ws, settings: w.Settings, rubrics: rubrics, before: before}, leads, &out)
	return out, err
}

// argsBefore is by what the leads were scored last. One whose rubric is gone is not in it.
func argsBefore(ctx context.Context, sc store.Scoped, rubrics *Rubrics, ids ...growth.LeadID) (map[growth.LeadID]QualifyArgs, error) {
	inputs, err := sc.ScoredWith(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[growth.LeadID]QualifyArgs, len(inputs))
	for id, input := range inputs {
		var a QualifyArgs
		if json.Unmarshal(input, &a) != nil {
			continue
		}
		if _, err := rubrics.Of(ctx, a.Rubric); growth.CodeOf(err) == growth.Invalid {
			continue
		} else if err != nil {
			return nil, err
		}
		out[id] = a
	}
	return out, nil
}

// Stale says whether a lead's score rests on something else than it would if it were made now in the same way.
func Stale(ctx context.Context, sc store.Scoped, l store.SavedLead, settings growth.WorkspaceSettings) (bool, error) {
	rubrics := NewRubrics(sc)
	before, err := argsBefore(ctx, sc, rubrics, l.Lead.ID)
	if err != nil {
		return false, err
	}
	fp, err := rubrics.Fingerprint(ctx, l.Lead, before[l.Lead.ID], settings)
	return fp != l.Fingerprint, err
}
