package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
)

const bakeries = `name: bakeries
version: "1"
title: {en: Bakeries, fr: Boulangeries}
fields: [business_name, business_type, city, notes]
criteria:
  - id: kind
    axis: fit
    question: {en: "Is it a bakery?", fr: "Est-ce une boulangerie?"}
    levels:
      - {level: "yes", points: 10, when: a bakery, rules: [{field: business_type, words: [bakery, boulangerie]}]}
  - id: asks
    axis: intent
    question: {en: "Does it ask for a quote?", fr: "Demande-t-elle une soumission?"}
    levels:
      - {level: "yes", points: 10, when: asks for a price, rules: [{field: notes, words: [quote, soumission]}]}
`

var asYAML = []string{"Content-Type", "application/yaml"}

func TestRubricIsMadeReadAndUsed(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	first := read[api.RubricView](t, f.call(http.MethodPost, "/v1/rubrics", bakeries, asYAML...), http.StatusCreated)
	if first.ID != "bakeries@1" || first.BuiltIn || first.InUse || first.Title.FR != "Boulangeries" || first.YAML != bakeries {
		t.Errorf("made %+v", first)
	}
	var doc struct{ Criteria []struct{ ID, Axis string } }
	if err := json.Unmarshal(first.Document, &doc); err != nil || len(doc.Criteria) != 2 || doc.Criteria[1].Axis != "intent" {
		t.Errorf("document %s: %v", first.Document, err)
	}
	if again := f.call(http.MethodPost, "/v1/rubrics", bakeries, asYAML...); again.status != http.StatusCreated {
		t.Errorf("the same text again: %d %s", again.status, again.body)
	}
	other := strings.Replace(bakeries, "points: 10", "points: 20", 1)
	if a := f.call(http.MethodPost, "/v1/rubrics", other, asYAML...); a.status != http.StatusConflict || !strings.Contains(string(a.body), `"field":"version"`) {
		t.Errorf("another text under the same version: %d %s", a.status, a.body)
	}
	asJSON, err := json.Marshal(map[string]string{"yaml": strings.Replace(other, `version: "1"`, `version: "2"`, 1)})
	if err != nil {
		t.Fatal(err)
	}
	read[api.RubricView](t, f.call(http.MethodPost, "/v1/rubrics", string(asJSON)), http.StatusCreated)
	if v := read[api.RubricView](t, f.call(http.MethodGet, "/v1/rubrics/bakeries", ""), http.StatusOK); v.ID != "bakeries@2" {
		t.Errorf("a name alone is %s; want the newest version", v.ID)
	}
	if a := f.call(http.MethodGet, "/v1/rubrics/bakeries@1/yaml", ""); string(a.body) != strings.TrimSpace(bakeries) || !strings.HasPrefix(a.header.Get("Content-Type"), "application/yaml") {
		t.Errorf("%d %v %q", a.status, a.header, a.body)
	}
	if v := read[api.RubricView](t, f.call(http.MethodPost, "/v1/rubrics/bakeries@1/use", ""), http.StatusOK); !v.InUse {
		t.Errorf("used %+v", v)
	}
	var inUse []string
	list := read[api.List[api.RubricView]](t, f.call(http.MethodGet, "/v1/rubrics", ""), http.StatusOK)
	for _, v := range list.Data {
		if v.InUse {
			inUse = append(inUse, v.ID)
		}
	}
	if len(list.Data) != 4 || strings.Join(inUse, " ") != "bakeries@1" {
		t.Errorf("%d rubrics, in use: %q", len(list.Data), inUse)
	}
	if ws := read[growth.Workspace](t, f.call(http.MethodGet, "/v1/workspace", ""), http.StatusOK); ws.Settings.Rubric != "bakeries@1" {
		t.Errorf("settings %+v", ws.Settings)
	}
	if a := f.call(http.MethodPost, "/v1/jobs/lead-qualification", `{"lead":{"business_name":"B"},"rubric":"bakeries@2"}`); a.status != http.StatusAccepted {
		t.Errorf("a job that names it: %d %s", a.status, a.body)
	}
}

func TestRubricSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for _, tc := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/v1/rubrics", "", 400, "required"},
		{"POST", "/v1/rubrics", strings.Replace(bakeries, "axis: fit", "axis: size", 1), 422, "line 7: axis must be fit or intent"},
		{"POST", "/v1/rubrics", strings.Replace(bakeries, "criteria:", "criterion:", 1), 422, `"field":"criterion"`},
		{"POST", "/v1/rubrics", strings.Replace(bakeries, "axis: fit", "axis: size", 1), 422, `{"field":"criteria[0].axis","message":"line 7: axis must be fit or intent, not \"size\"","line":7,"got":"size"}`},
		{"POST", "/v1/rubrics", bakeries + "---\n" + bakeries, 422, "a second document begins here"},
		{"POST", "/v1/rubrics", strings.Replace(bakeries, "points: 10", "points: many", 1), 422, `"field":"criteria[0].levels[0].points"`},
		{"POST", "/v1/rubrics", strings.Replace(bakeries, "fields: [", "fields: [email, ", 1), 422, "personal data"},
		{"POST", "/v1/rubrics", strings.Replace(bakeries, "name: bakeries", "name: b2b", 1), 422, "built in"},
		{"POST", "/v1/rubrics", strings.Replace(bakeries, "a bakery", "a "+strings.Repeat("b", 256<<10), 1), 422, "bytes"},
		{"GET", "/v1/rubrics/bakeries", "", 404, "no rubric"},
		{"GET", "/v1/rubrics/b2b@99", "", 404, "no rubric"},
		{"POST", "/v1/rubrics/bakeries/use", "", 404, "no rubric"},
		{"POST", "/v1/jobs/lead-qualification", `{"lead":{"business_name":"B"},"rubric":"bakeries"}`, 422, `"field":"rubric"`},
		{"POST", "/v1/jobs/lead-qualification", `{"lead":{"business_name":"B"},"rubric":"No Name"}`, 422, `"field":"rubric"`},
		{"PUT", "/v1/workspace/settings", `{"rubric":"bakeries"}`, 422, `"field":"rubric"`},
	} {
		headers := asYAML
		if strings.HasPrefix(tc.body, "{") {
			headers = nil
		}
		if a := f.call(tc.method, tc.path, tc.body, headers...); a.status != tc.status || !strings.Contains(string(a.body), tc.says) {
			t.Errorf("%s %s %.60q: %d %s; want %d, %s", tc.method, tc.path, tc.body, a.status, a.body, tc.status, tc.says)
		}
	}
	if leads, err := f.s.In(f.ws.ID).CountLeads(t.Context()); err != nil || len(leads) != 0 {
		t.Errorf("a refused job left leads %v, %v", leads, err)
	}
}

func TestOnlyAnAdminMakesRubrics(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	key := f.key(f.ws.ID, "read", "enqueue", "approve")
	for _, path := range []string{"/v1/rubrics", "/v1/rubrics/b2b/use"} {
		if a := f.call(http.MethodPost, path, bakeries, append([]string{"X-API-Key", key}, asYAML...)...); a.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}
