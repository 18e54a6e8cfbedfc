// Package growth holds the words of the product: leads and their scores, content, posts, jobs, calls to language
// models, money, and the one failure taxonomy that every other package reads. It knows no database, no queue and no
// network; every other package may import it and it imports none of them.
package growth

import (
	"time"

	"github.com/google/uuid"
)

// Identifiers are UUIDv7 strings; each noun has a type of its own so that they cannot be mixed up.
type (
	WorkspaceID   string
	JobID         string
	LeadID        string
	CampaignID    string
	ContentID     string
	BrandID       string
	AccountID     string
	PublicationID string
	MediaID       string
	CallID        string
	WalkID        string
	ImportID      string
	ErasureID     string
	EventID       int64
)

// NewID returns a new UUIDv7: unique, and sortable by the time at which it was made.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// ValidID says whether s is a UUID in its canonical form of 36 characters.
func ValidID(s string) bool {
	if len(s) != 36 {
		return false
	}
	_, err := uuid.Parse(s)
	return err == nil
}

// DefaultWorkspace is the slug of the workspace that every installation begins with.
const DefaultWorkspace = "default"

// Workspace is one client of the agency. Every row of the store belongs to exactly one.
type Workspace struct {
	ID        WorkspaceID       `json:"id"`
	Slug      string            `json:"slug"`
	Name      string            `json:"name"`
	Settings  WorkspaceSettings `json:"settings"`
	CreatedAt time.Time         `json:"created_at"`
}

// WorkspaceSettings are what a workspace's jobs use when their own input is silent. The zero value is valid.
type WorkspaceSettings struct {
	ICP      string        `json:"icp,omitempty"`      // ideal customer profile, plain text
	Rubric   string        `json:"rubric,omitempty"`   // name of a built-in rubric; empty: "local-business"
	Language string        `json:"language,omitempty"` // BCP 47; empty: "fr-CA"
	Privacy  PrivacyClass  `json:"privacy_class,omitempty"`
	Brand    *Brand        `json:"brand,omitempty"`
	Retain   LeadRetention `json:"lead_retention,omitzero"`
	Reviewer string        `json:"reviewer,omitempty"` // who answers people that contest a score, and how to reach them
}

// LeadRetention says for how long a workspace keeps leads; the zero value: until somebody erases them.
type LeadRetention struct {
	IdleDays         int `json:"idle_days,omitempty" minimum:"0" maximum:"36500" doc:"A lead to which nothing happened for so many days is erased; 0: never. One whose contested score nobody has answered waits for the answer"`
	AfterConsentDays int `json:"after_consent_days,omitempty" minimum:"0" maximum:"36500" doc:"A lead whose consent ended so many days ago is erased; 0: never"`
}

// PrivacyClass binds every call of a workspace, fallbacks too. The zero value is PrivacyStandard.
type PrivacyClass string

// The privacy classes, from the widest to the narrowest choice of providers.
const (
	PrivacyStandard      PrivacyClass = "standard"
	PrivacyZeroRetention PrivacyClass = "zero_retention"
	PrivacyLocalOnly     PrivacyClass = "local_only"
)
