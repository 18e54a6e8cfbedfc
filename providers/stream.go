package providers

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	maxStream      = 64 << 20 // bytes of a stream that are read; each word of it comes in an envelope
	defaultSilence = time.Minute
)

// Chunk is a piece of an answer as it arrives.
type Chunk struct {
	Text string

	// Response is what is known of the answer so far; its Text is filled in with the last chunk only.
	Response Response

	// Last marks the one chunk that ends every stream. It has no text of its own, and beside it stands the error when
	// the answer is a failure or broke off.
	Last bool
}

// Stream sends one request and yields its answer as it arrives. The last pair is marked so and is always there, unless
// the consumer leaves the loop; leaving it, or the end of ctx, ends the request at the provider. To learn what is known
// of a request that is given up, end ctx and keep reading.
func (c *Compatible) Stream(ctx context.Context, req Request) iter.Seq2[Chunk, error] {
	op := c.cfg.Name + ".Stream"
	return func(yield func(Chunk, error) bool) {
		if err := c.admit(op, req); err != nil {
			yield(unsent(req, err))
			return
		}
		body := c.body(req)
		body["stream"], body["stream_options"] = true, map[string]any{"include_usage": true}
		s := stream{
			wire: c.wire, op: op, path: "/chat/completions", req: req, body: body, idHeader: c.cfg.IDHeader,
			open: func(body io.Reader) func() ([]byte, error) { return newEvents(body).next },
			speech: func(r reply, resp *Response) speech {
				return &chatSpeech{reply: r, resp: resp, now: c.wire.now}
			},
			whole: readChat,
		}
		s.run(ctx, yield)
	}
}

// Stream is as Compatible's. It holds one of the slots until the answer has ended.
func (o *Ollama) Stream(ctx context.Context, req Request) iter.Seq2[Chunk, error] {
	const op = "ollama.Stream"
	return func(yield func(Chunk, error) bool) {
		err := o.admit(op, req)
		if err != nil {
			yield(unsent(req, err))
			return
		}
		began := o.wire.now()
		release, err := o.slot(ctx, op)
		if err != nil {
			yield(unsent(req, err))
			return
		}
		defer release()
		body := ollamaBody(req)
		body["stream"] = true
		s := stream{
			wire: o.wire, op: op, path: "/api/chat", req: req, body: body, waited: o.wire.now().Sub(began),
			open: func(body io.Reader) func() ([]byte, error) { return newLines(body).next },
			speech: func(r reply, resp *Response) speech {
				return &ollamaSpeech{reply: r, resp: resp, now: o.wire.now}
			},
		}
		s.run(ctx, yield)
	}
}

// unsent is the only chunk of a request that never left.
func unsent(req Request, err error) (Chunk, error) {
	return Chunk{Response: Response{Model: req.Model}, Last: true}, err
}

// speech understands the messages of one answer and keeps what is known of it in a Response.
type speech interface {
	// hear takes one message: the text in it, and whether it was the last. An error ends the answer.
	hear(message []byte) (text string, done bool, err error)
	// end is called when no message follows: what is wrong with the answer, nil when it is whole.
	end() error
}

// stream is one request whose answer is read as it comes.
type stream struct {
	wire     *wire
	op       string
	path     string
	req      Request
	body     map[string]any
	idHeader string
	waited   time.Duration // for a slot of our own

	open   func(body io.Reader) func() ([]byte, error) // cuts a body into messages
	speech func(r reply, resp *Response) speech
	whole  func(r reply, resp *Response, now time.Time) error // reads an answer of a host that does not stream; nil: none such
}

var errConsumerLeft = errors.New("the consumer left the loop")

func (s *stream) run(ctx context.Context, yield func(Chunk, error) bool) {
	resp := Response{Model: s.req.Model}
	err := s.send(ctx, &resp, func(text string) bool {
		sofar := resp
		sofar.Text = ""
		return yield(Chunk{Text: text, Response: sofar}, nil)
	})
	if errors.Is(err, errConsumerLeft) {
		return
	}
	yield(Chunk{Response: resp, Last: true}, s.wire.seal(s.op, ownQueue(ctx, err, s.waited, resp.Latency), s.req.Messages))
}

// send makes the request and passes on what it says.
func (s *stream) send(ctx context.Context, resp *Response, pass func(text string) bool) error {
	body, err := jsonObject(s.body)
	if err != nil {
		return growth.Errorf(growth.Invalid, s.op, "the request is not JSON")
	}
	if ctx.Err() != nil {
		return left(ended(ctx), growth.ScopeNone)
	}
	bounded, cancel := context.WithTimeout(ctx, maxDuration)
	defer cancel()
	bounded, p := patient(bounded, s.req.Silence)
	defer p.stop()
	start := s.wire.now()
	defer func() { resp.Latency = s.wire.now().Sub(start) }()
	answer, err := s.wire.open(bounded, message{
		method: http.MethodPost, path: s.path, body: body, requestID: s.req.RequestID, accept: "text/event-stream, application/x-ndjson, application/json",
	})
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	r := reply{status: answer.StatusCode, header: answer.Header}
	*resp = r.response(s.req.Model, s.idHeader)
	err = s.read(r, answer.Body, resp, p, pass)
	if err == nil {
		p.drain(answer.Body)
	}
	if _, classified := errors.AsType[*growth.Error](err); err == nil || classified || errors.Is(err, errConsumerLeft) {
		return err
	}
	return bodyFault(bounded, err)
}

// read tells apart the three forms of an answer: a failure, a whole answer, and a stream.
func (s *stream) read(r reply, body io.Reader, resp *Response, p *patience, pass func(text string) bool) error {
	var err error
	switch {
	case !r.ok():
		r.body, _ = readBounded(body, maxAnswer) // a fault is told by its status, even when its text was cut
		return statusFault(r, s.wire.now())
	case r.html():
		return unwell.fault("the provider answered with a page")
	case s.whole != nil && strings.HasPrefix(strings.ToLower(r.header.Get("Content-Type")), "application/json"):
		if r.body, err = readBounded(body, maxAnswer); err != nil {
			return err
		}
		if err = s.whole(r, resp, s.wire.now()); err == nil && !pass(resp.Text) {
			return errConsumerLeft
		}
		return err
	}
	return follow(s.open(&capped{r: body, left: maxStream}), s.speech(r, resp), resp, p, pass)
}

// follow reads messages to the end of the answer.
func follow(next func() ([]byte, error), s speech, resp *Response, p *patience, pass func(text string) bool) error {
	var text strings.Builder
	defer func() { resp.Text = text.String() }()
	for {
		message, err := next()
		if err != nil {
			resp.Text = text.String()
			if fault := s.end(); fault == nil || errors.Is(err, io.EOF) {
				return fault // what breaks behind the end of the answer takes nothing from it
			}
			return err
		}
		p.rest() // the time that the consumer takes is not the provider's silence
		piece, done, err := s.hear(message)
		text.WriteString(piece)
		switch {
		case text.Len() > maxAnswer:
			return errAnswerTooBig
		case piece != "" && !pass(piece):
			return errConsumerLeft
		case err != nil:
			return err
		case done:
			resp.Text = text.String()
			return s.end()
		}
		p.again()
	}
}

// patience ends a request that says nothing for too long.
type patience struct {
	silence time.Duration
	timer   *time.Timer
	cancel  context.CancelCauseFunc
}

// patient returns a context that ends, as by a deadline, when again is not called for the length of the silence.
func patient(ctx context.Context, silence time.Duration) (context.Context, *patience) {
	if silence <= 0 {
		silence = defaultSilence
	}
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &patience{
		silence: silence, cancel: cancel, timer: time.AfterFunc(silence, func() { cancel(context.DeadlineExceeded) }),
	}
}

func (p *patience) rest() { p.timer.Stop() }

func (p *patience) again() { p.timer.Reset(p.silence) }

// drain reads what is left behind the end of an answer, so that the connection can be used again, and waits for it but
// a moment.
func (p *patience) drain(body io.Reader) {
	p.timer.Reset(100 * time.Millisecond)
	_, _ = io.CopyN(io.Discard, body, 4<<10) // a connection that cannot be kept is closed
}

func (p *patience) stop() {
	p.timer.Stop()
	p.cancel(nil)
}
