package simulator

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// streamers ask one question of each provider with streaming.
var streamers = map[string]struct {
	path   string
	body   obj
	header []string
	blank  string // what keeps the connection alive; Ollama has nothing
}{
	OpenRouter:  {orChat, obj{"model": gpt, "messages": userSays("Tell me about tea."), "stream": true}, bearer, ": OPENROUTER PROCESSING"},
	HuggingFace: {hfChat, obj{"model": "openai/gpt-oss-20b", "messages": userSays("Tell me about tea."), "stream": true}, bearer, ": OPENROUTER PROCESSING"},
	Ollama:      {olChat, obj{"model": "phi3:mini", "messages": userSays("Tell me about tea.")}, nil, ""},
}

// leave reads lines of a stream until done says so, leaves, and waits for the row in the book.
func (s *sim) leave(p string, done func(line string) bool) Entry {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	ask := streamers[p]
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+ask.path, strings.NewReader(string(encode(ask.body))))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(ask.header); i += 2 {
		req.Header.Set(ask.header[i], ask.header[i+1])
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for !done("") && lines.Scan() {
		if done(lines.Text()) {
			break
		}
	}
	cancel()
	for s.t.Context().Err() == nil {
		if rows := s.Entries(0); len(rows) > 0 {
			return rows[len(rows)-1]
		}
	}
	return Entry{}
}

func isPiece(line string) bool {
	return strings.Contains(line, `"content":"`) && !strings.Contains(line, `"content":""`)
}

func TestStreamsStall(t *testing.T) {
	t.Parallel()
	for p, ask := range streamers {
		for _, after := range []int{0, 2} {
			t.Run(p, func(t *testing.T) {
				t.Parallel()
				s := start(t)
				s.set(Fault{Provider: p, Kind: KindStall, Params: FaultParams{After: after, LatencyMS: 1}})
				pieces, blanks := 0, 0
				e := s.leave(p, func(line string) bool {
					if isPiece(line) {
						pieces++
					}
					if ask.blank != "" && line == ask.blank {
						blanks++
					}
					return pieces >= after && (blanks > 2 || ask.blank == "")
				})
				if pieces != after || !e.Canceled || e.Status != 200 || e.Fault != KindStall || (e.CompletionTokens > 0) != (after > 0) {
					t.Errorf("%d pieces, book %+v", pieces, e)
				}
				if p != OpenRouter {
					return
				}
				told := s.call(http.MethodGet, "/openrouter/api/v1/generation?id="+e.Generation, "", bearer...).json(t)
				if at(t, told, "data", "cancelled") != true || at(t, told, "data", "total_cost") == 0.0 {
					t.Errorf("generation = %v", told)
				}
			})
		}
	}
}

func TestStreamsBreakAfterAsManyPiecesAsAskedFor(t *testing.T) {
	t.Parallel()
	for p, ask := range streamers {
		for _, kind := range []string{KindCutJSON, KindErrorIn200} {
			t.Run(p+"/"+kind, func(t *testing.T) {
				t.Parallel()
				s := start(t)
				s.set(Fault{Provider: p, Kind: kind, Params: FaultParams{After: 3}})
				g := s.post(ask.path, ask.body, ask.header...)
				pieces := 0
				for line := range strings.Lines(g.body) {
					if isPiece(line) {
						pieces++
					}
				}
				if pieces != 3 || (g.err != nil) != (kind == KindCutJSON) {
					t.Errorf("%d pieces, %v: %q", pieces, g.err, g.body)
				}
			})
		}
	}
}

func TestStreamsBreakWithinAPiece(t *testing.T) {
	t.Parallel()
	for p, ask := range streamers {
		t.Run(p, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.set(Fault{Provider: p, Kind: KindCutJSON, Params: FaultParams{After: 1, Hint: HintMidPiece}})
			g := s.post(ask.path, ask.body, ask.header...)
			if g.err == nil || g.body == "" || strings.HasSuffix(g.body, "\n") {
				t.Errorf("stream = %q, %v", g.body, g.err)
			}
		})
	}
}

func TestStreamsAreKeptAliveBeforeTheFirstPiece(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.set(Fault{Provider: OpenRouter, Kind: KindKeepAlive, Params: FaultParams{LatencyMS: 3}})
	ask := streamers[OpenRouter]
	g := s.post(ask.path, ask.body, ask.header...)
	if g.err != nil || strings.Count(g.body, ask.blank) != 1+keepAliveLines || !strings.HasSuffix(g.body, "data: [DONE]\n\n") {
		t.Errorf("stream = %q, %v", g.body, g.err)
	}
}

// A whole answer that stalls sends blanks until somebody ends it.
func TestAnswersStall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := &exchange{s: New(Config{Seed: 1}), r: new(http.Request).WithContext(t.Context()), fault: &Fault{Kind: KindStall}}
		x.row.Provider = OpenRouter
		out := &tally{}
		x.w = out
		go func() { time.Sleep(10*keepAliveEvery + time.Millisecond); x.s.Close() }()
		x.stall()
		if out.n != 10 || !x.row.Canceled {
			t.Errorf("%d blanks, row %+v", out.n, x.row)
		}
	})
}

// tally counts what is written.
type tally struct{ n int }

func (w *tally) Header() http.Header         { return http.Header{} }
func (w *tally) WriteHeader(int)             {}
func (w *tally) Write(p []byte) (int, error) { w.n++; return len(p), nil }

func TestOpenRouterEmbeddings(t *testing.T) {
	t.Parallel()
	s := start(t)
	const path, model = "/openrouter/api/v1/embeddings", "openai/text-embedding-3-small"
	g := s.post(path, obj{"model": model, "input": []string{"green tea", "a cup of green tea", "winter tyres"}}, bearer...)
	a := g.json(t)
	data := list(t, a, "data")
	if len(data) != 3 || len(list(t, data[0], "embedding")) != 1536 || at(t, data[2], "index") != 2.0 {
		t.Fatalf("%d %.200s", g.status, g.body)
	}
	near := func(i, j int) (sum float64) {
		a, b := list(t, data[i], "embedding"), list(t, data[j], "embedding")
		for k := range a {
			x, _ := a[k].(float64)
			y, _ := b[k].(float64)
			sum += x * y
		}
		return sum
	}
	if near(0, 1) <= near(0, 2) {
		t.Errorf("tea is as near to tyres (%v) as to tea (%v)", near(0, 2), near(0, 1))
	}
	if e := s.Entries(1)[0]; e.Endpoint != "embed" || e.CostUSD.IsZero() || e.Generation == "" || e.PromptTokens == 0 {
		t.Errorf("book = %+v", e)
	}
	short := s.post(path, obj{"model": model, "input": "tea", "dimensions": 8}, bearer...).json(t)
	if n := len(list(t, short, "data", 0, "embedding")); n != 8 {
		t.Errorf("%d dimensions", n)
	}
	for name, ask := range map[string]obj{
		"an unknown model": {"model": "m", "input": "x"}, "no text": {"model": model, "input": []string{}}, "an empty text": {"model": model, "input": []string{"a", ""}},
		"too long": {"model": model, "input": strings.Repeat("long text ", 9000)},
	} {
		if g := s.post(path, ask, bearer...); g.status != 400 || !strings.Contains(g.body, `"error"`) {
			t.Errorf("%s: %d %.100s", name, g.status, g.body)
		}
	}
}
