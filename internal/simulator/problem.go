package simulator

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

// problem is an error before a provider has put it into its own words.
type problem struct {
	status       int
	message      string // empty: what the provider usually says with this status
	model        string
	kind         string        // provider's own word for the error, or the hint of a fault
	wait         time.Duration // when the body has to say how long to wait
	availability string        // OpenRouter: why a known model has no endpoint
	code         string        // LinkedIn: the code; Hugging Face: likewise
	service      int           // LinkedIn: serviceErrorCode
}

// body is the error as the provider writes it; nil: without a body.
func (p problem) body(provider string) any {
	switch provider {
	case OpenRouter:
		return p.openRouter()
	case HuggingFace:
		return p.huggingFace()
	case Ollama:
		return p.ollama()
	case LinkedIn:
		return p.linkedIn()
	}
	return map[string]any{"error": p.message}
}

func (p problem) text(usual map[int]string) string {
	if p.message != "" {
		return p.message
	}
	if t, ok := usual[p.status]; ok {
		return t
	}
	if t := http.StatusText(p.status); t != "" {
		return t
	}
	return "error " + strconv.Itoa(p.status)
}

var openRouterTexts = map[int]string{
	400: "Provider returned error", 401: "User not found.", 403: "This request was flagged by moderation.",
	402: "This request requires more credits, or fewer max_tokens. You requested up to 4096 tokens, but can only afford 120.",
	404: "No endpoints found.", 408: "Request timed out", 413: "Request body too large", 429: "Provider returned error",
	500: "Internal Server Error", 502: "Provider returned error", 503: "No instances available", 504: "Upstream timed out",
	524: "Upstream did not answer in time", 529: "Provider overloaded",
}

var openRouterTypes = map[int]string{
	400: "invalid_request", 401: "authentication", 402: "payment_required", 403: "permission_denied", 404: "not_found",
	408: "timeout", 412: "precondition_failed", 413: "payload_too_large", 422: "unprocessable", 429: "rate_limit_exceeded",
	500: "server", 502: "provider_unavailable", 503: "provider_overloaded", 504: "timeout", 524: "timeout", 529: "provider_overloaded",
}

// openRouter has two shapes: since August 2026 what concerns a model's availability says http_status instead of code.
func (p problem) openRouter() any {
	if p.availability != "" {
		return map[string]any{"error": map[string]any{
			"message": p.text(openRouterTexts), "error_type": openRouterTypes[p.status], "http_status": p.status,
			"availability": map[string]any{"code": p.availability, "retryable": false, "requested_models": []string{p.model}},
		}}
	}
	kind := openRouterTypes[p.status]
	if p.status == http.StatusBadRequest && p.kind != "" {
		kind = p.kind
	}
	meta := map[string]any{}
	if kind != "" {
		meta["error_type"] = kind
	}
	message := p.text(openRouterTexts)
	if p.status == http.StatusForbidden {
		meta["reasons"], meta["flagged_input"] = []string{"policy"}, ""
	}
	if p.status == http.StatusTooManyRequests && p.kind == HintDaily {
		message = "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day"
	} else if p.status == http.StatusTooManyRequests && p.kind != freePerMinute {
		meta["provider_name"], meta["is_byok"] = "Simulated", false
		meta["raw"] = p.model + " is temporarily rate-limited upstream."
	}
	if p.wait > 0 {
		seconds := int(math.Ceil(p.wait.Seconds()))
		meta["retry_after_seconds"] = seconds
		meta["headers"] = map[string]string{"Retry-After": strconv.Itoa(seconds)}
	}
	return map[string]any{
		"error":   map[string]any{"code": p.status, "message": message, "metadata": meta},
		"user_id": "user_simulated",
	}
}

var huggingFaceTexts = map[int]string{
	401: "Invalid username or password.",
	402: "You have depleted your monthly included credits. Purchase pre-paid credits to continue using Inference Providers.",
	403: "This authentication method does not have sufficient permissions to call Inference Providers on behalf of user simulated",
	404: "Not Found", 429: "Too many requests, slow down.", 500: "Internal Server Error", 502: "Bad Gateway",
	503: "Service Unavailable", 504: "Gateway Timeout",
}

// huggingFace writes the error as a string where the router itself speaks and as an object where a provider does.
func (p problem) huggingFace() any {
	message := p.text(huggingFaceTexts)
	switch {
	case p.status == http.StatusServiceUnavailable && p.wait > 0:
		return map[string]any{"error": "Model " + p.model + " is currently loading", "estimated_time": p.wait.Seconds()}
	case p.code != "":
		return map[string]any{"error": map[string]any{
			"message": message, "type": "invalid_request_error", "param": "model", "code": p.code,
		}}
	case p.status == http.StatusTooManyRequests && p.wait > 0:
		return map[string]any{"error": map[string]any{"message": message, "retry_after_seconds": p.wait.Seconds()}}
	case p.status == http.StatusBadRequest && p.kind == "", p.status == 401, p.status == 402, p.status == 403, p.status == 503:
		return map[string]any{"error": message}
	}
	return map[string]any{"error": map[string]any{"message": message}}
}

var ollamaTexts = map[int]string{
	400: "invalid request", 401: "unauthorized", 404: "model not found", 429: "usage limit reached",
	500: "llama runner process has terminated: signal: killed", 502: "cloud is unreachable",
	503: "server busy, please try again.  maximum pending requests exceeded",
}

func (p problem) ollama() any {
	switch p.status {
	case http.StatusForbidden:
		return nil
	case http.StatusUnauthorized:
		return map[string]any{"error": p.text(ollamaTexts), "signin_url": "https://ollama.com/connect"}
	case http.StatusNotFound:
		if p.message == "" {
			p.message = "model '" + p.model + "' not found"
		}
	}
	if p.wait > 0 {
		return map[string]any{"error": p.text(ollamaTexts), "retry_after_seconds": p.wait.Seconds()}
	}
	return map[string]any{"error": p.text(ollamaTexts)}
}

var linkedInTexts = map[int]string{
	401: "Invalid access token", 403: "Not enough permissions to access: partnerApiPosts.CREATE.20260801",
	404: "Could not find entity", 409: "Write conflict", 426: "Requested version 20250701 is not active",
	429: "Resource level throttle APPLICATION DAY limit for calls to this resource is reached.",
	500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}

var linkedInCodes = map[int]string{
	400: "ILLEGAL_ARGUMENT", 401: "INVALID_ACCESS_TOKEN", 403: "ACCESS_DENIED", 404: "NOT_FOUND", 409: "CONFLICT",
	422: "UNPROCESSABLE_ENTITY", 426: "NONEXISTENT_VERSION", 429: "TOO_MANY_REQUESTS", 500: "INTERNAL_SERVER_ERROR",
}

var linkedInServiceCodes = map[int]int{401: 65600, 403: 100, 429: 101}

func (p problem) linkedIn() any {
	out := map[string]any{"status": p.status, "message": p.text(linkedInTexts)}
	code := p.code
	if code == "" {
		code = linkedInCodes[p.status]
	}
	if code != "" {
		out["code"] = code
	}
	service := p.service
	if service == 0 {
		service = linkedInServiceCodes[p.status]
	}
	if service != 0 {
		out["serviceErrorCode"] = service
	}
	return out
}

// rawNumber is an exact decimal as a JSON number.
func rawNumber(s string) json.RawMessage { return json.RawMessage(s) }
