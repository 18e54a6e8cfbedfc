package router_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

func TestCompletionIsTheFirstCandidates(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	got := ch.gets(t)
	if got.Text != "from a" || got.Provider != "a" || got.Model != "1" || got.FallbackAttempts != 0 || got.Cached != router.CachedNo || got.FinishReason != "stop" {
		t.Errorf("answer = %+v", got)
	}
	if diff := cmp.Diff([]string{"a/1 answered"}, trail(got.Calls)); diff != "" {
		t.Errorf("walk (-want +got):\n%s", diff)
	}
	if n := len(ch.b.requests()) + len(ch.c.requests()); n != 0 {
		t.Errorf("%d requests to candidates that were not needed", n)
	}
}

func TestCompletionSendsTheRoutesAndTheCallersChoices(t *testing.T) {
	t.Parallel()
	zero, hot := 0.0, 1.5
	ch := newChain(t, func(c *router.Config) {
		r := c.Routes[growth.TaskSimple]
		r.Temperature = &zero
		c.Routes[growth.TaskSimple] = r
	})
	ch.gets(t)
	ch.gets(t, func(r *router.Request) {
		r.Sampling, r.RequestID = router.Sampling{Temperature: &hot, MaxTokens: 7, Stop: []string{"END"}}, "req-1"
	})
	sent := ch.a.requests()
	if *sent[0].Temperature != 0 || sent[0].MaxTokens != 100 {
		t.Errorf("the route's: %v, %d", *sent[0].Temperature, sent[0].MaxTokens)
	}
	if *sent[1].Temperature != 1.5 || sent[1].MaxTokens != 7 || sent[1].Stop[0] != "END" || sent[1].RequestID != "req-1" {
		t.Errorf("the caller's: %+v", sent[1])
	}
}

func TestCompletionWithAForcedModel(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		force growth.Call
		want  string // provider/model; empty: refused
	}{
		{"provider", growth.Call{Provider: "b"}, "b/1"},
		{"provider and model", growth.Call{Provider: "b", Model: "9"}, "b/9"},
		{"model alone", growth.Call{Model: "9"}, "a/9"},
		{"no such provider", growth.Call{Provider: "z"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ch := newChain(t)
			a, err := ch.Complete(t.Context(), ask(func(r *router.Request) { r.Force = &tc.force }))
			switch {
			case tc.want == "" && growth.CodeOf(err) != growth.Invalid:
				t.Errorf("error = %v; want invalid", err)
			case tc.want != "" && a.Provider+"/"+a.Model != tc.want:
				t.Errorf("answer from %s/%s, %v; want %s", a.Provider, a.Model, err, tc.want)
			}
		})
	}
	t.Run("and no other when it fails", func(t *testing.T) {
		t.Parallel()
		ch := newChain(t)
		ch.b.will(fails(growth.Unavailable))
		e := ch.refuses(t, func(r *router.Request) { r.Force = &growth.Call{Provider: "b"} })
		if diff := cmp.Diff([]string{"b/1 failed unavailable"}, trail(e.Calls)); diff != "" {
			t.Errorf("walk (-want +got):\n%s", diff)
		}
	})
}

// number asks for {"n": <integer>} and nothing else.
var number = json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}`)

func structured(r *router.Request) { r.Schema, r.SchemaName = number, "number" }

// What can be mended without guessing is mended; what cannot is asked for once more, then of the next one.
func TestCompletionSchemaLadder(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		answers []answerer
		want    string
		walk    []string
	}{
		{"fits", []answerer{says(`{"n":4}`)}, `{"n":4}`, []string{"a/1 answered"}},
		{"fence", []answerer{says("```json\n{\"n\":4}\n```")}, `{"n":4}`, []string{"a/1 answered"}},
		{"fence without a name", []answerer{says("```\n{\"n\":4}\n```\n")}, `{"n":4}`, []string{"a/1 answered"}},
		{"words around", []answerer{says("Here you are: {\"n\":4}. Enjoy!")}, `{"n":4}`, []string{"a/1 answered"}},
		{"trailing comma", []answerer{says(`{"n":4,}`)}, `{"n":4}`, []string{"a/1 answered"}},
		{"asked once more", []answerer{says(`{"m":4}`), says(`{"n":4}`)}, `{"n":4}`, []string{"a/1 failed malformed", "a/1 answered"}},
		{
			"next candidate",
			[]answerer{says(`four`)},
			`{"n":9}`,
			[]string{"a/1 failed malformed", "a/1 failed malformed", "b/1 answered"},
		},
		{"cut", []answerer{cut(`{"n":4`)}, `{"n":9}`, []string{"a/1 failed malformed", "b/1 answered"}},
		{"cut, and what is there parses", []answerer{cut(`{"n":4}`)}, `{"n":9}`, []string{"a/1 failed malformed", "b/1 answered"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ch := newChain(t)
			ch.a.will(inOrder(tc.answers...))
			ch.b.will(says(`{"n":9}`))
			got := ch.gets(t, structured)
			if got.Text != tc.want {
				t.Errorf("text = %s; want %s", got.Text, tc.want)
			}
			if diff := cmp.Diff(tc.walk, trail(got.Calls)); diff != "" {
				t.Errorf("walk (-want +got):\n%s", diff)
			}
		})
	}
}

// cut is an answer that ran into the token limit.
func cut(text string) answerer {
	return func(_ context.Context, req providers.Request) (providers.Response, error) {
		r := answered(req.Model, text)
		r.FinishReason = "length"
		return r, nil
	}
}

func TestCompletionNamesTheFaultWhenItAsksAgain(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.a.will(inOrder(says(`{"n":"four"}`), says(`{"n":4}`)))
	ch.gets(t, structured)
	again := ch.a.requests()[1].Messages
	last := again[len(again)-1]
	if len(again) != 3 || again[0].Content != "2+2?" || again[1].Content != `{"n":"four"}` || last.Role != "user" || !strings.Contains(last.Content, "/n") {
		t.Errorf("second request = %+v; want the answer and what is wrong with it", again)
	}
}

func TestCompletionIsAcceptedByTheCaller(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.a.will(says("five"))
	ch.b.will(says("four"))
	got := ch.gets(t, func(r *router.Request) {
		r.Accept = func(text string) error {
			if text != "four" {
				return errors.New("that is not the sum")
			}
			return nil
		}
	})
	if got.Text != "four" || got.FallbackAttempts != 1 || len(ch.a.requests()) != 2 {
		t.Errorf("answer %q after %d, %d requests to a", got.Text, got.FallbackAttempts, len(ch.a.requests()))
	}
}

// A host that ignores a schema is asked in words; the answer is checked either way.
func TestCompletionAsksInWordsWhereNoSchemaIsEnforced(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.a.served = []providers.Model{{ID: "1"}, {ID: "2", Structured: true}}
	ch.b.served, ch.c.served = []providers.Model{{ID: "1"}}, []providers.Model{{ID: "1"}}
	ch.LearnCatalogues(t.Context())
	ch.a.will(says(`{"n":4}`))
	ch.gets(t, structured)
	ch.gets(t, structured, func(r *router.Request) { r.Force = &growth.Call{Provider: "a", Model: "2"} })
	sent := ch.a.requests()
	if sent[0].Schema != nil || !strings.Contains(sent[0].Messages[len(sent[0].Messages)-1].Content, `"additionalProperties"`) {
		t.Errorf("first request = %+v; want the schema in words", sent[0])
	}
	if sent[1].Schema == nil || len(sent[1].Messages) != 1 {
		t.Errorf("second request = %+v; want the schema as such", sent[1])
	}
}

func TestCompletionSchemaMayNotFetch(t *testing.T) {
	t.Parallel()
	for name, schema := range map[string]string{
		"not JSON":        `{`,
		"not a schema":    `{"type":"nonsense"}`,
		"another address": `{"$ref":"http://127.0.0.1/x.json"}`,
		"a file":          `{"$ref":"file:///etc/passwd"}`,
	} {
		if _, err := router.CompileSchema(json.RawMessage(schema)); growth.CodeOf(err) != growth.Invalid || err == nil {
			t.Errorf("%s: %v; want invalid", name, err)
		}
	}
}
