package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/router"
)

// ChatRequest is the part of OpenAI's chat request that means something here.
type ChatRequest struct {
	Model               string            `json:"model" doc:"astro/<task type> asks that route; provider/model asks that model alone" example:"astro/simple"`
	Messages            []ChatMessage     `json:"messages"`
	Temperature         *float64          `json:"temperature,omitempty" minimum:"0" maximum:"2"`
	TopP                *float64          `json:"top_p,omitempty" minimum:"0" maximum:"1"`
	MaxTokens           *int              `json:"max_tokens,omitempty" minimum:"1" maximum:"32000"`
	MaxCompletionTokens *int              `json:"max_completion_tokens,omitempty" minimum:"1" maximum:"32000" doc:"The newer name of max_tokens, and before it"`
	Stop                TextOrList        `json:"stop,omitempty"`
	Stream              bool              `json:"stream,omitempty"`
	StreamOptions       *StreamOptions    `json:"stream_options,omitempty"`
	ResponseFormat      *ResponseFormat   `json:"response_format,omitempty"`
	N                   *int              `json:"n,omitempty" minimum:"1" maximum:"1"`
	User                string            `json:"user,omitempty" doc:"Accepted, and neither kept nor passed on"`
	Tools               []json.RawMessage `json:"tools,omitempty" maxItems:"0" doc:"Not supported: a request with tools is refused"`
	Functions           []json.RawMessage `json:"functions,omitempty" maxItems:"0" doc:"Not supported"`
}

// ChatMessage is one turn. Its content is a text or a list of parts, all of them texts.
type ChatMessage struct {
	Role    string          `json:"role" enum:"system,developer,user,assistant"`
	Content json.RawMessage `json:"content"`
}

// StreamOptions tune a stream.
type StreamOptions struct {
	IncludeUsage bool `json:"include_usage,omitempty" doc:"Send the token counts in a last chunk without choices"`
}

// ResponseFormat asks for JSON.
type ResponseFormat struct {
	Type       string `json:"type" enum:"text,json_object,json_schema"`
	JSONSchema *struct {
		Name   string          `json:"name"`
		Schema json.RawMessage `json:"schema,omitempty"`
		Strict *bool           `json:"strict,omitempty"`
	} `json:"json_schema,omitempty"`
}

// postChat answers a chat request, whole or as a stream.
func (a *api) postChat(w http.ResponseWriter, r *http.Request) error {
	var q ChatRequest
	if err := readOpenAI(w, r, &q); err != nil {
		return err
	}
	req, err := a.chatRequest(r, q)
	if err != nil {
		return err
	}
	if q.Stream {
		return a.streamChat(w, r, q, req)
	}
	ans, err := a.Router.Complete(r.Context(), req)
	if err != nil {
		return err
	}
	setRouting(w.Header(), ans)
	setCost(w.Header(), ans)
	w.Header().Set("Content-Type", "application/json")
	writeJSON(w, wholeCompletion(ans))
	return nil
}

// chatRequest puts a chat request into the router's words.
func (a *api) chatRequest(r *http.Request, q ChatRequest) (router.Request, error) {
	model, err := a.modelByName(q.Model)
	if err != nil {
		return router.Request{}, err
	}
	if err := q.check(); err != nil {
		return router.Request{}, err
	}
	fresh := strings.Contains(strings.ToLower(r.Header.Get("Cache-Control")), "no-cache")
	req := router.Request{
		Task: model.task, Force: model.force, Workspace: who(r.Context()).Workspace, Key: who(r.Context()).KeyID, Cache: router.DirectCache(fresh), SchemaName: "answer",
		Sampling:  router.Sampling{Temperature: q.Temperature, TopP: q.TopP, MaxTokens: q.limit(), Stop: q.Stop},
		RequestID: daemon.RequestID(r.Context()),
	}
	if req.Messages, err = q.messages(); err != nil {
		return req, err
	}
	if err := q.ResponseFormat.shape(&req); err != nil {
		return req, err
	}
	ws, err := a.Store.In(req.Workspace).Workspace(r.Context())
	req.Privacy = ws.Settings.Privacy
	return req, err
}

// check refuses what is out of range, and what would silently not be done.
func (q ChatRequest) check() error {
	within := func(v *float64, high float64) bool { return v == nil || *v >= 0 && *v <= high }
	tokens := func(n *int) bool { return n == nil || *n >= 1 && *n <= 32_000 }
	switch {
	case len(q.Messages) == 0:
		return badParam("messages", "give at least one message")
	case len(q.Messages) > 1000:
		return badParam("messages", "at most 1000 messages are taken")
	case !within(q.Temperature, 2):
		return badParam("temperature", "temperature is a number from 0 to 2")
	case !within(q.TopP, 1):
		return badParam("top_p", "top_p is a number from 0 to 1")
	case !tokens(q.MaxTokens):
		return badParam("max_tokens", "max_tokens is a number from 1 to 32000")
	case !tokens(q.MaxCompletionTokens):
		return badParam("max_completion_tokens", "max_completion_tokens is a number from 1 to 32000")
	case len(q.Stop) > 4:
		return badParam("stop", "at most 4 stop sequences are taken")
	case q.N != nil && *q.N != 1:
		return unsupported("n", "one choice is made per request; n has to be 1")
	case len(q.Tools) > 0:
		return unsupported("tools", "tools are not supported")
	case len(q.Functions) > 0:
		return unsupported("functions", "functions are not supported")
	}
	return nil
}

func unsupported(param, message string) *OpenAIError {
	e := badParam(param, message)
	code := "unsupported_parameter"
	e.Code = &code
	return e
}

// limit is the token limit, 0 for the route's.
func (q ChatRequest) limit() int {
	switch {
	case q.MaxCompletionTokens != nil:
		return *q.MaxCompletionTokens
	case q.MaxTokens != nil:
		return *q.MaxTokens
	}
	return 0
}

func (q ChatRequest) messages() ([]growth.Message, error) {
	out := make([]growth.Message, len(q.Messages))
	for i, m := range q.Messages {
		at := fmt.Sprintf("messages[%d]", i)
		switch m.Role {
		case "system", "user", "assistant":
			out[i].Role = m.Role
		case "developer":
			out[i].Role = "system"
		case "tool", "function":
			return nil, unsupported(at+".role", "tools are not supported, so there are no answers of theirs")
		default:
			return nil, badParam(at+".role", "role is one of system, developer, user, assistant")
		}
		text, err := textOf(at+".content", m.Content)
		if err != nil {
			return nil, err
		}
		out[i].Content = text
	}
	return out, nil
}

// textOf reads a content: a text, or parts of which every one is a text.
func textOf(at string, content json.RawMessage) (string, error) {
	var text string
	if json.Unmarshal(content, &text) == nil && string(content) != "null" {
		return text, nil
	}
	var parts []struct {
		Type    string  `json:"type"`
		Text    *string `json:"text"`
		Refusal *string `json:"refusal"`
	}
	if json.Unmarshal(content, &parts) != nil || len(parts) == 0 {
		return "", badParam(at, "content is a text or a list of parts")
	}
	texts := make([]string, len(parts))
	for i, p := range parts {
		switch {
		case p.Type == "text" && p.Text != nil:
			texts[i] = *p.Text
		case p.Type == "refusal" && p.Refusal != nil:
			texts[i] = *p.Refusal
		default:
			return "", unsupported(fmt.Sprintf("%s[%d]", at, i), "only parts of the type text are supported; images, audio and files are not")
		}
	}
	return strings.Join(texts, "\n"), nil
}

// shape asks for JSON where the format does.
func (f *ResponseFormat) shape(req *router.Request) error {
	const at = "response_format"
	switch {
	case f == nil || f.Type == "text" || f.Type == "":
		return nil
	case f.Type == "json_object":
		req.Schema = json.RawMessage(`{"type":"object"}`)
		return nil
	case f.Type != "json_schema":
		return badParam(at+".type", "type is one of text, json_object, json_schema")
	case f.JSONSchema == nil || f.JSONSchema.Name == "":
		return badParam(at+".json_schema", "json_schema needs a name")
	case len(f.JSONSchema.Schema) == 0 || string(f.JSONSchema.Schema) == "null":
		req.Schema = json.RawMessage(`{}`)
	default:
		req.Schema = f.JSONSchema.Schema
	}
	req.SchemaName = f.JSONSchema.Name
	if _, err := router.CompileSchema(req.Schema); err != nil {
		return badParam(at+".json_schema.schema", "schema "+strings.TrimPrefix(problemOf(err).Message, "schema: "))
	}
	return nil
}

// TextOrList is a text or a list of texts.
type TextOrList []string

// UnmarshalJSON reads either form.
func (l *TextOrList) UnmarshalJSON(b []byte) error {
	var one *string
	if json.Unmarshal(b, &one) == nil {
		if one != nil {
			*l = TextOrList{*one}
		}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return openAIFault(http.StatusBadRequest, "invalid_request_error", "", "a text or a list of texts was expected")
	}
	*l = many
	return nil
}
