package tasks

import (
	"context"
	"slices"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// Rescore says which leads shall be scored again, and by what.
type Rescore struct {
	Args     QualifyArgs       // without a lead
	Rules    bool              // also leads that the rules scored because no model could be had
	Live     bool              // also leads that the simulator scored, for none is in use any more
	Campaign growth.CampaignID // empty: every lead of the workspace
	Limit    int               // how many leads are looked at, at most 10,000; 0: 1,000
	Cursor   string            // Rescored.NextCursor of the call before
	TraceID  string
	KeyID    string
}

// Rescored counts what a Rescore did.
type Rescored struct {
	Looked     int     `json:"looked_at" doc:"Leads, with and without a score"`
	Unscored   int     `json:"unscored" doc:"They were never scored; no job was made"`
	Unchanged  int     `json:"unchanged" doc:"Their score would rest on the same; no job was made"`
	Barred     int     `json:"barred" doc:"Their consent has ended; no job was made"`
	Enqueued   int     `json:"enqueued"`
	Waiting    int     `json:"waiting" doc:"Such a job was under way already"`
	NextCursor *string `json:"next_cursor" doc:"null when every lead was looked at"`
}

const (
	maxRescore  = 10_000
	rescorePage = 200
)

// Rescore makes a job of low priority for every scored lead whose score would rest on something else now: another
// rubric, profile or language, or data that came since. A lead whose fingerprint is the same costs nothing, and asking
// twice makes no second job.
func (q *Queue) Rescore(ctx context.Context, ws growth.WorkspaceID, r Rescore) (Rescored, error) {
	check := r.Args
	check.LeadID = growth.LeadID(growth.NewID())
	if err := check.Validate(); err != nil {
		return Rescored{}, err
	}
	sc := q.store.In(ws)
	w, err := sc.Workspace(ctx)
	if err != nil {
		return Rescored{}, err
	}
	rubrics := NewRubrics(sc)
	if _, err := rubrics.Of(ctx, first(r.Args.Rubric, w.Settings.Rubric)); err != nil {
		return Rescored{}, err
	}
	if r.Limit <= 0 {
		r.Limit = 1000
	}
	r.Limit = min(r.Limit, maxRescore)
	var out Rescored
	for cursor := r.Cursor; ; {
		page := store.Page{Limit: min(rescorePage, r.Limit-out.Looked), Cursor: cursor}
		leads, err := sc.Leads(ctx, store.LeadFilter{Campaign: r.Campaign}, page)
		if err != nil {
			return out, err
		}
		if err := q.rescore(ctx, rescoring{Rescore: r, ws: ws, settings: w.Settings, rubrics: rubrics}, leads, &out); err != nil {
			return out, err
		}
		if len(leads) < page.Limit {
			out.NextCursor = nil
			return out, nil
		}
		cursor = string(leads[len(leads)-1].Lead.ID)
		if out.NextCursor = &cursor; out.Looked >= r.Limit {
			return out, nil
		}
	}
}

// rescoring is a Rescore with what the workspace says about it.
type rescoring struct {
	Rescore
	ws       growth.WorkspaceID
	settings growth.WorkspaceSettings
	rubrics  *Rubrics
	before   map[growth.LeadID]QualifyArgs // in whose place Args stand for the other leads
}

// rescore makes the jobs for one page.
func (q *Queue) rescore(ctx context.Context, r rescoring, leads []store.SavedLead, out *Rescored) error {
	byRules, err := q.byRules(ctx, r, leads)
	if err != nil {
		return err
	}
	simulated, err := q.simulated(ctx, r, leads)
	if err != nil {
		return err
	}
	closed, err := q.closed(ctx, r, leads)
	if err != nil {
		return err
	}
	var subs []Submission
	for _, l := range leads {
		out.Looked++
		if l.Fingerprint == "" {
			out.Unscored++
			continue
		}
		if l.Lead.Barred(time.Now()) != nil {
			out.Barred++
			continue
		}
		args, ok := r.before[l.Lead.ID]
		if !ok {
			args = r.Args
		}
		args.LeadID = l.Lead.ID
		fp, err := r.rubrics.Fingerprint(ctx, l.Lead, args, r.settings)
		if err != nil {
			return err
		}
		if fp == l.Fingerprint && !byRules[l.Lead.ID] && !simulated[l.Lead.ID] {
			out.Unchanged++
			continue
		}
		o := growth.JobOptions{Priority: growth.PriorityLow}
		if l.CampaignID != nil && !closed[*l.CampaignID] {
			o.CampaignID = *l.CampaignID
		}
		subs = append(subs, Submission{
			Args: args, Options: o, LeadID: l.Lead.ID, UniqueKey: string(l.Lead.ID) + " " + fp, TraceID: r.TraceID, KeyID: r.KeyID,
		})
	}
	if len(subs) == 0 {
		return nil
	}
	accepted, err := q.Enqueue(ctx, r.ws, subs...)
	for _, a := range accepted {
		if a.Existing {
			out.Waiting++
		} else {
			out.Enqueued++
		}
	}
	return err
}

// byRules finds those leads whose score was made without a model though no gate turned them down.
func (q *Queue) byRules(ctx context.Context, r rescoring, leads []store.SavedLead) (map[growth.LeadID]bool, error) {
	if !r.Rules {
		return nil, nil
	}
	return q.store.In(r.ws).ScoredByRules(ctx, idsOf(leads), maxRuleScores)
}

// simulated finds those leads that the simulator scored, when that is in use no more.
func (q *Queue) simulated(ctx context.Context, r rescoring, leads []store.SavedLead) (map[growth.LeadID]bool, error) {
	if !r.Live {
		return nil, nil
	}
	return q.store.In(r.ws).ScoredBySimulator(ctx, idsOf(leads))
}

func idsOf(leads []store.SavedLead) []growth.LeadID {
	ids := make([]growth.LeadID, len(leads))
	for i, l := range leads {
		ids[i] = l.Lead.ID
	}
	return ids
}

// maxRuleScores is how often the rules may score one and the same state of a lead: one that every model turns down is
// not asked about for ever.
const maxRuleScores = 3

// closed finds the campaigns of these leads that take no more jobs; a score that is made again belongs to none then.
func (q *Queue) closed(ctx context.Context, r rescoring, leads []store.SavedLead) (map[growth.CampaignID]bool, error) {
	var ids []growth.CampaignID
	for _, l := range leads {
		if l.CampaignID != nil && !slices.Contains(ids, *l.CampaignID) {
			ids = append(ids, *l.CampaignID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return q.store.In(r.ws).ClosedCampaigns(ctx, ids)
}

func (r *Rescored) add(o Rescored) {
	r.Looked, r.Unscored, r.Unchanged, r.Barred = r.Looked+o.Looked, r.Unscored+o.Unscored, r.Unchanged+o.Unchanged, r.Barred+o.Barred
	r.Enqueued, r.Waiting = r.Enqueued+o.Enqueued, r.Waiting+o.Waiting
}
