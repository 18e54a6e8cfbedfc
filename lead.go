package growth

import (
	"slices"
	"time"
)

// Lead is a business or a person that may become a customer, as it came in. Extra holds every further field by name.
type Lead struct {
	ID            LeadID            `json:"id,omitempty"`
	ExternalID    string            `json:"external_id,omitempty"`
	BusinessName  string            `json:"business_name,omitempty"`
	BusinessType  string            `json:"business_type,omitempty"`
	ContactName   string            `json:"contact_name,omitempty"`
	JobTitle      string            `json:"job_title,omitempty"`
	Email         string            `json:"email,omitempty"`
	Phone         string            `json:"phone,omitempty"`
	Website       string            `json:"website,omitempty"`
	LinkedInURL   string            `json:"linkedin_url,omitempty"`
	Address       string            `json:"address,omitempty"`
	City          string            `json:"city,omitempty"`
	Province      string            `json:"province,omitempty"`
	PostalCode    string            `json:"postal_code,omitempty"`
	Country       string            `json:"country,omitempty"`
	GoogleRating  *float64          `json:"google_rating,omitempty"`  // 0 to 5
	GoogleReviews *int              `json:"google_reviews,omitempty"` // a count
	Source        string            `json:"source,omitempty"`
	Notes         string            `json:"notes,omitempty"`
	Consent       *Consent          `json:"consent,omitempty"`
	Extra         map[string]string `json:"extra,omitempty"`
}

// Consent says on what ground a lead may be contacted.
type Consent struct {
	Basis       string     `json:"basis,omitempty" doc:"consent, express, implied; or what needs no consent: contract, legal_obligation, vital_interests, public_task, legitimate_interests. Default: consent"`
	Source      string     `json:"source,omitempty" doc:"Where it was given"`
	At          *time.Time `json:"at,omitempty"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty" doc:"From then on a lead whose basis is a consent is neither scored nor written for"`
	WithdrawnAt *time.Time `json:"withdrawn_at,omitempty" doc:"From then on the lead is neither scored nor written for, whatever the basis"`
}

// ConsentBases lists the bases that are a consent, which can end.
func ConsentBases() []string { return []string{"consent", "express", "implied"} }

// OtherBases lists the bases on which a lead may be contacted without its consent.
func OtherBases() []string {
	return []string{"contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"}
}

// ConsentState is where a lead's consent stands.
type ConsentState string

// The states of a consent. The last two bar the lead.
const (
	ConsentNone      ConsentState = "none" // nothing is known of it
	ConsentValid     ConsentState = "valid"
	ConsentExpired   ConsentState = "expired"
	ConsentWithdrawn ConsentState = "withdrawn"
)

// State is where the consent stands at an instant. A basis that is not known counts as a consent: what is unclear ends.
func (c *Consent) State(now time.Time) ConsentState {
	switch {
	case c == nil:
		return ConsentNone
	case c.WithdrawnAt != nil && !c.WithdrawnAt.After(now):
		return ConsentWithdrawn
	case c.ExpiresAt != nil && !c.ExpiresAt.After(now) && !slices.Contains(OtherBases(), c.Basis):
		return ConsentExpired
	}
	return ConsentValid
}

// Barred is a Forbidden error that names the consent at fault when it has ended at that instant.
func (l Lead) Barred(now time.Time) error {
	const op = "growth.Barred"
	switch l.Consent.State(now) {
	case ConsentWithdrawn:
		return &Error{
			Code: Forbidden, Op: op, Field: "lead.consent.withdrawn_at",
			Message: "the lead withdrew its consent on " + l.Consent.WithdrawnAt.UTC().Format(time.DateOnly) + "; it is neither scored nor written for",
		}
	case ConsentExpired:
		return &Error{
			Code: Forbidden, Op: op, Field: "lead.consent.expires_at",
			Message: "the lead's consent ended on " + l.Consent.ExpiresAt.UTC().Format(time.DateOnly) + "; give a new one with a later expires_at, or another basis",
		}
	case ConsentNone, ConsentValid:
	}
	return nil
}

// ScoredBy says who did the reading behind a score.
type ScoredBy string

// Who scored: the route's first candidate, a later one, or the rubric's own rules without a model.
const (
	ScoredByModel    ScoredBy = "model"
	ScoredByFallback ScoredBy = "fallback_model"
	ScoredByRules    ScoredBy = "rules"
)

// Reason is one criterion of the rubric with the level that was found and the words of the lead that prove it.
type Reason struct {
	Criterion string  `json:"criterion"`
	Axis      string  `json:"axis" enum:"fit,intent"`
	Level     string  `json:"level"`
	Points    float64 `json:"points"`
	MaxPoints float64 `json:"max_points"`
	Quote     string  `json:"quote"` // verbatim from the lead; empty when nothing was found
	Field     string  `json:"field"` // the lead's field that holds the quote
	Verified  bool    `json:"verified"`
}

// Qualification is a lead's score with everything that explains it.
type Qualification struct {
	LeadID              LeadID   `json:"lead_id"`
	Score               int      `json:"score"`  // 0 to 100
	Fit                 int      `json:"fit"`    // 0 to 100
	Intent              int      `json:"intent"` // 0 to 100
	Grade               string   `json:"grade"`  // A1 to C3
	Priority            string   `json:"priority" enum:"high,medium,low"`
	Confidence          float64  `json:"confidence"` // share of the points that rest on a verified quote, 0 to 1
	Reasons             []Reason `json:"reasons"`
	Disqualifiers       []string `json:"disqualifiers"`
	MissingInformation  []string `json:"missing_information"`
	PainPoints          []string `json:"pain_points"`
	RecommendedApproach string   `json:"recommended_approach"`
	NextAction          string   `json:"next_action" enum:"call,email,nurture,research,disqualify,review"`
	Flags               []string `json:"flags"`
	Rubric              string   `json:"rubric"` // name@version
	PromptVersion       string   `json:"prompt_version"`
	Model               string   `json:"model"` // provider/model; empty when the rules scored
	ScoredBy            ScoredBy `json:"scored_by"`
	TwinGap             *int     `json:"twin_gap,omitempty"` // points of the free text that nothing else explains; nil: not measured
	Simulated           bool     `json:"simulated"`          // the simulator had a hand in it
	Reused              bool     `json:"reused"`             // the stored score, because nothing that it rests on has changed
}
