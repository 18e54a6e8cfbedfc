package simulator

import (
	"encoding/json"
	"iter"
	"time"

	"github.com/shopspring/decimal"
)

// turn is one message of a conversation, its parts joined to one text.
type turn struct {
	Role    string
	Content string
}

// chat is a request for an answer, in words that all providers share.
type chat struct {
	turns     []turn
	schema    json.RawMessage // nil: free text
	jsonMode  bool            // any JSON object
	maxTokens int             // 0: no limit
	stop      []string
	stream    bool
}

// thought is an answer before it is put into a provider's shape.
type thought struct {
	text       string
	finish     string // "stop" or "length"
	prompt     int
	completion int
	cached     int // of the prompt
	cost       decimal.Decimal
	took       time.Duration // what a model of this speed would have needed
}

// think finds the answer to c, lets the faults of content befall it, and enters what it costs into the row.
func (x *exchange) think(c chat, price rate) thought {
	q := question{
		turns: c.turns, schema: c.schema, jsonMode: c.jsonMode, maxTokens: c.maxTokens, stop: c.stop, rubrics: &x.s.rubrics,
		gullible: x.has(KindGullible),
	}
	if x.has(KindCareless) {
		q.careless = &x.fault.Params
	}
	a := answer(q)
	th := thought{text: a.text, finish: a.finish, prompt: promptTokens(c.turns)}
	switch {
	case x.has(KindEmpty):
		th.text = ""
	case x.has(KindInvalidAnswer):
		th.text = spoil(th.text, x.fault.Params.Hint)
	}
	th.completion = tokens(th.text)
	if !price.cached.IsZero() {
		th.cached = x.s.prompts.remember(x.row.Answered, c.turns)
	}
	th.cost = price.cost(th)
	th.took = time.Duration(th.completion) * x.s.perToken
	x.row.Stream = c.stream
	x.charge(th)
	return th
}

// charge writes into the row what the answer th has cost.
func (x *exchange) charge(th thought) {
	x.row.PromptTokens, x.row.CompletionTokens, x.row.CachedTokens = th.prompt, th.completion, th.cached
	x.row.CostUSD, x.row.FinishReason = th.cost, th.finish
}

// chargeNothing is for answers that a provider does not bill.
func (x *exchange) chargeNothing() { x.row.CostUSD = decimal.Zero }

// spoil makes an answer that does not fit what was asked for.
func spoil(text, hint string) string {
	switch hint {
	case HintProse:
		return "Sure! Here is what I found. The request is interesting and deserves a closer look."
	case HintFence:
		if len(text) > 1 && text[len(text)-1] == '}' {
			text = text[:len(text)-1] + ",\n}"
		}
		return "```json\n" + text + "\n```"
	}
	return `{"unexpected":["this object has none of the required properties"],"criteria":"none","score":"high"}`
}

const pieceTokens = 4

// pieces yields the answer in the portions in which it is streamed, at the speed of the model. It ends early when the
// client leaves, and under the fault cut_json halfway; the row is then charged with what was sent.
func (x *exchange) pieces(th thought, price rate) iter.Seq[string] {
	return func(yield func(string) bool) {
		rest, sent, size := th.text, 0, tokens(th.text)
		for n := 0; rest != ""; n++ {
			piece, _ := firstTokens(rest, pieceTokens)
			if x.stallsAt(n) {
				x.stall()
			}
			if x.breaksAt(n, sent, size) || x.row.Canceled || !x.wait(time.Duration(tokens(piece))*x.s.perToken) {
				x.chargePart(th, price, sent)
				return
			}
			if !yield(piece) {
				return
			}
			rest, sent = rest[len(piece):], sent+tokens(piece)
		}
	}
}

func (x *exchange) chargePart(th thought, price rate, sent int) {
	th.completion, th.finish = sent, ""
	th.cost = price.cost(th)
	x.charge(th)
}
