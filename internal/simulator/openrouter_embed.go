package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/shopspring/decimal"
)

// vectorModel makes vectors at OpenRouter; its price is per token.
type vectorModel struct {
	ID      string          `json:"id"`
	Context int             `json:"context"`
	Size    int             `json:"size"`
	Prompt  decimal.Decimal `json:"prompt"`
}

// openRouterEmbed answers with vectors of the same kind as the simulated Ollama's.
func (x *exchange) openRouterEmbed() {
	if !x.openRouterKeyed() {
		return
	}
	var q embedRequest
	if err := json.Unmarshal(x.body, &q); err != nil {
		x.refuse(problem{status: http.StatusBadRequest, message: "Invalid JSON in the request body", kind: "invalid_request"})
		return
	}
	texts, err := q.texts()
	if err != nil || len(texts) == 0 || slices.Contains(texts, "") {
		x.refuse(problem{status: http.StatusBadRequest, message: "input: give a text or a list of texts, none of them empty", kind: "invalid_request"})
		return
	}
	i := slices.IndexFunc(x.s.catalogue.Embeddings, func(m *vectorModel) bool { return m.ID == q.Model })
	if i < 0 {
		x.refuse(problem{status: http.StatusBadRequest, message: q.Model + " is not a valid model ID", kind: "invalid_request"})
		return
	}
	x.answerVectors(x.s.catalogue.Embeddings[i], texts, q.Dimensions)
}

func (x *exchange) answerVectors(m *vectorModel, texts []string, dimensions int) {
	data, total := []any{}, 0
	for i, text := range texts {
		n := tokens(text)
		if n > m.Context {
			x.refuse(problem{
				status: http.StatusBadRequest, kind: "context_length_exceeded",
				message: fmt.Sprintf("This model's maximum context length is %d tokens, and input %d has %d.", m.Context, i, n),
			})
			return
		}
		total += n
		data = append(data, map[string]any{"object": "embedding", "index": i, "embedding": embed(text, m.Size, dimensions)})
	}
	id := "gen-emb-" + x.s.dice.word(20)
	cost := m.Prompt.Mul(decimal.NewFromInt(int64(total)))
	x.row.Answered, x.row.PromptTokens, x.row.CostUSD, x.row.Generation = m.ID, total, cost, id
	x.w.Header().Set("X-Generation-Id", id)
	if x.has(KindErrorIn200) {
		x.chargeNothing()
		x.respond(http.StatusOK, map[string]any{"error": map[string]any{"code": http.StatusBadGateway, "message": "Provider disconnected"}})
		return
	}
	out := map[string]any{"id": id, "object": "list", "model": m.ID, "data": data}
	if x.has(KindEmpty) {
		out["data"] = []any{}
	}
	if !x.has(KindMissingUsage) {
		out["usage"] = map[string]any{"prompt_tokens": total, "total_tokens": total, "cost": rawNumber(cost.String())}
	}
	x.respond(http.StatusOK, out)
}
