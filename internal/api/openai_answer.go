package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/router"
)

// ChatCompletion is a whole answer.
type ChatCompletion struct {
	ID      string       `json:"id" example:"chatcmpl-0193…"`
	Object  string       `json:"object" enum:"chat.completion"`
	Created int64        `json:"created" doc:"Unix seconds"`
	Model   string       `json:"model" doc:"Who answered, as provider/model"`
	Choices []ChatChoice `json:"choices"`
	Usage   ChatUsage    `json:"usage"`
	Routing Routing      `json:"astrogrowth"`
}

// ChatChoice is the one choice that is made.
type ChatChoice struct {
	Index        int        `json:"index"`
	Message      ChatAnswer `json:"message"`
	FinishReason string     `json:"finish_reason" enum:"stop,length,content_filter"`
	Logprobs     *string    `json:"logprobs"`
}

// ChatAnswer is the model's turn.
type ChatAnswer struct {
	Role    string  `json:"role" enum:"assistant"`
	Content string  `json:"content"`
	Refusal *string `json:"refusal"`
}

// ChatUsage counts tokens.
type ChatUsage struct {
	PromptTokens      int          `json:"prompt_tokens"`
	CompletionTokens  int          `json:"completion_tokens"`
	TotalTokens       int          `json:"total_tokens"`
	PromptDetails     CachedTokens `json:"prompt_tokens_details"`
	CompletionDetails ThoughtOver  `json:"completion_tokens_details"`
}

// CachedTokens tells how much of the prompt the provider had read before.
type CachedTokens struct {
	Cached int `json:"cached_tokens"`
}

// ThoughtOver tells how much of the answer was thought and not said.
type ThoughtOver struct {
	Reasoning int `json:"reasoning_tokens"`
}

// Routing says who gave an answer, what it cost, and what became of the candidates before. It is ours: other clients
// ignore it, and headers say the same.
type Routing struct {
	Provider         string        `json:"provider"`
	Model            string        `json:"model"`
	Cached           string        `json:"cached" enum:"no,exact,near,semantic"`
	Simulated        bool          `json:"simulated"`
	CostUSD          *string       `json:"cost_usd" doc:"Of all calls together, as an exact decimal; null when nobody knows"`
	CostProvenance   string        `json:"cost_provenance" enum:"reported,priced,unknown"`
	FallbackAttempts int           `json:"fallback_attempts"`
	Calls            []growth.Call `json:"calls"`
}

func routingOf(a router.Answer) Routing {
	out := Routing{
		Provider: a.Provider, Model: a.Model, Cached: string(a.Cached), Simulated: a.Simulated, CostProvenance: string(a.Cost.Provenance),
		FallbackAttempts: a.FallbackAttempts, Calls: a.Calls,
	}
	if a.Cost.USD != nil {
		cost := a.Cost.USD.String()
		out.CostUSD = &cost
	}
	if out.Calls == nil {
		out.Calls = []growth.Call{}
	}
	return out
}

func wholeCompletion(a router.Answer) ChatCompletion {
	return ChatCompletion{
		ID: "chatcmpl-" + growth.NewID(), Object: "chat.completion", Created: time.Now().Unix(), Model: a.Provider + "/" + a.Model,
		Choices: []ChatChoice{{Message: ChatAnswer{Role: "assistant", Content: a.Text}, FinishReason: finishOf(a)}},
		Usage:   usageOf(a.Usage), Routing: routingOf(a),
	}
}

// finishOf is never empty: clients take an answer without one for unfinished.
func finishOf(a router.Answer) string {
	switch a.FinishReason {
	case "length", "content_filter":
		return a.FinishReason
	}
	return "stop"
}

func usageOf(u growth.Usage) ChatUsage {
	return ChatUsage{
		PromptTokens: u.PromptTokens, CompletionTokens: u.CompletionTokens, TotalTokens: u.PromptTokens + u.CompletionTokens,
		PromptDetails: CachedTokens{u.CachedTokens}, CompletionDetails: ThoughtOver{u.ReasoningTokens},
	}
}

const routingHeader = "X-Astrogrowth-"

// setRouting says in headers what is known when an answer begins.
func setRouting(h http.Header, a router.Answer) {
	h.Set(routingHeader+"Provider", a.Provider)
	h.Set(routingHeader+"Model", a.Model)
	h.Set(routingHeader+"Cached", string(a.Cached))
	h.Set(routingHeader+"Simulated", strconv.FormatBool(a.Simulated))
	h.Set(routingHeader+"Fallback-Attempts", strconv.Itoa(a.FallbackAttempts))
	var ids []string
	for _, c := range a.Calls {
		ids = append(ids, string(c.ID))
	}
	if len(ids) > 0 {
		h.Set(routingHeader+"Call-Ids", strings.Join(ids, ","))
	}
}

// setCost says in headers what is known when an answer has ended.
func setCost(h http.Header, a router.Answer) {
	h.Set(routingHeader+"Cost-Provenance", string(a.Cost.Provenance))
	if a.Cost.USD != nil {
		h.Set(routingHeader+"Cost-Usd", a.Cost.USD.String())
	}
}
