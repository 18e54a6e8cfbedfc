package simulator

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/shopspring/decimal"
)

func TestBookAddsUp(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.set(Fault{Provider: HuggingFace, Kind: "500", Count: 2})
	s.set(Fault{Provider: OpenRouter, Kind: KindMissingUsage, Count: 3})
	var wg sync.WaitGroup
	for i := range 30 {
		for p := range askers {
			wg.Go(func() {
				switch p {
				case OpenRouter:
					s.post(orChat, obj{"model": gpt, "messages": userSays(fmt.Sprint("tea number ", i)), "stream": i%2 == 0}, bearer...)
				case LinkedIn:
					s.post(liPosts, postBody(fmt.Sprint("post ", i)), liHeaders...)
				default:
					askers[p](s)
				}
			})
		}
	}
	wg.Wait()
	sum, failed, tokens := decimal.Zero, int64(0), int64(0)
	for _, e := range s.Entries(0) {
		sum, tokens = sum.Add(e.CostUSD), tokens+int64(e.PromptTokens)
		if e.Status == 0 || e.Status >= 400 {
			failed++
		}
	}
	all := s.Totals().All
	if all.Requests != 120 || all.Failed != 2 || failed != 2 || !all.CostUSD.Equal(sum) || all.PromptTokens != tokens || sum.IsZero() {
		t.Errorf("totals = %+v, rows: cost %s, failed %d, tokens %d", all, sum, failed, tokens)
	}
	parts := decimal.Zero
	for _, c := range s.Totals().Providers {
		parts = parts.Add(c.CostUSD)
	}
	if !parts.Equal(sum) || !s.Totals().Models["openrouter/"+gpt].CostUSD.Equal(s.Totals().Providers[OpenRouter].CostUSD) {
		t.Errorf("totals by provider = %+v", s.Totals())
	}
	s.Reset()
	if n := s.Totals().All.Requests; n != 0 || len(s.Entries(0)) != 0 || len(s.Posts()) != 0 {
		t.Errorf("after reset: %d requests", n)
	}
}

func TestBookKeepsTheNewest(t *testing.T) {
	t.Parallel()
	b := newBook()
	b.size = 10
	one := decimal.NewFromInt(1)
	for i := range 25 {
		b.add(Entry{Provider: "p", Generation: fmt.Sprint("g", i), CostUSD: one}, nil)
	}
	rows := b.list(filter{})
	if len(rows) != 10 || rows[0].Seq != 16 || rows[9].Seq != 25 || rows[9].Generation != "g24" {
		t.Errorf("rows = %+v", rows)
	}
	if _, ok := b.generation("g3"); ok {
		t.Error("a generation outlived its row")
	}
	if e, ok := b.generation("g20"); !ok || e.Seq != 21 {
		t.Errorf("generation g20 = %+v, %v", e, ok)
	}
	if t25 := b.totals().All; t25.Requests != 25 || !t25.CostUSD.Equal(decimal.NewFromInt(25)) {
		t.Errorf("totals = %+v", t25)
	}
	b.reset()
	b.add(Entry{Provider: "q"}, nil)
	if rows := b.list(filter{}); len(rows) != 1 || rows[0].Seq != 26 {
		t.Errorf("after reset: %+v", rows)
	}
	if got := b.list(filter{provider: "p"}); len(got) != 0 {
		t.Errorf("filter = %+v", got)
	}
}

func TestBookNumbersOfModelsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBook()
	for i := range maxModels + 50 {
		b.add(Entry{Provider: "p", Model: fmt.Sprint(i)}, nil)
	}
	if m := b.totals().Models; len(m) != maxModels+1 || m[otherName].Requests != 50 {
		t.Errorf("%d models, other = %+v", len(m), m[otherName])
	}
}

func TestBookEndpoint(t *testing.T) {
	t.Parallel()
	s := start(t)
	askers[Ollama](s)
	s.post(orChat, obj{"model": gpt, "messages": userSays("secret words")}, append([]string{"X-Request-Id", "req-1"}, bearer...)...)
	v := s.call(http.MethodGet, "/_book?provider=openrouter&limit=5", "").json(t)
	if text(t, v, "entries", 0, "request_id") != "req-1" || at(t, v, "totals", "all", "requests") != 2.0 || len(list(t, v, "entries")) != 1 {
		t.Errorf("book = %v", v)
	}
	if after := s.call(http.MethodGet, "/_book?after=1", "").json(t); len(list(t, after, "entries")) != 1 {
		t.Errorf("after 1 = %v", after)
	}
	if g := s.call(http.MethodGet, "/_book", ""); strings.Contains(g.body, "secret words") || strings.Contains(g.body, "sim-key") {
		t.Error("the book holds what was said, or the key")
	}
	s.call(http.MethodPut, "/_control/bodies", `{"keep":1}`)
	s.post(orChat, obj{"model": gpt, "messages": userSays("first")}, bearer...)
	s.post(orChat, obj{"model": gpt, "messages": userSays("second")}, bearer...)
	if b := s.Bodies(); len(b) != 1 || !strings.Contains(b[0].Body, "second") {
		t.Errorf("bodies = %+v", b)
	}
	s.call(http.MethodPost, "/_control/reset", "")
	if n := s.Totals().All.Requests; n != 0 {
		t.Errorf("%d requests after reset", n)
	}
}
