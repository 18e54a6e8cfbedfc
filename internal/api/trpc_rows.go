package api

import (
	"context"
	"encoding/json"
	"math"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/store"
)

// ref is an id that old clients send as a number or a string.
type ref string

// UnmarshalJSON takes both.
func (r *ref) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*r = ref(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	*r = ref(n.String())
	return nil
}

func (a *api) trpcLeads(ctx context.Context, input json.RawMessage) (any, error) {
	in, err := decode[struct {
		CampaignID ref `json:"campaignId"`
	}](input)
	if err != nil {
		return nil, err
	}
	if in.CampaignID == "" {
		return nil, growth.InvalidField("api.trpc", "campaignId", "say which campaign: its id or its number")
	}
	sc := a.Store.In(who(ctx).Workspace)
	c, err := sc.CampaignByRef(ctx, string(in.CampaignID))
	if err != nil {
		return nil, err
	}
	out := []any{}
	for p := (store.Page{Limit: 200}); ; {
		leads, err := sc.Leads(ctx, store.LeadFilter{Campaign: c.ID}, p)
		if err != nil {
			return nil, err
		}
		for _, l := range leads {
			out = append(out, camelLead(c, l))
		}
		if len(leads) < 200 {
			return out, nil
		}
		p.Cursor = string(leads[len(leads)-1].Lead.ID)
	}
}

func camelLead(c store.Campaign, s store.SavedLead) map[string]any {
	l := s.Lead
	return map[string]any{
		"id": s.Number, "uuid": l.ID, "campaignId": c.Number, "externalId": l.ExternalID, "businessName": l.BusinessName, "businessType": l.BusinessType,
		"contactName": l.ContactName, "jobTitle": l.JobTitle, "email": l.Email, "phone": l.Phone, "website": l.Website, "linkedinUrl": l.LinkedInURL,
		"address": l.Address, "city": l.City, "province": l.Province, "postalCode": l.PostalCode, "country": l.Country, "googleRating": l.GoogleRating,
		"googleReviews": l.GoogleReviews, "source": l.Source, "notes": l.Notes, "leadScore": s.Score, "grade": s.Grade, "priority": s.Priority,
		"createdAt": s.CreatedAt, "updatedAt": s.UpdatedAt,
	}
}

// hashtags come as an array or as a JSON string that holds one.
type hashtags []string

// UnmarshalJSON takes both.
func (h *hashtags) UnmarshalJSON(b []byte) error {
	var list []string
	if json.Unmarshal(b, &list) == nil {
		*h = list
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if json.Unmarshal([]byte(s), &list) == nil {
		*h = list
		return nil
	}
	*h = strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
	return nil
}

var oldStatus = map[string]growth.ContentStatus{
	"": growth.ContentInReview, "pending": growth.ContentInReview, "approved": growth.ContentApproved, "rejected": growth.ContentRejected,
}

func (a *api) trpcCreateContent(ctx context.Context, input json.RawMessage) (any, error) {
	in, err := decode[struct {
		LeadID     ref      `json:"leadId"`
		CampaignID ref      `json:"campaignId"`
		Text       string   `json:"textContent"`
		Hashtags   hashtags `json:"hashtags"`
		Score      float64  `json:"qualityScore"`
		Status     string   `json:"status"`
	}](input)
	if err != nil {
		return nil, err
	}
	status, ok := oldStatus[in.Status]
	switch {
	case strings.TrimSpace(in.Text) == "":
		return nil, growth.InvalidField("api.trpc", "textContent", "give a text")
	case !ok:
		return nil, growth.InvalidField("api.trpc", "status", "use pending, approved or rejected")
	case in.Score < 0 || in.Score > 100:
		return nil, growth.InvalidField("api.trpc", "qualityScore", "use 0 to 100")
	case status == growth.ContentApproved && !who(ctx).May(auth.ScopeApprove):
		return nil, growth.Errorf(growth.Forbidden, "api.trpc", "approving needs a key with the scope \"approve\"")
	}
	if status == growth.ContentApproved {
		if err := noteAction(ctx); err != nil {
			return nil, err
		}
	}
	sc, score := a.Store.In(who(ctx).Workspace), int(math.Round(in.Score))
	if in.Hashtags == nil {
		in.Hashtags = hashtags{} // none, which is not the same as unknown
	}
	c := growth.Content{
		ID: growth.ContentID(growth.NewID()), Variant: 1, Version: 1, Body: in.Text, Hashtags: in.Hashtags, Score: score, Status: status,
		Checks: []growth.Check{}, Hash: content.Hash(in.Text, "", in.Hashtags, "", nil), Sketch: content.SketchOf(in.Text),
	}
	out := map[string]any{"uuid": c.ID, "textContent": in.Text, "hashtags": in.Hashtags, "qualityScore": score, "status": first(in.Status, "pending")}
	if in.LeadID != "" {
		l, err := sc.LeadByRef(ctx, string(in.LeadID))
		if err != nil {
			return nil, err
		}
		c.LeadID, out["leadId"] = &l.Lead.ID, l.Number
	}
	if in.CampaignID != "" {
		camp, err := sc.CampaignByRef(ctx, string(in.CampaignID))
		if err != nil {
			return nil, err
		}
		c.CampaignID, out["campaignId"] = &camp.ID, camp.Number
	}
	saved, number, err := sc.CreateContent(ctx, c, who(ctx).Name)
	out["id"], out["createdAt"] = number, saved.CreatedAt
	return out, err
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
