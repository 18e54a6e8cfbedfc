package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (s *Server) routesOllama() {
	const base = "/ollama"
	alive := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("Ollama is running"))
	}
	s.mux.HandleFunc("GET "+base+"/{$}", alive)
	s.mux.HandleFunc("GET "+base, alive)
	s.mux.HandleFunc("GET "+base+"/api/version", s.handle(Ollama, "models", (*exchange).ollamaVersion))
	s.mux.HandleFunc("POST "+base+"/api/chat", s.handle(Ollama, "chat", (*exchange).ollamaChat))
	s.mux.HandleFunc("POST "+base+"/api/embed", s.handle(Ollama, "embed", (*exchange).ollamaEmbed))
	s.mux.HandleFunc("POST "+base+"/api/embeddings", s.handle(Ollama, "embed", (*exchange).ollamaEmbedOld))
	s.mux.HandleFunc("GET "+base+"/api/tags", s.handle(Ollama, "models", (*exchange).ollamaTags))
	s.mux.HandleFunc("POST "+base+"/api/show", s.handle(Ollama, "models", (*exchange).ollamaShow))
	s.mux.HandleFunc("GET "+base+"/api/ps", s.handle(Ollama, "models", (*exchange).ollamaLoaded))
	s.mux.HandleFunc(base+"/", s.notThere(Ollama))
}

// ollamaRequest is the part of a native chat request that decides the answer.
type ollamaRequest struct {
	Model     string            `json:"model"`
	Messages  []openAITurn      `json:"messages"`
	Stream    *bool             `json:"stream"`
	Format    json.RawMessage   `json:"format"`
	KeepAlive json.RawMessage   `json:"keep_alive"`
	Think     json.RawMessage   `json:"think"`
	Tools     []json.RawMessage `json:"tools"`
	Truncate  *bool             `json:"truncate"`
	Options   ollamaOptions     `json:"options"`
}

type ollamaOptions struct {
	NumPredict int        `json:"num_predict"`
	NumCtx     int        `json:"num_ctx"`
	Stop       stringList `json:"stop"`
}

const defaultContext = 4096

func (x *exchange) ollamaChat() {
	var q ollamaRequest
	m, p := x.readOllama(&q)
	if p == nil {
		p = q.fault(m)
	}
	if p != nil {
		x.refuse(*p)
		return
	}
	x.row.Answered = q.Model
	if len(q.Messages) == 0 {
		x.ollamaPreload(q, m)
		return
	}
	c, prompt, p := q.chat(m)
	if p != nil {
		x.refuse(*p)
		return
	}
	cold := x.s.memory.load(m.Name, q.keepAlive(), x.s.now())
	th := x.think(c, rate{})
	th.prompt = prompt
	x.charge(th)
	if c.stream {
		x.ollamaStream(q, th, cold)
		return
	}
	x.ollamaAnswer(q, th, cold)
}

// readOllama decodes the body and finds the model. The order of its complaints is the real server's.
func (x *exchange) readOllama(q *ollamaRequest) (*localModel, *problem) {
	if len(bytes.TrimSpace(x.body)) == 0 {
		return nil, &problem{status: http.StatusBadRequest, message: "missing request body"}
	}
	if err := json.Unmarshal(x.body, q); err != nil {
		return nil, &problem{status: http.StatusBadRequest, message: err.Error()}
	}
	if q.Model == "" {
		return nil, &problem{status: http.StatusBadRequest, message: "model is required"}
	}
	m := x.s.catalogue.localModel(q.Model)
	if m == nil {
		return nil, &problem{status: http.StatusNotFound, message: "model '" + q.Model + "' not found"}
	}
	return m, nil
}

func (m *localModel) can(what string) bool { return slices.Contains(m.Capabilities, what) }

// fault checks what the model can do and the format, whose fault is answered with 500 although the caller made it.
func (q *ollamaRequest) fault(m *localModel) *problem {
	lacks := func(what string) *problem {
		return &problem{status: http.StatusBadRequest, message: fmt.Sprintf("%q does not support %s", q.Model, what)}
	}
	think := string(bytes.TrimSpace(q.Think))
	switch {
	case !m.can("completion"):
		return lacks("chat")
	case len(q.Tools) > 0 && !m.can("tools"):
		return lacks("tools")
	case think != "" && think != "false" && think != "null" && !m.can("thinking"):
		return lacks("thinking")
	}
	switch f := strings.TrimSpace(string(q.Format)); {
	case f == "", f == "null", f == `""`, f == `"json"`, strings.HasPrefix(f, "{"):
		return nil
	default:
		return &problem{status: http.StatusInternalServerError, message: "invalid format: " + clip(f, 100) +
			`; expected "json" or a valid JSON Schema object`}
	}
}

// chat puts the request into shared words. A prompt that does not fit loses its oldest messages in silence, unless the
// request forbids it.
func (q *ollamaRequest) chat(m *localModel) (chat, int, *problem) {
	c := chat{stream: q.Stream == nil || *q.Stream, maxTokens: max(q.Options.NumPredict, 0), stop: q.Options.Stop}
	for _, t := range q.Messages {
		c.turns = append(c.turns, turn{Role: t.Role, Content: string(t.Content)})
	}
	switch f := bytes.TrimSpace(q.Format); {
	case bytes.Equal(f, []byte(`"json"`)):
		c.jsonMode = true
	case bytes.HasPrefix(f, []byte("{")):
		c.schema = f
	}
	window := min(orDefault(q.Options.NumCtx, defaultContext), m.Context)
	need := promptTokens(c.turns)
	if need <= window {
		return c, need, nil
	}
	if q.Truncate != nil && !*q.Truncate {
		return c, 0, &problem{status: http.StatusBadRequest, message: "the input length exceeds the context length"}
	}
	c.turns = lastTurns(c.turns, window)
	return c, window, nil
}

// lastTurns drops the oldest messages but for the system's, and in the end the head of the last one.
func lastTurns(turns []turn, window int) []turn {
	for len(turns) > 1 && promptTokens(turns) > window {
		drop := 0
		if turns[0].Role == "system" && len(turns) > 2 {
			drop = 1
		}
		turns = slices.Delete(slices.Clone(turns), drop, drop+1)
	}
	last := turns[len(turns)-1]
	if over := promptTokens(turns) - window; over > 0 {
		head, _ := firstTokens(last.Content, over)
		last.Content = last.Content[len(head):]
		turns = append(slices.Clone(turns[:len(turns)-1]), last)
	}
	return turns
}

// keepAlive reads a number of seconds or a Go duration; 0 unloads, less means forever.
func (q *ollamaRequest) keepAlive() time.Duration {
	var seconds float64
	if json.Unmarshal(q.KeepAlive, &seconds) == nil && len(q.KeepAlive) > 0 && string(q.KeepAlive) != "null" {
		return time.Duration(seconds * float64(time.Second))
	}
	var text string
	if json.Unmarshal(q.KeepAlive, &text) == nil {
		if d, err := time.ParseDuration(text); err == nil {
			return d
		}
	}
	return 5 * time.Minute
}

// ollamaPreload answers a request without messages, which loads or unloads the model.
func (x *exchange) ollamaPreload(q ollamaRequest, m *localModel) {
	reason := "load"
	keep := q.keepAlive()
	if keep == 0 {
		reason = "unload"
	}
	x.s.memory.load(m.Name, keep, x.s.now())
	x.respond(http.StatusOK, map[string]any{
		"model": q.Model, "created_at": x.stamp(), "message": map[string]any{"role": "assistant", "content": ""},
		"done": true, "done_reason": reason,
	})
}

func (x *exchange) stamp() string { return x.s.now().UTC().Format(time.RFC3339Nano) }

const (
	loadTime       = 101 * time.Millisecond
	promptPerToken = 250 * time.Microsecond
	answerPerToken = 3 * time.Millisecond
)

// final is the last line of an answer. Counters that are zero are absent, as they are on the wire.
func (x *exchange) final(q ollamaRequest, th thought, content string, cold bool) map[string]any {
	out := map[string]any{
		"model": q.Model, "created_at": x.stamp(), "message": map[string]any{"role": "assistant", "content": content},
		"done": true, "done_reason": th.finish,
	}
	if x.has(KindMissingUsage) {
		return out
	}
	perToken := answerPerToken
	if x.s.perToken > 0 {
		perToken = x.s.perToken
	}
	prompt, eval := time.Duration(th.prompt)*promptPerToken, time.Duration(th.completion)*perToken
	total := prompt + eval
	if cold {
		total += loadTime
	}
	set := func(name string, n int64) {
		if n != 0 {
			out[name] = n
		}
	}
	set("total_duration", int64(total))
	set("load_duration", int64(total-prompt-eval))
	set("prompt_eval_count", int64(th.prompt))
	set("prompt_eval_duration", int64(prompt))
	set("eval_count", int64(th.completion))
	set("eval_duration", int64(eval))
	return out
}

func (x *exchange) ollamaAnswer(q ollamaRequest, th thought, cold bool) {
	x.pause(th.took)
	if x.has(KindErrorIn200) {
		x.respond(http.StatusOK, map[string]any{"error": runnerDied})
		return
	}
	x.respond(http.StatusOK, x.final(q, th, th.text, cold))
}

const runnerDied = "an error was encountered while running the model: unexpected EOF"

// ollamaStream writes one JSON object per line; an error comes as a line of its own in the 200.
func (x *exchange) ollamaStream(q ollamaRequest, th thought, cold bool) {
	x.row.Status = http.StatusOK
	x.w.Header().Set("Content-Type", "application/x-ndjson")
	x.w.WriteHeader(http.StatusOK)
	line := func(v any) {
		_, _ = x.w.Write(append(encode(v), '\n'))
		x.flush()
	}
	for piece := range x.pieces(th, rate{}) {
		line(map[string]any{
			"model": q.Model, "created_at": x.stamp(), "message": map[string]any{"role": "assistant", "content": piece}, "done": false,
		})
	}
	switch {
	case x.row.Canceled, x.has(KindCutJSON):
		x.tear(encode(x.final(q, th, th.text, cold)))
		x.abort()
	case x.has(KindErrorIn200):
		x.record()
		line(map[string]any{"error": runnerDied})
		return
	}
	x.record()
	line(x.final(q, th, "", cold))
}
