package growth

import (
	"encoding/json"
	"time"
)

// Names of what comes in and goes out by webhook.
type (
	// SourceID names somebody who sends us leads.
	SourceID string
	// DeliveryID names one message: of a source to us, or of ours to a subscription.
	DeliveryID string
	// SubscriptionID names somebody who is told of events.
	SubscriptionID string
)

// WebhookSource is somebody who sends leads by webhook.
type WebhookSource struct {
	ID         SourceID          `json:"id"`
	Workspace  WorkspaceID       `json:"-"`
	Name       string            `json:"name"` // unique in its workspace
	Kind       string            `json:"kind" enum:"hmac,hmac_body,standard_webhooks,hubspot,typeform,calendly,token"`
	Enabled    bool              `json:"enabled"`
	Header     string            `json:"header,omitempty" doc:"That carries the signature or the token; empty: the kind's own"`
	ToleranceS int               `json:"tolerance_s,omitempty" doc:"How far a signed time may lie from ours; 0: 300, of Calendly 180"`
	DedupPath  string            `json:"dedup_path,omitempty" doc:"Path of what is unique in a body; empty: the kind's own"`
	EventPath  string            `json:"event_path,omitempty" doc:"Path of the event's type in a body; empty: the kind's own"`
	Events     []string          `json:"events" doc:"Types that are taken in, others are dropped; empty: the kind's own"`
	Mapping    map[string]string `json:"mapping" doc:"Fields of the lead and the paths of their values; fields that it does not name are the kind's own"`
	CampaignID CampaignID        `json:"campaign_id,omitempty"`
	Qualify    bool              `json:"qualify" doc:"Each lead is scored when it comes"`
	Secrets    []SecretView      `json:"secrets" doc:"That are valid now; a source without one takes nothing in"`
	LastAt     *time.Time        `json:"last_received_at"`
	RefusedAt  *time.Time        `json:"last_refused_at" doc:"Of the calls that were refused at most one a minute is noted"`
	RefusedWhy string            `json:"last_refusal" doc:"Why that call was refused; a refusal within a minute of it is not noted"`
	CreatedAt  time.Time         `json:"created_at"`
	UpdatedAt  time.Time         `json:"updated_at"`
}

// SecretView is what is shown of a secret.
type SecretView struct {
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at" doc:"null: it is the newest"`
}

// DeliveryState is what became of a message that came in.
type DeliveryState string

// The states of a message that came in.
const (
	DeliveryReceived  DeliveryState = "received" // to be made into a lead
	DeliveryProcessed DeliveryState = "processed"
	DeliveryFailed    DeliveryState = "failed"  // no lead can be made of it; it can be replayed
	DeliveryDropped   DeliveryState = "dropped" // of a type that the source does not take in
	DeliveryRefused   DeliveryState = "refused" // the lead was erased once
	DeliveryErased    DeliveryState = "erased"  // with its lead
)

// WebhookDelivery is a message that came in.
type WebhookDelivery struct {
	ID          DeliveryID      `json:"id"`
	SourceID    SourceID        `json:"source_id"`
	Event       string          `json:"event"`
	State       DeliveryState   `json:"state"`
	Reason      string          `json:"reason"`
	LeadID      *LeadID         `json:"lead_id"`
	JobID       *JobID          `json:"job_id"`
	Body        json.RawMessage `json:"body,omitempty" doc:"As it came; it is kept for 14 days"`
	ReceivedAt  time.Time       `json:"received_at"`
	ProcessedAt *time.Time      `json:"processed_at"`
}

// Subscription is somebody who is told of the events of a workspace.
type Subscription struct {
	ID             SubscriptionID `json:"id"`
	Workspace      WorkspaceID    `json:"-"`
	URL            string         `json:"url"`
	Types          []string       `json:"types" doc:"Of events; job.* is all that begin so; empty: all"`
	Form           string         `json:"form" enum:"standard,slack"`
	Active         bool           `json:"active"`
	DisabledReason string         `json:"disabled_reason" doc:"Why the program ended it; empty: it did not"`
	OldSecretUntil *time.Time     `json:"old_secret_until" doc:"Until when the secret before signs too"`
	CreatedAt      time.Time      `json:"created_at"`
	UpdatedAt      time.Time      `json:"updated_at"`
}

// The forms of what a subscription is sent.
const (
	FormStandard = "standard" // {type, timestamp, data}
	FormSlack    = "slack"    // {text}
)

// SubscriptionDelivery is one event on its way to a subscription.
type SubscriptionDelivery struct {
	ID             DeliveryID     `json:"id"`
	SubscriptionID SubscriptionID `json:"subscription_id"`
	Type           string         `json:"type"`
	State          string         `json:"state" enum:"pending,delivered,failed"`
	Attempts       int            `json:"attempts"`
	Status         *int           `json:"status" doc:"The last answer; null: there was none"`
	Code           string         `json:"code" doc:"Why the last attempt failed, by the taxonomy"`
	Error          string         `json:"error"`
	NextAt         *time.Time     `json:"next_attempt_at"`
	CreatedAt      time.Time      `json:"created_at"`
	EndedAt        *time.Time     `json:"ended_at"`
}
