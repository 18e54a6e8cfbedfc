package api

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/router"
)

const (
	maxInputs      = 2048
	embedModelName = "astro/embedding" // stands for the installation's own
)

// EmbeddingRequest asks for the vectors of texts.
type EmbeddingRequest struct {
	Model          string          `json:"model" doc:"astro/embedding is the installation's own (EMBED_MODEL); else provider/model" example:"astro/embedding"`
	Input          json.RawMessage `json:"input" doc:"A text or a list of up to 2048"`
	Dimensions     *int            `json:"dimensions,omitempty" minimum:"1"`
	EncodingFormat string          `json:"encoding_format,omitempty" enum:"float,base64" doc:"base64 is of little-endian 32-bit numbers"`
	User           string          `json:"user,omitempty"`
}

// EmbeddingList is the answer.
type EmbeddingList struct {
	Object string      `json:"object" enum:"list"`
	Model  string      `json:"model"`
	Data   []Embedding `json:"data"`
	Usage  struct {
		PromptTokens int `json:"prompt_tokens"`
		TotalTokens  int `json:"total_tokens"`
	} `json:"usage"`
}

// Embedding is the vector of one text: a list of numbers, or one text in base64.
type Embedding struct {
	Object    string `json:"object" enum:"embedding"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"`
}

func (a *api) postEmbeddings(w http.ResponseWriter, r *http.Request) error {
	var q EmbeddingRequest
	if err := readOpenAI(w, r, &q); err != nil {
		return err
	}
	req, err := a.embedRequest(r, q)
	if err != nil {
		return err
	}
	got, err := a.Router.Embed(r.Context(), req)
	if growth.CodeOf(err) == growth.NotFound {
		return noSuchModel(q.Model)
	}
	if err != nil {
		return err
	}
	h := w.Header()
	ans := router.Answer{Provider: got.Provider, Model: got.Model, Cached: router.CachedNo, Simulated: got.Simulated, Cost: got.Cost, Calls: got.Calls}
	if got.Cached == len(got.Vectors) {
		ans.Cached = router.CachedExact
	}
	setRouting(h, ans)
	setCost(h, ans)
	h.Set("Content-Type", "application/json")
	out := EmbeddingList{Object: "list", Model: got.Provider + "/" + got.Model, Data: make([]Embedding, len(got.Vectors))}
	out.Usage.PromptTokens, out.Usage.TotalTokens = got.Usage.PromptTokens, got.Usage.TotalTokens
	for i, v := range got.Vectors {
		out.Data[i] = Embedding{Object: "embedding", Index: i, Embedding: v}
		if q.EncodingFormat == "base64" {
			out.Data[i].Embedding = packed(v)
		}
	}
	writeJSON(w, out)
	return nil
}

func (a *api) embedRequest(r *http.Request, q EmbeddingRequest) (router.EmbedRequest, error) {
	req := router.EmbedRequest{
		Workspace: who(r.Context()).Workspace, Key: who(r.Context()).KeyID, Model: q.Model, Cache: router.CacheExact, RequestID: daemon.RequestID(r.Context()),
	}
	_, bare, _ := strings.Cut(a.EmbedModel, "/")
	switch q.Model {
	case "":
		return req, badParam("model", "you must provide a model parameter: astro/embedding, or provider/model")
	case embedModelName, bare:
		req.Model = a.EmbedModel
	}
	if q.EncodingFormat != "" && q.EncodingFormat != "float" && q.EncodingFormat != "base64" {
		return req, badParam("encoding_format", "encoding_format is float or base64")
	}
	if q.Dimensions != nil {
		if req.Dimensions = *q.Dimensions; req.Dimensions < 1 {
			return req, badParam("dimensions", "dimensions is a positive number")
		}
	}
	var err error
	if req.Inputs, err = inputTexts(q.Input); err != nil {
		return req, err
	}
	ws, err := a.Store.In(req.Workspace).Workspace(r.Context())
	req.Privacy = ws.Settings.Privacy
	return req, err
}

// inputTexts reads one text or many. Lists of token numbers, which that API takes too, mean nothing to other models.
func inputTexts(raw json.RawMessage) ([]string, error) {
	var one string
	var many []string
	switch raw = bytes.TrimSpace(raw); {
	case len(raw) == 0 || string(raw) == "null":
		return nil, badParam("input", "give a text or a list of texts")
	case raw[0] == '"':
		if json.Unmarshal(raw, &one) == nil {
			many = []string{one}
		}
	case json.Unmarshal(raw, &many) != nil:
		return nil, unsupported("input", "input is a text or a list of texts; lists of tokens are not supported")
	}
	if len(many) == 0 || len(many) > maxInputs {
		return nil, badParam("input", "give from 1 to 2048 texts")
	}
	for _, text := range many {
		if strings.TrimSpace(text) == "" {
			return nil, badParam("input", "a text is empty, and an empty text has no vector")
		}
	}
	return many, nil
}

// packed is a vector as base64 of its little-endian numbers.
func packed(v []float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return base64.StdEncoding.EncodeToString(b)
}
