package growth

import (
	"time"
)

// ContentStatus is where a piece of content stands.
type ContentStatus string

// The states of a piece of content.
const (
	ContentDraft      ContentStatus = "draft"
	ContentInReview   ContentStatus = "in_review"
	ContentApproved   ContentStatus = "approved"
	ContentRejected   ContentStatus = "rejected"
	ContentScheduled  ContentStatus = "scheduled"
	ContentPublishing ContentStatus = "publishing"
	ContentPublished  ContentStatus = "published"
	ContentUnknown    ContentStatus = "unknown"
	ContentFailed     ContentStatus = "failed"
)

// Brand is the voice of a workspace.
type Brand struct {
	ID       BrandID  `json:"id,omitempty"`
	Name     string   `json:"name"`
	Voice    string   `json:"voice,omitempty"`
	Samples  []string `json:"samples,omitempty"`
	Use      []string `json:"use,omitempty"`    // words to use
	Avoid    []string `json:"avoid,omitempty"`  // words to avoid
	Claims   []Claim  `json:"claims,omitempty"` // what may be said, with its source
	Banned   []string `json:"banned,omitempty"` // what must never be said
	Trusted  int      `json:"trusted_posts"`    // posts that a person approved so far
	Language string   `json:"language,omitempty"`
}

// Claim is a statement that a brand may make.
type Claim struct {
	Text   string `json:"text"`
	Source string `json:"source"`
}

// Check is the verdict of one rule, or of the judge, on a piece of content.
type Check struct {
	Rule   string `json:"rule"`
	Hard   bool   `json:"hard"` // a hard rule that fails bars approval by machine
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// Content is one piece of content in its present version.
type Content struct {
	ID          ContentID     `json:"id"`
	Workspace   WorkspaceID   `json:"-"`
	JobID       *JobID        `json:"job_id"`
	LeadID      *LeadID       `json:"lead_id"`
	CampaignID  *CampaignID   `json:"campaign_id"`
	Variant     int           `json:"variant"` // 1-based
	Version     int           `json:"version"` // 1-based; every edit makes a new one
	Title       string        `json:"title"`
	Body        string        `json:"body"`
	Hashtags    []string      `json:"hashtags"`
	ImagePrompt string        `json:"image_prompt"`
	Language    string        `json:"language"`
	Score       int           `json:"score"` // 0 to 100
	Checks      []Check       `json:"checks"`
	Status      ContentStatus `json:"status"`
	Hash        string        `json:"hash"` // of text and media; approval binds to it
	Simulated   bool          `json:"simulated"`
	CreatedAt   time.Time     `json:"created_at"`
	UpdatedAt   time.Time     `json:"updated_at"`
}
