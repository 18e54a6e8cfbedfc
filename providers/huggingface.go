package providers

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// HuggingFace is the client for the Hugging Face router.
type HuggingFace struct{ *Compatible }

// NewHuggingFace returns a client for the Hugging Face router. It needs a token. It cannot promise zero retention: the
// router passes a prompt to whichever host it picks.
func NewHuggingFace(s Settings) *HuggingFace {
	return &HuggingFace{NewCompatible(CompatibleConfig{
		Name:      "huggingface",
		BaseURL:   "https://router.huggingface.co/v1",
		Settings:  s,
		IDHeader:  "X-Request-Id",
		Catalogue: huggingFaceModels,
	})}
}

// Whoami asks Hugging Face whether the token in use is one of its own. The router does not say: its list of models is
// open to everybody. It costs nothing. known is false where another address than Hugging Face's own is configured, and
// that one has no such call.
func (h *HuggingFace) Whoami(ctx context.Context) (known bool, err error) {
	const op = "huggingface.Whoami"
	if !h.Configured() {
		return false, notConfigured(op)
	}
	hub := *h.wire
	hub.base = hubOf(h.wire.base)
	r, err := hub.send(ctx, message{method: http.MethodGet, path: "/api/whoami-v2", limit: maxAnswer})
	if err == nil && (r.status == http.StatusNotFound || r.status == http.StatusMethodNotAllowed) {
		return false, nil
	}
	if err == nil && !r.ok() {
		err = statusFault(r, hub.now())
	}
	return err == nil, hub.seal(op, err, nil)
}

// hubOf is the address that answers for accounts: the router's own has a neighbour for that, any other is asked itself.
func hubOf(router string) string {
	u, err := url.Parse(router)
	if err != nil {
		return router
	}
	u.Path, u.RawQuery = "", ""
	if u.Host == "router.huggingface.co" {
		u.Host = "huggingface.co"
	}
	return u.String()
}

type huggingFaceHost struct {
	Provider   word   `json:"provider"`
	Status     word   `json:"status"`
	Context    number `json:"context_length"`
	Free       bool   `json:"is_free"`
	Structured bool   `json:"supports_structured_output"`
	Pricing    struct {
		Input  json.RawMessage `json:"input"` // USD per million tokens
		Output json.RawMessage `json:"output"`
	} `json:"pricing"`
}

func (h huggingFaceHost) price() (Price, bool) {
	in, out := amount(h.Pricing.Input), amount(h.Pricing.Output)
	if in != nil && out != nil {
		return Price{Prompt: *in, Completion: *out}, true
	}
	return Price{}, h.Free
}

// huggingFaceModels reads one entry as several: the bare id, for which the router picks a host, and one pinned id for
// each live host. An entry without a live host is no model that can be asked for.
func huggingFaceModels(entry json.RawMessage) []Model {
	var m struct {
		ID    word              `json:"id"`
		Hosts []huggingFaceHost `json:"providers"`
	}
	_ = json.Unmarshal(entry, &m) // a member of an unexpected type leaves the others read
	if m.ID == "" {
		return nil
	}
	var pinned []Model
	for _, host := range m.Hosts {
		if host.Provider == "" || host.Status != "live" {
			continue
		}
		price, known := host.price()
		pinned = append(pinned, Model{
			ID: string(m.ID + ":" + host.Provider), ContextLength: host.Context.count(),
			Price: price, PriceKnown: known, Structured: host.Structured,
		})
	}
	if len(pinned) == 0 {
		return nil
	}
	return append([]Model{anyHost(string(m.ID), pinned)}, pinned...)
}

// anyHost is the bare id: as much as every host gives, and a price only when all of them ask the same, because the
// answer does not say who gave it.
func anyHost(id string, hosts []Model) Model {
	bare := hosts[0]
	bare.ID = id
	for _, host := range hosts[1:] {
		bare.ContextLength = min(bare.ContextLength, host.ContextLength)
		bare.Structured = bare.Structured && host.Structured
		if !host.PriceKnown || !bare.PriceKnown || !host.Price.equal(bare.Price) {
			bare.Price, bare.PriceKnown = Price{}, false
		}
	}
	return bare
}
