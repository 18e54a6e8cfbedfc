package store

import (
	"context"
	"encoding/json"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// ContentWanted says for which leads of a campaign a run writes.
type ContentWanted struct {
	Campaign growth.CampaignID
	MinScore int
	Priority string // empty: any
	Again    bool   // also for leads that have a text, or a job for one, from this campaign
	Limit    int
}

// LeadsToWriteFor chooses leads of a campaign, best score first.
func (sc Scoped) LeadsToWriteFor(ctx context.Context, w ContentWanted) ([]growth.LeadID, error) {
	out := []growth.LeadID{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT l.id FROM leads l
		WHERE l.workspace_id = $1 AND l.campaign_id = $2 AND ($3 = 0 OR l.score >= $3) AND ($4 = '' OR l.priority = $4)
		  AND ($5 OR NOT EXISTS (SELECT 1 FROM contents c WHERE c.campaign_id = $2 AND c.lead_id = l.id AND c.workspace_id = $1)
			AND NOT EXISTS (SELECT 1 FROM content_batch_items i JOIN content_batches b ON b.job_id = i.batch_id
				WHERE i.lead_id = l.id AND b.campaign_id = $2 AND b.workspace_id = $1))
		ORDER BY l.score DESC NULLS LAST, l.id LIMIT $6`, sc.ws, w.Campaign, w.MinScore, w.Priority, w.Again, w.Limit)
	return out, wrap("leads to write for", err)
}

// TopicsWritten says which of these digests earlier runs of a campaign took.
func (sc Scoped) TopicsWritten(ctx context.Context, campaign growth.CampaignID, hashes []string) (map[string]bool, error) {
	var known []string
	if err := sc.s.db.SelectContext(ctx, &known, `
		SELECT DISTINCT i.topic_hash FROM content_batch_items i JOIN content_batches b ON b.job_id = i.batch_id
		WHERE b.workspace_id = $1 AND b.campaign_id = $2 AND i.topic_hash = ANY ($3)`, sc.ws, campaign, pq.Array(hashes)); err != nil {
		return nil, wrap("topics written", err)
	}
	out := make(map[string]bool, len(known))
	for _, h := range known {
		out[h] = true
	}
	return out, nil
}

// BatchItem is one job of a run, and what it writes about.
type BatchItem struct {
	Job       NewJob
	TopicHash string // empty: a lead, which Job names
}

// AddBatch accepts the jobs of a run in the commit that ends the job which made it: all of them or none, and once.
func (tx *Tx) AddBatch(ctx context.Context, ws growth.WorkspaceID, by growth.JobID, campaign growth.CampaignID, items []BatchItem) error {
	if _, err := tx.tx.ExecContext(ctx, `
		INSERT INTO content_batches (job_id, workspace_id, campaign_id) VALUES ($1, $2, $3)`, by, ws, campaign); err != nil {
		return wrap("add batch", err)
	}
	jobs, topics := make([]NewJob, len(items)), make([]string, len(items))
	for i, it := range items {
		jobs[i], topics[i] = it.Job, it.TopicHash
	}
	accepted, err := tx.accept(ctx, ws, jobs)
	if err != nil {
		return err
	}
	ids, leads := make([]string, len(items)), make([]string, len(items))
	for i, a := range accepted {
		ids[i], leads[i] = string(a.ID), string(items[i].Job.LeadID)
	}
	_, err = tx.tx.ExecContext(ctx, `
		INSERT INTO content_batch_items (batch_id, job_id, lead_id, topic_hash)
		SELECT $1, i.job, l.id, i.topic FROM unnest($2::uuid[], $3::text[], $4::text[]) AS i (job, lead, topic)
		LEFT JOIN leads l ON l.id = nullif(i.lead, '')::uuid AND l.workspace_id = $5
		ON CONFLICT DO NOTHING`, by, pq.Array(ids), pq.Array(leads), pq.Array(topics), ws)
	return wrap("add batch", err)
}

// batchSummary is what came of a run.
type batchSummary struct {
	Job       growth.JobID       `db:"job_id" json:"job_id"`
	Workspace growth.WorkspaceID `db:"workspace_id" json:"-"`
	Campaign  growth.CampaignID  `db:"campaign_id" json:"campaign_id"`
	Jobs      int                `db:"jobs" json:"jobs"`
	Succeeded int                `db:"succeeded" json:"succeeded"`
	Failed    int                `db:"failed" json:"failed"`
	Canceled  int                `db:"canceled" json:"canceled"`
	Contents  int                `db:"contents" json:"contents"`
	Approved  int                `db:"approved" json:"approved"`
	InReview  int                `db:"in_review" json:"in_review"`
}

// FinishBatches closes the runs whose jobs have all ended, a bounded number at a time, and records what came of each as
// the event campaign.completed.
func (s *Store) FinishBatches(ctx context.Context) (int, error) {
	var done []batchSummary
	err := s.InTx(ctx, func(tx *Tx) error {
		if err := tx.tx.SelectContext(ctx, &done, `
			WITH over AS (
				UPDATE content_batches SET finished_at = now() WHERE job_id IN (
					SELECT b.job_id FROM content_batches b
					WHERE b.finished_at IS NULL AND NOT EXISTS (
						SELECT 1 FROM content_batch_items i JOIN jobs j ON j.id = i.job_id
						WHERE i.batch_id = b.job_id AND j.state NOT IN ('succeeded', 'failed', 'canceled'))
					ORDER BY b.created_at LIMIT 100 FOR UPDATE SKIP LOCKED)
				RETURNING job_id, workspace_id, campaign_id)
			SELECT o.job_id, o.workspace_id, o.campaign_id, count(i.job_id) AS jobs,
				count(*) FILTER (WHERE j.state = 'succeeded') AS succeeded, count(*) FILTER (WHERE j.state = 'failed') AS failed,
				count(*) FILTER (WHERE j.state = 'canceled') AS canceled, coalesce(sum(c.n), 0) AS contents,
				coalesce(sum(c.approved), 0) AS approved, coalesce(sum(c.in_review), 0) AS in_review
			FROM over o LEFT JOIN content_batch_items i ON i.batch_id = o.job_id LEFT JOIN jobs j ON j.id = i.job_id
			LEFT JOIN LATERAL (
				SELECT count(*) AS n, count(*) FILTER (WHERE status IN ('approved', 'scheduled', 'publishing', 'published')) AS approved, count(*) FILTER (WHERE status = 'in_review') AS in_review
				FROM contents WHERE contents.job_id = i.job_id AND contents.workspace_id = o.workspace_id) AS c ON true
			GROUP BY o.job_id, o.workspace_id, o.campaign_id`); err != nil {
			return wrap("finish batches", err)
		}
		for _, b := range done {
			data, err := json.Marshal(b)
			if err != nil {
				return wrap("finish batches", err)
			}
			if err := tx.AddEvent(ctx, b.Workspace, b.Job, NewEvent{Type: "campaign.completed", Data: data}); err != nil {
				return err
			}
		}
		return nil
	})
	return len(done), err
}
