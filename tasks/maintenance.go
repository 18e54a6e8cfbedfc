package tasks

import (
	"context"
	"slices"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// Upkeep is a kind of maintenance.
type Upkeep string

// The kinds of upkeep: UpkeepPurge deletes what is past its retention until nothing of it is left, UpkeepRescore scores
// those leads of the workspace again whose score would rest on something else now, or was made without a model, and
// UpkeepPrices asks the providers for their models and prices, as every process does by itself every few hours.
const (
	UpkeepPurge   Upkeep = "purge"
	UpkeepRescore Upkeep = "rescore"
	UpkeepPrices  Upkeep = "prices"
)

// upkeeps are the kinds that a MaintenanceWorker knows, each with its work.
var upkeeps = map[Upkeep]func(MaintenanceWorker, context.Context, *Job[MaintenanceArgs]) (any, error){
	UpkeepPurge:    MaintenanceWorker.purge,
	UpkeepRescore:  MaintenanceWorker.rescore,
	UpkeepAccounts: MaintenanceWorker.keepAccounts,
	UpkeepPrices:   MaintenanceWorker.syncPrices,
}

// MaintenanceArgs ask for a piece of the installation's own upkeep.
type MaintenanceArgs struct {
	Kind     Upkeep            `json:"kind"`
	Campaign growth.CampaignID `json:"rescore_campaign_id,omitempty"` // of rescore; empty: every lead of the workspace
}

// Type implements Args.
func (MaintenanceArgs) Type() growth.JobType { return growth.JobMaintenance }

// Validate implements Args.
func (a MaintenanceArgs) Validate() error {
	if _, known := upkeeps[a.Kind]; known {
		if a.Campaign != "" && (a.Kind != UpkeepRescore || !growth.ValidID(string(a.Campaign))) {
			return growth.InvalidField("tasks.MaintenanceArgs", "rescore_campaign_id", "use the id of a campaign, a UUID, and with the kind rescore only")
		}
		return nil
	}
	var names []string
	for k := range upkeeps {
		names = append(names, string(k))
	}
	slices.Sort(names)
	return growth.InvalidField("tasks.MaintenanceArgs", "kind", "use one of: %s", strings.Join(names, ", "))
}

// MaintenanceWorker does the installation's upkeep, when a schedule wants it.
type MaintenanceWorker struct {
	Store     *store.Store
	Queue     *Queue
	Retention time.Duration // of finished jobs and events; 0: 90 days
	Accounts  *Accounts     // nil: there are none to look after
	Live      bool          // no simulator stands in for the providers

	// Prices asks the providers for their lists and says of how many models each names a price; nil: there is nobody to ask.
	Prices func(ctx context.Context) (map[string]int, error)
}

// synced is what a look at the providers' lists came to.
type synced struct {
	Models map[string]int `json:"models"` // by provider, with a price
}

func (w MaintenanceWorker) syncPrices(ctx context.Context, _ *Job[MaintenanceArgs]) (any, error) {
	if w.Prices == nil {
		return synced{Models: map[string]int{}}, nil
	}
	models, err := w.Prices(ctx)
	return synced{Models: models}, err
}

// Work implements Worker.
func (w MaintenanceWorker) Work(ctx context.Context, job *Job[MaintenanceArgs]) error {
	if err := job.Args.Validate(); err != nil {
		return err
	}
	result, err := upkeeps[job.Args.Kind](w, ctx, job)
	if err != nil {
		return err
	}
	return job.Complete(result, nil)
}

// purged is what a purge came to.
type purged struct {
	Deleted int64 `json:"deleted"`
}

// purge goes on where the reconciler does one bounded pass every ten minutes: a large backlog, at an hour that somebody
// chose.
func (w MaintenanceWorker) purge(ctx context.Context, _ *Job[MaintenanceArgs]) (any, error) {
	retention := w.Retention
	if retention == 0 {
		retention = 90 * 24 * time.Hour
	}
	var out purged
	for {
		n, err := w.Store.Purge(ctx, retention)
		out.Deleted += n
		if err != nil || n == 0 {
			return out, err
		}
	}
}

// rescore looks at every lead of the job's workspace. What was asked for before a restart is not asked for again.
func (w MaintenanceWorker) rescore(ctx context.Context, job *Job[MaintenanceArgs]) (any, error) {
	r := Rescore{Rules: true, Live: w.Live, Campaign: job.Args.Campaign, Limit: maxRescore, TraceID: job.Job.TraceID, KeyID: job.Job.KeyID}
	var sum Rescored
	for {
		out, err := w.Queue.Rescore(ctx, job.Job.Workspace, r)
		sum.add(out)
		if err != nil || out.NextCursor == nil {
			return sum, err
		}
		r.Cursor = *out.NextCursor
	}
}
