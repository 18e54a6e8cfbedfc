package cache_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/zakibelm/astrogrowth/router/cache"
)

// data opens a file of the test data.
func data(t *testing.T, name string) *os.File {
	t.Helper()
	dir := os.Getenv("ASTROGROWTH_TESTDATA")
	if dir == "" {
		t.Skip("ASTROGROWTH_TESTDATA names no folder of test data")
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// near says whether two texts may have one answer.
func near(a, b string) bool {
	x, ok := cache.Near(a)
	y, ok2 := cache.Near(b)
	return ok && ok2 && x == y
}

func TestNearServesWhatMeansTheSame(t *testing.T) {
	t.Parallel()
	for name, pair := range map[string][2]string{
		"case":                {"What is the best time to post?", "what is THE best time to post?"},
		"spacing":             {"What  is\tit  about\nnow", " What is it about now "},
		"closing punctuation": {"Write a tagline.", "Write a tagline!"},
		"separators":          {"Score this: SaaS, 12 people", "score this - SaaS; 12 people."},
		"please":              {"Please, write a tagline", "write a tagline please"},
		"spelling":            {"Draft a follow-up e-mail", "draft a follow up email"},
		"numbers in words":    {"Generate three subject lines", "generate 3 subject lines"},
		"French":              {"Rédige l’offre de l'été", "rédige l'offre de l’été."},
		"accents composed":    {"Rédige l'annonce", "Re\u0301dige l'annonce"},
		"phrases":             {"List topics about insurance for first-time buyers", "List topics for first-time buyers about insurance"},
		"an attribute":        {"Email copy for the webinar on June 3, tone friendly", "Email copy, friendly tone, for the webinar on June 3"},
		"a phrase before":     {"Describe the product for a shop", "Describe for a shop the product"},
	} {
		if !near(pair[0], pair[1]) {
			x, _ := cache.Near(pair[0])
			y, _ := cache.Near(pair[1])
			t.Errorf("%s: %q and %q", name, x, y)
		}
	}
}

func TestNearTellsApartWhatDiffers(t *testing.T) {
	t.Parallel()
	for name, pair := range map[string][2]string{
		"a number":                 {"Offer 20 percent off", "Offer 25 percent off"},
		"numbers in another order": {"From 49 to 59 dollars", "From 59 to 49 dollars"},
		"a negation":               {"The client wants it", "The client does not want it"},
		"a name":                   {"Write to Maria", "Write to Marie"},
		"names swapped":            {"Acme sells to Globex", "Globex sells to Acme"},
		"names swapped in phrases": {"Write about Acme for Globex", "Write about Globex for Acme"},
		"names in another order":   {"Write about Acme for Globex", "Write for Globex about Acme"},
		"an address":               {"Read acme.io now", "Read acme.ai now"},
		"an address's case":        {"Read acme.io/Pricing now", "Read acme.io/pricing now"},
		"the country and we":       {"Write about the US market", "Write about the us market"},
		"a unit":                   {"Describe the 5 mW laser", "Describe the 5 MW laser"},
		"a hyphen that binds":      {"Describe a man-eating fish", "Describe a man eating fish"},
		"a range and a ratio":      {"Split it 5: 6 now", "Split it 5, 6 now"},
		"bound phrases":            {"Write a post for dentists and nurses about cats", "Write a post about cats for dentists and nurses"},
		"two sentences":            {"Write a post. About cats", "Write a post about cats"},
		"accents":                  {"Un homme tué", "Un homme tue"},
	} {
		if near(pair[0], pair[1]) {
			t.Errorf("%s: %q and %q share an answer", name, pair[0], pair[1])
		}
	}
}

func TestNearLeavesAloneWhatIsNoProse(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a quotation": `Translate "Hello"`, "a French one": "Rédige avec « vous »", "single quotes": "Say 'hello' now", "an open one": "the dentists' post",
		"code": "x := f(y)", "a call": "run main()", "JSON": `{"a": 1}`, "a list": "Write:\n- one\n- two", "numbered": "Do:\n1. this", "indented": "if x\n  y",
		"a variable": "solve for x", "a version": "Write version B of it", "a flag": "run it -v now", "an e-bike": "a post on a Plan B", "a sum": "what is 5 - 3",
		"a negative number": "at - 5 degrees", "a factorial": "what is 5!", "markup": "make *this* bold", "backticks": "explain `ls`", "a control": "a\x00b",
		"invisible": "an\u200bother word", "nothing": " \n", "punctuation": "?!", "broken": "a \xff b", "a page": strings.Repeat("word ", 500),
	} {
		if got, ok := cache.Near(text); ok {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestNearOnThePairsOfTheTestData(t *testing.T) {
	t.Parallel()
	served, wrong := map[string]int{}, 0
	s := bufio.NewScanner(data(t, "cache_pairs_86.tsv"))
	n := map[string]int{}
	for s.Scan() {
		f := strings.Split(s.Text(), "\t")
		if len(f) != 3 {
			t.Fatalf("%d fields", len(f))
		}
		n[f[0]]++
		a, b := strings.ReplaceAll(f[1], `\n`, "\n"), strings.ReplaceAll(f[2], `\n`, "\n")
		switch hit := near(a, b); {
		case hit:
			served[f[0]]++
			if f[0] != "near" && f[0] != "para" {
				wrong++
				t.Errorf("%s: %q answers %q", f[0], a, b)
			}
		case f[0] == "near":
			t.Logf("not served: %q | %q", a, b)
		}
	}
	t.Logf("served of %v: %v", n, served)
	if served["near"] < 12 || n["near"] != 14 || n["value"]+n["topic"]+n["unrel"] != 52 || wrong > 0 {
		t.Errorf("near pairs served: %d of %d; wrong: %d", served["near"], n["near"], wrong)
	}
}

func TestNearOnTheSlotsOfTheTestData(t *testing.T) {
	t.Parallel()
	s := bufio.NewScanner(data(t, "cache_slot_pairs.jsonl"))
	n := 0
	for s.Scan() {
		var p struct {
			A    string `json:"a"`
			B    string `json:"b"`
			Same bool   `json:"same_answer"`
		}
		if err := json.Unmarshal(s.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		n++
		if near(p.A, p.B) && !p.Same {
			t.Errorf("%q answers %q", p.A, p.B)
		}
	}
	if n == 0 {
		t.Error("no pairs")
	}
}

func TestNearNeverJoinsTwoIntents(t *testing.T) {
	t.Parallel()
	rows, err := csv.NewReader(data(t, "cache_banking77_test.csv")).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	first := map[string][]string{}
	prose, joined := 0, 0
	for _, row := range rows[1:] {
		form, ok := cache.Near(row[0])
		if !ok {
			continue
		}
		prose++
		if other := first[form]; other != nil {
			joined++
			if other[1] != row[1] {
				t.Errorf("%q (%s) answers %q (%s)", other[0], other[1], row[0], row[1])
			}
		}
		first[form] = row
	}
	t.Logf("%d of %d texts are prose, %d share a form with another of their category", prose, len(rows)-1, joined)
	if prose < len(rows)/2 {
		t.Errorf("only %d texts were looked at", prose)
	}
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}

// within says whether every rune of part stands in whole, in its order.
func within(part, whole string) bool {
	rest := []rune(part)
	for _, r := range whole {
		if len(rest) > 0 && rest[0] == r {
			rest = rest[1:]
		}
	}
	return len(rest) == 0
}

func FuzzNear(f *testing.F) {
	for _, s := range []string{
		"Write a post about cats for 3 dentists.", "Please, US or us? May I", "List 10 topics for first-time buyers about home insurance",
		"Email copy, friendly tone, for the webinar on June 3", "5, three; 6 - b", "Describe for a shop the product X500", "l’été à 10:30", "e-mail E-Mail two-two",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		form, ok := cache.Near(s)
		if !ok {
			return
		}
		again, ok := cache.Near(form)
		if !ok || again != form {
			t.Errorf("%q becomes %q, and that %q, %v", s, form, again, ok)
		}
		if !within(digits(s), digits(form)) {
			t.Errorf("%q lost a digit of %q", form, s)
		}
		if other, ok := cache.Near("  " + strings.ReplaceAll(s, " ", "  ") + " "); !ok || other != form {
			t.Errorf("spaces make %q of %q", other, form)
		}
	})
}
