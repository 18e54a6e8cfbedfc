package growth

import (
	"time"

	"github.com/shopspring/decimal"
)

// TaskType is the kind of a language-model call; it chooses the route.
type TaskType string

// The task types.
const (
	TaskQualification TaskType = "qualification"
	TaskContent       TaskType = "content_generation"
	TaskVerification  TaskType = "verification"
	TaskAnalysis      TaskType = "analysis"
	TaskSimple        TaskType = "simple"
)

// TaskTypes lists every task type in the order of the documentation.
func TaskTypes() []TaskType {
	return []TaskType{TaskQualification, TaskContent, TaskVerification, TaskAnalysis, TaskSimple}
}

// Valid says whether t is a known task type.
func (t TaskType) Valid() bool {
	switch t {
	case TaskQualification, TaskContent, TaskVerification, TaskAnalysis, TaskSimple:
		return true
	}
	return false
}

// Message is one turn of a conversation with a language model.
type Message struct {
	Role    string `json:"role" enum:"system,user,assistant"`
	Content string `json:"content"`
}

// Usage counts tokens as the provider counted them. CachedTokens are part of PromptTokens and ReasoningTokens part of
// CompletionTokens.
type Usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
	CachedTokens     int `json:"cached_tokens,omitempty"`
	ReasoningTokens  int `json:"reasoning_tokens,omitempty"`
}

// CallStatus is where a ledger row stands.
type CallStatus string

// The states of a ledger row. CallUnknown: the process died while the call was in flight.
const (
	CallStarted CallStatus = "started"
	CallOK      CallStatus = "ok"
	CallFailed  CallStatus = "failed"
	CallUnknown CallStatus = "unknown"
)

// Decision says what the chain did with a candidate.
type Decision string

// The decisions of the chain about one candidate.
const (
	DecisionAnswered Decision = "answered" // its answer was accepted
	DecisionFailed   Decision = "failed"   // it was called and left for the next one
	DecisionSkipped  Decision = "skipped"  // it was not called
	DecisionStopped  Decision = "stopped"  // it was called and its fault ended the call
)

// Call is one candidate of a chain as it was treated in one walk: a request to a provider (a row of the ledger), or a
// candidate that was skipped without one (no row).
type Call struct {
	ID         CallID           `json:"id,omitempty"`
	Workspace  WorkspaceID      `json:"-"`
	JobID      JobID            `json:"-"`
	Step       string           `json:"step,omitempty"`
	Task       TaskType         `json:"task_type"`
	Provider   string           `json:"provider"`
	Model      string           `json:"model"`
	Status     CallStatus       `json:"status,omitempty"`
	Code       string           `json:"code,omitempty"` // failure code by name; for a skip why: "breaker_open", "cooling_down", "not_configured", "privacy"
	Detail     string           `json:"detail,omitempty"`
	Decision   Decision         `json:"decision"`
	Usage      Usage            `json:"usage"`
	Cost       Money            `json:"cost"`
	Prices     string           `json:"price_version,omitempty"` // the price list behind a priced cost
	Campaign   CampaignID       `json:"-"`
	Key        string           `json:"-"`                      // the API key that asked; empty: none
	Reserved   *decimal.Decimal `json:"reserved_usd,omitempty"` // what a budget holds for it: it counts at this until its cost is known
	SettledBy  string           `json:"settled_by,omitempty"`   // who said what it cost, when the answer did not
	WaitMS     int64            `json:"wait_ms"`
	LatencyMS  int64            `json:"latency_ms"`
	Generation string           `json:"generation_id,omitempty"` // the provider's own id of the request
	Simulated  bool             `json:"simulated"`
	StartedAt  time.Time        `json:"started_at"`
	WalkID     WalkID           `json:"walk_id,omitempty"` // the walk over a route that it belongs to
}
