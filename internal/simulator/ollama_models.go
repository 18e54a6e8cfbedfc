package simulator

import (
	"bytes"
	"encoding/json"
	"hash/fnv"
	"math"
	"net/http"
	"sync"
	"time"
)

// ollamaMemory knows which models are loaded and until when.
type ollamaMemory struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func newOllamaMemory() *ollamaMemory { return &ollamaMemory{until: map[string]time.Time{}} }

func (m *ollamaMemory) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.until)
}

const forever = 100 * 365 * 24 * time.Hour

// load notes that a model was used; cold says whether it was not in memory before.
func (m *ollamaMemory) load(name string, keep time.Duration, now time.Time) (cold bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	cold = !now.Before(m.until[name])
	switch {
	case keep == 0:
		delete(m.until, name)
	case keep < 0:
		m.until[name] = now.Add(forever)
	default:
		m.until[name] = now.Add(keep)
	}
	return cold
}

func (m *ollamaMemory) expiry(name string, now time.Time) (time.Time, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.until[name]
	return t, ok && now.Before(t)
}

func (x *exchange) ollamaVersion() {
	x.respond(http.StatusOK, map[string]any{"version": "0.33.0"})
}

func (m *localModel) details() map[string]any {
	return map[string]any{
		"parent_model": "", "format": "gguf", "family": m.Family, "families": []string{m.Family},
		"parameter_size": m.Parameters, "quantization_level": "Q4_K_M",
	}
}

var modelsPulled = time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)

func (x *exchange) ollamaTags() {
	list := []any{}
	for _, m := range x.s.catalogue.Ollama {
		list = append(list, map[string]any{
			"name": m.Name, "model": m.Name, "modified_at": modelsPulled, "size": m.Size, "digest": m.Digest, "details": m.details(),
		})
	}
	x.respond(http.StatusOK, map[string]any{"models": list})
}

func (x *exchange) ollamaShow() {
	var q ollamaRequest
	m, p := x.readOllama(&q)
	if p != nil {
		x.refuse(*p)
		return
	}
	x.respond(http.StatusOK, map[string]any{
		"license": "simulated", "modelfile": "FROM " + m.Name, "parameters": "", "template": "{{ .Prompt }}", "details": m.details(),
		"model_info": map[string]any{
			"general.architecture": m.Family, m.Family + ".context_length": m.Context, m.Family + ".embedding_length": m.Embedding,
		},
		"capabilities": m.Capabilities, "modified_at": modelsPulled,
	})
}

func (x *exchange) ollamaLoaded() {
	list := []any{}
	for _, m := range x.s.catalogue.Ollama {
		if until, ok := x.s.memory.expiry(m.Name, x.s.now()); ok {
			list = append(list, map[string]any{
				"name": m.Name, "model": m.Name, "size": m.Size, "digest": m.Digest, "details": m.details(),
				"expires_at": until.UTC().Format(time.RFC3339), "size_vram": 0, "context_length": defaultContext,
			})
		}
	}
	x.respond(http.StatusOK, map[string]any{"models": list})
}

type embedRequest struct {
	Model      string          `json:"model"`
	Input      json.RawMessage `json:"input"`
	Prompt     string          `json:"prompt"` // of the older endpoint
	Truncate   *bool           `json:"truncate"`
	Dimensions int             `json:"dimensions"`
}

// texts reads the input: one text, of which an empty one has no vector, or a list, in which it has one.
func (q embedRequest) texts() ([]string, error) {
	var one string
	switch in := bytes.TrimSpace(q.Input); {
	case len(in) == 0 || bytes.Equal(in, []byte("null")):
		return nil, nil
	case in[0] == '"':
		err := json.Unmarshal(in, &one)
		if one == "" {
			return nil, err
		}
		return []string{one}, err
	}
	var many []string
	err := json.Unmarshal(q.Input, &many)
	return many, err
}

func (x *exchange) readEmbed() (embedRequest, *localModel, *problem) {
	var q embedRequest
	if len(bytes.TrimSpace(x.body)) == 0 {
		return q, nil, &problem{status: http.StatusBadRequest, message: "missing request body"}
	}
	if err := json.Unmarshal(x.body, &q); err != nil {
		return q, nil, &problem{status: http.StatusBadRequest, message: err.Error()}
	}
	m := x.s.catalogue.localModel(q.Model)
	if m == nil {
		return q, nil, &problem{status: http.StatusNotFound, message: `model "` + q.Model + `" not found, try pulling it first`}
	}
	return q, m, nil
}

func (x *exchange) ollamaEmbed() {
	q, m, p := x.readEmbed()
	if p != nil {
		x.refuse(*p)
		return
	}
	texts, err := q.texts()
	if err != nil {
		x.refuse(problem{status: http.StatusBadRequest, message: "invalid input type"})
		return
	}
	vectors, total := [][]float32{}, 0
	for _, t := range texts {
		n := tokens(t)
		if n > m.Context && q.Truncate != nil && !*q.Truncate {
			x.refuse(problem{status: http.StatusBadRequest, message: "the input length exceeds the context length"})
			return
		}
		t, _ = firstTokens(t, m.Context)
		vectors, total = append(vectors, embed(t, m.Embedding, q.Dimensions)), total+min(n, m.Context)
	}
	x.row.Answered, x.row.PromptTokens = q.Model, total
	out := map[string]any{"model": q.Model, "embeddings": vectors}
	if x.has(KindEmpty) {
		out["embeddings"] = [][]float32{}
	}
	if x.has(KindErrorIn200) {
		out = map[string]any{"error": runnerDied}
	}
	if total > 0 && !x.has(KindMissingUsage) {
		out["prompt_eval_count"], out["total_duration"] = total, int64(time.Duration(total)*promptPerToken)
	}
	x.respond(http.StatusOK, out)
}

func (x *exchange) ollamaEmbedOld() {
	q, m, p := x.readEmbed()
	if p != nil {
		x.refuse(*p)
		return
	}
	vector := []float32{}
	if q.Prompt != "" {
		vector = embed(q.Prompt, m.Embedding, 0)
	}
	x.row.Answered, x.row.PromptTokens = q.Model, tokens(q.Prompt)
	x.respond(http.StatusOK, map[string]any{"embedding": vector})
}

// embed makes a vector of unit length whose nearness to others follows the words and parts of words they share.
func embed(text string, size, dimensions int) []float32 {
	v := make([]float32, size)
	v[0] = 0.01 // an empty text has a direction too
	for _, w := range wordsOf(text) {
		bump(v, w.stem, 1)
		padded := "^" + w.fold + "$"
		for i := 0; i+3 <= len(padded); i++ {
			bump(v, padded[i:i+3], 0.25)
		}
	}
	if dimensions > 0 && dimensions < size {
		v = v[:dimensions]
	}
	var sum float64
	for _, f := range v {
		sum += float64(f) * float64(f)
	}
	if sum > 0 {
		scale := float32(1 / math.Sqrt(sum))
		for i := range v {
			v[i] *= scale
		}
	}
	return v
}

// bump adds weight to the place and with the sign that the feature's hash names.
func bump(v []float32, feature string, weight float32) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(feature))
	n := h.Sum64()
	if n>>63 == 1 {
		weight = -weight
	}
	v[n%uint64(len(v))] += weight
}
