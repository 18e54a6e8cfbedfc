package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// Qualification asks for the score of a lead: of Lead, which is recognised when it is known, or of the stored LeadID.
type Qualification struct {
	growth.JobOptions

	Lead     *growth.Lead  `json:"lead,omitempty"`
	LeadID   growth.LeadID `json:"lead_id,omitempty"`
	ICP      string        `json:"icp,omitempty"`    // ideal customer profile; default: the workspace's
	Rubric   string        `json:"rubric,omitempty"` // name or name@version; default: the workspace's
	Language string        `json:"language,omitempty"`

	IdempotencyKey string `json:"-"` // the same key with the same request is the same job, for 24 hours
}

// QualifyLead enqueues the scoring of a lead.
func (c *Client) QualifyLead(ctx context.Context, q Qualification) (growth.Job, error) {
	return c.enqueue(ctx, growth.JobLeadQualification, q, q.IdempotencyKey)
}

// ContentRequest asks for LinkedIn posts.
type ContentRequest struct {
	growth.JobOptions

	LeadID   growth.LeadID  `json:"lead_id,omitempty"`
	Topic    string         `json:"topic,omitempty"`
	Brief    string         `json:"brief,omitempty"`
	BrandID  growth.BrandID `json:"brand_id,omitempty"` // default: the workspace's brand
	Language string         `json:"language,omitempty"`
	Tone     string         `json:"tone,omitempty"`
	Audience string         `json:"audience,omitempty"`
	CTA      string         `json:"cta,omitempty"`
	Link     string         `json:"link,omitempty"`
	Hashtags []string       `json:"hashtags,omitempty"`
	Variants int            `json:"variants,omitempty"` // 1 to 5

	IdempotencyKey string `json:"-"`
}

// WriteContent enqueues the writing of posts.
func (c *Client) WriteContent(ctx context.Context, r ContentRequest) (growth.Job, error) {
	return c.enqueue(ctx, growth.JobContentGeneration, r, r.IdempotencyKey)
}

// PublishRequest asks for one post: of an approved content, or of a text that the caller vouches for.
type PublishRequest struct {
	growth.JobOptions

	ContentID growth.ContentID `json:"content_id,omitempty"`
	Text      string           `json:"text,omitempty"` // takes a key with the scope approve
	AccountID growth.AccountID `json:"account_id,omitempty"`
	Images    []string         `json:"images,omitempty"`
	Article   *growth.Article  `json:"article,omitempty"`
	PublishAt string           `json:"publish_at,omitempty"` // an instant, or what the clock of Zone shows
	Zone      string           `json:"zone,omitempty"`
	Slot      string           `json:"slot,omitempty"` // "next": the next free slot of the account's plan

	IdempotencyKey string `json:"-"`
}

// Publish enqueues a post.
func (c *Client) Publish(ctx context.Context, r PublishRequest) (growth.Job, error) {
	return c.enqueue(ctx, growth.JobLinkedInPublish, r, r.IdempotencyKey)
}

func (c *Client) enqueue(ctx context.Context, kind growth.JobType, body any, key string) (growth.Job, error) {
	var out growth.Job
	err := c.call(ctx, http.MethodPost, "/v1/jobs/"+string(kind), body, key, &out)
	return out, err
}

// Batch is up to 10,000 jobs on their way together.
type Batch struct {
	items []any
}

// QualifyLead adds a job.
func (b *Batch) QualifyLead(q Qualification) {
	b.items = append(b.items, struct {
		batchHead
		Qualification
	}{batchHead{growth.JobLeadQualification, q.IdempotencyKey}, q})
}

// WriteContent adds a job.
func (b *Batch) WriteContent(r ContentRequest) {
	b.items = append(b.items, struct {
		batchHead
		ContentRequest
	}{batchHead{growth.JobContentGeneration, r.IdempotencyKey}, r})
}

// Publish adds a job.
func (b *Batch) Publish(r PublishRequest) {
	b.items = append(b.items, struct {
		batchHead
		PublishRequest
	}{batchHead{growth.JobLinkedInPublish, r.IdempotencyKey}, r})
}

// Len is how many jobs there are.
func (b *Batch) Len() int { return len(b.items) }

type batchHead struct {
	Type growth.JobType `json:"type"`
	Key  string         `json:"idempotency_key,omitempty"`
}

// BatchResult says what became of each job of a batch, in their order.
type BatchResult struct {
	Accepted int         `json:"accepted"`
	Rejected int         `json:"rejected"`
	Data     []BatchItem `json:"data"`
}

// BatchItem is what became of one job.
type BatchItem struct {
	Index  int          `json:"index"`
	Status string       `json:"status"` // accepted, replayed, existing, unchanged or rejected
	ID     growth.JobID `json:"id"`
	Error  *Problem     `json:"error"`
}

// Enqueue sends a batch. That some of it was rejected is no error: see the result.
func (c *Client) Enqueue(ctx context.Context, b *Batch) (BatchResult, error) {
	var out BatchResult
	err := c.call(ctx, http.MethodPost, "/v1/jobs/batch", b.items, "", &out)
	return out, err
}

// Job reads a job.
func (c *Client) Job(ctx context.Context, id growth.JobID) (growth.Job, error) {
	return c.job(ctx, http.MethodGet, id, "")
}

// Wait returns a job when it has ended, however it did, or when a person has to decide about it: see its State. ctx
// bounds the wait.
func (c *Client) Wait(ctx context.Context, id growth.JobID) (growth.Job, error) {
	for {
		j, err := c.job(ctx, http.MethodGet, id, "?wait=30s")
		if err != nil || j.State.Final() || j.State == growth.JobWaiting && j.Waiting != nil && j.Waiting.Until == nil {
			return j, err
		}
		if err := ctx.Err(); err != nil {
			return j, err
		}
	}
}

// Cancel ends a job that has not ended.
func (c *Client) Cancel(ctx context.Context, id growth.JobID) (growth.Job, error) {
	return c.job(ctx, http.MethodPost, id, "/cancel")
}

// Retry lets a job that failed or was canceled run again.
func (c *Client) Retry(ctx context.Context, id growth.JobID) (growth.Job, error) {
	return c.job(ctx, http.MethodPost, id, "/retry")
}

func (c *Client) job(ctx context.Context, method string, id growth.JobID, rest string) (growth.Job, error) {
	var out growth.Job
	err := c.call(ctx, method, "/v1/jobs/"+url.PathEscape(string(id))+rest, nil, "", &out)
	return out, err
}

// JobFilter says which jobs are wanted; the zero value is all.
type JobFilter struct {
	Type     growth.JobType
	State    growth.JobState
	Campaign growth.CampaignID
	Query    string
}

// Jobs walks the jobs, newest first. It ends after an error.
func (c *Client) Jobs(ctx context.Context, f JobFilter) iter.Seq2[growth.Job, error] {
	q := filter("type", string(f.Type), "state", string(f.State), "campaign_id", string(f.Campaign), "q", f.Query)
	return func(yield func(growth.Job, error) bool) { pages(ctx, c, "/v1/jobs", q, yield) }
}

// Qualified reads the result of a lead-qualification job.
func Qualified(j growth.Job) (growth.Qualification, error) {
	var out growth.Qualification
	err := json.Unmarshal(j.Result, &out)
	return out, err
}

// Written reads the result of a content-generation job.
func Written(j growth.Job) ([]Variant, error) {
	var out struct {
		Variants []Variant `json:"variants"`
	}
	err := json.Unmarshal(j.Result, &out)
	return out.Variants, err
}

// Variant is one text of a content-generation job.
type Variant struct {
	ContentID growth.ContentID     `json:"content_id"`
	Title     string               `json:"title"`
	Body      string               `json:"body"`
	Hashtags  []string             `json:"hashtags"`
	Score     int                  `json:"score"`
	Status    growth.ContentStatus `json:"status"`
}

// Posted is the result of a linkedin-publish job.
type Posted struct {
	URN         string    `json:"urn"`
	URL         string    `json:"url"`
	PublishedAt time.Time `json:"published_at"`
}

// Published reads the result of a linkedin-publish job.
func Published(j growth.Job) (Posted, error) {
	var out Posted
	err := json.Unmarshal(j.Result, &out)
	return out, err
}
