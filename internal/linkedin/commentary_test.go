package linkedin_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/internal/simulator"
)

// direct hands requests to a handler without a network between.
type direct struct{ http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, req)
	return w.Result(), nil
}

// failer is a test, or a check of a property within one.
type failer interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}

// published posts a text and returns it as LinkedIn's stand-in understood it: it parses the commentary by the grammar,
// with a parser that shares nothing with this package.
func published(tb failer, sim *simulator.Server, post growth.Post) (simulator.Post, bool) {
	tb.Helper()
	sim.Reset()
	c := linkedin.New(linkedin.Settings{APIURL: "http://sim/linkedin", HTTP: &http.Client{Transport: direct{sim}}})
	post.AuthorURN = "urn:li:person:abc"
	receipt, err := c.Publish(tb.Context(), "sim-token", post)
	if err != nil {
		if growth.CodeOf(err) == growth.Invalid {
			return simulator.Post{}, false // too long, or blank
		}
		tb.Fatalf("publish %q: %v", post.Text, err)
	}
	posts := sim.Posts()
	if len(posts) != 1 || posts[0].URN != receipt.URN {
		tb.Fatalf("posts = %+v", posts)
	}
	return posts[0], true
}

// FuzzCommentary holds the escaping against any text: what people see is what was meant, to the character.
func FuzzCommentary(f *testing.F) {
	for _, s := range []string{
		"Join us (free) #golang", `a\b`, "C# #1 ##x #AI_tools", "{hashtag|\\#|x}", "@[Ada](urn:li:person:1)", "#é\u0301a", "x#y", "#_", "<b>~*|",
		"https://x.ca/a_b?c=(d)#e", "(#tag)", "#a#b", "#\U0001F600a", "\\#a", "#a\\_b",
	} {
		f.Add(s)
	}
	sim := simulator.New(simulator.Config{Seed: 1})
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip("texts come out of JSON and are valid")
		}
		got, ok := published(t, sim, growth.Post{Text: text})
		if ok && (got.Text != text || got.Truncated) {
			t.Errorf("%q is sent as %q and reads as %q (cut: %t)", text, got.Commentary, got.Text, got.Truncated)
		}
	})
}

// A text that is built from what it means comes out with that meaning: words, hashtags that can be clicked, mentions.
func TestMeaningOfACommentary(t *testing.T) {
	t.Parallel()
	sim := simulator.New(simulator.Config{Seed: 1})
	word := rapid.StringMatching(`[a-zA-Zé0-9(){}\[\]<>*_~|\\@]{1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		var text, shown []string
		var tags, urns []string
		var post growth.Post
		for i := range rapid.IntRange(1, 8).Draw(t, "pieces") {
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				w := word.Draw(t, "word")
				text, shown = append(text, w), append(shown, w)
			case 1:
				tag := rapid.StringMatching(`[a-zé][a-zé0-9_]{0,6}[a-z0-9]`).Draw(t, "tag")
				tags = append(tags, tag)
				text, shown = append(text, "#"+tag), append(shown, "#"+tag)
			case 2:
				m := growth.Mention{Name: "Ada " + string(rune('A'+i)) + rapid.StringMatching(`[a-z()_#]{0,5}`).Draw(t, "name") + "!", URN: "urn:li:organization:" + string(rune('1'+i))}
				post.Mentions, urns = append(post.Mentions, m), append(urns, m.URN)
				text, shown = append(text, "@"+m.Name), append(shown, m.Name)
			}
		}
		post.Text = strings.Join(text, " ")
		got, ok := published(t, sim, post)
		if !ok {
			t.Skip("blank")
		}
		if got.Text != strings.Join(shown, " ") || got.Truncated || !slices.Equal(got.Hashtags, tags) || !slices.Equal(got.Mentions, urns) {
			t.Fatalf("%q is sent as %q and is understood as %+v", post.Text, got.Commentary, got)
		}
	})
}
