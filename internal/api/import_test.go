package api_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
)

const shops = "business_name,address,city,email,status\n" +
	"Café Un,1 rue A,Laval,un@example.com,\n" +
	"Bistro Deux,2 rue B,Laval,,\n" +
	"CAFE UN,1 RUE A,Laval,un@example.com,\n" +
	"Fermier,3 rue C,Laval,,Fermé\n" +
	"=Sans courriel,4 rue D,Laval,not an address,\n"

// uploaded is an import after its preview.
type uploaded struct {
	*face
	id string
}

func (f *face) upload(body, query string) (uploaded, map[string]any) {
	f.t.Helper()
	got := f.call("POST", "/v1/imports?"+query, body, "Content-Type", "text/csv")
	if got.status != http.StatusCreated {
		f.t.Fatalf("upload: %d %s", got.status, got.body)
	}
	v := got.json(f.t)
	return uploaded{f, fmt.Sprint(v["id"])}, v
}

// runs calls run until the import is done.
func (u uploaded) runs() map[string]any {
	u.t.Helper()
	for {
		got := u.call("POST", "/v1/imports/"+u.id+"/run", `{"accept_doubts":true}`)
		if got.status != http.StatusOK {
			u.t.Fatalf("run: %d %s", got.status, got.body)
		}
		if v := got.json(u.t); v["state"] == "done" {
			return v
		}
	}
}

func (u uploaded) undone() map[string]any {
	u.t.Helper()
	for {
		got := u.call("POST", "/v1/imports/"+u.id+"/undo", "")
		if got.status != http.StatusOK {
			u.t.Fatalf("undo: %d %s", got.status, got.body)
		}
		if v := got.json(u.t); v["state"] == "undone" {
			return v
		}
	}
}

// numbers picks members that are counts.
func numbers(v map[string]any, names ...string) string {
	var out []string
	for _, n := range names {
		out = append(out, fmt.Sprintf("%s %v", n, v[n]))
	}
	return strings.Join(out, ", ")
}

func (f *face) count(query string, args ...any) int {
	f.t.Helper()
	var n int
	if err := testenv.SQL(f.t, f.s).QueryRowContext(f.t.Context(), query, args...).Scan(&n); err != nil {
		f.t.Fatal(err)
	}
	return n
}

func TestImportIsSeenThenRunThenUndone(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	u, v := f.upload(shops, "file_name=shops.csv")
	counts, _ := v["counts"].(map[string]any)
	if got := numbers(counts, "rows", "bad", "leads", "duplicates", "closed"); got != "rows 5, bad 1, leads 3, duplicates 1, closed 1" {
		t.Errorf("counts: %s", got)
	}
	dups, _ := v["duplicate_rows"].([]any)
	bad, _ := v["bad_rows"].([]any)
	if len(dups) != 1 || len(bad) != 1 || v["state"] != "previewed" || v["encoding"] != "utf-8" || f.count(`SELECT count(*) FROM leads`) != 0 {
		t.Fatalf("preview: %v", v)
	}
	v = u.runs()
	if got := numbers(v, "position", "created", "updated", "jobs", "unchanged", "refused"); got != "position 3, created 3, updated 0, jobs 3, unchanged 0, refused 0" {
		t.Errorf("run: %s", got)
	}
	if n := f.count(`SELECT count(*) FROM jobs WHERE lead_id IN (SELECT lead_id FROM import_leads)`); n != 3 {
		t.Errorf("%d jobs, want 3", n)
	}
	v = u.undone()
	if got := numbers(v, "erased", "restored", "kept"); got != "erased 3, restored 0, kept 0" {
		t.Errorf("undo: %s", got)
	}
	if n := f.count(`SELECT (SELECT count(*) FROM leads) + (SELECT count(*) FROM jobs) + (SELECT count(*) FROM tombstones)`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	if got := u.call("POST", "/v1/imports/"+u.id+"/run", `{}`); got.status != http.StatusConflict {
		t.Errorf("an undone import runs: %d %s", got.status, got.body)
	}
}

// What was there before comes back; what somebody changed since stays, and is named.
func TestUndoGivesBackWhatWasThere(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for _, name := range []string{"Café Un", "Bistro Deux"} {
		body := fmt.Sprintf(`{"lead":{"business_name":%q,"address":%q,"city":"Laval","notes":"ours"}}`, name, map[string]string{"Café Un": "1 rue A", "Bistro Deux": "2 rue B"}[name])
		if got := f.call("POST", "/v1/jobs/lead-qualification", body); got.status != http.StatusAccepted {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	u, _ := f.upload(shops, "")
	if got := numbers(u.runs(), "created", "updated"); got != "created 1, updated 2" {
		t.Errorf("run: %s", got)
	}
	var bistro string
	if err := testenv.SQL(t, f.s).QueryRowContext(t.Context(), `SELECT id FROM leads WHERE data ->> 'business_name' = 'Bistro Deux'`).Scan(&bistro); err != nil {
		t.Fatal(err)
	}
	if got := f.call("PATCH", "/v1/leads/"+bistro, `{"notes":"called on Monday"}`); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	v := u.undone()
	if got := numbers(v, "erased", "restored", "kept"); got != "erased 1, restored 1, kept 1" {
		t.Errorf("undo: %s", got)
	}
	kept, _ := v["kept_leads"].([]any)
	if len(kept) != 1 || !strings.Contains(fmt.Sprint(kept[0]), bistro) || !strings.Contains(fmt.Sprint(kept[0]), "changed since") {
		t.Errorf("kept: %v", kept)
	}
	if n := f.count(`SELECT count(*) FROM leads WHERE data ->> 'notes' = 'ours' AND data ->> 'email' IS NULL`); n != 1 {
		t.Error("the café did not get back what it was")
	}
	if n := f.count(`SELECT count(*) FROM lead_keys WHERE kind = 'email'`); n != 0 {
		t.Error("the café is still known by the e-mail address that the import had brought")
	}
}

func TestImportLeavesTheDecisionToAPerson(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for _, tc := range []struct {
		name, body, accept string
		want               int
	}{
		{"a guess that nobody read", "business_name;address\nCaf\xe9 Un;1 rue A\nCaf\xe9 Deux;2 rue B\n", `{}`, http.StatusUnprocessableEntity},
		{"a guess that somebody read", "business_name;address\nCaf\xe9 Trois;1 rue A\nCaf\xe9 Deux;2 rue B\n", `{"accept_doubts":true}`, http.StatusOK},
		{"an encoding that nobody can tell", "business_name;address\nCaf\x82 Un;1 rue A\nCaf\x82 Montr\x82al;2 rue B\n", `{"accept_doubts":true}`, http.StatusUnprocessableEntity},
	} {
		u, _ := f.upload(tc.body, "")
		if got := f.call("POST", "/v1/imports/"+u.id+"/run", tc.accept); got.status != tc.want {
			t.Errorf("%s: %d %s, want %d", tc.name, got.status, got.body, tc.want)
		}
	}
	if got := f.call("POST", "/v1/imports", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "Content-Type", "text/csv"); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a picture: %d %s", got.status, got.body)
	}
	if n := f.count(`SELECT count(*) FROM imports`); n != 3 {
		t.Errorf("%d imports, want those of the three files", n)
	}
}

// What is taken in anew each time is not taken in twice because a file was sent twice.
func TestImportOfTheSameFileIsADoubt(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	const names = "business_name,city\nChez Ann,Laval\nChez Bob,Laval\n"
	first, v := f.upload(names, "")
	if counts, _ := v["counts"].(map[string]any); counts["without_identity"] != float64(2) || fmt.Sprint(v["doubts"]) != "[]" {
		t.Errorf("first: %v, %v", counts, v["doubts"])
	}
	first.runs()
	for range 2 { // however often it was looked at since
		again, v := f.upload(names, "")
		if doubts := fmt.Sprint(v["doubts"]); !strings.Contains(doubts, "imported on") || !strings.Contains(doubts, first.id) || !strings.Contains(doubts, "2 of its leads cannot be recognised") {
			t.Errorf("again: %s", doubts)
		}
		if got := again.call("POST", "/v1/imports/"+again.id+"/run", `{}`); got.status != http.StatusUnprocessableEntity || f.count(`SELECT count(*) FROM leads`) != 2 {
			t.Errorf("again: %d %s", got.status, got.body)
		}
	}
	first.undone()
	if _, v := f.upload(names, ""); fmt.Sprint(v["doubts"]) != "[]" {
		t.Errorf("after the undoing: %v", v["doubts"])
	}
}

func TestImportOfAWildFile(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	long := strings.Repeat("x", 20<<20)
	for body, want := range map[string]string{"": "the file is empty", long: "line 1 is longer than"} {
		if got := f.call("POST", "/v1/imports", body, "Content-Type", "text/csv"); got.status != http.StatusUnprocessableEntity || !strings.Contains(string(got.body), want) {
			t.Errorf("%d bytes: %d %.200s", len(body), got.status, got.body)
		}
	}
	if n := f.count(`SELECT count(*) FROM imports`); n != 0 {
		t.Errorf("%d imports are left of them", n)
	}
	if _, v := f.upload("business_name,address\nA,1 rue A\n"+long+",\nB,2 rue B\n", ""); !strings.Contains(fmt.Sprint(v["bad_rows"]), "line:3 reason:it is longer than") {
		t.Errorf("one long line: %v", v["bad_rows"])
	}
	u, v := f.upload("Café Un,1 rue A\nCafé Deux,2 rue B\n", "header=no&map=%231=business_name,%232=address")
	counts, _ := v["counts"].(map[string]any)
	if mapping, _ := v["mapping"].(map[string]any); counts["leads"] != float64(2) || mapping["header"] != "no" {
		t.Errorf("without a heading: %v, %v", counts, mapping)
	}
	if v := u.runs(); v["created"] != float64(2) {
		t.Errorf("without a heading: %v", v)
	}
}

// A consent that has ended binds leads out of a file too: they are kept, and not scored.
func TestImportOfConsents(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	const file = "email,consent basis,consent expires\nended@x.example,express,03/04/2021\ngoes.on@x.example,express,03/04/2099\n"
	u, v := f.upload(file, "")
	if v["undecided"] != true || !strings.Contains(fmt.Sprint(v["doubts"]), "03/04/2021") {
		t.Errorf("undecided %v, doubts %v", v["undecided"], v["doubts"])
	}
	if got := u.call("POST", "/v1/imports/"+u.id+"/run", `{"accept_doubts":true}`); got.status != http.StatusUnprocessableEntity || !strings.Contains(string(got.body), "dates") {
		t.Errorf("undecided: %d %s", got.status, got.body)
	}
	if got := u.call("POST", "/v1/imports/"+u.id+"/preview", `{"dates":"dmy"}`); got.json(t)["undecided"] != false {
		t.Fatalf("stated: %d %s", got.status, got.body)
	}
	u.runs()
	if leads, jobs := f.count(`SELECT count(*) FROM leads`), f.count(`SELECT count(*) FROM jobs`); leads != 2 || jobs != 1 {
		t.Errorf("%d leads, %d jobs; want two and one", leads, jobs)
	}
	if n := f.count(`SELECT count(*) FROM leads WHERE data -> 'consent' ->> 'expires_at' = '2021-04-03T00:00:00Z'`); n != 1 {
		t.Error("the end of the consent is another one")
	}
}

func TestImportIsReadInAnotherWay(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	u, v := f.upload("business_name;address\nCaf\x82 Un;1 rue A\nCaf\x82 Montr\x82al;2 rue B\n", "")
	if v["undecided"] != true {
		t.Errorf("undecided = %v", v["undecided"])
	}
	got := f.call("POST", "/v1/imports/"+u.id+"/preview", `{"encoding":"mac-roman","map":"address=extra.where"}`)
	columns, _ := got.json(t)["mapping"].(map[string]any)
	if got.status != http.StatusOK || !strings.Contains(fmt.Sprint(columns), "extra.where") {
		t.Fatalf("%d %s", got.status, got.body)
	}
	u.runs()
	if n := f.count(`SELECT count(*) FROM leads WHERE data -> 'extra' ->> 'where' = '1 rue A'`); n != 1 {
		t.Error("the stated mapping was not used")
	}
}

func TestBadRowsComeAsAFileThatComputesNothing(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	u, _ := f.upload(shops, "")
	got := f.call("GET", "/v1/imports/"+u.id+"/bad-rows.csv", "")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(got.body), "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d %q: %v", got.status, got.body, err)
	}
	if rows[1][0] != "6" || !strings.Contains(rows[1][1], "e-mail") || rows[1][2] != "'=Sans courriel" {
		t.Errorf("row %q", rows[1])
	}
}

func TestImportsOfMontreal(t *testing.T) {
	t.Parallel()
	testenv.Long(t)
	dir := os.Getenv("ASTROGROWTH_TESTDATA")
	if dir == "" {
		t.Skip("set ASTROGROWTH_TESTDATA to the folder of test data to run this test")
	}
	data, err := os.ReadFile(filepath.Join(dir, "leads_montreal_restaurants.cp1252.csv"))
	if err != nil {
		t.Skip(err)
	}
	f := newFace(t, nil)
	c, err := f.s.In(f.ws.ID).EnsureCampaign(t.Context(), "Montréal")
	if err != nil {
		t.Fatal(err)
	}
	u, v := f.upload(string(data), "file_name=montreal.csv")
	counts, _ := v["counts"].(map[string]any)
	if got := numbers(counts, "rows", "leads", "duplicates", "bad", "closed"); got != "rows 1167, leads 666, duplicates 501, bad 0, closed 89" {
		t.Errorf("preview: %s", got)
	}
	if got := f.call("POST", "/v1/imports/"+u.id+"/run", fmt.Sprintf(`{"accept_doubts":true,"campaign_id":%q}`, c.ID)); got.json(t)["state"] != "done" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if n := f.count(`SELECT count(*) FROM leads WHERE campaign_id = $1`, c.ID); n != 666 {
		t.Errorf("%d leads, want 666", n)
	}
	again, v := f.upload(string(data), "")
	if again.id == u.id || !strings.Contains(fmt.Sprint(v["doubts"]), "this very file was imported") {
		t.Errorf("the same file again: %v %v", again.id == u.id, v["doubts"])
	}
	if got := numbers(again.runs(), "created", "updated"); got != "created 0, updated 666" {
		t.Errorf("again: %s", got)
	}
	if n := f.count(`SELECT count(*) FROM jobs`); n != 666 {
		t.Errorf("%d jobs, want one a lead", n)
	}
	if got := numbers(again.undone(), "erased", "restored", "kept"); got != "erased 0, restored 666, kept 0" {
		t.Errorf("undo of the second: %s", got)
	}
	if got := numbers(u.undone(), "erased", "restored", "kept"); got != "erased 666, restored 0, kept 0" {
		t.Errorf("undo of the first: %s", got)
	}
}

func TestImportsOfAnotherWorkspaceAreNotThere(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	u, _ := f.upload(shops, "")
	other := testenv.Workspace(t, f.s)
	for _, path := range []string{"GET ", "POST /preview", "POST /run", "POST /undo", "GET /bad-rows.csv"} {
		method, tail, _ := strings.Cut(path, " ")
		body := ""
		if method == "POST" {
			body = `{}`
		}
		if got := f.call(method, "/v1/imports/"+u.id+tail, body, "X-Workspace", other.Slug); got.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if !growth.ValidID(u.id) {
		t.Errorf("id %q", u.id)
	}
}
