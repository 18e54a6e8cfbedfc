package content_test

import (
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
)

func TestScore(t *testing.T) {
	t.Parallel()
	ok := growth.Check{Rule: "a", Hard: true, OK: true}
	hard := growth.Check{Rule: "b", Hard: true}
	soft := growth.Check{Rule: "c"}
	judge := func(score int, tone bool, unsupported int) *content.Verdict {
		v := &content.Verdict{Score: score, ToneOK: tone}
		for range unsupported {
			v.Claims = append(v.Claims, content.JudgedClaim{Claim: "x"})
		}
		return v
	}
	for _, tc := range []struct {
		name    string
		checks  []growth.Check
		verdict *content.Verdict
		want    int
	}{
		{"rules alone", []growth.Check{ok}, nil, 100},
		{"a soft fault", []growth.Check{ok, soft}, nil, 95},
		{"a hard fault", []growth.Check{ok, hard}, nil, 49},
		{"judged", []growth.Check{ok}, judge(80, true, 0), 88},
		{"a judge alone cannot lift a broken rule", []growth.Check{hard}, judge(100, true, 0), 49},
		{"an unsupported claim", []growth.Check{ok}, judge(100, true, 1), 49},
		{"many of them", []growth.Check{ok}, judge(100, true, 9), 40},
		{"a missed tone", []growth.Check{ok}, judge(90, false, 0), 82},
		{"a verdict's checks are not counted twice", append([]growth.Check{ok}, judge(90, false, 0).Checks()...), judge(90, false, 0), 82},
		{"out of range", []growth.Check{ok}, judge(900, true, 0), 100},
		{"everything wrong", []growth.Check{hard, hard, hard, hard, soft}, judge(0, false, 3), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := content.Score(tc.checks, tc.verdict); got != tc.want {
				t.Errorf("score = %d, want %d", got, tc.want)
			}
		})
	}
}

func TestApprovable(t *testing.T) {
	t.Parallel()
	judged := content.Verdict{ToneOK: true}.Checks()
	hard := append([]growth.Check{{Rule: "banned", Hard: true, Detail: "x"}}, judged...)
	soft := append([]growth.Check{{Rule: "avoid", Detail: "x"}}, judged...)
	bad := content.Verdict{Claims: []content.JudgedClaim{{Claim: "cures all"}}}.Checks()
	same := append([]growth.Check{content.SameModel("a/m", "b/m", true)}, judged...)
	trusted, fresh := growth.Brand{Trusted: 5}, growth.Brand{Trusted: 4}
	none := -1
	for _, tc := range []struct {
		name   string
		checks []growth.Check
		judge  int
		score  int
		brand  growth.Brand
		want   string // "" when it may
	}{
		{"good", judged, 70, 70, trusted, ""},
		{"a soft fault", soft, 95, 95, trusted, ""},
		{"a hard fault", hard, 95, 95, trusted, "banned: x"},
		{"an unsupported claim", bad, 95, 95, trusted, "cures all"},
		{"below the threshold", judged, 95, 69, trusted, "the score is 69"},
		{"a judge below the threshold", judged, 69, 82, trusted, "the judge gives it 69"},
		{"judged by its writer", same, 95, 95, trusted, "judge_same_model: no other model"},
		{"no judge", nil, none, 100, trusted, "no judge"},
		{"a fresh brand", judged, 100, 100, fresh, "4 were approved so far"},
		{"all at once", hard, 1, 1, fresh, "; "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			parts := growth.ScoreParts{}
			if tc.judge != none {
				parts.Judge = &tc.judge
			}
			ok, why := content.Approvable(tc.checks, tc.score, parts, content.DefaultThreshold, tc.brand, content.DefaultTrustAfter)
			if ok != (tc.want == "") || !strings.Contains(why, tc.want) {
				t.Errorf("approvable %v: %q, want %q", ok, why, tc.want)
			}
		})
	}
}

func TestHashBindsEverything(t *testing.T) {
	t.Parallel()
	base := content.Hash("body", "title", []string{"a", "b"}, "acc", []string{"m"})
	if len(base) != 64 || base != content.Hash("body", "title", []string{"a", "b"}, "acc", []string{"m"}) {
		t.Fatalf("hash %q is not stable", base)
	}
	seen := map[string]string{base: "base"}
	for name, h := range map[string]string{
		"body":           content.Hash("body ", "title", []string{"a", "b"}, "acc", []string{"m"}),
		"title":          content.Hash("body", "Title", []string{"a", "b"}, "acc", []string{"m"}),
		"hashtag order":  content.Hash("body", "title", []string{"b", "a"}, "acc", []string{"m"}),
		"joined":         content.Hash("body", "title", []string{"ab"}, "acc", []string{"m"}),
		"account":        content.Hash("body", "title", []string{"a", "b"}, "acd", []string{"m"}),
		"media":          content.Hash("body", "title", []string{"a", "b"}, "acc", nil),
		"moved to media": content.Hash("body", "title", []string{"a"}, "acc", []string{"b", "m"}),
		"moved border":   content.Hash("bodyt", "itle", []string{"a", "b"}, "acc", []string{"m"}),
	} {
		if other, ok := seen[h]; ok {
			t.Errorf("%s has the hash of %s", name, other)
		}
		seen[h] = name
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	got := content.Faults([]growth.Check{{Rule: "a", OK: true}, {Rule: "b", Detail: "because"}})
	if len(got) != 1 || got[0] != "b: because" {
		t.Errorf("faults = %q", got)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(goodFR, "fr-CA", "20 % le 15 mars", "garanti")
	f.Add("1,2.3'4 $%k", "en", "12.5.3", "a")
	f.Fuzz(func(t *testing.T, body, language, brief, banned string) {
		d := content.Draft{Title: body, Body: body, Hashtags: []string{banned, language}}
		b := content.Brief{Language: language, Brief: brief}
		checks := content.Check(d, b, growth.Brand{Banned: []string{banned}}, content.Nearby{Posts: []string{brief}})
		if len(checks) != 13 {
			t.Fatalf("%d checks", len(checks))
		}
		if s := content.Score(checks, nil); s < 0 || s > 100 {
			t.Fatalf("score %d", s)
		}
		// A figure that the brief states word for word is never called invented.
		same := content.Check(content.Draft{Body: brief}, content.Brief{Brief: brief}, growth.Brand{}, content.Nearby{})
		for _, c := range same {
			if c.Rule == content.RuleNumbers && !c.OK {
				t.Fatalf("%q: %s", brief, c.Detail)
			}
		}
		if again := content.Text(content.Draft{Body: content.Text(d)}); again != content.Text(d) {
			t.Fatalf("text %q is not plain", content.Text(d))
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	earlier := make([]string, 50)
	for i := range earlier {
		earlier[i] = strings.Repeat(goodEN+"\n", 5)
	}
	for b.Loop() {
		content.Check(goodDraft(goodFR), content.Brief{Language: "fr-CA", Brief: "x"}, growth.Brand{Banned: []string{"garanti"}}, content.Nearby{Posts: earlier})
	}
}
