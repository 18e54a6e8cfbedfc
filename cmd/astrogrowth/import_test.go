package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
)

const shops = "business_name,address,city,email,status\n" +
	"Café Un,1 rue A,Laval,un@example.com,\n" +
	"Bistro Deux,2 rue B,Laval,,\n" +
	"CAFE UN,1 RUE A,Laval,un@example.com,\n" +
	"Bistro Deux,2 rue B,Laval,,\n" +
	"Fermier,3 rue C,Laval,,Fermé\n"

const shopsWithBadRows = shops + "Sans courriel,4 rue D,Laval,not an address,\nTrop,court\n"

func utf16File(s string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func TestImportRefusesWhatIsNoFileOfLeads(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		path func(t *testing.T) string
		want string
	}{
		{"missing", func(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "no.csv") }, "there is no file"},
		{"directory", func(t *testing.T) string { t.Helper(); return t.TempDir() }, "is a directory; name a CSV file"},
		{"empty", func(t *testing.T) string { t.Helper(); return file(t, "e.csv", "") }, "e.csv: the file is empty"},
		{"picture", func(t *testing.T) string { t.Helper(); return file(t, "p.csv", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR") }, "p.csv: the file is a PNG picture, not a CSV file"},
		{"header only", func(t *testing.T) string { t.Helper(); return file(t, "h.csv", "business_name,address\n") }, "h.csv holds no rows below its first line"},
		{"only bad rows", func(t *testing.T) string { t.Helper(); return file(t, "b.csv", "business_name,email\nA\n") }, "holds no lead that could be read: 1 row set aside, as line 2: it has 1 field"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t)
			got := runCLI(t, nil, "import", tc.path(t), "--url", api.url, "--yes")
			if got.code != exitNothing {
				t.Errorf("code = %d, want %d", got.code, exitNothing)
			}
			wantContains(t, "error", got.err, tc.want)
			if strings.Contains(got.err, "lead.") {
				t.Errorf("the error names an operation: %s", got.err)
			}
			if len(api.campaigns)+len(api.imports) > 0 {
				t.Errorf("something was sent: campaigns %v, imports %d", api.campaigns, len(api.imports))
			}
		})
	}
}

func TestImportDryRunSendsAndWritesNothing(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	path := file(t, "shops.csv", utf16File(shopsWithBadRows))
	got := runCLI(t, nil, "import", path, "--url", api.url, "--dry-run")
	want := `shops.csv: utf-16le, fields parted by commas, 5 columns, the first line names the columns
  "business_name" is business_name, by its heading "business_name"
  "address" is address, by its heading "address"
  "city" is city, by its heading "city"; a postal code at its end goes to postal_code
  "email" is email, by its heading "email"
  "status" is extra.status, by its heading "status"
Doubts:
  - 1 of the first 7 rows have another number of fields than the first line; they will be set aside

7 rows: 3 leads, 2 duplicate rows, 2 bad rows
2 other duplicates:
  - line 4 "CAFE UN" = line 2 "Café Un" at 1 RUE A (same email)
  - line 5 "Bistro Deux" = line 3 "Bistro Deux" at 2 rue B (same name and address)
Bad rows, the first ones:
  - line 7: email: must be one e-mail address, as name@example.com
  - line 8: it has 2 fields, the first line has 5
1 lead will be disqualified: The business is closed (Fermé)

Dry run: nothing was sent.
`
	if diff := cmp.Diff(want, got.out); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if got.code != exitPartial {
		t.Errorf("code = %d, want %d: there are bad rows", got.code, exitPartial)
	}
	if len(api.campaigns)+len(api.imports) > 0 {
		t.Error("a dry run sent something")
	}
	if _, err := os.Stat(badRowsPath(path)); err == nil {
		t.Error("a dry run wrote a file that nobody asked for")
	}
}

func TestImportMontrealDryRun(t *testing.T) {
	t.Parallel()
	got := runCLI(t, nil, "import", testFile(t, "leads_montreal_restaurants.cp1252.csv"), "--dry-run")
	if got.code != exitDone {
		t.Errorf("code = %d: %s", got.code, got.err)
	}
	wantContains(t, "report", got.out,
		"windows-1252, fields parted by semicolons, 10 columns",
		`"/contrevenants" is left out: every row repeats the same value`,
		"1,167 rows: 666 leads, 501 duplicate rows, 0 bad rows",
		"2 duplicates that only case", "AU BON CAFÉ", "RESTAURANT PHO-MAISONNEUVE",
		"499 other duplicates (-v lists all)",
		"89 leads will be disqualified: The business is closed (Fermé)")
}

func TestImportVerboseNamesEveryDuplicate(t *testing.T) {
	t.Parallel()
	got := runCLI(t, nil, "import", testFile(t, "leads_montreal_restaurants.cp1252.csv"), "--dry-run", "--verbose")
	if n := strings.Count(got.out, "\n  - line "); n != 501 {
		t.Errorf("%d duplicates are listed, want 501", n)
	}
}

// steady takes out of a report what differs from run to run.
func steady(s string) string {
	return regexp.MustCompile(`[\d.]+ (s,|leads/s)`).ReplaceAllString(s, "N $1")
}

func TestImportSendsFollowsAndSums(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	path := file(t, "shops.csv", shops)
	got := runCLI(t, nil, "import", path, "--url", api.url)
	if got.code != exitDone {
		t.Fatalf("code = %d: %s", got.code, got.err)
	}
	_, tail, _ := strings.Cut(got.out, "Fermé)\n\n")
	want := `Import 01990000-0000-7000-8000-000000000001: 3 created, 0 updated
Campaign "shops.csv": 3 accepted, 0 unchanged
The campaign's leads by priority: 1 high, 2 medium, 3 low; 1 disqualified (closed)
Cost: 0 CAD (simulated: a built-in simulator answered for the providers)
Done in N s, N leads/s
`
	if diff := cmp.Diff(want, steady(tail)); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("taken in: 3 of 3 (100 %), N leads/s\nqualified: 3 of 3 (100 %), N leads/s\n", steady(got.err)); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}

	again := runCLI(t, nil, "import", path, "--url", api.url)
	if again.code != exitDone {
		t.Errorf("second import: code = %d: %s", again.code, again.err)
	}
	wantContains(t, "second import", again.out, "Nothing new: 3 leads are unchanged.")
	if api.accepted != 3 {
		t.Errorf("%d jobs were made, want 3", api.accepted)
	}
}

func TestImportSetsBadRowsAside(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	path := file(t, "shops.csv", shopsWithBadRows)
	got := runCLI(t, nil, "import", path, "--url", api.url, "--yes")
	if got.code != exitPartial {
		t.Errorf("code = %d, want %d: %s", got.code, exitPartial, got.err)
	}
	aside := badRowsPath(path)
	wantContains(t, "report", got.out, "2 bad rows set aside in "+aside)
	b, err := os.ReadFile(aside)
	if err != nil {
		t.Fatal(err)
	}
	want := "7,\"email: must be one e-mail address, as name@example.com\"\n8,\"it has 2 fields, the first line has 5\"\n"
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Errorf("bad rows (-want +got):\n%s", diff)
	}
	if api.accepted != 3 {
		t.Errorf("%d good leads were sent, want 3", api.accepted)
	}
}

func TestImportDoesNotDecideByItself(t *testing.T) {
	t.Parallel()
	doubtful := file(t, "cp1252.csv", "business_name;address\nCaf\xe9 Un;1 rue \xc9mile\nCaf\xe9 Deux;2 rue \xc9mile\n")
	for _, tc := range []struct {
		name string
		args []string
		code int
	}{
		{"nobody is there to ask", nil, exitNothing},
		{"JSON never asks", []string{"--json"}, exitNothing},
		{"the encoding is stated", []string{"--encoding", "cp1252"}, exitDone},
		{"yes", []string{"--yes"}, exitDone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t)
			got := runCLI(t, nil, append([]string{"import", doubtful, "--url", api.url}, tc.args...)...)
			if got.code != tc.code {
				t.Errorf("code = %d, want %d: %s", got.code, tc.code, got.err)
			}
			if sent := len(api.imports) > 0; sent != (tc.code == exitDone) {
				t.Errorf("sent = %v", sent)
			}
			if tc.code != exitDone {
				wantContains(t, "error", got.err, "1 doubt to be decided", "--yes", "--encoding")
			}
		})
	}
}

// A yes to every doubt does not name the encoding: a wrong guess would break every accent for good.
func TestImportNeverGuessesAnEncodingThatItCannotTell(t *testing.T) {
	t.Parallel()
	dos := file(t, "dos.csv", "business_name;address\nCaf\x82 Un;1 rue A\nBistro Montr\x82al;2 rue B\n")
	api := newFakeAPI(t)
	got := runCLI(t, nil, "import", dos, "--url", api.url, "--yes")
	if got.code != exitNothing || len(api.imports) > 0 {
		t.Errorf("code = %d, steps %v; want a refusal", got.code, api.steps)
	}
	wantContains(t, "error", got.err, "the encoding cannot be told", "--encoding")
}

// A file whose leads cannot be recognised does not make them again because somebody said yes to what stands in it.
func TestImportOfTheSameFileIsAskedFor(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	path := file(t, "names.csv", "business_name,city\nChez Ann,Laval\nChez Bob,Laval\n")
	if got := runCLI(t, nil, "import", path, "--url", api.url, "--yes"); got.code != exitDone {
		t.Fatalf("code = %d: %s", got.code, got.err)
	} else {
		wantContains(t, "report", got.out, "2 leads cannot be recognised when the file comes again")
	}
	got := runCLI(t, nil, "import", path, "--url", api.url, "--yes")
	if got.code != exitNothing || len(api.steps) != 1 {
		t.Errorf("again: code = %d, steps %v", got.code, api.steps)
	}
	wantContains(t, "error", got.err, "this very file was imported", "nothing was imported", "--again")
	for answers, steps := range map[string]int{"y\nn\n": 1, "y\ny\n": 2} {
		var out strings.Builder
		i := &importer{flags: importFlags{api: apiFlags{url: api.url}}, in: strings.NewReader(answers), out: &out, err: &out, asks: true}
		if err := i.run(t.Context(), path); (err == nil) != (steps == 2) {
			t.Errorf("answers %q: %v", answers, err)
		}
		wantContains(t, "question", out.String(), "Import it once more? [y/N]")
	}
	if got := runCLI(t, nil, "import", path, "--url", api.url, "--yes", "--again"); got.code != exitDone || len(api.steps) != 3 {
		t.Errorf("--again: code = %d, steps %v: %s", got.code, api.steps, got.err)
	}
}

func TestImportSetsBadRowsAsideWhenAllAre(t *testing.T) {
	t.Parallel()
	path := file(t, "b.csv", "business_name,email\nA\n=B\n")
	got := runCLI(t, nil, "import", path, "--url", newFakeAPI(t).url, "--yes")
	aside := badRowsPath(path)
	wantContains(t, "error", got.err, "2 rows set aside", "all are in "+aside)
	b, err := os.ReadFile(aside)
	if err != nil {
		t.Fatal(err)
	}
	wantContains(t, "file", string(b), "line,reason,business_name,email", "2,\"it has 1 fields", ",'=B")
}

func TestImportIsToldOfTheHeading(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	path := file(t, "nohdr.csv", "Café Un,Laval\nCafé Deux,Longueuil\nCafé Trois,Brossard\n")
	got := runCLI(t, nil, "import", path, "--url", api.url, "--map", "#1=business_name,#2=city")
	if got.code != exitNothing || len(api.imports) > 0 {
		t.Errorf("code = %d: %s", got.code, got.out)
	}
	wantContains(t, "doubts", got.out, `no heading of line 1 is known ("Café Un", "Laval"); if it is a lead, say --header no`)
	got = runCLI(t, nil, "import", path, "--url", api.url, "--map", "#1=business_name,#2=city", "--header", "no")
	if got.code != exitDone || len(api.imports) != 1 || len(api.imports[0].leads) != 3 {
		t.Errorf("code = %d: %s%s", got.code, got.out, got.err)
	}
}

func TestImportNeverGuessesTheOrderOfDates(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	path := file(t, "dates.csv", "business_name,email,consent expires\nA,a@x.example,03/04/2026\n")
	got := runCLI(t, nil, "import", path, "--url", api.url, "--yes")
	if got.code != exitNothing || len(api.imports) > 0 {
		t.Errorf("code = %d: %s", got.code, got.out)
	}
	wantContains(t, "error", got.err, "03/04/2026", "--dates")
	got = runCLI(t, nil, "import", path, "--url", api.url, "--dates", "dmy", "--detach")
	if got.code != exitDone || api.imports[0].leads[0].Consent.ExpiresAt.Format(time.DateOnly) != "2026-04-03" {
		t.Errorf("code = %d: %s%s", got.code, got.out, got.err)
	}
}

func TestImportAsksThePerson(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		answer string
		sent   bool
	}{{"y\n", true}, {"Oui\n", true}, {"n\n", false}, {"\n", false}, {"", false}} {
		t.Run(fmt.Sprintf("%q", tc.answer), func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t)
			var out strings.Builder
			i := &importer{
				flags: importFlags{api: apiFlags{url: api.url}, campaign: "Spring"}, in: strings.NewReader(tc.answer), out: &out, err: &out, asks: true,
			}
			err := i.run(t.Context(), file(t, "shops.csv", shops))
			if (err == nil) != tc.sent || (len(api.imports) > 0) != tc.sent {
				t.Errorf("answer %q: error %v, batches %v", tc.answer, err, api.steps)
			}
			wantContains(t, "question", out.String(), `Import 3 leads into the campaign "Spring"? [y/N]`)
		})
	}
}

func TestImportGoesStepByStep(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("external_id,business_name\n")
	for i := range 1201 {
		fmt.Fprintf(&b, "%d,Shop %d\n", i, i)
	}
	api := newFakeAPI(t)
	got := runCLI(t, nil, "import", file(t, "many.csv", b.String()), "--url", api.url, "--yes", "--detach", "--campaign", "Été")
	if got.code != exitDone {
		t.Fatalf("code = %d: %s", got.code, got.err)
	}
	if diff := cmp.Diff([]int{500, 500, 201}, api.steps); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Été"}, api.campaigns); diff != "" {
		t.Errorf("campaigns (-want +got):\n%s", diff)
	}
	wantContains(t, "report", got.out, "1,201 jobs under way. To follow them: astrogrowth import --watch "+string(api.imports[0].ID)+", or astrogrowth jobs list --campaign "+campaignID)
}

func TestImportReportsWhatTheAPITurnsDown(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		down string // the leads that are turned down begin with this
		code int
	}{{"one", "Bistro", exitPartial}, {"all", "", exitNothing}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t)
			api.erased = func(l growth.Lead) bool { return strings.HasPrefix(l.BusinessName, tc.down) }
			got := runCLI(t, nil, "import", file(t, "shops.csv", shops), "--url", api.url)
			if got.code != tc.code {
				t.Errorf("code = %d, want %d: %s", got.code, tc.code, got.err)
			}
			wantContains(t, "report", got.out, "turned down: erased once")
		})
	}
}

// However an import was cut off, --resume takes in what is left, and --watch only looks on.
func TestImportGoesOnWithAnImport(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.step = 1
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out strings.Builder
	i := &importer{
		flags: importFlags{api: apiFlags{url: api.url}, yes: true}, in: strings.NewReader(""), out: &out, poll: 1,
		err: writerFunc(func(p []byte) { // the first line about the leads is when the person gives up
			if strings.Contains(string(p), "taken in: 1 of 3") {
				cancel()
			}
		}),
	}
	err := i.run(ctx, file(t, "shops.csv", shops))
	if err == nil {
		t.Fatal("an interrupted import is done")
	}
	id := string(api.imports[0].ID)
	wantContains(t, "error", err.Error(), "interrupted", "1 of 3 leads", "--resume "+id)
	got := runCLI(t, nil, "import", "--resume", id, "--url", api.url)
	if got.code != exitDone || api.accepted != 3 {
		t.Errorf("code = %d, %d jobs: %s", got.code, api.accepted, got.err)
	}
	wantContains(t, "report", got.out, "3 accepted", "Done in")
	steps := len(api.steps)
	if got = runCLI(t, nil, "import", "--watch", id, "--url", api.url); got.code != exitDone || len(api.steps) != steps {
		t.Errorf("watching: code = %d, %d steps were made: %s", got.code, len(api.steps)-steps, got.err)
	}
	if strings.Contains(got.out+got.err, "leads/s") {
		t.Errorf("what was done before somebody watched has a rate: %s%s", got.out, got.err)
	}
}

func TestImportOutlivesAnAbsentDatabase(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.stumbles = 2
	var out, errs strings.Builder
	i := &importer{
		flags: importFlags{api: apiFlags{url: api.url}, yes: true, detach: true}, in: strings.NewReader(""), out: &out, err: &errs, poll: 1,
		pauses: []time.Duration{1, 1, 1},
	}
	if err := i.run(t.Context(), file(t, "shops.csv", shops)); err != nil || api.accepted != 3 {
		t.Errorf("%d jobs: %v", api.accepted, err)
	}
	wantContains(t, "progress", errs.String(), "the database cannot be reached; trying again")
}

func TestImportIsUndone(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	if got := runCLI(t, nil, "import", file(t, "shops.csv", shops), "--url", api.url); got.code != exitDone {
		t.Fatalf("code = %d: %s", got.code, got.err)
	}
	got := runCLI(t, nil, "import", "undo", string(api.imports[0].ID), "--url", api.url)
	if got.code != exitPartial {
		t.Errorf("code = %d, want %d: a lead was left as it is", got.code, exitPartial)
	}
	wantContains(t, "report", got.out, "2 leads erased, 0 given back what they were, 1 left as they are", "l1: it was changed since")
	if got := runCLI(t, nil, "import", "undo", "no-such", "--url", api.url); got.code != exitNothing {
		t.Errorf("code = %d, want %d", got.code, exitNothing)
	}
}

func TestImportCountsFailedJobs(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.ends = growth.JobFailed
	got := runCLI(t, nil, "import", file(t, "shops.csv", shops), "--url", api.url)
	if got.code != exitPartial {
		t.Errorf("code = %d, want %d", got.code, exitPartial)
	}
	wantContains(t, "report", got.out, "3 jobs failed", "--state failed")
}

func TestImportJSON(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	got := runCLI(t, nil, "import", file(t, "shops.csv", shops), "--url", api.url, "--json")
	if got.code != exitDone {
		t.Fatalf("code = %d: %s", got.code, got.err)
	}
	var r struct {
		Encoding   string         `json:"encoding"`
		Rows       int            `json:"rows"`
		Leads      int            `json:"leads"`
		Duplicates int            `json:"duplicates"`
		All        []any          `json:"duplicate_rows"`
		Closed     int            `json:"closed"`
		Accepted   int            `json:"accepted"`
		Finished   bool           `json:"finished"`
		ByPriority map[string]int `json:"by_priority"`
		Cost       growth.Money   `json:"cost"`
		Simulated  bool           `json:"simulated"`
	}
	if err := json.Unmarshal([]byte(got.out), &r); err != nil {
		t.Fatalf("%v:\n%s", err, got.out)
	}
	if r.Encoding != "utf-8" || r.Rows != 5 || r.Leads != 3 || r.Duplicates != 2 || len(r.All) != 2 || r.Closed != 1 ||
		r.Accepted != 3 || !r.Finished || r.ByPriority["high"] != 1 || r.Cost.Amount == nil || !r.Simulated {
		t.Errorf("report = %+v", r)
	}
}

// deadAddress is one where nobody listens any more.
func deadAddress(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	return server.URL
}

func TestImportWithoutAServer(t *testing.T) {
	t.Parallel()
	path := file(t, "shops.csv", shopsWithBadRows)
	url := deadAddress(t)
	got := runCLI(t, nil, "import", path, "--url", url, "--yes")
	if got.code != exitNothing {
		t.Errorf("code = %d, want %d", got.code, exitNothing)
	}
	wantContains(t, "error", got.err, "no answer from "+url, "astrogrowth up", "--url")
	if _, err := os.Stat(badRowsPath(path)); err == nil {
		t.Error("a file was written although nothing was imported")
	}
}

func TestImportInterruptedWhileFollowing(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.ends = growth.JobRunning
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &strings.Builder{}
	i := &importer{
		flags: importFlags{api: apiFlags{url: api.url}}, in: strings.NewReader(""), out: out, poll: 1,
		err: writerFunc(func(p []byte) { // the first line about the jobs is when the person gives up
			if strings.Contains(string(p), "qualified: 0 of 3") {
				cancel()
			}
		}),
	}
	if err := i.run(ctx, file(t, "shops.csv", shops)); err != nil {
		t.Errorf("error = %v: the import itself is done", err)
	}
	wantContains(t, "report", out.String(), "Interrupted: the jobs go on without you.", "3 jobs under way. To follow them: astrogrowth import --watch "+string(api.imports[0].ID)+", or astrogrowth jobs list --campaign "+campaignID)
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

func TestImportUsage(t *testing.T) {
	t.Parallel()
	path := file(t, "shops.csv", shops)
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"no file", nil, "FILE.csv is missing"},
		{"two files", []string{path, path}, "is one argument too many"},
		{"a file and an import", []string{path, "--resume", "x"}, "is one argument too many"},
		{"two ways of following", []string{"--watch", "x", "--resume", "x"}, "--watch and --resume do not go together"},
		{"unknown encoding", []string{path, "--encoding", "ebcdic"}, `--encoding: "ebcdic" is no encoding`},
		{"long delimiter", []string{path, "--delimiter", "ab"}, `--delimiter "ab" is not one character`},
		{"no heading", []string{path, "--header", "maybe"}, `--header "maybe" says nothing about the heading`},
		{"no order of dates", []string{path, "--dates", "ymd"}, `--dates "ymd" is no order of day and month`},
		{"unknown heading", []string{path, "--map", "nom=email"}, `the file has no column "nom"`},
		{"unknown field", []string{path, "--map", "city=town"}, `"town" is no field of a lead`},
		{"unknown flag", []string{path, "--dryrun"}, "unknown flag: --dryrun"},
		{"bad address", []string{path, "--url", "localhost:3000"}, `--url "localhost:3000" is no address`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := runCLI(t, nil, append([]string{"import"}, tc.args...)...)
			if got.code != exitNothing {
				t.Errorf("code = %d, want %d", got.code, exitNothing)
			}
			wantContains(t, "error", got.err, tc.want)
		})
	}
}
