package router

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
)

// Streamer is a Provider that passes its answer on as it comes. One that is none is asked for its whole answer.
type Streamer interface {
	Stream(ctx context.Context, req providers.Request) iter.Seq2[providers.Chunk, error]
}

// Chunk is a piece of an answer as it comes out of the chain.
type Chunk struct {
	Text string

	// Answer is what is known so far: who answers, and what became of the candidates before. With the last chunk it is
	// the whole answer.
	Answer Answer

	// Last marks the one chunk that ends every stream. It has no text, and beside it stands the error when there is none
	// of an answer, or not the whole.
	Last bool
}

// maxStream bounds a whole stream that nobody set a time limit for. Providers end theirs earlier.
const maxStream = 15 * time.Minute

// sender is a way to make one request to one candidate. It bounds the request in time.
type sender func(ctx context.Context, w *walker, p Provider, req providers.Request) (providers.Response, error)

// Stream walks the route of req once, as Complete does, and yields the answer as it comes. A candidate that fails
// before its first word is left for the next one; when one breaks off later, the stream ends with an error that says
// so, because what was passed on cannot be taken back. An answer that has to be checked (Schema, Accept) is passed on
// when it has passed, and so is one out of the cache. The route's time limit holds until the first word; from then on no
// silence may be longer than the route's limit of a call. When the consumer leaves the loop, the request is ended and
// written down before Stream returns.
func (r *Router) Stream(ctx context.Context, req Request) iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		p := &pipe{news: make(chan struct{}, 1)}
		ended := make(chan struct{})
		defer func() {
			cancel()
			<-ended
		}()
		go func() {
			defer close(ended)
			p.end(r.completeInto(ctx, p, req))
		}()
		p.drain(req.KeepAlive, yield)
	}
}

// completeInto is Complete with the words of the answer going into p.
func (r *Router) completeInto(ctx context.Context, p *pipe, req Request) (Answer, error) {
	if req.Schema != nil || req.Accept != nil {
		return r.guarded(ctx, req)
	}
	route, err := r.route(req)
	if err != nil {
		return Answer{}, err
	}
	lift := func() {}
	if req.Timeout == 0 {
		var stop func()
		ctx, lift, stop = untilLifted(ctx, route.Timeout)
		defer stop()
		req.Timeout = maxStream
	}
	req.via = func(ctx context.Context, w *walker, from Provider, out providers.Request) (providers.Response, error) {
		if s, ok := from.(Streamer); ok {
			return w.follow(ctx, s, from.Name(), out, func(text string, sofar Answer) {
				lift()
				p.put(text, sofar)
			})
		}
		ctx, cancel := context.WithTimeout(ctx, w.route.CallTimeout)
		defer cancel()
		return from.Complete(ctx, out)
	}
	return r.guarded(ctx, req)
}

// guarded is Complete for a goroutine of our own, in which a panic would end the process.
func (r *Router) guarded(ctx context.Context, req Request) (a Answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &growth.Error{Code: growth.Internal, Op: "router.Complete", Err: fmt.Errorf("panic in a call: %v", v)}
		}
	}()
	return r.Complete(ctx, req)
}

// untilLifted is context.WithTimeout whose limit can be lifted once: maxStream stands from then on.
func untilLifted(ctx context.Context, d time.Duration) (limited context.Context, lift, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	l := &liftable{Context: ctx}
	timer := time.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	l.until(d)
	var once sync.Once
	lift = func() {
		once.Do(func() {
			timer.Reset(maxStream)
			l.until(maxStream)
		})
	}
	return l, lift, func() {
		timer.Stop()
		cancel(nil)
	}
}

// liftable tells the limit that holds now: a caller who waits for another's answer plans by it.
type liftable struct {
	context.Context

	end atomic.Int64 // unix nanoseconds
}

func (l *liftable) until(d time.Duration) { l.end.Store(time.Now().Add(d).UnixNano()) }

// Deadline is the limit that holds now.
func (l *liftable) Deadline() (time.Time, bool) {
	end := time.Unix(0, l.end.Load())
	if outer, ok := l.Context.Deadline(); ok && outer.Before(end) {
		return outer, true
	}
	return end, true
}

// follow passes a candidate's words on and returns its end.
func (w *walker) follow(ctx context.Context, s Streamer, name string, req providers.Request, pass func(string, Answer)) (resp providers.Response, err error) {
	req.Silence = w.route.CallTimeout
	err = growth.Errorf(growth.Malformed, "router.Stream", "the stream has no end")
	for chunk, fault := range s.Stream(ctx, req) {
		if chunk.Text != "" {
			w.begun = true
			pass(chunk.Text, Answer{
				Provider: name, Model: req.Model, Cached: CachedNo, Simulated: chunk.Response.Simulated, Cost: growth.UnknownMoney("USD"),
				FallbackAttempts: w.at, Calls: slices.Clone(w.calls),
			})
		}
		if chunk.Last {
			resp, err = chunk.Response, fault
		}
	}
	if e, ok := errors.AsType[*growth.Error](err); ok && w.begun && e.Code != growth.Canceled {
		cut := *e
		cut.Message = fmt.Sprintf("the answer broke off after %d characters: %s", len([]rune(resp.Text)), e.Message)
		err = &cut
	}
	return resp, err
}

// pipe holds what was said and not yet taken, so that a slow consumer holds nobody up: neither the provider nor callers
// that wait for the same answer. An answer's own bound is the pipe's.
type pipe struct {
	mu     sync.Mutex
	text   strings.Builder
	passed bool
	answer Answer
	last   bool
	err    error
	news   chan struct{}
}

func (p *pipe) put(text string, sofar Answer) {
	p.mu.Lock()
	p.text.WriteString(text)
	p.answer, p.passed = sofar, true
	p.mu.Unlock()
	p.tell()
}

func (p *pipe) end(a Answer, err error) {
	p.mu.Lock()
	if !p.passed && err == nil { // it came whole
		p.text.WriteString(a.Text)
	}
	if err == nil {
		p.answer = a
	}
	p.last, p.err = true, err
	p.mu.Unlock()
	p.tell()
}

func (p *pipe) tell() {
	select {
	case p.news <- struct{}{}:
	default: // told already
	}
}

// take is everything that was said since the last time, as one chunk.
func (p *pipe) take() (c Chunk, last bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c = Chunk{Text: p.text.String(), Answer: p.answer}
	p.text.Reset()
	return c, p.last, p.err
}

// drain yields until the end, or until the consumer has left.
func (p *pipe) drain(keepAlive time.Duration, yield func(Chunk, error) bool) {
	quiet := time.NewTimer(keepAlive)
	defer quiet.Stop()
	for {
		if keepAlive <= 0 {
			quiet.Stop()
		}
		silent := false
		select {
		case <-p.news:
		case <-quiet.C:
			silent = true
		}
		c, last, err := p.take()
		switch {
		case last:
			if c.Text == "" || yield(c, nil) {
				yield(Chunk{Answer: c.Answer, Last: true}, err)
			}
			return
		case c.Text == "" && !silent:
			continue // told of words that had been taken already
		case !yield(c, nil):
			return
		}
		quiet.Reset(keepAlive)
	}
}
