package simulator

import (
	"net/http"
	"strconv"
	"strings"
)

// openRouterModels lists the models that are served; it needs no key.
func (x *exchange) openRouterModels() {
	served := []any{}
	for _, m := range x.s.catalogue.OpenRouter {
		if m.Gone == "" {
			served = append(served, m.listing())
		}
	}
	q := x.r.URL.Query()
	total := len(served)
	if n, err := strconv.Atoi(q.Get("offset")); err == nil && n > 0 {
		served = served[min(n, len(served)):]
	}
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n > 0 {
		served = served[:min(n, len(served))]
	}
	x.respond(http.StatusOK, map[string]any{"data": served, "links": map[string]any{"next": nil}, "total_count": total})
}

func (m *routerModel) listing() map[string]any {
	pricing := map[string]string{
		"prompt": m.Prompt.String(), "completion": m.Completion.String(), "request": "0", "image": "0",
	}
	if !m.CacheRead.IsZero() {
		pricing["input_cache_read"] = m.CacheRead.String()
	}
	longest := any(nil)
	if m.MaxCompletion > 0 {
		longest = m.MaxCompletion
	}
	return map[string]any{
		"id": m.ID, "canonical_slug": m.canonical(), "name": m.Name, "created": m.Created, "context_length": m.Context,
		"architecture": map[string]any{
			"modality": "text->text", "input_modalities": []string{"text"}, "output_modalities": []string{"text"},
			"tokenizer": "Other", "instruct_type": nil,
		},
		"pricing":              pricing,
		"top_provider":         map[string]any{"context_length": m.Context, "max_completion_tokens": longest, "is_moderated": false},
		"per_request_limits":   nil,
		"supported_parameters": m.structuredParameters(),
		"default_parameters":   map[string]any{"temperature": nil},
		"expiration_date":      orNull(m.Expires),
	}
}

// openRouterKey describes the key in use. One whose name begins with "sim-free" has never bought credits.
func (x *exchange) openRouterKey() {
	if !x.openRouterKeyed() {
		return
	}
	token, _ := x.bearer()
	used := rawNumber(x.s.book.totals().Providers[OpenRouter].CostUSD.String())
	x.respond(http.StatusOK, map[string]any{"data": map[string]any{
		"label": "sk-or-v1-simulated", "limit": nil, "limit_remaining": nil, "limit_reset": nil,
		"usage": used, "usage_daily": used, "usage_weekly": used, "usage_monthly": used, "byok_usage": 0,
		"include_byok_in_limit": false, "is_free_tier": strings.HasPrefix(token, "sim-free"), "is_management_key": isManager(token),
		"expires_at": nil, "rate_limit": map[string]any{"requests": -1, "interval": "10s"},
	}})
}

// isManager tells management keys by their name.
func isManager(token string) bool { return strings.HasPrefix(token, "sim-management") }

// openRouterCredits answers management keys only, whose names begin with "sim-management".
func (x *exchange) openRouterCredits() {
	if !x.openRouterKeyed() {
		return
	}
	if token, _ := x.bearer(); !isManager(token) {
		x.refuse(problem{status: http.StatusForbidden, message: "Only management keys can fetch credits for an account"})
		return
	}
	used := rawNumber(x.s.book.totals().Providers[OpenRouter].CostUSD.String())
	x.respond(http.StatusOK, map[string]any{"data": map[string]any{"total_credits": 100, "total_usage": used}})
}

// openRouterGeneration tells what an answer has cost, also when its stream was cut.
func (x *exchange) openRouterGeneration() {
	if !x.openRouterKeyed() {
		return
	}
	id := x.r.URL.Query().Get("id")
	e, ok := x.s.book.generation(id)
	if !ok {
		x.refuse(problem{status: http.StatusNotFound, message: "Generation " + clip(id, 100) + " not found"})
		return
	}
	cost := rawNumber(e.CostUSD.String())
	x.respond(http.StatusOK, map[string]any{"data": map[string]any{
		"id": id, "model": e.Answered, "provider_name": "Simulated", "total_cost": cost, "usage": cost,
		"tokens_prompt": e.PromptTokens, "tokens_completion": e.CompletionTokens,
		"native_tokens_prompt": e.PromptTokens, "native_tokens_completion": e.CompletionTokens,
		"native_tokens_reasoning": 0, "native_tokens_cached": e.CachedTokens, "latency": e.LatencyMS, "generation_time": e.LatencyMS,
		"finish_reason": orNull(e.FinishReason), "native_finish_reason": orNull(e.FinishReason), "streamed": e.Stream,
		"cancelled": e.Canceled, "created_at": e.At, "upstream_id": nil, "cache_discount": nil, "is_byok": false, "router": nil,
	}})
}
