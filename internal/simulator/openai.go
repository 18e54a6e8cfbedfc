package simulator

import (
	"encoding/json"
	"net/http"
	"strings"
)

// openAIRequest is the part of an OpenAI-shaped chat request that decides the answer. Unknown fields are ignored, as
// the providers do.
type openAIRequest struct {
	Model               string         `json:"model"`
	Models              []string       `json:"models"`
	Messages            []openAITurn   `json:"messages"`
	MaxTokens           int            `json:"max_tokens"`
	MaxCompletionTokens int            `json:"max_completion_tokens"`
	Stop                stringList     `json:"stop"`
	Stream              bool           `json:"stream"`
	StreamOptions       streamOptions  `json:"stream_options"`
	ResponseFormat      responseFormat `json:"response_format"`
	Provider            routerWishes   `json:"provider"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema struct {
		Name   string          `json:"name"`
		Schema json.RawMessage `json:"schema"`
	} `json:"json_schema"`
}

type openAITurn struct {
	Role    string      `json:"role"`
	Content turnContent `json:"content"`
}

// turnContent is a text, a list of parts of which the texts count, or null.
type turnContent string

// UnmarshalJSON accepts the forms that a content may have.
func (c *turnContent) UnmarshalJSON(b []byte) error {
	var text *string
	if err := json.Unmarshal(b, &text); err == nil {
		if text != nil {
			*c = turnContent(*text)
		}
		return nil
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	var texts []string
	for _, p := range parts {
		if p.Text != "" {
			texts = append(texts, p.Text)
		}
	}
	*c = turnContent(strings.Join(texts, "\n"))
	return nil
}

// stringList is a string or a list of strings.
type stringList []string

// UnmarshalJSON accepts both forms.
func (l *stringList) UnmarshalJSON(b []byte) error {
	var one *string
	if err := json.Unmarshal(b, &one); err == nil {
		if one != nil {
			*l = stringList{*one}
		}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// chat puts the request into shared words.
func (q openAIRequest) chat() chat {
	c := chat{maxTokens: q.MaxTokens, stop: q.Stop, stream: q.Stream}
	if q.MaxCompletionTokens > 0 {
		c.maxTokens = q.MaxCompletionTokens
	}
	for _, t := range q.Messages {
		c.turns = append(c.turns, turn{Role: t.Role, Content: string(t.Content)})
	}
	switch q.ResponseFormat.Type {
	case "json_schema":
		c.schema = q.ResponseFormat.JSONSchema.Schema
	case "json_object":
		c.jsonMode = true
	}
	return c
}

// fault names what is wrong with a request in itself, empty when nothing is.
func (q openAIRequest) fault() string {
	switch {
	case len(q.Messages) == 0:
		return "Input required: specify \"prompt\" or \"messages\""
	case q.MaxTokens < 0 || q.MaxCompletionTokens < 0:
		return "max_tokens must be at least 1"
	case len(q.Stop) > 4:
		return "stop: at most 4 sequences are allowed"
	}
	switch q.ResponseFormat.Type {
	case "", "text", "json_object":
	case "json_schema":
		if len(q.ResponseFormat.JSONSchema.Schema) == 0 || q.ResponseFormat.JSONSchema.Name == "" {
			return "response_format.json_schema needs name and schema"
		}
	default:
		return "response_format.type: unknown value " + q.ResponseFormat.Type
	}
	return ""
}

// sse is an answer in server-sent events.
type sse struct{ x *exchange }

// open begins the stream; from then on the status is 200 whatever happens.
func (e sse) open() {
	h := e.x.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	e.x.row.Status = http.StatusOK
	e.x.w.WriteHeader(http.StatusOK)
}

func (e sse) send(v any) {
	_, _ = e.x.w.Write([]byte("data: "))
	_, _ = e.x.w.Write(encode(v))
	_, _ = e.x.w.Write([]byte("\n\n"))
	e.x.flush()
}

func (e sse) comment(text string) {
	_, _ = e.x.w.Write([]byte(": " + text + "\n\n"))
	e.x.flush()
}

func (e sse) done() {
	_, _ = e.x.w.Write([]byte("data: [DONE]\n\n"))
	e.x.flush()
}

// orNull makes JSON's null of an empty string.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
