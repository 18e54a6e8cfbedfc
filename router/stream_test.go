package router_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/cache"
)

// live is a chain over real clients and the simulator, for the task of content, whose first candidates cost money.
type live struct {
	*router.Router
	t    *testing.T
	sim  *simulator.Server
	book *book
}

func newLive(t *testing.T, change ...func(*router.Config)) *live {
	t.Helper()
	sim, web := simulator.New(simulator.Config{Seed: 3}), &http.Client{Transport: &http.Transport{}}
	srv := httptest.NewServer(sim)
	t.Cleanup(func() { sim.Close(); web.CloseIdleConnections(); srv.Close() })
	routes, err := router.ParseRoutes(router.DefaultRoutes)
	if err != nil {
		t.Fatal(err)
	}
	b := &book{}
	cfg := router.Config{Routes: routes, Ledger: b, Providers: []router.Provider{
		providers.NewOpenRouter(providers.Settings{BaseURL: srv.URL + "/openrouter/api/v1", Key: "k", HTTP: web}),
		providers.NewHuggingFace(providers.Settings{BaseURL: srv.URL + "/huggingface/v1", Key: "k", HTTP: web}),
		providers.NewOllama(providers.Settings{BaseURL: srv.URL + "/ollama", HTTP: web}),
	}}
	for _, f := range change {
		f(&cfg)
	}
	l := &live{Router: router.New(cfg), t: t, sim: sim, book: b}
	l.LearnCatalogues(t.Context())
	return l
}

// patient shortens how long a call may be silent.
func patient(d time.Duration) func(*router.Config) {
	return func(c *router.Config) {
		for task, r := range c.Routes {
			r.CallTimeout = d
			c.Routes[task] = r
		}
	}
}

func (l *live) fault(f simulator.Fault) {
	l.t.Helper()
	if _, err := l.sim.SetFault(f); err != nil {
		l.t.Fatal(err)
	}
}

// chats are the rows of the simulator's book that are no list of models.
func (l *live) chats() []simulator.Entry {
	return slices.DeleteFunc(l.sim.Entries(0), func(e simulator.Entry) bool { return e.Endpoint != "chat" })
}

func tea(change ...func(*router.Request)) router.Request {
	req := router.Request{Task: growth.TaskContent, Workspace: ours, Messages: []growth.Message{{Role: "user", Content: "Tell me about tea."}}}
	for _, f := range change {
		f(&req)
	}
	return req
}

// heard is a stream as its consumer saw it.
type heard struct {
	pieces []string
	first  router.Answer
	end    router.Chunk
	err    error
}

func (h heard) text() string { return strings.Join(h.pieces, "") }

func listen(ctx context.Context, s interface {
	Stream(context.Context, router.Request) iter.Seq2[router.Chunk, error]
}, req router.Request,
) heard {
	var h heard
	for c, err := range s.Stream(ctx, req) {
		if c.Last {
			h.end, h.err = c, err
			continue
		}
		if len(h.pieces) == 0 {
			h.first = c.Answer
		}
		h.pieces = append(h.pieces, c.Text)
		if c.Text == "" {
			h.err = errors.New("an empty chunk that nobody asked for")
			return h
		}
	}
	return h
}

// failed wants a stream that ended without a whole answer.
func (h heard) failed(t *testing.T) *router.ChainError {
	t.Helper()
	e, ok := errors.AsType[*router.ChainError](h.err)
	if !ok || !h.end.Last {
		t.Fatalf("%q, end %+v, error %v; want a chain that ends", h.text(), h.end, h.err)
	}
	return e
}

func TestStreamGivesWhatCompleteGives(t *testing.T) {
	t.Parallel()
	l := newLive(t)
	whole, err := l.Complete(t.Context(), tea())
	if err != nil {
		t.Fatal(err)
	}
	h := listen(t.Context(), l, tea())
	if h.err != nil {
		t.Fatal(h.err)
	}
	a := h.end.Answer
	if h.text() != whole.Text || a.Text != whole.Text || !a.Cost.USD.Equal(*whole.Cost.USD) || a.Usage != whole.Usage || a.Cached != router.CachedNo || !a.Simulated {
		t.Errorf("streamed %+v\nwhole %+v", a, whole)
	}
	if h.first.Provider != a.Provider || h.first.Model != a.Model || !h.first.Simulated || h.first.FallbackAttempts != 0 {
		t.Errorf("the first chunk names %+v", h.first)
	}
	rows := l.book.rows()
	if len(rows) != 2 || rows[0].Status != growth.CallOK || rows[1].Status != growth.CallOK || rows[1].Cost.Provenance != growth.CostReported {
		t.Errorf("rows = %+v", rows)
	}
	if e := l.chats(); !e[1].Stream || e[0].Stream {
		t.Errorf("book = %+v", e)
	}
}

// Before the first word a candidate is left for the next one, whatever it does wrong.
func TestStreamFailsOverBeforeTheFirstWord(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault simulator.Fault
		code  string
	}{
		"429": {simulator.Fault{Kind: "429"}, "throttled"}, "500": {simulator.Fault{Kind: "500"}, "unavailable"}, "529": {simulator.Fault{Kind: "529"}, "unavailable"},
		"reset": {simulator.Fault{Kind: simulator.KindReset}, "unavailable"}, "a page": {simulator.Fault{Kind: simulator.KindHTML}, "unavailable"},
		"no body": {simulator.Fault{Kind: simulator.KindEmptyBody}, "malformed"}, "empty": {simulator.Fault{Kind: simulator.KindEmpty}, "malformed"},
		"silence":             {simulator.Fault{Kind: simulator.KindTimeout}, "unavailable"},
		"nothing but aliving": {simulator.Fault{Kind: simulator.KindStall, Params: simulator.FaultParams{LatencyMS: 5}}, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLive(t, patient(250*time.Millisecond))
			tc.fault.Provider, tc.fault.Model = simulator.OpenRouter, "anthropic/claude-sonnet-4"
			l.fault(tc.fault)
			h := listen(t.Context(), l, tea())
			if h.err != nil {
				t.Fatal(h.err)
			}
			want := []string{"openrouter/anthropic/claude-sonnet-4 failed " + tc.code, "openrouter/openai/gpt-4o-mini answered"}
			if diff := cmp.Diff(want, trail(h.end.Answer.Calls)); diff != "" {
				t.Errorf("walk (-want +got):\n%s", diff)
			}
			if h.first.FallbackAttempts != 1 || h.first.Model != "openai/gpt-4o-mini" || h.first.Calls[0].Code != tc.code || h.text() != h.end.Answer.Text || h.text() == "" {
				t.Errorf("first %+v, text %q", h.first, h.text())
			}
			if rows := l.book.rows(); len(rows) != 2 || rows[0].Code != tc.code {
				t.Errorf("rows = %+v", rows)
			}
		})
	}
}

// Behind the first word there is no way back: the stream ends with an error that says so, and so does the row.
func TestStreamThatBreaksIsAnError(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]simulator.Fault{
		"cut":               {Kind: simulator.KindCutJSON},
		"cut in a piece":    {Kind: simulator.KindCutJSON, Params: simulator.FaultParams{After: 3, Hint: simulator.HintMidPiece}},
		"error in the flow": {Kind: simulator.KindErrorIn200, Params: simulator.FaultParams{After: 2}},
		"silence":           {Kind: simulator.KindStall, Params: simulator.FaultParams{After: 2, LatencyMS: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLive(t, patient(300*time.Millisecond))
			fault.Provider = simulator.OpenRouter
			l.fault(fault)
			h := listen(t.Context(), l, tea())
			e := h.failed(t)
			if !e.Broken || h.text() == "" || !strings.Contains(e.Fault.Message, "broke off after") {
				t.Errorf("text %q, error %+v", h.text(), e)
			}
			rows := l.book.rows()
			if len(rows) != 1 || rows[0].Status != growth.CallFailed || !strings.Contains(rows[0].Detail, "broke off after") {
				t.Fatalf("rows = %+v; want one, and no other candidate", rows)
			}
			if rows[0].Cost.USD != nil || rows[0].Generation == "" || rows[0].LatencyMS < 0 {
				t.Errorf("row = %+v; what it cost is not known yet", rows[0])
			}
			if got := e.Calls[0].Decision; got != growth.DecisionStopped {
				t.Errorf("decision = %s", got)
			}
		})
	}
}

// A consumer who leaves ends the request at the provider; the row is there when Stream returns.
func TestStreamEndsAtTheProviderWhenTheCallerLeaves(t *testing.T) {
	t.Parallel()
	leave := map[string]func(l *live){
		"leaves the loop": func(l *live) {
			for c, err := range l.Stream(l.t.Context(), tea()) {
				if c.Text == "" || err != nil {
					l.t.Errorf("chunk %+v, %v", c, err)
				}
				break
			}
		},
		"ends the context": func(l *live) {
			ctx, cancel := context.WithCancel(l.t.Context())
			defer cancel()
			var err error
			for _, err = range l.Stream(ctx, tea()) {
				cancel()
			}
			if growth.CodeOf(err) != growth.Canceled {
				l.t.Errorf("error = %v", err)
			}
		},
	}
	for name, how := range leave {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLive(t)
			l.fault(simulator.Fault{Provider: simulator.OpenRouter, Kind: simulator.KindStall, Params: simulator.FaultParams{After: 2}})
			how(l)
			rows := l.book.rows()
			if len(rows) != 1 || rows[0].Code != "canceled" || rows[0].Status != growth.CallFailed || rows[0].Generation == "" || rows[0].Cost.USD != nil {
				t.Fatalf("rows = %+v", rows)
			}
			for len(l.chats()) == 0 {
				if t.Context().Err() != nil {
					t.Fatal("the simulator never noticed")
				}
			}
			if e := l.chats()[0]; !e.Canceled || e.Generation != rows[0].Generation {
				t.Errorf("book = %+v", e)
			}
			if st := l.Breakers().Status()["openrouter/anthropic/claude-sonnet-4"]; st.Failures != 0 {
				t.Errorf("a caller who left counts against the model: %+v", st)
			}
		})
	}
}

func TestStreamOutOfTheCache(t *testing.T) {
	t.Parallel()
	l := newLive(t, withCache(t))
	kept := func(r *router.Request) { r.Cache = router.CacheExact }
	first := listen(t.Context(), l, tea(kept))
	again := listen(t.Context(), l, tea(kept))
	if first.err != nil || again.err != nil {
		t.Fatal(first.err, again.err)
	}
	if again.end.Answer.Cached != router.CachedExact || again.text() != first.text() || again.first.Cached != router.CachedExact || !again.end.Answer.Cost.USD.IsZero() {
		t.Errorf("again: %+v", again.end.Answer)
	}
	whole, err := l.Complete(t.Context(), tea(kept))
	if err != nil || whole.Cached != router.CachedExact || whole.Text != first.text() {
		t.Errorf("Complete of the same request: %+v, %v", whole, err)
	}
	if n := len(l.chats()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestStreamThatBrokeIsNotKept(t *testing.T) {
	t.Parallel()
	l := newLive(t, withCache(t))
	kept := func(r *router.Request) { r.Cache = router.CacheExact }
	l.fault(simulator.Fault{Provider: simulator.OpenRouter, Kind: simulator.KindCutJSON, Count: 1})
	_ = listen(t.Context(), l, tea(kept)).failed(t)
	if h := listen(t.Context(), l, tea(kept)); h.err != nil || h.end.Answer.Cached != router.CachedNo {
		t.Errorf("%+v, %v", h.end.Answer, h.err)
	}
}

// An answer that has to be checked comes when it has passed, repaired where that may be.
func TestStreamOfACheckedAnswerComesWhenItHasPassed(t *testing.T) {
	t.Parallel()
	l := newLive(t)
	l.fault(simulator.Fault{Provider: simulator.OpenRouter, Kind: simulator.KindInvalidAnswer, Count: 1})
	shaped := func(r *router.Request) {
		r.Task = growth.TaskAnalysis
		r.Schema = []byte(`{"type":"object","properties":{"title":{"type":"string"}},"required":["title"],"additionalProperties":false}`)
	}
	h := listen(t.Context(), l, tea(shaped))
	if h.err != nil || len(h.pieces) != 1 || !strings.HasPrefix(h.text(), `{"title"`) || len(h.end.Answer.Calls) != 2 {
		t.Errorf("%q, %+v, %v", h.pieces, trail(h.end.Answer.Calls), h.err)
	}
}

func TestStreamRefusesWhatCompleteRefuses(t *testing.T) {
	t.Parallel()
	l := newLive(t)
	for name, change := range map[string]func(*router.Request){
		"no messages": func(r *router.Request) { r.Messages = nil },
		"no route":    func(r *router.Request) { r.Task = "poem" },
		"no provider": func(r *router.Request) { r.Force = &growth.Call{Provider: "nobody"} },
	} {
		if h := listen(t.Context(), l, tea(change)); growth.CodeOf(h.err) != growth.Invalid || !h.end.Last {
			t.Errorf("%s: %v", name, h.err)
		}
	}
	private := func(r *router.Request) { r.Privacy = growth.PrivacyLocalOnly }
	h := listen(t.Context(), l, tea(private))
	if h.err != nil || h.end.Answer.Provider != "ollama" {
		t.Errorf("local only: %+v, %v", trail(h.end.Answer.Calls), h.err)
	}
}

// A provider that does not stream is asked for its whole answer.
func TestStreamOverAProviderThatDoesNot(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.a.will(fails(growth.Unavailable))
	h := listen(t.Context(), ch, ask())
	if h.err != nil || h.text() != "from b" || h.end.Answer.FallbackAttempts != 1 || h.first.Provider != "b" {
		t.Errorf("%q, %+v, %v", h.text(), h.end.Answer, h.err)
	}
}

// talker streams what the test says.
type talker struct {
	*fake
	talk func(ctx context.Context, yield func(providers.Chunk, error) bool)
}

func (f talker) Stream(ctx context.Context, _ providers.Request) iter.Seq2[providers.Chunk, error] {
	return func(yield func(providers.Chunk, error) bool) { f.talk(ctx, yield) }
}

func newTalker(t *testing.T, talk func(ctx context.Context, yield func(providers.Chunk, error) bool)) *chain {
	t.Helper()
	return newChain(t, func(c *router.Config) {
		c.Providers[0] = talker{&fake{name: "a", answer: says("whole")}, talk}
	})
}

func last(text string) providers.Chunk {
	return providers.Chunk{Last: true, Response: answered("1", text)}
}

// The route's time limit holds until the first word and no longer; empty chunks come meanwhile.
func TestStreamHasTimeOnceItHasBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ch := newTalker(t, func(_ context.Context, yield func(providers.Chunk, error) bool) {
			time.Sleep(4 * time.Second)
			for range 10 {
				yield(providers.Chunk{Text: "word "}, nil)
				time.Sleep(4 * time.Second)
			}
			yield(last(strings.Repeat("word ", 10)), nil)
		})
		empty, words := 0, 0
		for c, err := range ch.Stream(t.Context(), ask(func(r *router.Request) { r.KeepAlive = time.Second })) {
			if err != nil {
				t.Fatal(err)
			}
			if c.Text == "" && !c.Last {
				empty++
			}
			words += strings.Count(c.Text, "word")
		}
		if words != 10 || empty < 30 || empty > 44 {
			t.Errorf("%d words, %d empty chunks in 44 s", words, empty)
		}
		limited := func(r *router.Request) { r.Timeout = 20 * time.Second }
		h := listen(t.Context(), newTalker(t, func(ctx context.Context, yield func(providers.Chunk, error) bool) {
			yield(providers.Chunk{Text: "word "}, nil)
			<-ctx.Done()
			yield(providers.Chunk{Last: true, Response: providers.Response{Text: "word "}}, &growth.Error{Code: growth.Unavailable, Message: "too long"})
		}), ask(limited))
		if e := h.failed(t); e.Fault.Code != growth.Unavailable {
			t.Errorf("a limit that the caller set: %v", e)
		}
	})
}

func TestStreamThatDoesNotBeginEndsWithTheRoute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ch := newTalker(t, func(ctx context.Context, yield func(providers.Chunk, error) bool) {
			<-ctx.Done()
			err := &growth.Error{Code: growth.Unavailable, Message: "too long"}
			yield(providers.Chunk{Last: true}, err)
		})
		began := time.Now()
		h := listen(t.Context(), ch, ask())
		if e := h.failed(t); time.Since(began) != 10*time.Second || e.Broken || e.Fault.Code != growth.Unavailable {
			t.Errorf("after %v: %v", time.Since(began), e)
		}
	})
}

// A caller who waits for another's answer is told the limit that holds, so that time is left for a walk of its own.
func TestStreamTellsTheLimitThatHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var limits []time.Duration
		ch := newTalker(t, func(ctx context.Context, yield func(providers.Chunk, error) bool) {
			for range 2 {
				end, _ := ctx.Deadline()
				limits = append(limits, time.Until(end))
				yield(providers.Chunk{Text: "word "}, nil)
			}
			yield(last("word word "), nil)
		})
		if h := listen(t.Context(), ch, ask()); h.err != nil {
			t.Fatal(h.err)
		}
		if diff := cmp.Diff([]time.Duration{10 * time.Second, 15 * time.Minute}, limits); diff != "" {
			t.Errorf("limits (-want +got):\n%s", diff)
		}
	})
}

// A slow consumer holds nobody up: callers who wait for the same answer get it.
func TestStreamOfASlowConsumerHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	ch := newChain(t, withCache(t), func(c *router.Config) {
		c.Providers[0] = talker{&fake{name: "a"}, func(_ context.Context, yield func(providers.Chunk, error) bool) {
			yield(providers.Chunk{Text: "slow "}, nil)
			<-begun
			yield(providers.Chunk{Text: "tea"}, nil)
			yield(last("slow tea"), nil)
		}}
	})
	var other router.Answer
	var err error
	var text strings.Builder
	for c, broke := range ch.Stream(t.Context(), ask(cached)) {
		if broke != nil {
			t.Fatal(broke)
		}
		text.WriteString(c.Text)
		if other.Text == "" && c.Text != "" {
			close(begun)
			other, err = ch.Complete(t.Context(), ask(cached)) // the stream's consumer takes nothing meanwhile
		}
	}
	if err != nil || other.Text != "slow tea" || other.Cached != router.CachedExact || text.String() != "slow tea" {
		t.Errorf("the other got %+v, %v; the stream %q", other, err, text.String())
	}
}

// Those who wait for the answer of a stream that breaks off make a walk of their own.
func TestStreamThatBreaksDoesNotFailOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ch := newChain(t, func(c *router.Config) {
			c.Cache = emptyCache{}
			c.Providers[0] = talker{&fake{name: "a", answer: fails(growth.Unavailable)}, func(_ context.Context, yield func(providers.Chunk, error) bool) {
				yield(providers.Chunk{Text: "slow "}, nil)
				time.Sleep(time.Second)
				yield(providers.Chunk{Last: true, Response: providers.Response{Text: "slow "}}, &growth.Error{Code: growth.Unavailable, Message: "gone"})
			}}
		})
		var other router.Answer
		var otherErr error
		var wg sync.WaitGroup
		wg.Go(func() {
			time.Sleep(500 * time.Millisecond)
			other, otherErr = ch.Complete(t.Context(), ask(cached))
		})
		e := listen(t.Context(), ch, ask(cached)).failed(t)
		wg.Wait()
		if !e.Broken || otherErr != nil || other.Text != "from b" {
			t.Errorf("stream %v; other %+v, %v", e, other, otherErr)
		}
	})
}

func TestStreamSurvivesAPanicOfAProvider(t *testing.T) {
	t.Parallel()
	ch := newTalker(t, func(context.Context, func(providers.Chunk, error) bool) { panic("hunter2") })
	if h := listen(t.Context(), ch, ask()); growth.CodeOf(h.err) != growth.Internal || !h.end.Last {
		t.Errorf("%+v, %v", h.end, h.err)
	}
}

// emptyCache keeps nothing; with it callers still wait for each other.
type emptyCache struct{}

func (emptyCache) Get(context.Context, cache.Key) (cache.Entry, bool)         { return cache.Entry{}, false }
func (emptyCache) Put(context.Context, cache.Key, cache.Entry, time.Duration) {}
func (emptyCache) Peek(cache.Key) (cache.Entry, bool)                         { return cache.Entry{}, false }

func (emptyCache) Link(context.Context, cache.Key, growth.JobID, growth.LeadID) {}

func (emptyCache) Await(context.Context, cache.Key, time.Duration) (cache.Entry, bool, func()) {
	return cache.Entry{}, false, func() {}
}
