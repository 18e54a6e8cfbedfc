package growth

import (
	"encoding/json"
	"strings"
	"time"
)

// JobType is the kind of a job; it fixes the queue and the worker.
type JobType string

// The job types.
const (
	JobLeadQualification JobType = "lead-qualification"
	JobContentGeneration JobType = "content-generation"
	JobLinkedInPublish   JobType = "linkedin-publish"
	JobCallback          JobType = "callback"
	JobMaintenance       JobType = "maintenance"
	JobLeadAgreement     JobType = "lead-agreement" // models read a golden set
)

// Queue returns the name of the type's queue, without a lane.
func (t JobType) Queue() string {
	switch t {
	case JobLeadQualification, JobLeadAgreement:
		return "qualification"
	case JobContentGeneration:
		return "content"
	case JobLinkedInPublish:
		return "publish"
	case JobCallback:
		return "callbacks"
	case JobMaintenance:
		return "maintenance"
	}
	return ""
}

// Queues lists every queue without its lanes.
func Queues() []string {
	return []string{"qualification", "content", "publish", "callbacks", "maintenance"}
}

// Priority chooses the lane of a job within its queue.
type Priority string

// The priorities; PriorityNormal has the queue's own name, the others are lanes beside it.
const (
	PriorityHigh   Priority = "high"
	PriorityNormal Priority = "normal"
	PriorityLow    Priority = "low"
)

// Lane returns the asynq queue of a queue and a priority: "qualification", "qualification:high", "qualification:low".
func Lane(queue string, p Priority) string {
	if p == PriorityHigh || p == PriorityLow {
		return queue + ":" + string(p)
	}
	return queue
}

// SplitLane is the inverse of Lane.
func SplitLane(lane string) (queue string, p Priority) {
	queue, word, found := strings.Cut(lane, ":")
	if !found {
		return queue, PriorityNormal
	}
	return queue, Priority(word)
}

// JobState is where a job stands.
type JobState string

// The states of a job. The last three are final.
const (
	JobScheduled JobState = "scheduled" // run_at lies ahead
	JobQueued    JobState = "queued"
	JobRunning   JobState = "running"
	JobRetrying  JobState = "retrying" // failed, asynq will run it again
	JobWaiting   JobState = "waiting"  // see Waiting
	JobSucceeded JobState = "succeeded"
	JobFailed    JobState = "failed"
	JobCanceled  JobState = "canceled"
)

// Final says whether the state never changes by itself again.
func (s JobState) Final() bool { return s == JobSucceeded || s == JobFailed || s == JobCanceled }

// WaitReason says what a waiting job waits for.
type WaitReason string

// The reasons to wait.
const (
	WaitRateLimited    WaitReason = "rate_limited"
	WaitQuota          WaitReason = "quota"
	WaitBudget         WaitReason = "budget"
	WaitBreakersOpen   WaitReason = "breakers_open"
	WaitApproval       WaitReason = "approval"
	WaitReconnect      WaitReason = "reconnect"
	WaitPostingWindow  WaitReason = "posting_window"
	WaitOutcomeUnknown WaitReason = "outcome_unknown"
	WaitAPIVersion     WaitReason = "api_version"
)

// Waiting says what a job in the state JobWaiting waits for, and until when; Until is nil when a person decides.
type Waiting struct {
	Reason WaitReason `json:"reason"`
	Until  *time.Time `json:"until"`
}

// JobError is the last failure of a job as its owner sees it.
type JobError struct {
	Code      Code   `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"`
}

// Job is one unit of work, as the API shows it.
type Job struct {
	ID          JobID           `json:"id"`
	Workspace   WorkspaceID     `json:"-"`
	Type        JobType         `json:"type"`
	State       JobState        `json:"state"`
	Priority    Priority        `json:"priority"`
	Attempts    int             `json:"attempts"`
	MaxAttempts int             `json:"max_attempts"`
	Input       json.RawMessage `json:"-"`
	Result      json.RawMessage `json:"result"`
	Error       *JobError       `json:"error"`
	Waiting     *Waiting        `json:"waiting"`
	Cost        Money           `json:"cost"`
	Calls       []Call          `json:"calls"`
	Simulated   bool            `json:"simulated"`
	Metadata    json.RawMessage `json:"metadata"`
	CampaignID  *CampaignID     `json:"campaign_id"`
	KeyID       string          `json:"-"` // the API key that asked for it; empty: none
	CallbackURL string          `json:"-"`
	TraceID     string          `json:"-"`
	RunAt       time.Time       `json:"run_at"`
	PostTime    *PostTime       `json:"post_time,omitempty"` // of a publish job that has one
	CreatedAt   time.Time       `json:"created_at"`
	UpdatedAt   time.Time       `json:"updated_at"`
}

// JobOptions can go with every job; the zero value means the stated defaults.
type JobOptions struct {
	Priority    Priority        `json:"priority,omitempty"`     // default: normal
	RunAt       *time.Time      `json:"run_at,omitempty"`       // default: now
	TimeoutS    int             `json:"timeout_s,omitempty"`    // seconds for one attempt; default 300, at most 3600
	MaxAttempts int             `json:"max_attempts,omitempty"` // default 5, at most 25
	CallbackURL string          `json:"callback_url,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"` // echoed in the job
	CampaignID  CampaignID      `json:"campaign_id,omitempty"`
}
