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

// Brand is a kit from which posts are written: a voice, and what may be said in it.
type Brand struct {
	ID         BrandID  `json:"id,omitempty"`
	Name       string   `json:"name"`
	Voice      string   `json:"voice,omitempty"`
	Samples    []string `json:"samples,omitempty"`
	Use        []string `json:"use,omitempty"`    // words to use
	Avoid      []string `json:"avoid,omitempty"`  // words to avoid
	Claims     []Claim  `json:"claims,omitempty"` // what may be said, with its source
	Banned     []string `json:"banned,omitempty"` // what must never be said
	Language   string   `json:"language,omitempty"`
	Trusted    int      `json:"trusted_posts"`         // posts that a person approved so far
	TrustAfter *int     `json:"trust_after,omitempty"` // posts that go to a person first; nil: 5
	Default    bool     `json:"default,omitempty"`     // of the workspace's brands, the one for jobs that name none
}

// Kit is the brand without what only decides about trust: this goes to a model.
func (b Brand) Kit() Brand {
	b.ID, b.Trusted, b.TrustAfter, b.Default = "", 0, nil, false
	return b
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

// ScoreParts is what a score was made of. The sum is not theirs alone: a broken hard rule or a claim that nobody bears
// out keeps it below every threshold.
type ScoreParts struct {
	Rules       int  `json:"rules" doc:"0 to 100: what the rules in force left"`
	Judge       *int `json:"judge" doc:"0 to 100: what the judging model gave; null: no model judged the text"`
	Unsupported int  `json:"unsupported_claims" doc:"Claims that the judge found nowhere in the brief"`
	ToneMissed  bool `json:"tone_missed"`
	Barred      bool `json:"barred" doc:"A hard rule is broken or a claim is unsupported: the score stays below 50"`
}

// AuditState is what became of the sample of machine approvals that a person looks at afterwards.
type AuditState string

// The states of an audit; the zero value is not sampled.
const (
	AuditNone       AuditState = ""
	AuditOpen       AuditState = "open"
	AuditKept       AuditState = "kept"
	AuditOverturned AuditState = "overturned"
)

// Content is one piece of content in its present version.
type Content struct {
	ID          ContentID     `json:"id"`
	Workspace   WorkspaceID   `json:"-"`
	JobID       *JobID        `json:"job_id"`
	LeadID      *LeadID       `json:"lead_id"`
	CampaignID  *CampaignID   `json:"campaign_id"`
	BrandID     *BrandID      `json:"brand_id"`
	AccountID   *AccountID    `json:"account_id"` // the only account that may post it; nil: any
	Media       []string      `json:"media"`      // ids, in the order in which they are shown
	Variant     int           `json:"variant"`    // 1-based
	Version     int           `json:"version"`    // 1-based; every edit makes a new one
	Title       string        `json:"title"`
	Body        string        `json:"body"`
	Hashtags    []string      `json:"hashtags"`
	ImagePrompt string        `json:"image_prompt"`
	Language    string        `json:"language"`
	Score       int           `json:"score"` // 0 to 100
	Checks      []Check       `json:"checks"`
	Status      ContentStatus `json:"status"`
	Hash        string        `json:"hash"` // of text, media and account; approval binds to it

	ScoreParts    ScoreParts `json:"score_parts"`
	PromptVersion string     `json:"prompt_version"` // the template that the draft was asked for with; empty: no model wrote it
	Model         string     `json:"model"`          // "provider/model" that wrote it
	JudgeModel    string     `json:"judge_model"`
	Audit         AuditState `json:"audit"`
	ApprovedBy    string     `json:"approved_by"`
	RejectReason  string     `json:"reject_reason"`

	Simulated bool      `json:"simulated"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`

	Sketch []byte `json:"-"` // digests of the body, written and never read back with it; see internal/content
}

// ContentVersion is a text as it stood before or after an edit.
type ContentVersion struct {
	Version      int        `json:"version"`
	Title        string     `json:"title"`
	Body         string     `json:"body"`
	Hashtags     []string   `json:"hashtags"`
	ImagePrompt  string     `json:"image_prompt"`
	AccountID    *AccountID `json:"account_id"`
	Media        []string   `json:"media"`
	Hash         string     `json:"hash"`
	EditedBy     string     `json:"edited_by"` // "machine", or the name of a key or person
	RestoredFrom *int       `json:"restored_from"`
	CreatedAt    time.Time  `json:"created_at"`
}

// ContentDecision is an approval or a rejection of one text.
type ContentDecision struct {
	ID        string        `json:"id"`
	Version   int           `json:"version"`
	Hash      string        `json:"hash"`
	Decision  ContentStatus `json:"decision" enum:"approved,rejected"`
	Machine   bool          `json:"machine"`
	DecidedBy string        `json:"decided_by"`
	Reason    string        `json:"reason"`
	CreatedAt time.Time     `json:"created_at"`
}
