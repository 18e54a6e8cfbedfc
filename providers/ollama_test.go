package providers

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
)

func ollamaBrand() brand { return brands()[2] }

func TestOllamaSizesTheContext(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name           string
		bytes, predict int
		want           int
	}{
		{"short", 100, 300, 4096},
		{"answer fills it", 100, 4000, 4096},
		{"just over", 300, 4000, 8192},
		{"long prompt", 60_000, 2048, 32768},
		{"over what is sensible", 10_000_000, 1, maxContext},
		{"absurd limit", 10, 1 << 40, maxContext},
	}
	for _, tc := range cases {
		got := contextFor([]growth.Message{{Role: "user", Content: strings.Repeat("x", tc.bytes)}}, tc.predict)
		if got != tc.want {
			t.Errorf("%s: num_ctx = %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestOllamaSendsItsOptions(t *testing.T) {
	t.Parallel()
	var body map[string]any
	b := ollamaBrand()
	p := b.serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&body)
		_, _ = io.WriteString(w, b.answer("ok", "stop"))
	})
	req := ask()
	req.Seed, req.TopP, req.Stop, req.MaxTokens = new(int64(7)), new(0.5), []string{"END"}, 64
	if _, err := p.Complete(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"num_predict": 64.0, "num_ctx": 4096.0, "seed": 7.0, "top_p": 0.5, "stop": []any{"END"}}
	if diff := cmp.Diff(any(want), body["options"]); diff != "" {
		t.Errorf("options differ:\n%s", diff)
	}
	if body["truncate"] != false {
		t.Error("a prompt that does not fit would be cut in silence")
	}
	if _, has := body["format"]; has {
		t.Error("free text was asked for with a format")
	}
}

func TestOllamaAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	cases := map[string]want{
		`{"message":{"content":"half"},"done":false}`:                              {growth.Malformed, growth.ScopeModel},
		`{"message":{"content":"half"}}`:                                           {growth.Malformed, growth.ScopeModel},
		`{"message":{"content":""},"done":true,"done_reason":"load"}`:              {growth.Malformed, growth.ScopeNone},
		`{"message":{"content":"a"}}` + "\n" + `{"done":true}`:                     {growth.Malformed, growth.ScopeModel},
		`{"error":"an error was encountered while running the model: unexpected"}`: {growth.Malformed, growth.ScopeModel},
	}
	for body, wanted := range cases {
		_, err := ollamaBrand().reply(t, 200, body).Complete(t.Context(), ask())
		e := failure(t, err)
		if got := (want{e.Code, e.Scope}); got != wanted {
			t.Errorf("%s: %v, want %v", body, got, wanted)
		}
	}
}

func TestOllamaCountsWhatIsLeftOutAsZero(t *testing.T) {
	t.Parallel()
	got, err := ollamaBrand().reply(t, 200, `{"message":{"content":"a"},"done":true,"done_reason":"stop","eval_count":2}`).
		Complete(t.Context(), ask())
	if err != nil || !got.UsageKnown || got.Usage.PromptTokens != 0 || got.Usage.TotalTokens != 2 {
		t.Errorf("usage %+v known %t, err = %v", got.Usage, got.UsageKnown, err)
	}
}

// TestOllamaIsNotGivenMoreThanItsLimit sends many at once and watches from the server how many are there together.
func TestOllamaIsNotGivenMoreThanItsLimit(t *testing.T) {
	t.Parallel()
	const limit, calls = 3, 30
	var now, peak atomic.Int32
	b := ollamaBrand()
	b.open = func(s Settings) provider { s.MaxInFlight = limit; return NewOllama(s) }
	p := b.serve(t, func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		old := peak.Load()
		for n > old && !peak.CompareAndSwap(old, n) {
			old = peak.Load()
		}
		defer now.Add(-1)
		_, _ = io.WriteString(w, b.answer("ok", "stop"))
	})
	var wg sync.WaitGroup
	for range calls {
		wg.Go(func() {
			if _, err := p.Complete(t.Context(), ask()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := peak.Load(); got > limit {
		t.Errorf("%d requests at once, limit %d", got, limit)
	}
}

func TestWaitingForASlotObeysTheContext(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	b := ollamaBrand()
	p := b.serve(t, func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
		_, _ = io.WriteString(w, b.answer("ok", "stop"))
	})
	first := make(chan error, 1)
	go func() { _, err := p.Complete(t.Context(), ask()); first <- err }()
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := p.Complete(ctx, ask())
	if e := failure(t, err); e.Code != growth.Unavailable || e.Scope != growth.ScopeNone {
		t.Errorf("deadline in our own queue: code %v scope %v", e.Code, e.Scope)
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// A request that got its slot when its time was nearly over says nothing about the model; one that had its time does.
func TestOllamaOwnQueueIsNotTheModelsFault(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late := unwell.fault("the provider took too long")
	for _, tc := range []struct {
		name           string
		ctx            context.Context
		waited, worked time.Duration
		want           growth.FaultScope
	}{
		{"waited longer than it worked", ended, 2 * time.Second, time.Second, growth.ScopeNone},
		{"worked longer than it waited", ended, time.Second, 2 * time.Second, growth.ScopeModel},
		{"failed with time left", t.Context(), 2 * time.Second, time.Second, growth.ScopeModel},
	} {
		if e := failure(t, ownQueue(tc.ctx, late, tc.waited, tc.worked)); e.Scope != tc.want {
			t.Errorf("%s: scope %v, want %v", tc.name, e.Scope, tc.want)
		}
	}
	if err := ownQueue(ended, nil, time.Hour, 0); err != nil {
		t.Error(err)
	}
}

func TestOllamaKnowsWhatIsLocal(t *testing.T) {
	t.Parallel()
	for url, local := range map[string]bool{
		"http://127.0.0.1:11434": true, "http://localhost:11434": true, "http://[::1]:11434": true, "http://ollama:11434": true,
		"http://192.168.1.7:11434": true, "http://host.docker.internal:11434": true, "http://0.0.0.0:11434/": true,
		"https://ollama.com": false, "http://203.0.113.9:11434": false, "https://gpu.example.org": false, "": false, "http://%zz": false,
	} {
		o := NewOllama(Settings{BaseURL: url})
		if o.Local() != local || o.ZeroRetention() != local {
			t.Errorf("%q: local = %t", url, o.Local())
		}
	}
	if got := NewOllama(Settings{BaseURL: "http://0.0.0.0:11434/"}).wire.base; got != "http://127.0.0.1:11434" {
		t.Errorf("base = %s, want one that can be dialled", got)
	}
}

func TestLocalOllamaRefusesCloudModels(t *testing.T) {
	t.Parallel()
	p := ollamaBrand().serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the prompt left the machine") })
	for _, model := range []string{"gpt-oss:120b-cloud", "kimi:cloud"} {
		req := ask()
		req.Model = model
		if _, err := p.Complete(t.Context(), req); growth.CodeOf(err) != growth.Refused {
			t.Errorf("%s: err = %v", model, err)
		}
	}
}
