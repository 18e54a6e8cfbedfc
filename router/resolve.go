package router

import (
	"slices"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// Resolution is what a candidate means now: the model that a walk would ask, or why it would ask none.
type Resolution struct {
	Family   string         `json:"family"`
	Provider string         `json:"provider"`
	Model    string         `json:"model"`  // the slug that would be asked; empty: none
	Status   string         `json:"status"` // served, assumed, not_configured, privacy, paid_denied or model_gone
	Paid     bool           `json:"paid"`   // it costs money, or nobody here knows that it does not
	Expires  *time.Time     `json:"expires"`
	ListRead *time.Time     `json:"list_read_at"` // when the provider's list was read; null: never
	Models   []ResolvedSlug `json:"models"`
}

// ResolvedSlug is one model of a family.
type ResolvedSlug struct {
	Slug    string     `json:"slug"`
	State   ModelState `json:"state"`
	Since   *time.Time `json:"since,omitempty"` // gone: since when
	Paid    bool       `json:"paid"`
	Expires *time.Time `json:"expires,omitempty"`
}

// ResolvedRoute is a route as it stands now, in the order in which a walk would go.
type ResolvedRoute struct {
	Task       growth.TaskType `json:"task_type"`
	PaidRule   PaidRule        `json:"paid"`
	Candidates []Resolution    `json:"candidates"`
}

// Resolved says what every route means now for a privacy class, in the order of the task types.
func (r *Router) Resolved(class growth.PrivacyClass) []ResolvedRoute {
	routes := r.Routes()
	out := make([]ResolvedRoute, 0, len(routes))
	for _, task := range growth.TaskTypes() {
		route, ok := routes[task]
		if !ok {
			continue
		}
		one := ResolvedRoute{Task: task, PaidRule: route.Paid, Candidates: []Resolution{}}
		if one.PaidRule == "" {
			one.PaidRule = PaidAllow
		}
		for _, t := range r.plan(route) {
			one.Candidates = append(one.Candidates, r.resolve(t, class))
		}
		out = append(out, one)
	}
	return out
}

func (r *Router) resolve(t turn, class growth.PrivacyClass) Resolution {
	out := Resolution{Family: t.Family, Provider: t.Provider, Models: []ResolvedSlug{}}
	if at := r.catalogue.read(t.Provider); !at.IsZero() {
		at = at.UTC()
		out.ListRead = &at
	}
	for _, slug := range t.models {
		out.Models = append(out.Models, r.slug(t, slug))
	}
	p := r.providers[t.Provider]
	switch {
	case p == nil || !p.Configured():
		out.Status = skipNotConfigured
	case !allowed(p, class):
		out.Status = skipPrivacy
	case len(t.models) == 0:
		out.Status = skipPaid
	default:
		out.choose()
	}
	return out
}

func (o *Resolution) choose() {
	o.Status = skipModelGone
	for _, m := range o.Models {
		if m.State == ModelServed || m.State == ModelAssumed {
			o.Model, o.Status, o.Paid, o.Expires = m.Slug, string(m.State), m.Paid, m.Expires
			return
		}
	}
}

func (r *Router) slug(t turn, slug string) ResolvedSlug {
	state, since := r.catalogue.state(t.Provider, slug)
	out := ResolvedSlug{Slug: slug, State: state, Paid: slices.Contains(t.Paid, slug) || !r.costsNothing(t.Provider, slug)}
	if state == ModelGone {
		since = since.UTC()
		out.Since = &since
	}
	if m, _, ok := r.catalogue.model(t.Provider, slug); ok && !m.Expires.IsZero() {
		out.Expires = &m.Expires
	}
	return out
}

// Resolve returns the slug that a candidate means today; ok is false when its provider serves none of the family.
func (r *Router) Resolve(c Candidate) (slug string, ok bool) {
	for _, s := range c.all() {
		if r.catalogue.serves(c.Provider, s) {
			return s, true
		}
	}
	return "", false
}
