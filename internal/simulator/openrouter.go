package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (s *Server) routesOpenRouter() {
	const base = "/openrouter/api/v1"
	s.mux.HandleFunc("POST "+base+"/chat/completions", s.handle(OpenRouter, "chat", (*exchange).openRouterChat))
	s.mux.HandleFunc("POST "+base+"/embeddings", s.handle(OpenRouter, "embed", (*exchange).openRouterEmbed))
	s.mux.HandleFunc("GET "+base+"/models", s.handle(OpenRouter, "models", (*exchange).openRouterModels))
	s.mux.HandleFunc("GET "+base+"/key", s.handle(OpenRouter, "key", (*exchange).openRouterKey))
	s.mux.HandleFunc("GET "+base+"/auth/key", s.handle(OpenRouter, "key", (*exchange).openRouterKey))
	s.mux.HandleFunc("GET "+base+"/credits", s.handle(OpenRouter, "key", (*exchange).openRouterCredits))
	s.mux.HandleFunc("GET "+base+"/generation", s.handle(OpenRouter, "key", (*exchange).openRouterGeneration))
	s.mux.HandleFunc("/openrouter/", s.notThere(OpenRouter))
}

// routerWishes are the preferences by which OpenRouter chooses among the hosts of a model.
type routerWishes struct {
	RequireParameters bool   `json:"require_parameters"`
	DataCollection    string `json:"data_collection"`
	ZDR               bool   `json:"zdr"`
}

// openRouterCall is a chat request whose model was found.
type openRouterCall struct {
	chat
	model *routerModel
	id    string
	at    int64
}

func (x *exchange) openRouterChat() {
	if !x.openRouterKeyed() {
		return
	}
	var q openAIRequest
	if err := json.Unmarshal(x.body, &q); err != nil {
		x.refuse(problem{status: http.StatusBadRequest, message: "Invalid JSON in the request body", kind: "invalid_request"})
		return
	}
	if fault := q.fault(); fault != "" {
		x.refuse(problem{status: http.StatusBadRequest, message: fault, kind: "invalid_request"})
		return
	}
	m, p := x.s.chooseRouterModel(q)
	if p != nil {
		x.refuse(*p)
		return
	}
	if m.free() && !x.admitFree() {
		return
	}
	call := openRouterCall{chat: q.chat(), model: m, at: x.started.Unix()}
	call.id = "gen-" + strconv.FormatInt(call.at, 10) + "-" + x.s.dice.word(20)
	x.row.Answered, x.row.Generation = m.canonical(), call.id
	x.w.Header().Set("X-Generation-Id", call.id)
	th := x.think(call.chat, m.rate())
	if q.Stream {
		x.openRouterStream(call, th)
		return
	}
	x.openRouterAnswer(call, th)
}

// openRouterKeyed refuses requests without a key, and keys that say of themselves that they are dead.
func (x *exchange) openRouterKeyed() bool {
	token, ok := x.bearer()
	switch {
	case !ok || token == "":
		x.refuse(problem{status: http.StatusUnauthorized, message: "Missing Authentication header"})
	case strings.HasPrefix(token, "sim-revoked"):
		x.refuse(problem{status: http.StatusUnauthorized})
	default:
		return true
	}
	return false
}

func (m *routerModel) rate() rate {
	return rate{prompt: m.Prompt, completion: m.Completion, cached: m.CacheRead}
}

// chooseRouterModel walks the model of the request and its fallbacks to the first that can serve it; the problem is
// that of the last.
func (s *Server) chooseRouterModel(q openAIRequest) (*routerModel, *problem) {
	wanted := q.Models
	if q.Model != "" {
		wanted = append([]string{q.Model}, q.Models...)
	}
	last := &problem{status: http.StatusBadRequest, message: "No models provided", kind: "invalid_request"}
	for _, slug := range wanted {
		m, p := s.serveRouterModel(slug, q)
		if p == nil {
			return m, nil
		}
		last = p
	}
	return nil, last
}

func (s *Server) serveRouterModel(slug string, q openAIRequest) (*routerModel, *problem) {
	m := s.catalogue.routerModel(slug)
	if m == nil {
		return nil, &problem{status: http.StatusBadRequest, message: slug + " is not a valid model ID", kind: "invalid_request"}
	}
	if m.Means != "" {
		m = s.catalogue.routerModel(m.Means)
	}
	switch {
	case m.Gone == "no_endpoints": // the shape that was in use before August 2026
		return nil, &problem{status: http.StatusNotFound, message: "No endpoints found for " + slug + "."}
	case m.Gone == "free_variant_ended":
		return nil, unavailable(slug, m.Gone, "This model has no free endpoints any more.")
	case m.Gone != "":
		return nil, unavailable(slug, m.Gone, "This model was retired by its maker.")
	case m.Retains && (q.Provider.ZDR || q.Provider.DataCollection == "deny"):
		return nil, unavailable(slug, "privacy_restricted", "No endpoints found matching your data policy.")
	case m.Unstructured && q.Provider.RequireParameters && q.ResponseFormat.Type == "json_schema":
		return nil, unavailable(slug, "constraint_filtered", "No endpoints found that support all parameters of the request.")
	}
	if need := promptTokens(q.chat().turns) + q.chat().maxTokens; need > m.Context {
		return nil, &problem{status: http.StatusBadRequest, kind: "context_length_exceeded", message: fmt.Sprintf(
			"This endpoint's maximum context length is %d tokens. However, you requested about %d tokens. Please reduce the length of either one.", m.Context, need)}
	}
	return m, nil
}

func unavailable(slug, code, message string) *problem {
	return &problem{status: http.StatusNotFound, model: slug, availability: code, message: message}
}

func (x *exchange) openRouterAnswer(c openRouterCall, th thought) {
	x.pause(th.took)
	if x.has(KindErrorIn200) {
		x.openRouterErrorIn200(c, th)
		return
	}
	finish, native := th.finish, "completed"
	if th.text == "" {
		x.chargeNothing() // the zero-completion insurance
		th.cost, finish, native = x.row.CostUSD, "", ""
	}
	out := c.envelope("chat.completion")
	out["system_fingerprint"], out["service_tier"] = nil, "default"
	out["choices"] = []any{map[string]any{
		"index": 0, "logprobs": nil, "finish_reason": orNull(finish), "native_finish_reason": orNull(native),
		"message": map[string]any{"role": "assistant", "content": th.text, "refusal": nil, "reasoning": nil},
	}}
	if !x.has(KindMissingUsage) {
		out["usage"] = c.usage(th)
	}
	x.respond(http.StatusOK, out)
}

func (c openRouterCall) envelope(object string) map[string]any {
	return map[string]any{
		"id": c.id, "object": object, "created": c.at, "model": c.model.canonical(), "provider": c.model.Host,
	}
}

func (c openRouterCall) usage(th thought) map[string]any {
	r := c.model.rate()
	cost := rawNumber(th.cost.String())
	return map[string]any{
		"prompt_tokens": th.prompt, "completion_tokens": th.completion, "total_tokens": th.prompt + th.completion,
		"cost": cost, "is_byok": false,
		"prompt_tokens_details": map[string]int{"cached_tokens": th.cached, "cache_write_tokens": 0, "audio_tokens": 0, "video_tokens": 0},
		"cost_details": map[string]any{
			"upstream_inference_cost":             cost,
			"upstream_inference_prompt_cost":      rawNumber(th.cost.Sub(r.of(0, th.completion)).String()),
			"upstream_inference_completions_cost": rawNumber(r.of(0, th.completion).String()),
		},
		"completion_tokens_details": map[string]int{"reasoning_tokens": 0, "image_tokens": 0, "audio_tokens": 0},
	}
}

// openRouterErrorIn200 is a provider that failed after the 200 had been committed. It is not billed.
func (x *exchange) openRouterErrorIn200(c openRouterCall, th thought) {
	x.chargeNothing()
	x.row.FinishReason = "error"
	inner := map[string]any{
		"code": orDefault(x.fault.Params.Status, http.StatusBadGateway), "message": "Provider disconnected",
		"metadata": map[string]any{"error_type": "provider_unavailable"},
	}
	if x.fault.Params.Hint != HintChoice {
		x.respond(http.StatusOK, map[string]any{"error": inner, "user_id": "user_simulated"})
		return
	}
	part, _ := firstTokens(th.text, th.completion/2)
	out := c.envelope("chat.completion")
	out["choices"] = []any{map[string]any{
		"index": 0, "logprobs": nil, "finish_reason": "error", "native_finish_reason": "error", "error": inner,
		"message": map[string]any{"role": "assistant", "content": part, "refusal": nil, "reasoning": nil},
	}}
	x.respond(http.StatusOK, out)
}

func (c openRouterCall) chunk(piece, finish string) map[string]any {
	out := c.envelope("chat.completion.chunk")
	native := ""
	if finish != "" {
		native = "completed"
	}
	out["choices"] = []any{map[string]any{
		"index": 0, "delta": map[string]any{"role": "assistant", "content": piece},
		"finish_reason": orNull(finish), "native_finish_reason": orNull(native),
	}}
	return out
}

func (x *exchange) openRouterStream(c openRouterCall, th thought) {
	e := sse{x}
	e.open()
	e.comment("OPENROUTER PROCESSING")
	x.keepStreamAlive()
	for piece := range x.pieces(th, c.model.rate()) {
		e.send(c.chunk(piece, ""))
	}
	switch {
	case x.row.Canceled, x.has(KindCutJSON):
		e.tear(c.chunk(th.text, ""))
		x.abort()
	case x.has(KindErrorIn200):
		x.chargeNothing()
		x.record()
		last := c.chunk("", "error")
		last["error"] = map[string]any{
			"code": http.StatusBadGateway, "message": "Provider disconnected",
			"metadata": map[string]any{"error_type": "provider_unavailable"},
		}
		e.send(last)
		return
	case th.text == "":
		x.chargeNothing()
		th.cost = x.row.CostUSD
	}
	x.record()
	e.send(c.chunk("", th.finish))
	if !x.has(KindMissingUsage) {
		// Recordings show the usage beside an empty delta that repeats the finish, not with empty choices.
		last := c.chunk("", th.finish)
		last["usage"] = c.usage(th)
		e.send(last)
	}
	e.done()
}

// structuredParameters lists what a model's host obeys.
func (m *routerModel) structuredParameters() []string {
	p := []string{"temperature", "top_p", "max_tokens", "stop", "seed", "response_format"}
	if !m.Unstructured {
		p = slices.Concat(p, []string{"structured_outputs"})
	}
	return p
}
