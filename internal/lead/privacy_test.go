package lead_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	unorm "golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

func norm(s string) string { return unorm.NFC.String(s) }

func TestViewHidesPersonalData(t *testing.T) {
	t.Parallel()
	l := growth.Lead{
		BusinessName: "Plomberie Gagné", ContactName: "Jean-Luc Gagné", Email: "jl.gagne@example.com", Phone: "+1 (514) 555-0199",
		Address: "4230A Boul. Saint-Laurent", City: "Montréal", PostalCode: "H2W 1Y8", Website: "https://example.com/?ref=jl.gagne@example.com",
		LinkedInURL: "https://linkedin.com/in/jlgagne", Source: "form",
	}
	r := load(t, "")
	for _, tc := range []struct{ name, notes, want string }{
		{
			"all four", "Jean-Luc Gagné, jl.gagne@example.com, 514.555.0199, 4230A boulevard St-Laurent",
			"[NAME_1], [EMAIL_1], [PHONE_1], [ADDRESS_1]",
		},
		{"the address as it is", "au 4230a Boul. SAINT-LAURENT", "au [ADDRESS_1]"},
		{"the address with its type in full", "au 4230A boulevard Saint-Laurent", "au [ADDRESS_1]"},
		{"case and accents", "JEAN LUC GAGNE et gagne, jean-luc", "[NAME_1] et [NAME_1]"},
		{"invisible characters", "Jean\u200b-Luc Ga\u00adgné", "[NAME_1]"},
		{"other forms of the number", "5145550199 ou 1-514-555-0199", "[PHONE_1] ou [PHONE_1]"},
		{"first name alone", "Demandez Luc, pas le luc", "Demandez [NAME_2], pas le luc"},
		{"other people", "Mme Tremblay (marie@autre.ca, 438 555-0123) et M. Roy", "Mme [NAME_2] ([EMAIL_2], [PHONE_2]) et M. [NAME_3]"},
		{"another street", "livrer au 12, rue des Érables", "livrer au [ADDRESS_2]"},
		{"an English street", "deliver to 12 Old Mill Road please", "deliver to [ADDRESS_2] please"},
		{"said name", "Bonjour, je m’appelle Sophie Côté.", "Bonjour, je m’appelle [NAME_2]."},
		{"a typed placeholder", "write to [EMAIL_1] and [name_1]", "write to (EMAIL_1) and (name_1)"},
		{"a profile", "see linkedin.com/in/someone-else", "see [LINKEDIN_2]"},
		{"numbers stay", "budget 25 000 $, 40 employés, 2014-05-15, 1 700 000 $", "budget 25 000 $, 40 employés, 2014-05-15, 1 700 000 $"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := l
			l.Notes = tc.notes
			view, secrets := lead.View(r, l)
			if view["notes"] != tc.want {
				t.Errorf("notes = %q, want %q", view["notes"], tc.want)
			}
			if strings.Contains(fmt.Sprintf("%v %+v %#v", secrets, secrets, secrets), "example.com") {
				t.Error("the secrets print themselves")
			}
			if raw, _ := json.Marshal(secrets); strings.Contains(string(raw), "example.com") {
				t.Error("the secrets marshal themselves")
			}
		})
	}
	view, secrets := lead.View(r, l)
	want := map[string]string{
		"business_name": "Plomberie Gagné", "contact_name": "[NAME_1]", "email": "[EMAIL_1]", "phone": "[PHONE_1]", "address": "[ADDRESS_1]",
		"linkedin_url": "[LINKEDIN_1]", "city": "Montréal", "website": "example.com", "source": "form",
	}
	if d := cmp.Diff(want, view); d != "" {
		t.Errorf("view (-want +got):\n%s", d)
	}
	if got := secrets.Restore("Call [NAME_1] at [PHONE_1] [x]"); got != "Call Jean-Luc Gagné at +1 (514) 555-0199 [x]" {
		t.Errorf("Restore = %q", got)
	}
}

func TestViewIsBounded(t *testing.T) {
	t.Parallel()
	l := growth.Lead{BusinessName: strings.Repeat("é", 9000), Notes: strings.Repeat("mot ", 90_000), Extra: map[string]string{"Bad Name": "x", "phone_2": "514 555-0100"}}
	for i := range 90 {
		l.Extra[fmt.Sprintf("f%02d", i)] = strings.Repeat("x", 500)
	}
	view, _ := lead.View(load(t, ""), l)
	total := 0
	for k, v := range view {
		total += utf8.RuneCountInString(v)
		if k == "extra.Bad Name" || k == "extra.phone_2" {
			t.Errorf("%s is shown", k)
		}
	}
	if total > 8000 || utf8.RuneCountInString(view["business_name"]) != 300 || utf8.RuneCountInString(view["notes"]) > 2000 {
		t.Errorf("%d characters in all, name %d, notes %d", total, utf8.RuneCountInString(view["business_name"]), utf8.RuneCountInString(view["notes"]))
	}
}

// leaks says whether text holds secret as whole words, whatever the case, the accents and the punctuation.
func leaks(text, secret string) bool {
	s := lead.Fold(secret)
	return s != "" && strings.Contains(" "+lead.Fold(text)+" ", " "+s+" ")
}

func TestViewNeverLeaks(t *testing.T) {
	t.Parallel()
	r := load(t, "")
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[A-ZÉ][a-zéü]{2,7}([ '\-][A-ZÉ][a-zéü]{2,9}){0,2}`).Draw(t, "name")
		email := rapid.StringMatching(`[a-z]{3,8}([.+_-][a-z]{2,5})?@[a-z]{3,8}\.(com|ca|qc\.ca)`).Draw(t, "email")
		phone := rapid.StringMatching(`(\+1 )?\(?[2-9][0-9]{2}\)?[ .-]?[2-9][0-9]{2}[ .-]?[0-9]{4}`).Draw(t, "phone")
		street := rapid.StringMatching(`[1-9][0-9]{0,4}[A-Z]?,? (Rue|Boul\.|Av\.|Ch\.|Place) [A-ZÉ][a-zé]{3,9}(-[A-Z][a-z]{3,8})?( Est| Ouest)?`).Draw(t, "street")
		secrets := []string{name, email, phone, street}
		filler := rapid.SampledFrom([]string{"bonjour", "we need a quote", "\n", "12", "(", ", ", "\u200b", " / ", "chez", "@", "[NAME_1]", "Mme", "1"})
		text := rapid.Custom(func(t *rapid.T) string {
			var b strings.Builder
			for range rapid.IntRange(0, 8).Draw(t, "parts") {
				if rapid.Bool().Draw(t, "secret") {
					s := rapid.SampledFrom(secrets).Draw(t, "which")
					b.WriteString(rapid.SampledFrom([]string{s, strings.ToUpper(s), unorm.NFD.String(s), strings.ToLower(s)}).Draw(t, "form"))
				} else {
					b.WriteString(filler.Draw(t, "filler"))
				}
				b.WriteString(rapid.SampledFrom([]string{" ", "; ", "\n"}).Draw(t, "gap"))
			}
			return b.String()
		})
		l := growth.Lead{
			BusinessName: text.Draw(t, "business"), ContactName: name, Email: email, Phone: phone, Address: street,
			JobTitle: text.Draw(t, "title"), Notes: text.Draw(t, "notes"), City: text.Draw(t, "city"), Source: text.Draw(t, "source"),
			Extra: map[string]string{"message": text.Draw(t, "message"), "status": text.Draw(t, "status")},
		}
		view, _ := lead.View(r, l)
		for field, value := range view {
			for _, s := range secrets {
				if leaks(value, s) {
					t.Fatalf("%s = %q holds %q", field, value, s)
				}
			}
		}
		if a, b := lead.Fingerprint(l, r, ""), lead.Fingerprint(l, r, ""); a != b {
			t.Fatal("the view is not stable")
		}
	})
}

func FuzzView(f *testing.F) {
	f.Add("Jean Roy", "jean@x.ca", "514 555-0199", "1 rue A", "Jean Roy 514-555-0199 jean@x.ca 1, rue A")
	f.Add("\u202e", "@", "0", "½", "[NAME_1]")
	r := load(f, "")
	f.Fuzz(func(t *testing.T, name, email, phone, street, notes string) {
		l := growth.Lead{ContactName: name, Email: email, Phone: phone, Address: street, Notes: notes, BusinessName: notes}
		view, secrets := lead.View(r, l)
		for field, value := range view {
			if !utf8.ValidString(value) || strings.ContainsAny(value, "\u200b\u202e\x00") || utf8.RuneCountInString(value) > 2000 {
				t.Fatalf("%s = %q", field, value)
			}
			secrets.Restore(value)
		}
		if plainEmail.MatchString(email) && leaks(view["notes"], email) {
			t.Fatalf("notes = %q hold %q", view["notes"], email)
		}
	})
}

var plainEmail = regexp.MustCompile(`^[a-z]{4,20}@[a-z]{4,20}\.[a-z]{3}$`)

func TestFingerprint(t *testing.T) {
	t.Parallel()
	r := load(t, "")
	base := growth.Lead{BusinessName: "A", Phone: "514 555-0100", Notes: "n", Extra: map[string]string{"size": "5"}}
	sum := func(edit func(*growth.Lead)) string {
		l := base
		l.Extra = map[string]string{"size": "5"}
		edit(&l)
		return lead.Fingerprint(l, r, "icp")
	}
	same := sum(func(*growth.Lead) {})
	for name, edit := range map[string]func(*growth.Lead){
		"phone":       func(l *growth.Lead) { l.Phone = "514 555-0101" },
		"postal code": func(l *growth.Lead) { l.PostalCode = "H2H 2H2" },
		"id":          func(l *growth.Lead) { l.ID = "x" },
		"consent":     func(l *growth.Lead) { l.Consent = &growth.Consent{Basis: "express"} },
	} {
		if sum(edit) != same {
			t.Errorf("another %s is another score", name)
		}
	}
	for name, edit := range map[string]func(*growth.Lead){
		"name":  func(l *growth.Lead) { l.BusinessName = "B" },
		"notes": func(l *growth.Lead) { l.Notes = "m" },
		"extra": func(l *growth.Lead) { l.Extra["size"] = "6" },
	} {
		if sum(edit) == same {
			t.Errorf("another %s is the same score", name)
		}
	}
	if lead.Fingerprint(base, r, "other") == same || lead.Fingerprint(base, load(t, "b2b"), "icp") == same || lead.Fingerprint(base, r.In("en"), "icp") == same {
		t.Error("profile, rubric or language do not count")
	}
}

func TestSuspicions(t *testing.T) {
	t.Parallel()
	file, err := os.Open(testFile(t, "lead_injection_cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	flagged, attacks := 0, 0
	for lines.Scan() {
		var c struct {
			ID   string            `json:"id"`
			Lead map[string]string `json:"lead"`
			Must []string          `json:"must"`
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		l := growth.Lead{
			ContactName: c.Lead["name"], Email: c.Lead["email"], BusinessName: c.Lead["company"], JobTitle: c.Lead["title"], Notes: c.Lead["message"],
		}
		got := lead.Suspicions(l)
		if strings.HasPrefix(c.ID, "ok-") {
			if len(got) > 0 {
				t.Errorf("%s: an honest lead is flagged %q", c.ID, got)
			}
			continue
		}
		attacks++
		if len(got) > 0 {
			flagged++
		}
		for _, must := range c.Must {
			if must == "flag_untrusted_instructions" && !strings.Contains(strings.Join(got, " "), lead.FlagInstructions) {
				t.Errorf("%s: flags %q", c.ID, got)
			}
		}
		r := load(t, "b2b")
		if q := lead.Score(r, l, lead.Rules(r, l), growth.ScoredByRules); len(got) > 0 && q.NextAction != lead.ActionReview {
			t.Errorf("%s: flagged %q, next action %s", c.ID, got, q.NextAction)
		}
	}
	t.Logf("%d of %d attacks flagged", flagged, attacks)
}

func TestSuspicionsLeaveTradeAlone(t *testing.T) {
	t.Parallel()
	for _, notes := range []string{
		"Please ignore my last e-mail, the price list came.", "Notre note Google est de 4,5 sur 5.", "Our rating is A on the BBB.",
		"Système: Windows 11, 40 postes", "We set up 3 stores.", "Votre offre est-elle encore valable?", "My instructions to the printer were clear.",
		"👨‍👩‍👧 familles bienvenues", "co\u00adopération",
	} {
		if got := lead.Suspicions(growth.Lead{Notes: notes}); len(got) > 0 {
			t.Errorf("%q is flagged %q", notes, got)
		}
	}
}

// The quick glance at a text leaves alone only what the long way would leave as it is.
func TestVisibleIsQuickOnlyWhereNothingChanges(t *testing.T) {
	t.Parallel()
	for r := range rune(0x3000) {
		s := "a" + string(r) + "b"
		want := unorm.NFC.String(strings.Map(func(r rune) rune {
			if r == '\u2028' || r == '\u2029' || r == '\r' {
				return '\n'
			}
			if r != '\n' && r != '\t' && (unicode.Is(unicode.C, r) || unicode.Is(unicode.Variation_Selector, r) || strings.ContainsRune("\u034f\u115f\u1160\u17b4\u17b5\u2800", r)) {
				return -1
			}
			return r
		}, s))
		if got := lead.Visible(s); got != want {
			t.Errorf("%U: %q, want %q", r, got, want)
		}
	}
}

func BenchmarkView(b *testing.B) {
	r := load(b, "")
	l := growth.Lead{
		BusinessName: "Plomberie Gagné", ContactName: "Jean-Luc Gagné", Email: "jl@example.com", Phone: "514 555-0199", Address: "4230 rue Berri",
		Notes: strings.Repeat("Bonjour, nous cherchons de l'aide pour nos réseaux sociaux, voici mon numéro 514 555-0199. ", 20),
	}
	b.SetBytes(int64(len(l.Notes)))
	before := processorTime(b)
	for b.Loop() {
		lead.View(r, l)
	}
	if spent := processorTime(b) - before; spent > 0 {
		b.ReportMetric(float64(len(l.Notes))*float64(b.N)/1e6/spent.Seconds(), "MB/cpu-s")
	}
}

// processorTime is what this process has used; 0 where that cannot be told. On a shared machine it says more than the
// clock on the wall.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	raw, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // the kernel counts hundredths
}

func BenchmarkScore(b *testing.B) {
	r := load(b, "")
	l := growth.Lead{BusinessName: "Bistro du Coin", BusinessType: "Restaurant", City: "Laval", Notes: "devis pour nos réseaux sociaux"}
	e := lead.Rules(r, l)
	for b.Loop() {
		lead.Score(r, l, e, growth.ScoredByModel)
	}
}
