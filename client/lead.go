package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// Lead is a stored lead with its newest score.
type Lead struct {
	Lead       growth.Lead        `json:"lead"`
	CampaignID *growth.CampaignID `json:"campaign_id"`
	Score      *int               `json:"score"` // nil: not scored yet
	Grade      string             `json:"grade"`
	Priority   string             `json:"priority"`
	NextAction string             `json:"next_action"`
	Overridden bool               `json:"overridden"` // a person set the score, and with it grade, priority and next action
	CreatedAt  time.Time          `json:"created_at"`
	UpdatedAt  time.Time          `json:"updated_at"`
}

// LeadFilter says which leads are wanted; the zero value is all.
type LeadFilter struct {
	Campaign growth.CampaignID
	Priority string // high, medium or low
	Grade    string
	MinScore int
	Query    string
}

// Leads walks the leads, newest first. It ends after an error.
func (c *Client) Leads(ctx context.Context, f LeadFilter) iter.Seq2[Lead, error] {
	q := filter("campaign_id", string(f.Campaign), "priority", f.Priority, "grade", f.Grade, "q", f.Query)
	if f.MinScore > 0 {
		q.Set("min_score", strconv.Itoa(f.MinScore))
	}
	return func(yield func(Lead, error) bool) { pages(ctx, c, "/v1/leads", q, yield) }
}

// Lead reads a lead.
func (c *Client) Lead(ctx context.Context, id growth.LeadID) (Lead, error) {
	var out Lead
	err := c.call(ctx, http.MethodGet, "/v1/leads/"+url.PathEscape(string(id)), nil, "", &out)
	return out, err
}

// Contents walks the contents in a status, newest first; an empty status is all. It ends after an error.
func (c *Client) Contents(ctx context.Context, status growth.ContentStatus) iter.Seq2[growth.Content, error] {
	return func(yield func(growth.Content, error) bool) {
		pages(ctx, c, "/v1/contents", filter("status", string(status)), yield)
	}
}

// Content reads a piece of content.
func (c *Client) Content(ctx context.Context, id growth.ContentID) (growth.Content, error) {
	var out growth.Content
	err := c.call(ctx, http.MethodGet, "/v1/contents/"+url.PathEscape(string(id)), nil, "", &out)
	return out, err
}

// Approve approves the text that was read, which its hash names: one that was edited since is a conflict. late says what
// becomes of posts of it whose time has passed; empty: what their account's posting plan says.
func (c *Client) Approve(ctx context.Context, read growth.Content, late growth.LatePolicy) (growth.Approval, error) {
	in := map[string]string{"hash": read.Hash}
	if late != "" {
		in["late"] = string(late)
	}
	var out growth.Approval
	err := c.call(ctx, http.MethodPost, "/v1/contents/"+url.PathEscape(string(read.ID))+"/approve", in, "", &out)
	return out, err
}

// Reject turns a text down.
func (c *Client) Reject(ctx context.Context, read growth.Content, reason string) (growth.Content, error) {
	var out growth.Content
	err := c.call(ctx, http.MethodPost, "/v1/contents/"+url.PathEscape(string(read.ID))+"/reject", map[string]string{"hash": read.Hash, "reason": reason}, "", &out)
	return out, err
}
