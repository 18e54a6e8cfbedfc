package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

var leadPriorities = []string{"high", "medium", "low", "unscored"}

// leadsPage is the list of leads, the best first.
type leadsPage struct {
	Leads      []store.SavedLead
	Priority   string
	Query      string
	Priorities []string
	Next       string
	First      bool
}

func (d *Dashboard) listLeads(w http.ResponseWriter, r *http.Request, v *visitor) error {
	q := r.URL.Query()
	rank := store.Ranked{Priority: q.Get("priority"), Query: strings.TrimSpace(q.Get("q")), Limit: listLimit}
	if rank.Priority != "" && !slices.Contains(leadPriorities, rank.Priority) {
		return growth.InvalidField("dashboard.listLeads", "priority", "there is no such priority")
	}
	if err := rankAfter(&rank, q.Get("cursor")); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	leads, err := d.scoped(v).RankedLeads(ctx, rank)
	if err != nil {
		return err
	}
	data := leadsPage{Leads: leads, Priority: rank.Priority, Query: rank.Query, Priorities: leadPriorities, First: rank.After == ""}
	if len(leads) == listLimit {
		last := leads[len(leads)-1]
		data.Next = fmt.Sprintf("%d.%s", scoreOf(last), last.Lead.ID)
	}
	p := d.newPage(w, r, v, "leads", "leads.title")
	p.Data = data
	return d.pages.write(w, http.StatusOK, p)
}

// rankAfter reads a cursor: score and id of the last lead of the page before.
func rankAfter(rank *store.Ranked, cursor string) error {
	if cursor == "" {
		return nil
	}
	score, id, _ := strings.Cut(cursor, ".")
	n, err := strconv.ParseInt(score, 10, 32)
	if err != nil {
		id = ""
	}
	after, err := cursorOf(id)
	if err != nil || after == "" {
		return growth.InvalidField("dashboard.listLeads", "cursor", "the page's address is not complete; go back to the list's beginning")
	}
	rank.Score, rank.After = int(n), growth.LeadID(after)
	return nil
}

func scoreOf(l store.SavedLead) int {
	if l.Score == nil {
		return -1
	}
	return *l.Score
}

// leadPage is one lead with why it has its score.
type leadPage struct {
	Lead      store.SavedLead
	Facts     []Fact
	Score     *growth.Qualification // the newest; nil: never scored
	Reasons   []ReasonLine
	Earlier   []growth.Qualification
	Transfers []store.Transfer
	Jobs      []JobLine
}

// inForce puts what a person has said in the place of what was computed; the reasons stay those of the computation.
func inForce(q *growth.Qualification, l store.SavedLead) {
	if l.Overridden && l.Score != nil {
		q.Score, q.Grade, q.Priority, q.NextAction = *l.Score, l.Grade, l.Priority, l.NextAction
	}
}

// Fact is one field of a lead. Link is empty unless the value is an address that a browser can open.
type Fact struct {
	Field, Value, Link string
}

// ReasonLine is a criterion with the width of its bar.
type ReasonLine struct {
	growth.Reason

	Step int // share of the points that it could have, 0 to 100 in steps of 5
}

func (d *Dashboard) showLead(w http.ResponseWriter, r *http.Request, v *visitor) error {
	id := growth.LeadID(r.PathValue("id"))
	if !growth.ValidID(string(id)) {
		return growth.Errorf(growth.NotFound, "dashboard.showLead", "there is no such lead")
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	data, err := d.lead(ctx, d.scoped(v), id)
	if err != nil {
		return err
	}
	p := d.newPage(w, r, v, "lead", "lead.title")
	p.Data = data
	return d.pages.write(w, http.StatusOK, p)
}

func (d *Dashboard) lead(ctx context.Context, sc store.Scoped, id growth.LeadID) (leadPage, error) {
	saved, err := sc.Lead(ctx, id)
	if err != nil {
		return leadPage{}, err
	}
	data := leadPage{Lead: saved, Facts: facts(saved.Lead)}
	kept, err := sc.Qualifications(ctx, id, store.Page{Limit: 200})
	if err != nil {
		return data, err
	}
	for _, k := range kept {
		var q growth.Qualification
		if err := json.Unmarshal(k.Result, &q); err != nil {
			return data, fmt.Errorf("read qualification: %w", err)
		}
		if data.Score == nil {
			inForce(&q, saved)
			data.Score, data.Reasons = &q, reasonLines(q.Reasons)
			continue
		}
		data.Earlier = append(data.Earlier, q)
	}
	if data.Transfers, err = sc.TransfersOfLead(ctx, id); err != nil {
		return data, err
	}
	data.Jobs, err = d.jobLines(ctx, sc, store.JobFilter{LeadID: id}, store.Page{Limit: 20})
	return data, err
}

// reasonLines puts what brought the most points first.
func reasonLines(reasons []growth.Reason) []ReasonLine {
	out := make([]ReasonLine, 0, len(reasons))
	for _, r := range reasons {
		l := ReasonLine{Reason: r}
		if r.MaxPoints > 0 {
			l.Step = step(int(r.Points*100), int(r.MaxPoints*100))
		}
		out = append(out, l)
	}
	slices.SortStableFunc(out, func(a, b ReasonLine) int {
		switch {
		case a.Points > b.Points:
			return -1
		case a.Points < b.Points:
			return 1
		}
		return 0
	})
	return out
}

// facts lists the fields of a lead that are filled in, then those that came along under other names.
func facts(l growth.Lead) []Fact {
	var out []Fact
	add := func(field, value, link string) {
		if strings.TrimSpace(value) != "" {
			out = append(out, Fact{Field: field, Value: value, Link: link})
		}
	}
	add("business_type", l.BusinessType, "")
	add("contact_name", l.ContactName, "")
	add("job_title", l.JobTitle, "")
	add("email", l.Email, "")
	add("phone", l.Phone, "")
	add("website", l.Website, webLink(l.Website))
	add("linkedin_url", l.LinkedInURL, webLink(l.LinkedInURL))
	add("address", l.Address, "")
	add("city", l.City, "")
	add("province", l.Province, "")
	add("postal_code", l.PostalCode, "")
	add("country", l.Country, "")
	if l.GoogleRating != nil {
		add("google_rating", strconv.FormatFloat(*l.GoogleRating, 'f', -1, 64), "")
	}
	if l.GoogleReviews != nil {
		add("google_reviews", strconv.Itoa(*l.GoogleReviews), "")
	}
	add("source", l.Source, "")
	add("external_id", l.ExternalID, "")
	add("notes", l.Notes, "")
	for _, name := range slices.Sorted(maps.Keys(l.Extra)) {
		add(name, l.Extra[name], "")
	}
	return out
}

// webLink lets only web addresses become links: a stranger typed the field.
func webLink(s string) string {
	if strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		return s
	}
	return ""
}
