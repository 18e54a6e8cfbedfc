package api_test

import (
	"net/http"
	"testing"
)

// A refusal names the field itself, and what would be right, also where the framework has checked it.
func TestRefusalsSayWhatWouldBeRight(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for _, tc := range []struct{ method, path, body, field, message string }{
		{"GET", "/v1/jobs?limit=abc", "", "query.limit", "use a whole number"},
		{"GET", "/v1/jobs?limit=500", "", "query.limit", "use at most 200"},
		{"GET", "/v1/jobs?state=bogus", "", "query.state", "use one of scheduled, queued, running, retrying, waiting, succeeded, failed, canceled"},
		{"GET", "/v1/jobs?colour=red", "", "query.colour", "this call has no such parameter; see it at /docs"},
		{"GET", "/v1/events?job_id=1", "", "query.job_id", "this is no id; ids are UUIDs such as 01990000-0000-7000-8000-00000000000a"},
		{"GET", "/v1/calendar?from=x", "", "query.from", "use a time with its offset, such as 2026-11-28T09:00:00Z"},
		{"GET", "/v1/analytics/summary?from=yesterday", "", "query.from", "use a day, such as 2026-11-28"},
		{"POST", "/v1/keys", `{"scopes":["read"]}`, "body.name", "is missing"},
		{"POST", "/v1/keys", `{"name":"x","scopes":["root"]}`, "body.scopes[0]", "use one of enqueue, read, approve, admin"},
		{"POST", "/v1/keys", `{"name":"","scopes":["read"]}`, "body.name", "a value is missing"},
		{"POST", "/v1/keys", `{"name":"x","scopes":[]}`, "body.scopes", "give at least 1"},
		{"POST", "/v1/schedules", `{"name":"a","cron":"0 9 * * 1","zone":"UTC","job":{"topic":"x"}}`, "body.job.type", "is missing"},
		{"POST", "/v1/budgets", `{"name":"a","period":"day","limit_usd":5}`, "body.limit_usd", "use a text, in quotes"},
		{"POST", "/v1/feedback", `{"wrong_answer":"yes"}`, "body.wrong_answer", "use true or false"},
		{"POST", "/v1/jobs/lead-qualification", `[]`, "body", "use an object"},
		{"POST", "/v1/jobs/lead-qualification", "", "body", "is required"},
		{"POST", "/v1/leads/rescore", `{"limit":20000}`, "body.limit", "use at most 10000"},
	} {
		a := f.call(tc.method, tc.path, tc.body)
		e := object(at(a.json(t), "errors", 0))
		if a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest || e["field"] != tc.field || e["message"] != tc.message {
			t.Errorf("%s %s %s: %d %s; want %s: %s", tc.method, tc.path, tc.body, a.status, a.body, tc.field, tc.message)
		}
	}
}
