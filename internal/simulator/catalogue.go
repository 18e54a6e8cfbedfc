package simulator

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/shopspring/decimal"
)

// models.json holds the models that the simulated providers serve and those that they no longer do. Its prices are the
// simulator's own: what a client pays here must not depend on the price list that the client brings.
//
//go:embed models.json
var modelsJSON []byte

// rate is what a token costs, in US dollars. A host whose cached is zero keeps no prompts in memory.
type rate struct{ prompt, completion, cached decimal.Decimal }

func (r rate) of(prompt, completion int) decimal.Decimal {
	return r.prompt.Mul(decimal.NewFromInt(int64(prompt))).Add(r.completion.Mul(decimal.NewFromInt(int64(completion))))
}

// cost is what an answer costs; the part of the prompt that the host had in memory is cheaper.
func (r rate) cost(th thought) decimal.Decimal {
	return r.of(th.prompt, th.completion).Sub(r.prompt.Sub(r.cached).Mul(decimal.NewFromInt(int64(th.cached))))
}

// routerModel is a model at OpenRouter; its prices are per token.
type routerModel struct {
	ID            string          `json:"id"`
	Canonical     string          `json:"canonical"`
	Aliases       []string        `json:"aliases"`
	Means         string          `json:"means"` // a router's choice
	Name          string          `json:"name"`
	Created       int64           `json:"created"`
	Context       int             `json:"context"`
	MaxCompletion int             `json:"max_completion"`
	Prompt        decimal.Decimal `json:"prompt"`
	Completion    decimal.Decimal `json:"completion"`
	CacheRead     decimal.Decimal `json:"cache_read"`
	Host          string          `json:"host"`
	Expires       string          `json:"expires"`
	Gone          string          `json:"gone"`         // why it is not served any more
	Retains       bool            `json:"retains"`      // its host keeps prompts
	Unstructured  bool            `json:"unstructured"` // its host ignores JSON schemas
}

func (m *routerModel) canonical() string {
	if m.Canonical != "" {
		return m.Canonical
	}
	return m.ID
}

// hubHost serves a model behind the Hugging Face router; its prices are per million tokens, nil when it tells none.
type hubHost struct {
	Name       string           `json:"name"`
	Context    int              `json:"context"`
	Input      *decimal.Decimal `json:"input"`
	Output     *decimal.Decimal `json:"output"`
	Tools      bool             `json:"tools"`
	Structured bool             `json:"structured"`
}

// rate is zero where the host tells no price: such hosts are paid by subscription.
func (h *hubHost) rate() rate {
	if h.Input == nil || h.Output == nil {
		return rate{}
	}
	return rate{prompt: h.Input.Shift(-6), completion: h.Output.Shift(-6)}
}

// hubModel is a model behind the Hugging Face router.
type hubModel struct {
	ID         string    `json:"id"`
	Created    int64     `json:"created"`
	Gone       string    `json:"gone"`
	PinnedOnly bool      `json:"pinned_only"` // answers only when the request names the host
	Hosts      []hubHost `json:"hosts"`
}

// localModel is a model that lies on the Ollama machine.
type localModel struct {
	Name         string   `json:"name"`
	Size         int64    `json:"size"`
	Digest       string   `json:"digest"`
	Family       string   `json:"family"`
	Parameters   string   `json:"parameters"`
	Context      int      `json:"context"`
	Embedding    int      `json:"embedding"`
	Capabilities []string `json:"capabilities"`
}

// catalogue is what the simulated providers serve.
type catalogue struct {
	Version     string         `json:"version"`
	OpenRouter  []*routerModel `json:"openrouter"`
	Embeddings  []*vectorModel `json:"openrouter_embeddings"`
	HuggingFace []*hubModel    `json:"huggingface"`
	Ollama      []*localModel  `json:"ollama"`
}

// builtinCatalogue panics on a file that does not parse: it is part of the binary, and the tests read it.
var builtinCatalogue = sync.OnceValue(func() *catalogue {
	c := &catalogue{}
	if err := json.Unmarshal(modelsJSON, c); err != nil {
		panic(fmt.Sprintf("simulator: models.json: %v", err))
	}
	return c
})

// routing suffixes choose among the hosts of one model; ":free" is a model of its own.
var routingSuffixes = []string{":nitro", ":floor", ":online", ":thinking", ":extended", ":exacto"}

// routerModel finds a model by its slug, its dated slug or an alias; nil when there is none.
func (c *catalogue) routerModel(slug string) *routerModel {
	for _, suffix := range routingSuffixes {
		slug = strings.TrimSuffix(slug, suffix)
	}
	for _, m := range c.OpenRouter {
		if m.ID == slug {
			return m
		}
	}
	for _, m := range c.OpenRouter {
		if m.Canonical == slug && slug != "" {
			return m
		}
		if slices.Contains(m.Aliases, slug) {
			return m
		}
	}
	return nil
}

// hubModel finds a model by its id without the host; nil when there is none.
func (c *catalogue) hubModel(id string) *hubModel {
	for _, m := range c.HuggingFace {
		if strings.EqualFold(m.ID, id) {
			return m
		}
	}
	return nil
}

// localModel finds a model by its name; a name without a tag means ":latest".
func (c *catalogue) localModel(name string) *localModel {
	if !strings.Contains(name, ":") {
		name += ":latest"
	}
	for _, m := range c.Ollama {
		if strings.EqualFold(m.Name, name) {
			return m
		}
	}
	return nil
}
