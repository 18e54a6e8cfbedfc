package router_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/router"
)

const small = "openrouter/openai/text-embedding-3-small"

func vectors(model string, texts ...string) router.EmbedRequest {
	return router.EmbedRequest{Workspace: ours, Model: model, Inputs: texts, Cache: router.CacheExact, Dimensions: 16}
}

func TestEmbedMakesAVectorOfATextOnce(t *testing.T) {
	t.Parallel()
	l := newLive(t, withCache(t))
	first, err := l.Embed(t.Context(), vectors(small, "tea", "coffee"))
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Vectors) != 2 || len(first.Vectors[0]) != 16 || first.Cached != 0 || !first.Simulated || first.Usage.PromptTokens == 0 || first.Cost.Provenance != growth.CostReported {
		t.Errorf("first = %+v", first)
	}
	again, err := l.Embed(t.Context(), vectors(small, "milk", "coffee", "tea"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]float32{first.Vectors[1], first.Vectors[0]}, again.Vectors[1:]); diff != "" || again.Cached != 2 {
		t.Errorf("%d cached, vectors (-want +got):\n%s", again.Cached, diff)
	}
	other := vectors(small, "tea")
	other.Workspace = theirs
	if got, err := l.Embed(t.Context(), other); err != nil || got.Cached != 0 {
		t.Errorf("another workspace got %d out of our cache, %v", got.Cached, err)
	}
	rows := l.book.rows()
	if len(rows) != 3 || rows[0].Task != router.TaskEmbedding || rows[0].Provider != "openrouter" || rows[0].Model != "openai/text-embedding-3-small" || rows[0].Status != growth.CallOK {
		t.Errorf("rows = %+v", rows)
	}
}

func TestEmbedAtOllamaCostsNothing(t *testing.T) {
	t.Parallel()
	l := newLive(t)
	got, err := l.Embed(t.Context(), vectors("ollama/nomic-embed-text", "tea"))
	if err != nil || !got.Cost.USD.IsZero() || len(got.Vectors[0]) != 16 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestEmbedSendsManyTextsInSeveralRequests(t *testing.T) {
	t.Parallel()
	l := newLive(t)
	got, err := l.Embed(t.Context(), vectors(small, strings.Fields(strings.Repeat("tea ", 200))...))
	if err != nil || len(got.Vectors) != 200 || len(l.book.rows()) != 3 || got.Vectors[199] == nil || len(got.Calls) != 3 {
		t.Errorf("%d vectors in %d requests, %v", len(got.Vectors), len(l.book.rows()), err)
	}
}

// No other model may answer, but all that guards a chain guards the one candidate.
func TestEmbedFailsAsAChainOfOne(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		req   router.EmbedRequest
		fault simulator.Fault
		want  growth.Code
		trail string
	}{
		"throttled":           {vectors(small, "tea"), simulator.Fault{Kind: "429"}, growth.Unavailable, "failed throttled"},
		"down":                {vectors(small, "tea"), simulator.Fault{Kind: "500"}, growth.Unavailable, "failed unavailable"},
		"no vectors":          {vectors(small, "tea"), simulator.Fault{Kind: simulator.KindEmpty}, growth.Malformed, "failed malformed"},
		"a model nobody has":  {vectors("openrouter/x/y", "tea"), simulator.Fault{}, growth.Unavailable, "failed model_gone"},
		"a chat provider":     {vectors("huggingface/x", "tea"), simulator.Fault{}, growth.Unavailable, "failed model_gone"},
		"too private":         {router.EmbedRequest{Workspace: ours, Model: small, Inputs: []string{"tea"}, Privacy: growth.PrivacyLocalOnly}, simulator.Fault{}, growth.Unavailable, "skipped privacy"},
		"no provider":         {vectors("nobody/x", "tea"), simulator.Fault{}, growth.NotFound, ""},
		"no model":            {vectors("openrouter", "tea"), simulator.Fault{}, growth.NotFound, ""},
		"no text":             {vectors(small), simulator.Fault{}, growth.Invalid, ""},
		"a text that is none": {vectors(small, "tea", " "), simulator.Fault{}, growth.Invalid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLive(t)
			if tc.fault.Kind != "" {
				tc.fault.Provider, tc.fault.Endpoint = simulator.OpenRouter, "embed"
				l.fault(tc.fault)
			}
			got, err := l.Embed(t.Context(), tc.req)
			if growth.CodeOf(err) != tc.want || got.Vectors != nil {
				t.Fatalf("%+v, %v", got, err)
			}
			if tc.trail == "" {
				return
			}
			if calls := (heard{end: chunkEnd, err: err}).failed(t).Calls; len(calls) != 1 || !strings.HasSuffix(trail(calls)[0], tc.trail) {
				t.Errorf("walk = %v", trail(calls))
			}
		})
	}
}

var chunkEnd = router.Chunk{Last: true}
