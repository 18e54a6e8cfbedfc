package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func (a *api) leadEdits(h huma.API) {
	patch := op(http.MethodPatch, "/v1/leads/{id}", "leads", "Change a lead", auth.ScopeEnqueue, 200)
	patch.Description = "A JSON Merge Patch (RFC 7396) of the lead's fields: null takes a field away. A lead whose score rests on what was changed is scored again, by a job of low priority; until then the explanation says that the score is stale."
	patch.SkipValidateBody = true
	patch.RequestBody = &huma.RequestBody{Required: true, Content: asJSON(&huma.Schema{Type: huma.TypeObject, AdditionalProperties: true})}
	register(h, patch, a.patchLead)
	erase := op(http.MethodDelete, "/v1/leads/{id}", "leads", "Erase a lead everywhere", auth.ScopeAdmin, 200)
	erase.Description = "Rows, jobs, scores, events, cached answers and held files go; the receipt and a digest that stops the lead from being imported " +
		"again stay. It cannot be undone. Asking again gives the receipt, and completes it when the cache could not be reached."
	register(h, erase, a.eraseLead)
	register(h, op(http.MethodGet, "/v1/erasures", "leads", "The receipts of erased leads, newest first", auth.ScopeRead, 200), a.listErasures)
	export := op(http.MethodGet, "/v1/leads/export.csv", "leads", "The leads as a CSV file", auth.ScopeRead, 200)
	export.Description = "A cell that a spreadsheet would compute begins with an apostrophe; an import takes it off again."
	register(h, export, a.exportLeads)
}

type patchLeadInput struct {
	IDInput
	RawBody []byte
}

func (a *api) patchLead(ctx context.Context, in *patchLeadInput) (*struct{ Body store.SavedLead }, error) {
	change, err := readPatch(in.RawBody)
	if err != nil {
		return nil, err
	}
	saved, err := a.Store.In(who(ctx).Workspace).As(who(ctx).Name).ChangeLead(ctx, growth.LeadID(in.ID), func(old growth.Lead) (growth.Lead, []store.LeadKey, error) {
		l, err := patched(old, change)
		if err != nil {
			return l, nil, err
		}
		return l, tasks.LeadKeys(l), lead.Validate(l)
	})
	if err == nil {
		a.refresh(ctx, saved.Lead.ID)
	}
	return &struct{ Body store.SavedLead }{saved}, err
}

// refresh has the score made again of a lead that was changed. The change stands whether or not there is room for the job:
// the explanation says that the score is stale, and /v1/leads/rescore finds it.
func (a *api) refresh(ctx context.Context, id growth.LeadID) {
	p := who(ctx)
	_, _ = a.Queue.Refresh(ctx, p.Workspace, tasks.Rescore{TraceID: daemon.RequestID(ctx), KeyID: p.KeyID}, id)
}

func readPatch(body []byte) (map[string]any, error) {
	var change map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&change); err != nil || change == nil {
		return nil, growth.InvalidField("api.patchLead", "body", "send a JSON object with the fields to change")
	}
	if _, has := change["id"]; has {
		return nil, growth.InvalidField("api.patchLead", "id", "the id of a lead does not change")
	}
	return change, nil
}

// patched applies a merge patch and reads the outcome as strictly as a new lead.
func patched(old growth.Lead, change map[string]any) (growth.Lead, error) {
	b, err := json.Marshal(old)
	if err != nil {
		return old, err
	}
	var fields map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		return old, err
	}
	if b, err = json.Marshal(mergePatch(fields, change)); err != nil {
		return old, err
	}
	var out growth.Lead
	return out, strict(b, &out)
}

func mergePatch(target, change map[string]any) map[string]any {
	if target == nil {
		target = map[string]any{}
	}
	for k, v := range change {
		switch v := v.(type) {
		case nil:
			delete(target, k)
		case map[string]any:
			inner, _ := target[k].(map[string]any)
			target[k] = mergePatch(inner, v)
		default:
			target[k] = v
		}
	}
	return target
}

func (a *api) eraseLead(ctx context.Context, in *IDInput) (*struct{ Body store.Erasure }, error) {
	e, err := a.importer().Erase(ctx, who(ctx).Workspace, growth.LeadID(in.ID), who(ctx).KeyID)
	return &struct{ Body store.Erasure }{e}, err
}

func (a *api) listErasures(ctx context.Context, in *PageParams) (*struct{ Body List[store.Erasure] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	all, err := a.Store.In(who(ctx).Workspace).Erasures(ctx, p)
	return &struct{ Body List[store.Erasure] }{listOf(all, in.Limit, func(e store.Erasure) string { return string(e.ID) })}, err
}

// LeadFilters narrow a list of leads; each that is given must hold.
type LeadFilters struct {
	Campaign string `query:"campaign_id"`
	Import   string `query:"import_id"`
	Priority string `query:"priority" enum:"high,medium,low,unscored"`
	Grade    string `query:"grade" pattern:"^[ABC][123]?$" doc:"A1 to C3, or A to C"`
	Action   string `query:"next_action" enum:"call,email,nurture,research,disqualify,review"`
	MinScore int    `query:"min_score" minimum:"0" maximum:"100"`
	City     string `query:"city" maxLength:"200" doc:"Whatever its case"`
	Type     string `query:"business_type" maxLength:"200" doc:"Whatever its case"`
	Source   string `query:"source" maxLength:"200" doc:"Whatever its case"`
	Email    string `query:"email" maxLength:"320" doc:"Whatever its case"`
	External string `query:"external_id" maxLength:"200"`
	Query    string `query:"q" maxLength:"200" doc:"Words that stand anywhere in the lead, whatever their case"`
	Content  string `query:"content" enum:"none" doc:"none: only leads that have no text, of whatever origin and fate, and no job at work on one"`
	Consent  string `query:"consent" enum:"none,valid,expired,withdrawn" doc:"expired and withdrawn ones are neither scored nor written for"`
}

func (f LeadFilters) filter() (store.LeadFilter, error) {
	for name, id := range map[string]string{"campaign_id": f.Campaign, "import_id": f.Import} {
		if id != "" && !growth.ValidID(id) {
			return store.LeadFilter{}, growth.InvalidField("api.listLeads", name, "use the id, a UUID")
		}
	}
	return store.LeadFilter{
		Campaign: growth.CampaignID(f.Campaign), Import: growth.ImportID(f.Import), Priority: f.Priority, Grade: f.Grade, Action: f.Action, MinScore: f.MinScore,
		City: f.City, Type: f.Type, Source: f.Source, Email: f.Email, External: f.External, Query: f.Query,
		Consent: growth.ConsentState(f.Consent), Unused: f.Content == "none",
	}, nil
}

// exportColumns are the fields of every export, as an import knows them. Further fields go to the column extra as JSON.
var exportColumns = []string{
	"id", "external_id", "business_name", "business_type", "contact_name", "job_title", "email", "phone", "website", "linkedin_url",
	"address", "city", "province", "postal_code", "country", "google_rating", "google_reviews", "source", "notes",
	"score", "grade", "priority", "overridden", "extra", "next_action",
}

func (a *api) exportLeads(ctx context.Context, in *LeadFilters) (*huma.StreamResponse, error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	sc := a.Store.In(who(ctx).Workspace)
	if _, err := sc.Leads(ctx, f, store.Page{Limit: 1}); err != nil {
		return nil, err
	}
	return download("leads.csv", func(ctx context.Context, w io.Writer) error { //nolint:contextcheck // as in badRows
		return exportTo(ctx, sc, f, w)
	}), nil
}

// exportTo writes page by page: a million leads are never held at once.
func exportTo(ctx context.Context, sc store.Scoped, f store.LeadFilter, w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(exportColumns); err != nil {
		return err
	}
	for p := (store.Page{Limit: 200}); ; {
		leads, err := sc.Leads(ctx, f, p)
		if err != nil {
			return err
		}
		for _, l := range leads {
			if err := out.Write(lead.Harmless(exportRow(l))); err != nil {
				return err
			}
		}
		if len(leads) < p.Limit {
			out.Flush()
			return out.Error()
		}
		p.Cursor = string(leads[len(leads)-1].Lead.ID)
	}
}

func exportRow(s store.SavedLead) []string {
	l := s.Lead
	row := []string{
		string(l.ID), l.ExternalID, l.BusinessName, l.BusinessType, l.ContactName, l.JobTitle, l.Email, l.Phone, l.Website, l.LinkedInURL,
		l.Address, l.City, l.Province, l.PostalCode, l.Country, "", "", l.Source, l.Notes, "", s.Grade, s.Priority, strconv.FormatBool(s.Overridden), "", s.NextAction,
	}
	set := func(column, v string) { row[slices.Index(exportColumns, column)] = v }
	if l.GoogleRating != nil {
		set("google_rating", strconv.FormatFloat(*l.GoogleRating, 'f', -1, 64))
	}
	if l.GoogleReviews != nil {
		set("google_reviews", strconv.Itoa(*l.GoogleReviews))
	}
	if s.Score != nil {
		set("score", strconv.Itoa(*s.Score))
	}
	if len(l.Extra) > 0 {
		if b, err := json.Marshal(l.Extra); err == nil {
			set("extra", string(b))
		}
	}
	return row
}
