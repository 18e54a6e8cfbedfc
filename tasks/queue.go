// Package tasks is both ends of the queue: what a job's arguments are, how it is accepted, how it comes to Redis, how a
// worker claims it, and what its end means. Postgres decides everything; asynq carries job ids and wakes workers. The
// package knows the store, the router and asynq; it refuses to know HTTP and the wire formats of providers.
package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// Defaults of a job's options.
const (
	DefaultMaxAttempts = 5
	MaxMaxAttempts     = 25
	DefaultTimeout     = 300 // seconds
	MaxTimeout         = 3600
	MaxMetadata        = 16 << 10 // bytes
)

// Args are the typed arguments of a job. Validate returns growth.InvalidField errors.
type Args interface {
	Type() growth.JobType
	Validate() error
}

// Queue accepts jobs. It is safe for use by many goroutines.
type Queue struct {
	store *store.Store
	relay *Relay
}

// NewQueue makes a queue over a store. relay may be nil: another process's relay then hands the jobs over.
func NewQueue(s *store.Store, relay *Relay) *Queue { return &Queue{store: s, relay: relay} }

// Submission is a job that is about to be accepted.
type Submission struct {
	Args           Args
	Options        growth.JobOptions
	IdempotencyKey string
	Body           []byte // the request body, by which a repeated request is told from another under the same key
	UniqueKey      string
	LeadID         growth.LeadID
	TraceID        string
	KeyID          string // the API key that asks; empty: none
	Post           *store.PostWish
}

// Enqueue commits jobs; from its return on they are never lost. Then it wakes the relay, which hands them to Redis.
func (q *Queue) Enqueue(ctx context.Context, ws growth.WorkspaceID, subs ...Submission) ([]store.Accepted, error) {
	jobs := make([]store.NewJob, len(subs))
	for i, s := range subs {
		input, err := json.Marshal(s.Args)
		if err != nil {
			return nil, fmt.Errorf("encode arguments: %w", err)
		}
		options, err := FillOptions(s.Args.Type(), s.Options)
		if err != nil {
			return nil, err
		}
		jobs[i] = store.NewJob{
			Type: s.Args.Type(), Input: input, Options: options, IdempotencyKey: s.IdempotencyKey, BodyHash: store.HashBody(s.Body),
			UniqueKey: s.UniqueKey, LeadID: s.LeadID, TraceID: s.TraceID, KeyID: s.KeyID, Post: s.Post,
		}
	}
	out, err := q.store.In(ws).Accept(ctx, jobs)
	if err != nil {
		return nil, err
	}
	q.Wake()
	return out, nil
}

// Wake tells the relay that there may be something to hand over.
func (q *Queue) Wake() {
	if q.relay != nil {
		q.relay.Wake()
	}
}

// FillOptions puts the defaults in and refuses what is out of range.
func FillOptions(_ growth.JobType, o growth.JobOptions) (growth.JobOptions, error) {
	const op = "tasks.FillOptions"
	switch o.Priority {
	case "":
		o.Priority = growth.PriorityNormal
	case growth.PriorityHigh, growth.PriorityNormal, growth.PriorityLow:
	default:
		return o, growth.InvalidField(op, "priority", "use high, normal or low")
	}
	if o.MaxAttempts == 0 {
		o.MaxAttempts = DefaultMaxAttempts
	}
	if o.TimeoutS == 0 {
		o.TimeoutS = DefaultTimeout
	}
	switch {
	case o.MaxAttempts < 1 || o.MaxAttempts > MaxMaxAttempts:
		return o, growth.InvalidField(op, "max_attempts", "use 1 to %d", MaxMaxAttempts)
	case o.TimeoutS < 1 || o.TimeoutS > MaxTimeout:
		return o, growth.InvalidField(op, "timeout_s", "use 1 to %d seconds", MaxTimeout)
	case len(o.Metadata) > MaxMetadata:
		return o, growth.InvalidField(op, "metadata", "use at most %d bytes", MaxMetadata)
	case o.CampaignID != "" && !growth.ValidID(string(o.CampaignID)):
		return o, growth.InvalidField(op, "campaign_id", "use the id of a campaign, a UUID")
	case o.RunAt != nil && o.RunAt.After(time.Now().AddDate(2, 0, 0)):
		return o, growth.InvalidField(op, "run_at", "use a time within the next two years")
	}
	return o, nil
}

// taskID is the id under which asynq knows a hand-over. A new epoch is a new id: it cannot collide with an entry that
// is archived, retained or a ghost.
func taskID(id growth.JobID, epoch int) string {
	if epoch == 0 {
		return string(id)
	}
	return string(id) + "~" + strconv.Itoa(epoch)
}

func parseTaskID(s string) (growth.JobID, int, error) {
	id, epoch, found := strings.Cut(s, "~")
	if !growth.ValidID(id) {
		return "", 0, fmt.Errorf("task id %q is not a job's", s)
	}
	if !found {
		return growth.JobID(id), 0, nil
	}
	n, err := strconv.Atoi(epoch)
	if err != nil {
		return "", 0, fmt.Errorf("task id %q is not a job's", s)
	}
	return growth.JobID(id), n, nil
}

// payload is all that lies in Redis of a job: ids. What the job is about stays in Postgres.
type payload struct {
	JobID growth.JobID `json:"job_id"`
}

// Headers of a task.
const (
	headerTrace     = "trace-id"
	headerWorkspace = "workspace-id"
)
