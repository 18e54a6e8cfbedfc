package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/router"
)

const (
	streamKeepAlive = 10 * time.Second // between comments while nothing else comes
	streamWrite     = 30 * time.Second // that a client may take for one piece before it is given up
)

// ChatChunk is a piece of an answer.
type ChatChunk struct {
	ID      string            `json:"id"`
	Object  string            `json:"object" enum:"chat.completion.chunk"`
	Created int64             `json:"created"`
	Model   string            `json:"model"`
	Choices []ChatChunkChoice `json:"choices"`
	Usage   *ChatUsage        `json:"usage,omitempty"`
	Routing *Routing          `json:"astrogrowth,omitempty" doc:"With the chunk that ends the answer"`
}

// ChatChunkChoice is the one choice's new words.
type ChatChunkChoice struct {
	Index        int       `json:"index"`
	Delta        ChatDelta `json:"delta"`
	FinishReason *string   `json:"finish_reason"`
}

// ChatDelta is what is new.
type ChatDelta struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

// chatStream is one answer on its way to a client as server-sent events. Nothing is sent, not even the status, before
// the first word or the first keep-alive: until then a failure can still be told as one.
type chatStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
	spoken  bool
	usage   bool // the client wants the token counts
	chunk   ChatChunk
}

// streamChat passes an answer on as it comes. A client who leaves ends the request at the provider.
func (a *api) streamChat(w http.ResponseWriter, r *http.Request, q ChatRequest, req router.Request) error {
	req.KeepAlive = a.KeepAlive
	if req.KeepAlive == 0 {
		req.KeepAlive = streamKeepAlive
	}
	s := &chatStream{
		w: w, control: http.NewResponseController(w), usage: q.StreamOptions != nil && q.StreamOptions.IncludeUsage,
		chunk: ChatChunk{ID: "chatcmpl-" + growth.NewID(), Object: "chat.completion.chunk", Created: time.Now().Unix(), Model: q.Model},
	}
	ctx := r.Context()
	for c, err := range a.Router.Stream(ctx, req) {
		switch {
		case c.Last && err != nil:
			return s.fail(ctx, err)
		case c.Last:
			s.end(c.Answer)
		case !s.pass(c):
			return nil // the client has left, and there is nobody to tell
		}
	}
	return nil
}

// pass sends new words, or a sign of life when there are none. It is false when the client has left.
func (s *chatStream) pass(c router.Chunk) bool {
	if c.Text == "" {
		s.begin(nil)
		return s.write(": waiting\n\n")
	}
	s.begin(&c.Answer)
	if !s.spoken {
		s.spoken = true
		s.chunk.Model = c.Answer.Provider + "/" + c.Answer.Model
		empty := ""
		if !s.send(ChatDelta{Role: "assistant", Content: &empty}, nil, nil) {
			return false
		}
	}
	return s.send(ChatDelta{Content: &c.Text}, nil, nil)
}

// begin commits the status, with the routing headers when they are known by now.
func (s *chatStream) begin(a *router.Answer) {
	if s.begun {
		return
	}
	s.begun = true
	h := s.w.Header()
	if a != nil {
		setRouting(h, *a)
	}
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // proxies would otherwise hold the words back
	s.w.WriteHeader(http.StatusOK)
}

func (s *chatStream) end(a router.Answer) {
	finish, routing := finishOf(a), routingOf(a)
	if !s.send(ChatDelta{}, &finish, &routing) {
		return
	}
	if s.usage {
		last, usage := s.chunk, usageOf(a.Usage)
		last.Choices, last.Usage = []ChatChunkChoice{}, &usage
		s.event(last)
	}
	s.write("data: [DONE]\n\n")
}

// fail ends the answer with an error: as a status while that is possible, later as an event.
func (s *chatStream) fail(ctx context.Context, err error) error {
	if !s.begun {
		return err
	}
	if growth.CodeOf(err) == growth.Canceled {
		return nil
	}
	zerolog.Ctx(ctx).Warn().Err(err).Str("code", growth.CodeOf(err).String()).Msg("stream broke off")
	s.event(OpenAIErrorBody{openAIErrorOf(err)})
	return nil
}

func (s *chatStream) send(d ChatDelta, finish *string, routing *Routing) bool {
	c := s.chunk
	c.Choices, c.Routing = []ChatChunkChoice{{Delta: d, FinishReason: finish}}, routing
	return s.event(c)
}

func (s *chatStream) event(v any) bool {
	b, err := json.Marshal(v)
	return err == nil && s.write("data: "+string(b)+"\n\n")
}

func (s *chatStream) write(text string) bool {
	_ = s.control.SetWriteDeadline(time.Now().Add(streamWrite)) // a connection without deadlines has none to set
	if _, err := s.w.Write([]byte(text)); err != nil {
		return false
	}
	return s.control.Flush() == nil
}
