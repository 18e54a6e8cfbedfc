package providers

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// chatAnswer is a completion in OpenAI's shape. Members that hosts write in several types are read loosely, so that an
// oddity in one of them does not lose an answer that was paid for.
type chatAnswer struct {
	ID      word            `json:"id"`
	Model   word            `json:"model"`
	Choices []chatChoice    `json:"choices"`
	Usage   *chatUsage      `json:"usage"`
	Error   json.RawMessage `json:"error"`
}

type chatChoice struct {
	FinishReason word            `json:"finish_reason"`
	Message      chatMessage     `json:"message"`
	Error        json.RawMessage `json:"error"`
}

type chatMessage struct {
	Content content `json:"content"`
	Refusal word    `json:"refusal"`
}

type chatUsage struct {
	PromptTokens     number          `json:"prompt_tokens"`
	CompletionTokens number          `json:"completion_tokens"`
	TotalTokens      number          `json:"total_tokens"`
	Cost             json.RawMessage `json:"cost"`
	BYOK             bool            `json:"is_byok"`
	CostDetails      struct {
		Upstream json.RawMessage `json:"upstream_inference_cost"`
	} `json:"cost_details"`
	PromptDetails struct {
		Cached number `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		Reasoning number `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

// content is an answer's text: a string, null, or a list of parts of which some are text.
type content string

// UnmarshalJSON reads any of the forms and never fails.
func (c *content) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*c = content(s)
		return nil
	}
	var parts []struct {
		Text word `json:"text"`
	}
	if json.Unmarshal(b, &parts) == nil {
		for _, part := range parts {
			*c += content(part.Text)
		}
	}
	return nil
}

// generationID finds the id in an answer that was cut before its end: by it the cost can still be asked for.
var generationID = regexp.MustCompile(`"id"\s*:\s*"([^"\\]{1,128})"`)

// readChat fills resp in from a 200 and returns the fault that it carries, if any. A 200 is committed before the model
// has finished, so everything that can go wrong later is inside it.
func readChat(r reply, resp *Response, now time.Time) error {
	if r.html() {
		return unwell.fault("the provider answered with a page")
	}
	var a chatAnswer
	if err := json.Unmarshal(r.body, &a); err != nil && !json.Valid(r.body) {
		if m := generationID.FindSubmatch(r.body[:min(len(r.body), 4096)]); m != nil && resp.Generation == "" {
			resp.Generation = string(m[1])
		}
		return broken.fault("the answer is not whole JSON")
	}
	a.fill(resp)
	if says(a.Error) {
		return innerFault(parseError(a.Error), r, now)
	}
	if len(a.Choices) == 0 {
		return broken.fault("the answer holds no choice")
	}
	return a.Choices[0].fault(resp, r, now)
}

func (a chatAnswer) fill(resp *Response) {
	if a.ID != "" {
		resp.Generation = string(a.ID)
	}
	if a.Model != "" {
		resp.Model = string(a.Model)
	}
	if a.Usage != nil {
		a.Usage.fill(resp)
	}
	if len(a.Choices) > 0 {
		resp.Text = string(a.Choices[0].Message.Content)
		resp.FinishReason = finishReasons[strings.ToLower(string(a.Choices[0].FinishReason))]
	}
}

func (c chatChoice) fault(resp *Response, r reply, now time.Time) error {
	empty := strings.TrimSpace(resp.Text) == ""
	switch {
	case says(c.Error):
		return innerFault(parseError(c.Error), r, now)
	case resp.FinishReason == "error":
		return broken.fault("the model failed before the end of the answer")
	case resp.FinishReason == "content_filter":
		return refused.fault("the answer was held back by a content filter")
	case empty && c.Message.Refusal != "":
		return refused.fault("the model declined to answer")
	case empty && resp.FinishReason == "":
		return broken.fault("the answer is empty and has no end") // the host died before the first token
	case empty:
		return useless.fault("the answer is empty")
	}
	return nil
}

func (u chatUsage) fill(resp *Response) {
	resp.CostUSD = u.cost()
	resp.UsageKnown = u.PromptTokens.known || u.CompletionTokens.known
	if !resp.UsageKnown {
		return
	}
	resp.Usage = growth.Usage{
		PromptTokens:     u.PromptTokens.count(),
		CompletionTokens: u.CompletionTokens.count(),
		TotalTokens:      u.TotalTokens.count(),
		CachedTokens:     min(u.PromptDetails.Cached.count(), u.PromptTokens.count()),
		ReasoningTokens:  min(u.CompletionDetails.Reasoning.count(), u.CompletionTokens.count()),
	}
	if resp.Usage.TotalTokens == 0 {
		resp.Usage.TotalTokens = resp.Usage.PromptTokens + resp.Usage.CompletionTokens
	}
}

// cost is what the request cost its owner. With a key of the owner's own at the upstream, the reported cost is the
// router's fee only, and what the upstream charged comes on top.
func (u chatUsage) cost() *decimal.Decimal {
	cost := amount(u.Cost)
	if cost == nil || !u.BYOK {
		return cost
	}
	upstream := amount(u.CostDetails.Upstream)
	if upstream == nil {
		return nil // the fee alone would look like the whole
	}
	sum := cost.Add(*upstream)
	return &sum
}

// jsonObject marshals without escaping <, > and &, so that prompts keep their length and their words.
func jsonObject(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
