package api_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// stock is a workspace with leads that differ in what a list is narrowed by; the second is what attackers type.
const stock = "external_id,business_name,business_type,email,phone,city,source,notes\n" +
	"1,Café Été,Restaurant,un@example.com,+1 514 555 0100,Montréal,web,Terrasse chauffée\n" +
	"2,\"=HYPERLINK(\"\"http://evil.example\"\",\"\"x\"\")\",Atelier,deux@example.com,,Laval,fair,@SUM(A1)\n" +
	"3,Bistro,Restaurant,trois@example.com,,Laval,fair,-2+3 minuscule terrasse\n"

func stocked(t *testing.T) (f *face, ids map[string]string) {
	t.Helper()
	f = newFace(t, nil)
	u, _ := f.upload(stock, "")
	u.runs()
	ids = map[string]string{"import": u.id}
	for _, l := range f.leads("") {
		ids[l[0]] = l[1]
	}
	return f, ids
}

// leads lists external id and id of the leads that a query finds, newest first.
func (f *face) leads(query string) [][2]string {
	f.t.Helper()
	got := f.call("GET", "/v1/leads?"+query, "")
	if got.status != http.StatusOK {
		f.t.Fatalf("%s: %d %s", query, got.status, got.body)
	}
	var out [][2]string
	data, _ := got.json(f.t)["data"].([]any)
	for _, d := range data {
		m, _ := d.(map[string]any)
		l, _ := m["lead"].(map[string]any)
		out = append(out, [2]string{fmt.Sprint(l["external_id"]), fmt.Sprint(l["id"])})
	}
	return out
}

func TestLeadsAreFound(t *testing.T) {
	t.Parallel()
	f, ids := stocked(t)
	for query, want := range map[string]string{
		"":                                    "3 2 1",
		"city=laval":                          "3 2",
		"city=laval&business_type=RESTAURANT": "3",
		"source=web":                          "1",
		"email=Un@Example.com":                "1",
		"external_id=2":                       "2",
		"q=terrasse":                          "3 1",
		"q=" + url.QueryEscape("TERRASSE chauffée"): "1",
		"q=" + url.QueryEscape("100%_"):             "",
		"priority=unscored":                         "3 2 1",
		"priority=high":                             "",
		"min_score=1":                               "",
		"grade=A":                                   "",
		"import_id=" + ids["import"]:                "3 2 1",
		"import_id=" + ids["1"]:                     "",
	} {
		var got []string
		for _, l := range f.leads(query) {
			got = append(got, l[0])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q finds %q, want %q", query, got, want)
		}
	}
	if got := f.call("GET", "/v1/leads?import_id=x", ""); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong id: %d %s", got.status, got.body)
	}
}

func TestExportComputesNothingAndCanBeImported(t *testing.T) {
	t.Parallel()
	f, _ := stocked(t)
	got := f.call("GET", "/v1/leads/export.csv", "")
	if got.status != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Type"), "text/csv") {
		t.Fatalf("%d %v", got.status, got.header)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(got.body), "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	for _, row := range rows[1:] {
		for i, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				t.Errorf("%s: %q would be computed", rows[0][i], cell)
			}
		}
	}
	before := f.texts()
	u, _ := f.upload(string(got.body), "map="+url.QueryEscape("id=-,score=-,grade=-,priority=-,extra=-"))
	if v := u.runs(); fmt.Sprint(v["created"]) != "0" {
		t.Errorf("the export came back as %v new leads", v["created"])
	}
	if diff := cmp.Diff(before, f.texts()); diff != "" {
		t.Errorf("the leads changed on the way out and in (-before +after):\n%s", diff)
	}
}

func (f *face) texts() []string {
	f.t.Helper()
	var out []string
	for _, l := range f.leads("") {
		lead, _ := f.call("GET", "/v1/leads/"+l[1], "").json(f.t)["lead"].(map[string]any)
		out = append(out, fmt.Sprint(lead["business_name"], lead["phone"], lead["notes"]))
	}
	return out
}

func TestLeadIsPatched(t *testing.T) {
	t.Parallel()
	f, ids := stocked(t)
	path := "/v1/leads/" + ids["1"]
	got := f.call("PATCH", path, `{"notes":null,"city":"Québec","extra":{"floor":"2"},"google_rating":4.5}`)
	lead, _ := got.json(t)["lead"].(map[string]any)
	if got.status != http.StatusOK || lead["notes"] != nil || lead["city"] != "Québec" || lead["business_name"] != "Café Été" || fmt.Sprint(lead["extra"]) != "map[floor:2]" {
		t.Errorf("%d %s", got.status, got.body)
	}
	got = f.call("PATCH", path, `{"extra":{"floor":null,"door":"b"}}`)
	lead, _ = got.json(t)["lead"].(map[string]any)
	if fmt.Sprint(lead["extra"]) != "map[door:b]" {
		t.Errorf("%d %s", got.status, got.body)
	}
	for body, want := range map[string]int{
		`{"email":"no address"}`: 422, `{"shoe_size":3}`: 422, `{"id":"x"}`: 422, `[]`: 422, `null`: 422, `{"google_rating":9}`: 422, `{"city":7}`: 422,
	} {
		if got := f.call("PATCH", path, body); got.status != want {
			t.Errorf("%s: %d %s, want %d", body, got.status, got.body, want)
		}
	}
}

func TestErasingNeedsAnAdminAndLeavesAReceipt(t *testing.T) {
	t.Parallel()
	f, ids := stocked(t)
	path := "/v1/leads/" + ids["1"]
	if got := f.call("DELETE", path, "", "X-API-Key", f.key(f.ws.ID, "enqueue", "read")); got.status != http.StatusForbidden {
		t.Errorf("without the scope: %d %s", got.status, got.body)
	}
	first := f.call("DELETE", path, "").json(t)
	again := f.call("DELETE", path, "")
	if again.status != http.StatusOK || again.json(t)["id"] != first["id"] || first["cache_at"] == nil {
		t.Errorf("receipts: %v, then %d %s", first, again.status, again.body)
	}
	if got := f.call("GET", path, ""); got.status != http.StatusNotFound {
		t.Errorf("the erased lead: %d %s", got.status, got.body)
	}
	if list, _ := f.call("GET", "/v1/erasures", "").json(t)["data"].([]any); len(list) != 1 {
		t.Errorf("receipts: %v", list)
	}
	got := f.call("POST", "/v1/jobs/lead-qualification", `{"lead":{"business_name":"X","email":"un@example.com"}}`)
	if got.status != http.StatusConflict {
		t.Errorf("the erased lead as a job: %d %s", got.status, got.body)
	}
	batch := f.call("POST", "/v1/jobs/batch", `[{"type":"lead-qualification","lead":{"business_name":"X","email":"un@example.com"}},
		{"type":"lead-qualification","lead":{"business_name":"Y","email":"y@example.com"}}]`)
	if v := batch.json(t); fmt.Sprint(v["accepted"], v["rejected"]) != "1 1" {
		t.Errorf("a batch with the erased lead: %s", batch.body)
	}
}

// Whoever has posts written about new leads asks for those without one: on another day, too, a lead is written about once.
func TestLeadsThatNothingWasWrittenAbout(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	ids := map[string]growth.LeadID{}
	for _, name := range []string{"Written", "Rejected", "At work", "Failed", "New"} {
		f.call(http.MethodPost, "/v1/jobs/lead-qualification", `{"lead":{"business_name":"`+name+`"}}`)
	}
	names := func(query string) []string {
		var out []string
		var page struct{ Data []store.SavedLead }
		a := f.call(http.MethodGet, "/v1/leads"+query, "")
		if err := json.Unmarshal(a.body, &page); a.status != http.StatusOK || err != nil {
			t.Fatalf("%d %s", a.status, a.body)
		}
		for _, l := range page.Data {
			out, ids[l.Lead.BusinessName] = append(out, l.Lead.BusinessName), l.Lead.ID
		}
		slices.Sort(out)
		return out
	}
	if got := names("?content=none"); len(got) != 5 {
		t.Fatalf("%v; want all", got)
	}
	write := func(name string) growth.JobID {
		job, _ := f.call(http.MethodPost, "/v1/jobs/content-generation", `{"lead_id":"`+string(ids[name])+`"}`).json(t)["id"].(string)
		return growth.JobID(job)
	}
	about := func(name string, status growth.ContentStatus) {
		id := ids[name]
		f.keeps(name, func(c *growth.Content) { c.LeadID, c.Status = &id, status })
	}
	about("Written", growth.ContentApproved)
	about("Rejected", growth.ContentRejected)
	write("At work")
	failed, ok, err := f.s.Claim(t.Context(), write("Failed"), 0, "test", time.Hour)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if err := f.s.Finish(t.Context(), failed.Job, failed.Fence, store.Outcome{State: growth.JobFailed, Err: &growth.JobError{Code: growth.Invalid}}); err != nil {
		t.Fatal(err)
	}
	if got, want := names("?content=none"), []string{"Failed", "New"}; !slices.Equal(got, want) {
		t.Errorf("%v; want %v", got, want)
	}
	if csv := string(f.call(http.MethodGet, "/v1/leads/export.csv?content=none", "").body); strings.Contains(csv, "Written") || !strings.Contains(csv, "New") {
		t.Errorf("the export: %s", csv)
	}
	if a := f.call(http.MethodGet, "/v1/leads?content=some", ""); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a word that there is not: %d %s", a.status, a.body)
	}
}
