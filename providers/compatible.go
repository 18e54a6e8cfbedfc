package providers

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"

	growth "github.com/zakibelm/astrogrowth"
)

// CompatibleConfig describes a provider that has the shape of OpenAI's chat completions: its name, its address, and
// the few points in which it differs.
type CompatibleConfig struct {
	Name     string // as routes, ledger and errors call it
	BaseURL  string // its public address, used when Settings has none; /chat/completions is added to it
	Settings Settings
	Headers  map[string]string // sent with every request

	// IDHeader is the header in which the provider names its own id of the request, beside the answer's. Optional.
	IDHeader string

	// Adapt adds to a request's body what only this provider understands. Optional.
	Adapt func(req Request, body map[string]any)

	// Catalogue reads one entry of the "data" list of GET /models. Optional; the default takes the id alone.
	Catalogue func(entry json.RawMessage) []Model

	Embeds        bool // it serves POST /embeddings
	Structured    bool // its models hold to a JSON Schema; for the default Catalogue, whose entries do not say
	Keyless       bool // it needs no key
	Local         bool // it runs on the installation's own machines
	ZeroRetention bool // it can promise, per request, to keep nothing
}

// Compatible is a client for any provider in OpenAI's shape. It is safe for concurrent use.
type Compatible struct {
	cfg  CompatibleConfig
	wire *wire
}

// NewCompatible returns the client that cfg describes. It opens no connection.
func NewCompatible(cfg CompatibleConfig) *Compatible {
	w := newWire(cfg.Name, cfg.Settings.baseURL(cfg.BaseURL), cfg.Settings)
	for name, value := range cfg.Headers {
		if value != "" {
			w.header.Set(name, value)
		}
	}
	cfg.Settings.Key = "" // the wire holds it; a second copy would only be one more to leak
	cfg.Headers = maps.Clone(cfg.Headers)
	return &Compatible{cfg: cfg, wire: w}
}

// Name is the provider's name in routes, ledger and errors.
func (c *Compatible) Name() string { return c.cfg.Name }

// Configured says whether there is an address and, where one is needed, a key.
func (c *Compatible) Configured() bool {
	return c.wire.base != "" && (c.cfg.Keyless || c.wire.key() != "")
}

// Local says whether a prompt stays on the installation's own machines.
func (c *Compatible) Local() bool { return c.cfg.Local }

// ZeroRetention says whether the provider can promise to keep nothing of a request that asks for it.
func (c *Compatible) ZeroRetention() bool { return c.cfg.ZeroRetention }

// Complete sends one request and reads its answer. The Response is filled in as far as known even when the error is
// not nil; the error is a *growth.Error whose text holds neither the key nor the prompt.
func (c *Compatible) Complete(ctx context.Context, req Request) (Response, error) {
	op := c.cfg.Name + ".Complete"
	if err := c.admit(op, req); err != nil {
		return Response{Model: req.Model}, err
	}
	body, err := jsonObject(c.body(req))
	if err != nil {
		return Response{Model: req.Model}, &growth.Error{Code: growth.Invalid, Op: op, Message: "the request is not JSON"}
	}
	r, err := c.wire.send(ctx, message{
		method: http.MethodPost, path: "/chat/completions", body: body, requestID: req.RequestID, limit: maxAnswer,
	})
	resp := r.response(req.Model, c.cfg.IDHeader)
	if r.status != 0 {
		if inner := c.read(r, &resp); err == nil {
			err = inner
		}
	}
	return resp, c.wire.seal(op, err, req.Messages)
}

// admit refuses what must not be sent: the request's own faults, and promises that this provider cannot keep.
func (c *Compatible) admit(op string, req Request) error {
	if err := req.check(op); err != nil {
		return err
	}
	return c.mayServe(op, req.ZeroRetention)
}

func (c *Compatible) mayServe(op string, zeroRetention bool) error {
	if !c.Configured() {
		return notConfigured(op)
	}
	if zeroRetention && !c.cfg.ZeroRetention {
		return growth.Errorf(growth.Refused, op, "the provider does not promise to keep nothing")
	}
	return nil
}

func notConfigured(op string) error {
	return &growth.Error{
		Code: growth.KeyRejected, Scope: growth.ScopeProvider, Op: op, Message: "the provider is not configured",
	}
}

func (c *Compatible) read(r reply, resp *Response) error {
	if !r.ok() {
		return statusFault(r, c.wire.now())
	}
	return readChat(r, resp, c.wire.now())
}

func (c *Compatible) body(req Request) map[string]any {
	body := map[string]any{"model": req.Model, "messages": req.Messages, "stream": false}
	if req.Temperature != nil {
		body["temperature"] = *req.Temperature
	}
	if req.TopP != nil {
		body["top_p"] = *req.TopP
	}
	if req.MaxTokens > 0 {
		body["max_tokens"] = req.MaxTokens
	}
	if len(req.Stop) > 0 {
		body["stop"] = req.Stop
	}
	if req.Seed != nil {
		body["seed"] = *req.Seed
	}
	if req.Schema != nil {
		body["response_format"] = map[string]any{
			"type": "json_schema",
			"json_schema": map[string]any{
				"name": req.schemaName(), "strict": strict(req.Schema), "schema": req.Schema,
			},
		}
	}
	if c.cfg.Adapt != nil {
		c.cfg.Adapt(req, body)
	}
	return body
}

// Models reads the live catalogue.
func (c *Compatible) Models(ctx context.Context) ([]Model, error) {
	op := c.cfg.Name + ".Models"
	r, err := c.wire.send(ctx, message{method: http.MethodGet, path: "/models", limit: maxCatalogue})
	if err == nil && !r.ok() {
		err = statusFault(r, c.wire.now())
	}
	if err != nil {
		return nil, c.wire.seal(op, err, nil)
	}
	var list struct {
		Data []json.RawMessage `json:"data"`
	}
	if json.Unmarshal(r.body, &list) != nil || list.Data == nil {
		return nil, c.wire.seal(op, broken.fault("the list of models is not readable"), nil)
	}
	read := c.cfg.Catalogue
	if read == nil {
		read = c.idOnly
	}
	var models []Model
	for _, entry := range list.Data {
		models = append(models, read(entry)...)
	}
	return models, nil
}
