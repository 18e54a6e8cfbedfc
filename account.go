package growth

import (
	"slices"
	"strings"
	"time"
)

// Account is a LinkedIn member or page that a workspace may post as. Its token is never part of it.
type Account struct {
	ID               AccountID       `json:"id"`
	Workspace        WorkspaceID     `json:"-"`
	URN              string          `json:"urn"` // urn:li:person:… or urn:li:organization:…
	Name             string          `json:"name"`
	Label            string          `json:"label"` // the workspace's own name for it
	Status           string          `json:"status" enum:"active,reconnect,disconnected"`
	Simulated        bool            `json:"simulated"`
	Scopes           []string        `json:"scopes"`     // empty: nobody said
	ExpiresAt        *time.Time      `json:"expires_at"` // of the token; nil: unknown
	Refreshes        bool            `json:"refreshes"`  // LinkedIn gave a refresh token
	RefreshExpiresAt *time.Time      `json:"refresh_expires_at"`
	RefreshError     string          `json:"refresh_error,omitempty"` // the code of the last refresh that failed
	Settings         AccountSettings `json:"settings"`
	CreatedAt        time.Time       `json:"created_at"`
	TokenAt          time.Time       `json:"-"` // when the token was issued
	Grant            string          `json:"-"` // accounts with the same one have the same token
	Member           string          `json:"-"` // the URN of the member whose token it is
}

// The standings of an account.
const (
	AccountActive       = "active"
	AccountReconnect    = "reconnect"    // its token is dead: a member has to allow it again
	AccountDisconnected = "disconnected" // a person wanted it so; its history stays
)

// AccountSettings are what a workspace chooses for an account. The zero value is valid.
type AccountSettings struct {
	NoticeDays []int `json:"notice_days,omitempty"` // days before the end of access at which to tell; empty: 14, 7, 3, 1
}

// Notices are the days ahead at which the end of access is told, the earliest first.
func (s AccountSettings) Notices() []int {
	if len(s.NoticeDays) == 0 {
		return []int{14, 7, 3, 1}
	}
	days := slices.Clone(s.NoticeDays)
	slices.Sort(days)
	slices.Reverse(days)
	return days
}

// Organization says whether the account is a page.
func (a Account) Organization() bool { return strings.HasPrefix(a.URN, "urn:li:organization:") }

// EndsAt is when the account stops working unless a person does something; nil: unknown, or not in sight. A refresh
// token that works carries on beyond the token's own end; one that fails is not counted on.
func (a Account) EndsAt() *time.Time {
	if a.ExpiresAt == nil || !a.Refreshes || a.RefreshError != "" {
		return a.ExpiresAt
	}
	if a.RefreshExpiresAt != nil && a.RefreshExpiresAt.After(*a.ExpiresAt) {
		return a.RefreshExpiresAt
	}
	if a.RefreshExpiresAt == nil {
		return nil
	}
	return a.ExpiresAt
}

// StakedPost is a post that will not go out, because its account's access ends before its time.
type StakedPost struct {
	JobID     JobID      `json:"job_id"`
	ContentID *ContentID `json:"content_id"`
	RunAt     *time.Time `json:"run_at"` // nil: it waits for a person
}
