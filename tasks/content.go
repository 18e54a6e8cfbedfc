package tasks

import (
	"strings"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
)

// ContentArgs ask for one or several variants of a LinkedIn post.
type ContentArgs struct {
	LeadID      growth.LeadID  `json:"lead_id,omitempty"`
	Topic       string         `json:"topic,omitempty"`
	Brief       string         `json:"brief,omitempty"`
	Brand       *growth.Brand  `json:"brand,omitempty"`    // brought along; its posts always go to a person
	BrandID     growth.BrandID `json:"brand_id,omitempty"` // a brand kit of the workspace; neither: its default
	Language    string         `json:"language,omitempty"`
	Tone        string         `json:"tone,omitempty"`
	Audience    string         `json:"audience,omitempty"`
	CTA         string         `json:"cta,omitempty"`
	Link        string         `json:"link,omitempty"`
	Hashtags    []string       `json:"hashtags,omitempty"`
	Variants    int            `json:"variants,omitempty"`     // 1 to 5; 0 means 1
	AutoApprove *AutoApprove   `json:"auto_approve,omitempty"` // nil: a person approves
	Batch       *Batch         `json:"batch,omitempty"`        // a job for each of several subjects, instead of one text
}

// AutoApprove lets the machine approve what is good enough, within the brand's trust.
type AutoApprove struct {
	Threshold int `json:"threshold"` // 0 to 100; 0 means 70
}

// Type implements Args.
func (ContentArgs) Type() growth.JobType { return growth.JobContentGeneration }

// Validate implements Args.
func (a ContentArgs) Validate() error {
	const op = "tasks.ContentArgs"
	switch {
	case a.Brand != nil && a.BrandID != "":
		return growth.InvalidField(op, "brand_id", "give either brand or brand_id")
	case a.BrandID != "" && !growth.ValidID(string(a.BrandID)):
		return growth.InvalidField(op, "brand_id", "use the id of a brand, a UUID")
	case a.Batch != nil && (a.LeadID != "" || a.Topic != ""):
		return growth.InvalidField(op, "batch", "leave topic, lead and lead_id out: the batch says what is written about")
	case a.Batch != nil:
		if err := a.Batch.validate(); err != nil {
			return err
		}
	case a.LeadID == "" && strings.TrimSpace(a.Topic) == "" && strings.TrimSpace(a.Brief) == "":
		return growth.InvalidField(op, "topic", "give a topic, a brief, a lead or a lead_id")
	case a.LeadID != "" && !growth.ValidID(string(a.LeadID)):
		return growth.InvalidField(op, "lead_id", "use the id of a lead, a UUID")
	}
	switch {
	case a.Variants < 0 || a.Variants > 5:
		return growth.InvalidField(op, "variants", "use 1 to 5")
	case len(a.Topic) > maxTopic:
		return growth.InvalidField(op, "topic", "use at most %d bytes", maxTopic)
	case len(a.Brief) > 20000:
		return growth.InvalidField(op, "brief", "use at most 20000 bytes")
	case len(a.Hashtags) > 5:
		return growth.InvalidField(op, "hashtags", "use at most 5")
	case a.AutoApprove != nil && (a.AutoApprove.Threshold < 0 || a.AutoApprove.Threshold > 100):
		return growth.InvalidField(op, "auto_approve.threshold", "use 0 to 100")
	}
	for _, f := range []struct{ name, value string }{{"tone", a.Tone}, {"audience", a.Audience}, {"cta", a.CTA}, {"link", a.Link}} {
		if len(f.value) > maxTopic {
			return growth.InvalidField(op, f.name, "use at most %d bytes", maxTopic)
		}
	}
	if a.Brand != nil {
		if err := content.CheckBrand(*a.Brand, "brand."); err != nil {
			return err
		}
	}
	return validLanguage(op, a.Language)
}

const maxTopic = 1000 // bytes
