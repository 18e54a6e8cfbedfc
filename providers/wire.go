package providers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	maxAnswer    = 8 << 20  // bytes of an answer that are read
	maxCatalogue = 32 << 20 // bytes of a list of models that are read
	maxDuration  = 10 * time.Minute
)

// wire sends one request to one provider and reads one bounded answer. The key is held behind a function because fmt
// would print a plain unexported field.
type wire struct {
	name   string
	base   string
	key    func() string
	client *http.Client
	header http.Header
	now    func() time.Time
}

func newWire(name, base string, s Settings) *wire {
	key := strings.TrimSpace(s.Key)
	return &wire{
		name: name, base: base, key: func() string { return key }, client: s.client(), header: http.Header{}, now: time.Now,
	}
}

// reply is an answer as it came off the wire, whatever its status.
type reply struct {
	status  int
	header  http.Header
	body    []byte
	latency time.Duration
}

func (r reply) ok() bool { return r.status >= 200 && r.status < 300 }

func (r reply) html() bool {
	if strings.HasPrefix(strings.ToLower(r.header.Get("Content-Type")), "text/html") {
		return true
	}
	return bytes.HasPrefix(bytes.TrimSpace(r.body), []byte("<"))
}

// response starts the Response that the decoders fill in. The id that stands in a header is known even when the body
// is lost.
func (r reply) response(model, idHeader string) Response {
	resp := Response{Model: model, Latency: r.latency}
	if r.header != nil {
		resp.Simulated = r.header.Get(SimulatorHeader) != ""
		resp.Generation = r.header.Get(idHeader)
	}
	return resp
}

// message is one request as it goes out.
type message struct {
	method, path string
	body         []byte
	requestID    string
	limit        int64
	accept       string // empty: "application/json"
}

func (m message) accepts() string {
	if m.accept == "" {
		return "application/json"
	}
	return m.accept
}

// send makes exactly one request. The reply is filled in as far as it came, also beside an error: a cut answer may have
// been paid for and its headers name it.
func (w *wire) send(ctx context.Context, m message) (reply, error) {
	if err := ctx.Err(); err != nil {
		return reply{}, left(ended(ctx), growth.ScopeNone)
	}
	// A host can keep a 200 alive for ever by sending blanks, so no call goes without an end.
	bounded, cancel := context.WithTimeout(ctx, maxDuration)
	defer cancel()
	start := w.now()
	resp, err := w.open(bounded, m)
	if err != nil {
		return reply{latency: w.now().Sub(start)}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := readBounded(resp.Body, m.limit)
	r := reply{status: resp.StatusCode, header: resp.Header, body: body, latency: w.now().Sub(start)}
	if err != nil && r.ok() {
		return r, bodyFault(bounded, err)
	}
	return r, nil // a fault is told by its status, even when its text was cut
}

// open sends a request and returns its answer with the body unread; ctx must have an end.
func (w *wire) open(ctx context.Context, m message) (*http.Response, error) {
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := w.request(traced, m)
	if err != nil {
		return nil, &growth.Error{
			Code: growth.Unavailable, Scope: growth.ScopeProvider, Message: "the provider's address is not usable",
		}
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, transportFault(ctx, err, connected.Load())
	}
	return resp, nil
}

func (w *wire) request(ctx context.Context, m message) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, m.method, w.base+m.path, bytes.NewReader(m.body))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, w.header)
	req.Header.Set("Accept", m.accepts())
	req.Header.Set("User-Agent", "astrogrowth")
	if len(m.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if key := w.key(); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if sendable(m.requestID) {
		req.Header.Set("X-Request-Id", m.requestID)
	}
	return req, nil
}

// sendable says whether an id may stand in a header as it is.
func sendable(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	return strings.IndexFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

var errAnswerTooBig = errors.New("answer is too big")

func readBounded(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(body)) > limit {
		return body[:limit], errAnswerTooBig
	}
	return body, err
}

// seal finishes an error for the caller: it gains the operation, and what the provider said loses the key and every
// piece of the prompt.
func (w *wire) seal(op string, err error, messages []growth.Message) error {
	e, ok := errors.AsType[*growth.Error](err)
	if !ok {
		return err
	}
	sealed := *e
	sealed.Op = op
	if said, ok := errors.AsType[*saying](e.Err); ok {
		clean := *said
		clean.text = scrub(said.text, w.key(), messages)
		clean.kind = scrub(said.kind, w.key(), messages)
		sealed.Err = &clean
	}
	return &sealed
}
