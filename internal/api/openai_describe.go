package api

import (
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/zakibelm/astrogrowth/internal/auth"
)

// Schema describes the two forms of a stop sequence.
func (TextOrList) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{
		{Type: huma.TypeString}, {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}, MaxItems: new(4)},
	}}
}

// describeOpenAI adds the calls to the description. They are not the framework's: it refuses what it does not know, and
// these clients send what nobody can know.
func describeOpenAI(h huma.API) {
	d := h.OpenAPI()
	schema := func(v any) *huma.Schema { return d.Components.Schemas.Schema(reflect.TypeOf(v), true, "") }
	add := func(method, path, summary, text string, in, out *huma.Schema, change func(*huma.Operation)) {
		o := &huma.Operation{
			Method: method, Path: path, Tags: []string{"openai"}, Summary: summary, Description: text, OperationID: operationID(method, path), Metadata: needs(openAIScope(method)),
			Responses: map[string]*huma.Response{"200": {Description: "OK", Content: asJSON(out)}},
		}
		for _, status := range []int{400, 401, 403, 404, 413, 429, 500, 503, 504} {
			o.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: asJSON(schema(OpenAIErrorBody{}))}
		}
		if in != nil {
			o.RequestBody = &huma.RequestBody{Required: true, Content: asJSON(open(d, in))}
			o.Responses["402"] = &huma.Response{Description: http.StatusText(http.StatusPaymentRequired), Content: asJSON(schema(OpenAIErrorBody{}))}
		}
		if change != nil {
			change(o)
		}
		d.AddOperation(o)
	}
	add(http.MethodPost, "/v1/chat/completions", "Chat, as OpenAI's API", chatText, schema(ChatRequest{}), schema(ChatCompletion{}), func(o *huma.Operation) {
		o.Responses["200"].Content["text/event-stream"] = &huma.MediaType{Schema: schema(ChatChunk{})}
		o.Responses["200"].Headers = routingHeaders()
	})
	add(http.MethodPost, "/v1/embeddings", "Vectors of texts, as OpenAI's API", embeddingText, schema(EmbeddingRequest{}), schema(EmbeddingList{}), nil)
	add(http.MethodGet, "/v1/models", "What can be named as a model", "The routes as `astro/<task type>`, then the models of every configured provider.", nil, schema(ModelEntries{}), nil)
	add(http.MethodGet, "/v1/models/{id}", "One model", "The id may hold slashes.", nil, schema(ModelEntry{}), func(o *huma.Operation) {
		o.Parameters = []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}}}
	})
}

// openAIScope is what openAIFace asks of a caller.
func openAIScope(method string) auth.Scope {
	if method == http.MethodGet {
		return auth.ScopeRead
	}
	return auth.ScopeEnqueue
}

const chatText = "For any client of OpenAI's API: set its base URL to this server's `/v1`. Unknown members are ignored; tools, several choices, images and audio are refused. " +
	"With `stream` the answer comes as server-sent events: a fault before the first word goes to the next candidate of the route, a later one ends the stream with an `error` event and without `[DONE]`. " +
	"An answer that has to fit a schema is checked before its first word is sent. `Cache-Control: no-cache` asks for a fresh answer. Who answered, and what it cost, stands in `X-Astrogrowth-*` headers and in `astrogrowth`."

const embeddingText = "A model's vector of a text is made once and kept for 30 days. No other model answers in the place of the one that was named: their vectors could not be compared."

func asJSON(s *huma.Schema) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{"application/json": {Schema: s}}
}

// open lets a described body have members that are not described.
func open(d *huma.OpenAPI, s *huma.Schema) *huma.Schema {
	if named := d.Components.Schemas.SchemaFromRef(s.Ref); named != nil {
		named.AdditionalProperties = true
	}
	return s
}

func routingHeaders() map[string]*huma.Param {
	out := map[string]*huma.Param{}
	for name, text := range map[string]string{
		"Provider": "Who answered", "Model": "The model that answered", "Cached": "no, exact, near or semantic", "Simulated": "Whether the simulator answered",
		"Fallback-Attempts": "Candidates before the one that answered", "Call-Ids": "The ledger's ids of the calls", "Cost-Usd": "What all calls cost; absent when unknown, and on streams",
		"Cost-Provenance": "reported, priced or unknown",
	} {
		out[routingHeader+name] = &huma.Param{Description: text, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return out
}
