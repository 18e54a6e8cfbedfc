package tasks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// Batch makes a content job a run of its campaign: it writes nothing itself and enqueues one job for each lead or topic
// that the campaign has not written about, a bounded number at a time. A schedule that repeats it works its way through
// the campaign.
type Batch struct {
	Leads  *BatchLeads `json:"leads,omitempty" doc:"Of the job's campaign_id, best score first"`
	Topics []string    `json:"topics,omitempty" doc:"At most 500, taken in their order"`
	Limit  int         `json:"limit,omitempty" doc:"How many jobs one run makes, 1 to 200; default 20"`
	Repeat bool        `json:"repeat,omitempty" doc:"Also write again about what the campaign has written about"`
}

// BatchLeads narrows the leads of a campaign.
type BatchLeads struct {
	MinScore int    `json:"min_score,omitempty" doc:"0 to 100; 0: unscored ones, too"`
	Priority string `json:"priority,omitempty" doc:"high, medium or low; empty: any"`
}

const (
	defaultBatch   = 20
	maxBatchJobs   = 200
	maxBatchTopics = 500
)

func (b Batch) validate() error {
	const op = "tasks.Batch"
	switch {
	case (b.Leads == nil) == (len(b.Topics) == 0):
		return growth.InvalidField(op, "batch", "give either leads or topics")
	case len(b.Topics) > maxBatchTopics:
		return growth.InvalidField(op, "batch.topics", "use at most %d", maxBatchTopics)
	case b.Limit < 0 || b.Limit > maxBatchJobs:
		return growth.InvalidField(op, "batch.limit", "use 1 to %d", maxBatchJobs)
	case b.Leads != nil && (b.Leads.MinScore < 0 || b.Leads.MinScore > 100):
		return growth.InvalidField(op, "batch.leads.min_score", "use 0 to 100")
	}
	if b.Leads != nil {
		switch b.Leads.Priority {
		case "", "high", "medium", "low":
		default:
			return growth.InvalidField(op, "batch.leads.priority", "use high, medium or low")
		}
	}
	for i, t := range b.Topics {
		if strings.TrimSpace(t) == "" || len(t) > maxTopic {
			return growth.InvalidField(op, fmt.Sprintf("batch.topics[%d]", i), "use 1 to %d bytes", maxTopic)
		}
	}
	return nil
}

// CheckCampaign refuses a batch without a campaign: what was written about before is known per campaign.
func (a ContentArgs) CheckCampaign(campaign growth.CampaignID) error {
	if a.Batch != nil && campaign == "" {
		return growth.InvalidField("tasks.ContentArgs", "campaign_id", "a batch belongs to a campaign: give its id")
	}
	return nil
}

// batched is the result of a run's first job.
type batched struct {
	Enqueued int `json:"enqueued"`
}

// batch chooses what is written about, and has the jobs accepted in the commit that ends this one.
func (w ContentWorker) batch(ctx context.Context, job *Job[ContentArgs]) error {
	campaign := job.campaign()
	if err := job.Args.CheckCampaign(campaign); err != nil {
		return err
	}
	subjects, err := w.subjects(ctx, job, campaign)
	if err != nil {
		return err
	}
	if len(subjects) == 0 {
		return job.Complete(batched{}, nil)
	}
	items := make([]store.BatchItem, 0, len(subjects))
	for _, s := range subjects {
		it, err := s.item(job)
		if err != nil {
			return err
		}
		items = append(items, it)
	}
	return job.Complete(batched{Enqueued: len(items)}, func(ctx context.Context, tx *store.Tx) error {
		return tx.AddBatch(ctx, job.Job.Workspace, job.Job.ID, campaign, items)
	})
}

// subject is what one job of a run writes about: a lead or a topic.
type subject struct {
	lead  growth.LeadID
	topic string
}

func (w ContentWorker) subjects(ctx context.Context, job *Job[ContentArgs], campaign growth.CampaignID) ([]subject, error) {
	sc, b := w.Store.In(job.Job.Workspace), job.Args.Batch
	limit := b.Limit
	if limit == 0 {
		limit = defaultBatch
	}
	if b.Leads == nil {
		return topicsLeft(ctx, sc, campaign, *b, limit)
	}
	leads, err := sc.LeadsToWriteFor(ctx, store.ContentWanted{
		Campaign: campaign, MinScore: b.Leads.MinScore, Priority: b.Leads.Priority, Again: b.Repeat, Limit: limit,
	})
	out := make([]subject, 0, len(leads))
	for _, l := range leads {
		out = append(out, subject{lead: l})
	}
	return out, err
}

func topicsLeft(ctx context.Context, sc store.Scoped, campaign growth.CampaignID, b Batch, limit int) ([]subject, error) {
	hashes := make([]string, len(b.Topics))
	for i, t := range b.Topics {
		hashes[i] = topicHash(t)
	}
	written, err := sc.TopicsWritten(ctx, campaign, hashes)
	if err != nil {
		return nil, err
	}
	var out []subject
	for i, t := range b.Topics {
		if len(out) < limit && (b.Repeat || !written[hashes[i]]) {
			out = append(out, subject{topic: t})
			written[hashes[i]] = true // a topic that is listed twice is one
		}
	}
	return out, nil
}

func topicHash(topic string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Join(strings.Fields(topic), " "))))
	return hex.EncodeToString(sum[:16])
}

// item is the job for one subject; it has the run's own arguments and campaign.
func (s subject) item(job *Job[ContentArgs]) (store.BatchItem, error) {
	args := job.Args
	args.Batch, args.LeadID, args.Topic = nil, s.lead, s.topic
	input, err := json.Marshal(args)
	if err != nil {
		return store.BatchItem{}, fmt.Errorf("encode arguments: %w", err)
	}
	options, err := FillOptions(args.Type(), growth.JobOptions{
		Priority: job.Job.Priority, MaxAttempts: job.Job.MaxAttempts, CampaignID: job.campaign(), Metadata: job.Job.Metadata,
	})
	out := store.BatchItem{Job: store.NewJob{
		Type: args.Type(), Input: input, Options: options, LeadID: s.lead, TraceID: job.Job.TraceID, KeyID: job.Job.KeyID,
	}}
	if s.topic != "" {
		out.TopicHash = topicHash(s.topic)
	}
	return out, err
}
