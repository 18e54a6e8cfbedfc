package providers

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// EmbedRequest asks one model for the vectors of some texts.
type EmbedRequest struct {
	Model         string
	Inputs        []string // none of them blank
	Dimensions    int      // 0: as many as the model has
	ZeroRetention bool
	RequestID     string
}

// Embeddings are the vectors of an EmbedRequest's inputs, in their order.
type Embeddings struct {
	Vectors  [][]float32
	Response Response // without a text
}

func (r EmbedRequest) check(op string) error {
	switch {
	case strings.TrimSpace(r.Model) == "":
		return growth.InvalidField(op, "model", "a model is needed")
	case len(r.Inputs) == 0:
		return growth.InvalidField(op, "input", "at least one text is needed")
	case slices.ContainsFunc(r.Inputs, func(text string) bool { return strings.TrimSpace(text) == "" }):
		return growth.InvalidField(op, "input", "a text is empty, and an empty text has no vector")
	case r.Dimensions < 0:
		return growth.InvalidField(op, "dimensions", "the number of dimensions is negative")
	}
	return nil
}

// asMessages gives seal what must not be quoted in an error.
func (r EmbedRequest) asMessages() []growth.Message {
	out := make([]growth.Message, len(r.Inputs))
	for i, text := range r.Inputs {
		out[i].Content = text
	}
	return out
}

// Embed sends one request for vectors. The Response is filled in as far as known even when the error is not nil.
func (c *Compatible) Embed(ctx context.Context, req EmbedRequest) (Embeddings, error) {
	op := c.cfg.Name + ".Embed"
	out := Embeddings{Response: Response{Model: req.Model}}
	err := req.check(op)
	if err == nil {
		err = c.mayServe(op, req.ZeroRetention)
	}
	if err == nil && !c.cfg.Embeds {
		err = growth.Errorf(growth.ModelGone, op, "the provider serves no embeddings")
	}
	if err != nil {
		return out, err
	}
	body := map[string]any{"model": req.Model, "input": req.Inputs, "encoding_format": "float"}
	if req.Dimensions > 0 {
		body["dimensions"] = req.Dimensions
	}
	if c.cfg.Adapt != nil {
		c.cfg.Adapt(Request{Model: req.Model, ZeroRetention: req.ZeroRetention}, body)
	}
	err = c.wire.embed(ctx, "/embeddings", c.cfg.IDHeader, body, req, &out, readVectors)
	return out, c.wire.seal(op, err, req.asMessages())
}

// Embed sends one request for vectors, once one of the slots is free. A text that does not fit the model is an error,
// not a shorter text.
func (o *Ollama) Embed(ctx context.Context, req EmbedRequest) (Embeddings, error) {
	const op = "ollama.Embed"
	out := Embeddings{Response: Response{Model: req.Model}}
	err := req.check(op)
	if err == nil {
		err = o.mayServe(op, req.Model, req.ZeroRetention)
	}
	if err != nil {
		return out, err
	}
	release, err := o.slot(ctx, op)
	if err != nil {
		return out, err
	}
	defer release()
	body := map[string]any{"model": req.Model, "input": req.Inputs, "truncate": false}
	if req.Dimensions > 0 {
		body["dimensions"] = req.Dimensions
	}
	err = o.wire.embed(ctx, "/api/embed", "", body, req, &out, readOllamaVectors)
	return out, o.wire.seal(op, err, req.asMessages())
}

// embed makes the request and checks what came: a vector for each text, all of one length.
func (w *wire) embed(ctx context.Context, path, idHeader string, body map[string]any, req EmbedRequest, out *Embeddings, read func(reply, *Embeddings) (fault, error)) error {
	raw, err := jsonObject(body)
	if err != nil {
		return growth.Errorf(growth.Invalid, "", "the request is not JSON")
	}
	r, err := w.send(ctx, message{method: http.MethodPost, path: path, body: raw, requestID: req.RequestID, limit: maxCatalogue})
	out.Response = r.response(req.Model, idHeader)
	switch {
	case err != nil:
		return err
	case !r.ok():
		return statusFault(r, w.now())
	case r.html():
		return unwell.fault("the provider answered with a page")
	}
	f, err := read(r, out)
	if err != nil {
		return broken.fault("the answer is not whole JSON")
	}
	if f.text != "" || len(f.kinds) > 0 || f.status != 0 {
		return innerFault(f, r, w.now())
	}
	return out.check(len(req.Inputs))
}

func (e Embeddings) check(want int) error {
	if len(e.Vectors) != want || want == 0 {
		return useless.fault("the answer does not hold a vector for each text")
	}
	for _, v := range e.Vectors {
		if len(v) == 0 || len(v) != len(e.Vectors[0]) {
			return useless.fault("the vectors of the answer are not of one length")
		}
	}
	return nil
}

func readVectors(r reply, out *Embeddings) (fault, error) {
	var a struct {
		ID    word `json:"id"`
		Model word `json:"model"`
		Data  []struct {
			Index  number    `json:"index"`
			Vector []float32 `json:"embedding"`
		} `json:"data"`
		Usage *chatUsage      `json:"usage"`
		Error json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(r.body, &a); err != nil {
		return fault{}, err
	}
	named(&out.Response, a.ID, a.Model)
	if a.Usage != nil {
		a.Usage.fill(&out.Response)
	}
	if says(a.Error) {
		return parseError(a.Error), nil
	}
	out.Vectors = make([][]float32, len(a.Data))
	for i, d := range a.Data {
		if d.Index.known {
			i = min(d.Index.count(), len(a.Data)-1)
		}
		out.Vectors[i] = d.Vector
	}
	return fault{}, nil
}

func readOllamaVectors(r reply, out *Embeddings) (fault, error) {
	var a struct {
		Model   word            `json:"model"`
		Vectors [][]float32     `json:"embeddings"`
		Prompt  number          `json:"prompt_eval_count"`
		Error   json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(r.body, &a); err != nil {
		return fault{}, err
	}
	named(&out.Response, "", a.Model)
	out.Response.UsageKnown = a.Prompt.known
	out.Response.Usage = growth.Usage{PromptTokens: a.Prompt.count(), TotalTokens: a.Prompt.count()}
	if says(a.Error) {
		return parseError(a.Error), nil
	}
	out.Vectors = a.Vectors
	return fault{}, nil
}

func named(resp *Response, id, model word) {
	if id != "" {
		resp.Generation = string(id)
	}
	if model != "" {
		resp.Model = string(model)
	}
}
