package simulator

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
)

func TestOllamaAnswer(t *testing.T) {
	t.Parallel()
	s := start(t)
	g := s.post(olChat, obj{"model": "llama3.2:3b", "messages": userSays("What is 6*7? Only the number, please."), "stream": false})
	v := g.json(t)
	if text(t, v, "message", "content") != "42" || v["done"] != true || v["done_reason"] != "stop" || v["model"] != "llama3.2:3b" {
		t.Errorf("answer = %s", g.body)
	}
	for _, k := range []string{"total_duration", "load_duration", "prompt_eval_count", "eval_count", "eval_duration"} {
		if n, _ := v[k].(float64); n <= 0 {
			t.Errorf("%s = %v", k, v[k])
		}
	}
	again := s.post(olChat, obj{"model": "llama3.2:3b", "messages": userSays("hi"), "stream": false}).json(t)
	if _, ok := again["load_duration"]; ok {
		t.Error("a loaded model was loaded again")
	}
	if ps := s.call(http.MethodGet, "/ollama/api/ps", "").json(t); text(t, ps, "models", 0, "name") != "llama3.2:3b" {
		t.Errorf("loaded = %v", ps)
	}
}

func TestOllamaStreamsByDefault(t *testing.T) {
	t.Parallel()
	s := start(t)
	g := s.post(olChat, obj{"model": "phi3:mini", "messages": userSays("Tell me about tea in winter.")})
	lines := strings.Split(strings.TrimSpace(g.body), "\n")
	if g.header.Get("Content-Type") != "application/x-ndjson" || len(lines) < 3 {
		t.Fatalf("stream = %q", g.body)
	}
	var content strings.Builder
	for i, l := range lines {
		var v obj
		if err := json.Unmarshal([]byte(l), &v); err != nil {
			t.Fatal(err)
		}
		content.WriteString(text(t, v, "message", "content"))
		if v["done"] != (i == len(lines)-1) {
			t.Errorf("line %d: done = %v", i, v["done"])
		}
	}
	whole := s.post(olChat, obj{"model": "phi3:mini", "messages": userSays("Tell me about tea in winter."), "stream": false}).json(t)
	if content.String() != text(t, whole, "message", "content") {
		t.Errorf("streamed %q", content.String())
	}
}

func TestOllamaRefusals(t *testing.T) {
	t.Parallel()
	hi := userSays("hi")
	for _, tc := range []struct {
		name, path string
		body       any
		status     int
		want       string
	}{
		{"missing model", olChat, obj{"model": "nope", "messages": hi}, 404, "model 'nope' not found"},
		{"untagged is latest", olChat, obj{"model": "llama3.2", "messages": hi}, 404, "model 'llama3.2' not found"},
		{"no model", olChat, obj{"messages": hi}, 400, "model is required"},
		{"embedding model", olChat, obj{"model": "nomic-embed-text", "messages": hi}, 400, `"nomic-embed-text" does not support chat`},
		{"thinking", olChat, obj{"model": "llama3.2:3b", "messages": hi, "think": true}, 400, `"llama3.2:3b" does not support thinking`},
		{"tools", olChat, obj{"model": "phi3:mini", "messages": hi, "tools": []obj{{}}}, 400, "does not support tools"},
		{"format", olChat, obj{"model": "phi3:mini", "messages": hi, "format": "xml"}, 500, "invalid format"},
		{"prompt too long", olChat, obj{"model": "phi3:mini", "messages": userSays(strings.Repeat("word ", 6000)), "truncate": false}, 400, "the input length exceeds the context length"},
		{"embed, missing model", "/ollama/api/embed", obj{"model": "nope", "input": "a"}, 404, `model "nope" not found, try pulling it first`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			g := start(t).post(tc.path, tc.body)
			if v := g.json(t); g.status != tc.status || !strings.Contains(text(t, v, "error"), tc.want) {
				t.Errorf("answer = %d %s", g.status, g.body)
			}
		})
	}
	if g := start(t).call(http.MethodPost, olChat, ""); g.status != 400 || !strings.Contains(g.body, "missing request body") {
		t.Errorf("empty body: %d %s", g.status, g.body)
	}
}

func TestOllamaCutsLongPromptsInSilence(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.post(olChat, obj{
		"model": "llama3.2:3b", "stream": false, "options": obj{"num_ctx": 100},
		"messages": userSays(strings.Repeat("word ", 1000) + "What is 1+1? Just the number."),
	}).json(t)
	if v["prompt_eval_count"] != 100.0 || text(t, v, "message", "content") != "2" {
		t.Errorf("answer = %v", v)
	}
}

func TestOllamaPreload(t *testing.T) {
	t.Parallel()
	s := start(t)
	if v := s.post(olChat, obj{"model": "phi3:mini"}).json(t); v["done_reason"] != "load" {
		t.Errorf("answer = %v", v)
	}
	if v := s.post(olChat, obj{"model": "phi3:mini", "keep_alive": 0}).json(t); v["done_reason"] != "unload" {
		t.Errorf("answer = %v", v)
	}
	if ps := s.call(http.MethodGet, "/ollama/api/ps", "").json(t); len(list(t, ps, "models")) != 0 {
		t.Errorf("still loaded: %v", ps)
	}
}

func vectors(t *testing.T, g got) [][]float64 {
	t.Helper()
	var v struct {
		Embeddings [][]float64 `json:"embeddings"`
	}
	if err := json.Unmarshal([]byte(g.body), &v); err != nil || v.Embeddings == nil {
		t.Fatalf("embeddings: %v in %s", err, clip(g.body, 200))
	}
	return v.Embeddings
}

func cosine(a, b []float64) float64 {
	var dot float64
	for i := range a {
		dot += a[i] * b[i]
	}
	return dot
}

func TestOllamaEmbeddings(t *testing.T) {
	t.Parallel()
	s := start(t)
	embed := func(input any, more ...any) [][]float64 {
		body := obj{"model": "nomic-embed-text", "input": input}
		for i := 0; i+1 < len(more); i += 2 {
			body[fmt.Sprint(more[i])] = more[i+1]
		}
		return vectors(t, s.post("/ollama/api/embed", body))
	}
	v := embed([]string{"The bakery sells fresh bread", "Fresh bread from the bakery", "Quarterly tax return for lawyers", ""})
	if len(v) != 4 || len(v[0]) != 768 || math.Abs(cosine(v[0], v[0])-1) > 1e-5 {
		t.Fatalf("%d vectors of %d, length %v", len(v), len(v[0]), cosine(v[0], v[0]))
	}
	if near, far := cosine(v[0], v[1]), cosine(v[0], v[2]); near < 0.5 || far > 0.3 {
		t.Errorf("near = %v, far = %v", near, far)
	}
	if n := len(embed("")); n != 0 {
		t.Errorf("an empty text has %d vectors", n)
	}
	if n := len(embed([]string{})); n != 0 {
		t.Errorf("an empty list has %d vectors", n)
	}
	if short := embed("x", "dimensions", 16); len(short[0]) != 16 || math.Abs(cosine(short[0], short[0])-1) > 1e-5 {
		t.Errorf("cut vector = %v", short)
	}
}

func TestOllamaCatalogue(t *testing.T) {
	t.Parallel()
	s := start(t)
	if g := s.call(http.MethodGet, "/ollama/", ""); g.body != "Ollama is running" {
		t.Errorf("/ = %q", g.body)
	}
	if v := s.call(http.MethodGet, "/ollama/api/version", "").json(t); v["version"] == "" {
		t.Errorf("version = %v", v)
	}
	var tags []string
	for _, m := range list(t, s.call(http.MethodGet, "/ollama/api/tags", "").json(t), "models") {
		tags = append(tags, text(t, m, "name"))
	}
	if strings.Join(tags, " ") != "llama3.2:3b phi3:mini nomic-embed-text:latest" {
		t.Errorf("tags = %v", tags)
	}
	show := s.post("/ollama/api/show", obj{"model": "llama3.2:3b"}).json(t)
	if at(t, show, "model_info", "llama.context_length") != 131072.0 {
		t.Errorf("show = %v", show)
	}
}
