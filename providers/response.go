package providers

import (
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// Response is what is known of an answer. Complete fills it in as far as it can even when it returns an error, because
// a failed call may have cost money.
type Response struct {
	Text  string
	Model string // as the provider names it, often a dated slug; prices are kept by the slug that was asked for

	// FinishReason is "stop", "length", "content_filter", "tool_calls", "error", or empty when the provider gave none
	// or one that is not known. "length" means that Text is cut: it is no fault here, and never fit to be repaired.
	FinishReason string

	Usage      growth.Usage
	UsageKnown bool // false: the provider counted nothing, and Usage is zero for want of knowledge

	CostUSD    *decimal.Decimal // as the provider reported it; nil: it did not
	Generation string           // the provider's own id of the request
	Simulated  bool             // the answer came from the simulator
	Latency    time.Duration    // from sending to the last byte, without any wait for a free slot
}

// SimulatorHeader marks every answer of the simulator.
const SimulatorHeader = "X-Astrogrowth-Simulator"

// finishReasons maps what hosts call the end of an answer to the few words of Response.FinishReason.
var finishReasons = map[string]string{
	"stop": "stop", "end_turn": "stop", "stop_sequence": "stop", "eos": "stop", "eos_token": "stop",
	"length": "length", "max_tokens": "length", "model_length": "length",
	"content_filter": "content_filter", "safety": "content_filter", "refusal": "content_filter",
	"tool_calls": "tool_calls", "tool_use": "tool_calls", "function_call": "tool_calls",
	"error": "error",
}
