package providers

import (
	"encoding/json"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	defaultPredict = 2048 // tokens, where the caller sets no limit; Ollama's own default is none
	minContext     = 4096
	maxContext     = 131072
)

func ollamaBody(req Request) map[string]any {
	predict := req.MaxTokens
	if predict == 0 {
		predict = defaultPredict
	}
	options := map[string]any{"num_predict": predict, "num_ctx": contextFor(req.Messages, predict)}
	if req.Temperature != nil {
		options["temperature"] = *req.Temperature
	}
	if req.TopP != nil {
		options["top_p"] = *req.TopP
	}
	if req.Seed != nil {
		options["seed"] = *req.Seed
	}
	if len(req.Stop) > 0 {
		options["stop"] = req.Stop
	}
	body := map[string]any{
		"model":    req.Model,
		"messages": req.Messages,
		"stream":   false,
		"truncate": false, // a prompt that does not fit is an error, not a shorter prompt
		"options":  options,
	}
	if req.Schema != nil {
		body["format"] = req.Schema
	}
	return body
}

// contextFor is the smallest context, in powers of two, that surely holds prompt and answer. Three bytes to a token is
// on the safe side for French and English. Few sizes, because each change makes the server load the model again.
func contextFor(messages []growth.Message, predict int) int {
	need := min(predict, maxContext)
	for _, m := range messages {
		need += len(m.Content)/3 + 16
	}
	size := minContext
	for size < need && size < maxContext {
		size *= 2
	}
	return size
}

type ollamaAnswer struct {
	Model   word            `json:"model"`
	Message chatMessage     `json:"message"`
	Done    bool            `json:"done"`
	Reason  word            `json:"done_reason"`
	Prompt  number          `json:"prompt_eval_count"` // left out when zero
	Output  number          `json:"eval_count"`
	Error   json.RawMessage `json:"error"`
}

// readOllama fills resp in from a 200 and returns the fault that it carries, if any.
func readOllama(r reply, resp *Response, now time.Time) error {
	if r.html() {
		return unwell.fault("the provider answered with a page")
	}
	var a ollamaAnswer
	if err := json.Unmarshal(r.body, &a); err != nil && !json.Valid(r.body) {
		return broken.fault("the answer is not whole JSON")
	}
	a.fill(resp)
	return a.fault(resp, r, now)
}

// fault is what is wrong with an answer whose last object is a.
func (a ollamaAnswer) fault(resp *Response, r reply, now time.Time) error {
	empty := strings.TrimSpace(resp.Text) == ""
	switch {
	case says(a.Error):
		return innerFault(parseError(a.Error), r, now)
	case !a.Done:
		return broken.fault("the answer has no end")
	case a.Reason == "load" || a.Reason == "unload":
		return useless.fault("the model was loaded but not asked")
	case empty:
		return useless.fault("the answer is empty")
	}
	return nil
}

func (a ollamaAnswer) fill(resp *Response) {
	if a.Model != "" {
		resp.Model = string(a.Model)
	}
	resp.Text = string(a.Message.Content)
	resp.FinishReason = finishReasons[strings.ToLower(string(a.Reason))]
	resp.UsageKnown = a.Prompt.known || a.Output.known
	resp.Usage = growth.Usage{
		PromptTokens:     a.Prompt.count(),
		CompletionTokens: a.Output.count(),
		TotalTokens:      a.Prompt.count() + a.Output.count(),
	}
}
