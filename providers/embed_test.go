package providers

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
)

func embedAnswer(b brand, vectors string) string {
	if b.name == "ollama" {
		return `{"model":"m-served","embeddings":` + vectors + `,"prompt_eval_count":7}`
	}
	var list [][]float32
	_ = json.Unmarshal([]byte(vectors), &list)
	out := []any{}
	for i, vector := range slices.Backward(list) { // out of order: the index counts
		out = append(out, map[string]any{"object": "embedding", "index": i, "embedding": vector})
	}
	raw, _ := json.Marshal(map[string]any{
		"object": "list", "model": "m-served", "data": out, "usage": map[string]any{"prompt_tokens": 7, "total_tokens": 7, "cost": 0.00000014},
	})
	return string(raw)
}

func TestEmbed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		var path string
		var body map[string]any
		p := b.serve(t, func(w http.ResponseWriter, r *http.Request) {
			path = r.URL.Path
			_ = json.NewDecoder(r.Body).Decode(&body)
			_, _ = io.WriteString(w, embedAnswer(b, `[[0.5,-1],[0.25,2]]`))
		})
		got, err := p.Embed(t.Context(), EmbedRequest{Model: "m", Inputs: []string{"a", "b"}, Dimensions: 2})
		if b.name == "huggingface" {
			if growth.CodeOf(err) != growth.ModelGone || path != "" {
				t.Errorf("err %v, called %q; its router documents no embeddings in this shape", err, path)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]float32{{0.5, -1}, {0.25, 2}}, got.Vectors); diff != "" {
			t.Errorf("vectors (-want +got):\n%s", diff)
		}
		if got.Response.Usage.PromptTokens != 7 || !got.Response.UsageKnown || got.Response.Model != "m-served" {
			t.Errorf("response = %+v", got.Response)
		}
		if want := map[string]string{"openrouter": "/embeddings", "ollama": "/api/embed"}[b.name]; path != want || body["dimensions"] != 2.0 {
			t.Errorf("called %s with %v", path, body)
		}
		if b.name == "ollama" && body["truncate"] != false {
			t.Error("a text that does not fit would lose its end without a word")
		}
	})
}

func TestEmbedFaults(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		if b.name == "huggingface" {
			return
		}
		two := EmbedRequest{Model: "m", Inputs: []string{"a", "b"}}
		for name, tc := range map[string]struct {
			status int
			body   string
			req    EmbedRequest
			want   growth.Code
		}{
			"throttled":           {429, b.fault(429, "slow down"), two, growth.Throttled},
			"too few":             {200, embedAnswer(b, `[[1]]`), two, growth.Malformed},
			"of two lengths":      {200, embedAnswer(b, `[[1],[1,2]]`), two, growth.Malformed},
			"empty vectors":       {200, embedAnswer(b, `[[],[]]`), two, growth.Malformed},
			"an error in the 200": {200, `{"error":{"code":502,"message":"x"}}`, two, growth.Unavailable},
			"cut":                 {200, `{"embeddings":[[1`, two, growth.Malformed},
			"no text":             {200, "", EmbedRequest{Model: "m"}, growth.Invalid},
			"an empty text":       {200, "", EmbedRequest{Model: "m", Inputs: []string{"a", " "}}, growth.Invalid},
			"no model":            {200, "", EmbedRequest{Inputs: []string{"a"}}, growth.Invalid},
		} {
			_, err := b.reply(t, tc.status, tc.body).Embed(t.Context(), tc.req)
			if e := failure(t, err); e.Code != tc.want || e.Op != b.name+".Embed" {
				t.Errorf("%s: %v, want %v", name, e, tc.want)
			}
		}
	})
}
