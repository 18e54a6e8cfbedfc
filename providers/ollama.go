package providers

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// Ollama is the client for an Ollama server, by its native interface: the OpenAI-shaped one has no way to set the
// context length, and a prompt that does not fit would lose its beginning without a word.
type Ollama struct {
	wire  *wire
	slots chan struct{}
	local bool
}

// NewOllama returns a client for the Ollama server at s.BaseURL. It gives the server at most s.MaxInFlight requests at
// a time, because a server with a loaded model queues without bound and never says that it is busy.
func NewOllama(s Settings) *Ollama {
	base := dialable(s.baseURL(""))
	return &Ollama{
		wire:  newWire("ollama", base, s),
		slots: make(chan struct{}, max(s.MaxInFlight, 1)),
		local: ownMachine(base),
	}
}

// Name is the provider's name in routes, ledger and errors.
func (o *Ollama) Name() string { return "ollama" }

// Configured says whether there is an address.
func (o *Ollama) Configured() bool { return o.wire.base != "" }

// Local says whether the server's address is inside the installation: a loopback or private address, or a name that
// means nothing outside of its network. Ollama's own cloud is not.
func (o *Ollama) Local() bool { return o.local }

// ZeroRetention is as Local: what does not leave the installation is kept by nobody else.
func (o *Ollama) ZeroRetention() bool { return o.local }

// Complete sends one request and reads its answer, once one of the slots is free. The Response is filled in as far as
// known even when the error is not nil.
func (o *Ollama) Complete(ctx context.Context, req Request) (Response, error) {
	const op = "ollama.Complete"
	if err := o.admit(op, req); err != nil {
		return Response{Model: req.Model}, err
	}
	body, err := jsonObject(ollamaBody(req))
	if err != nil {
		return Response{Model: req.Model}, &growth.Error{Code: growth.Invalid, Op: op, Message: "the request is not JSON"}
	}
	began := o.wire.now()
	release, err := o.slot(ctx, op)
	if err != nil {
		return Response{Model: req.Model}, err
	}
	defer release()
	waited := o.wire.now().Sub(began)
	r, err := o.wire.send(ctx, message{
		method: http.MethodPost, path: "/api/chat", body: body, requestID: req.RequestID, limit: maxAnswer,
	})
	resp := r.response(req.Model, "")
	if r.status != 0 {
		if inner := o.read(r, &resp); err == nil {
			err = inner
		}
	}
	return resp, o.wire.seal(op, ownQueue(ctx, err, waited, r.latency), req.Messages)
}

// ownQueue takes the blame off a model that was given less time than our own queue had taken.
func ownQueue(ctx context.Context, err error, waited, worked time.Duration) error {
	e, ok := errors.AsType[*growth.Error](err)
	if !ok || e.Code != growth.Unavailable || ctx.Err() == nil || waited <= worked {
		return err
	}
	mild := *e
	mild.Scope, mild.Message = growth.ScopeNone, "our own queue took too long"
	return &mild
}

// slot waits until the server may be given one more request.
func (o *Ollama) slot(ctx context.Context, op string) (release func(), err error) {
	select {
	case o.slots <- struct{}{}:
		return func() { <-o.slots }, nil
	case <-ctx.Done():
		// Our own queue was too long; that speaks against no model.
		e := left(ended(ctx), growth.ScopeNone)
		e.Op = op
		return nil, e
	}
}

func (o *Ollama) admit(op string, req Request) error {
	if err := req.check(op); err != nil {
		return err
	}
	return o.mayServe(op, req.Model, req.ZeroRetention)
}

func (o *Ollama) mayServe(op, model string, zeroRetention bool) error {
	if !o.Configured() {
		return notConfigured(op)
	}
	if zeroRetention && !o.local {
		return growth.Errorf(growth.Refused, op, "the provider does not promise to keep nothing")
	}
	if o.local && inCloud(model) {
		return growth.Errorf(growth.Refused, op, "the model runs in Ollama's cloud, not on this server")
	}
	return nil
}

func (o *Ollama) read(r reply, resp *Response) error {
	if !r.ok() {
		return statusFault(r, o.wire.now())
	}
	return readOllama(r, resp, o.wire.now())
}

// Models lists what is on the server. Stubs of cloud models are left out: a prompt to them would leave the machine.
func (o *Ollama) Models(ctx context.Context) ([]Model, error) {
	const op = "ollama.Models"
	r, err := o.wire.send(ctx, message{method: http.MethodGet, path: "/api/tags", limit: maxCatalogue})
	if err == nil && !r.ok() {
		err = statusFault(r, o.wire.now())
	}
	if err != nil {
		return nil, o.wire.seal(op, err, nil)
	}
	var list struct {
		Models []struct {
			Name       word `json:"name"`
			RemoteHost word `json:"remote_host"`
			Details    struct {
				Context number `json:"context_length"`
			} `json:"details"`
		} `json:"models"`
	}
	if json.Unmarshal(r.body, &list) != nil {
		return nil, o.wire.seal(op, broken.fault("the list of models is not readable"), nil)
	}
	var models []Model
	for _, m := range list.Models {
		if m.Name == "" || o.local && (m.RemoteHost != "" || inCloud(string(m.Name))) {
			continue
		}
		models = append(models, Model{
			ID: string(m.Name), ContextLength: m.Details.Context.count(), PriceKnown: o.local, Structured: true,
		})
	}
	return models, nil
}

// inCloud tells a tag of Ollama's cloud, which a local server passes on: "x:cloud" or "x:120b-cloud".
func inCloud(model string) bool {
	_, tag, _ := strings.Cut(model, ":")
	return tag == "cloud" || strings.HasSuffix(tag, "-cloud")
}

// dialable replaces the address that a server listens on by one that can be called.
func dialable(base string) string {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() != "0.0.0.0" {
		return base
	}
	u.Host = strings.Replace(u.Host, "0.0.0.0", "127.0.0.1", 1)
	return u.String()
}

// ownMachine fails closed: an address that is not known to be inside is outside.
func ownMachine(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
	}
	if host != "" && !strings.Contains(host, ".") {
		return true // "localhost", or a neighbour in a network of containers
	}
	for _, suffix := range []string{".localhost", ".local", ".internal", ".lan", ".home.arpa"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}
