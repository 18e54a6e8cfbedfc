package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const maxBody = 8 << 20

// exchange is one request on its way to its answer, with its row of the book and the fault that befalls it.
type exchange struct {
	s        *Server
	w        http.ResponseWriter
	r        *http.Request
	body     []byte
	row      Entry
	fault    *Fault
	started  time.Time
	recorded bool
}

// handle gives every endpoint the same frame: read the body, pick the fault, wait, answer, and enter it into the book
// whatever happens.
func (s *Server) handle(provider, endpoint string, answer func(*exchange)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{s: s, w: w, r: r, started: s.now()}
		x.row = Entry{
			At: x.started.UTC(), Provider: provider, Endpoint: endpoint, Method: r.Method, Path: r.URL.Path,
			RequestID: clip(r.Header.Get("X-Request-Id"), 128),
		}
		defer x.record()
		if err := x.read(); err != nil {
			x.unreadable(err)
			return
		}
		delay, fault := s.faults.pick(provider, endpoint, x.row.Model)
		x.fault = fault
		if fault != nil {
			x.row.Fault = fault.Kind
		}
		x.pause(s.latency + delay)
		if x.failBefore() {
			return
		}
		answer(x)
	}
}

// read takes the body whole before anything else: only then does the server notice that a client has left.
func (x *exchange) read() error {
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxBody))
	x.body, x.row.BytesIn = body, len(body)
	var named struct {
		Model string `json:"model"`
	}
	if json.Unmarshal(body, &named) == nil {
		x.row.Model = clip(named.Model, 200)
	}
	return err
}

func (x *exchange) unreadable(err error) {
	status := http.StatusBadRequest
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		status = http.StatusRequestEntityTooLarge
	}
	x.refuse(problem{status: status, message: http.StatusText(status)})
}

// record enters the exchange into the book, once. It comes before the last byte of an answer, so that whoever has read
// an answer finds it in the book.
func (x *exchange) record() {
	if x.recorded {
		return
	}
	x.recorded = true
	x.row.LatencyMS = x.s.now().Sub(x.started).Milliseconds()
	x.row = x.s.book.add(x.row, x.body)
	x.s.log.Debug().Str("provider", x.row.Provider).Str("endpoint", x.row.Endpoint).Str("model", x.row.Model).
		Int("status", x.row.Status).Str("fault", x.row.Fault).Msg("simulated request")
}

// has says whether the fault of this exchange is of the given kind.
func (x *exchange) has(kind string) bool { return x.fault != nil && x.fault.Kind == kind }

// wait sleeps for d; it is false when the client left or the simulator is being closed meanwhile.
func (x *exchange) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-x.r.Context().Done():
	case <-x.s.done:
	}
	x.row.Canceled = true
	return false
}

// pause is wait for whom nothing is left to do when it fails.
func (x *exchange) pause(d time.Duration) {
	if !x.wait(d) {
		x.abort()
	}
}

// hang answers nothing until the client leaves or the simulator is closed, and then drops the connection.
func (x *exchange) hang() {
	select {
	case <-x.r.Context().Done():
	case <-x.s.done:
	}
	x.row.Canceled = true
	x.abort()
}

// abort ends the connection in the middle of an answer.
func (x *exchange) abort() {
	x.record()
	panic(http.ErrAbortHandler)
}

// refuse answers with an error in the provider's own shape.
func (x *exchange) refuse(p problem) {
	body := p.body(x.row.Provider)
	if body == nil {
		x.row.Status = p.status
		x.record()
		x.w.WriteHeader(p.status)
		return
	}
	x.respond(p.status, body)
}

// respond writes v as JSON, or as much of it as the fault lets through.
func (x *exchange) respond(status int, v any) {
	body := encode(v)
	x.row.Status = status
	h := x.w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	switch {
	case x.has(KindCutJSON):
		x.writeCut(status, body)
	case x.has(KindStall) && status == http.StatusOK:
		x.w.WriteHeader(status)
		x.stall()
		x.abort()
	case x.has(KindKeepAlive) && status == http.StatusOK:
		x.writeAfterBlanks(body)
	default:
		x.record()
		x.w.WriteHeader(status)
		_, _ = x.w.Write(body)
	}
}

// writeCut writes half of the body; with the hint "mismatch" the announced length is that of the whole.
func (x *exchange) writeCut(status int, body []byte) {
	half := body[:len(body)/2]
	x.record()
	if x.fault.Params.Hint == HintMismatch {
		x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	x.w.WriteHeader(status)
	_, _ = x.w.Write(half)
	if x.fault.Params.Hint == HintMismatch {
		x.flush()
		x.abort()
	}
}

// writeAfterBlanks sends the lines of spaces with which a gateway keeps a connection alive while a model thinks.
func (x *exchange) writeAfterBlanks(body []byte) {
	pause := time.Duration(x.fault.Params.LatencyMS) * time.Millisecond / keepAliveLines
	for range keepAliveLines {
		_, _ = x.w.Write([]byte("\n         \n"))
		x.flush()
		x.pause(pause)
	}
	x.record()
	_, _ = x.w.Write(body)
}

const keepAliveLines = 3

func (x *exchange) flush() { _ = http.NewResponseController(x.w).Flush() }

// bearer returns the token of the Authorization header and whether the header names that scheme.
func (x *exchange) bearer() (token string, ok bool) {
	scheme, token, _ := strings.Cut(x.r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "bearer")
}

// encode is json.Marshal without the escapes for HTML, which no provider writes. What it is given is made here, so
// that it can always be encoded.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return []byte("null")
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// clip shortens s to n bytes at most without cutting a character in two.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
