package simulator

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

func (s *Server) routesHuggingFace() {
	const base = "/huggingface/v1"
	s.mux.HandleFunc("POST "+base+"/chat/completions", s.handle(HuggingFace, "chat", (*exchange).hubChat))
	s.mux.HandleFunc("GET "+base+"/models", s.handle(HuggingFace, "models", (*exchange).hubModels))
	s.mux.HandleFunc("GET "+base+"/models/{org}/{model}", s.handle(HuggingFace, "models", (*exchange).hubModelDetail))
	s.mux.HandleFunc("/huggingface/", s.notThere(HuggingFace))
}

// hubCall is a chat request whose model and host were found.
type hubCall struct {
	chat
	model      *hubModel
	host       *hubHost
	id         string
	at         int64
	wantsUsage bool
}

func (x *exchange) hubChat() {
	x.w.Header().Set("X-Request-Id", "Root=1-"+strconv.FormatInt(x.started.Unix(), 16)+"-"+x.s.dice.word(24))
	token, ok := x.bearer()
	if !ok || token == "" || strings.HasPrefix(token, "sim-revoked") {
		x.refuse(problem{status: http.StatusUnauthorized})
		return
	}
	var q openAIRequest
	if err := json.Unmarshal(x.body, &q); err != nil {
		x.refuse(problem{status: http.StatusBadRequest, message: "Invalid JSON body"})
		return
	}
	if fault := q.fault(); fault != "" {
		x.refuse(problem{status: http.StatusUnprocessableEntity, message: fault})
		return
	}
	m, host, p := x.s.chooseHubModel(q.Model)
	if p == nil && promptTokens(q.chat().turns)+q.chat().maxTokens > host.Context {
		p = &problem{
			status: http.StatusBadRequest, code: "context_length_exceeded",
			message: "This model's maximum context length is " + strconv.Itoa(host.Context) + " tokens.",
		}
	}
	if p != nil {
		x.refuse(*p)
		return
	}
	call := hubCall{
		chat: q.chat(), model: m, host: host, at: x.started.Unix(), wantsUsage: q.StreamOptions.IncludeUsage,
		id: "chatcmpl-" + x.s.dice.word(24),
	}
	x.row.Answered, x.row.Generation = m.ID+":"+host.Name, call.id
	th := x.think(call.chat, host.rate())
	if q.Stream {
		x.hubStream(call, th)
		return
	}
	x.hubAnswer(call, th)
}

// chooseHubModel reads "org/model", "org/model:policy" and "org/model:host".
func (s *Server) chooseHubModel(id string) (*hubModel, *hubHost, *problem) {
	name, pin, _ := strings.Cut(id, ":")
	m := s.catalogue.hubModel(name)
	pinned := pin != "" && pin != "fastest" && pin != "cheapest" && pin != "preferred"
	if m == nil || m.Gone != "" || len(m.Hosts) == 0 || (m.PinnedOnly && !pinned) {
		return nil, nil, &problem{
			status: http.StatusBadRequest, code: "model_not_supported",
			message: "The requested model '" + id + "' is not supported by any provider you have enabled.",
		}
	}
	if pinned {
		for i := range m.Hosts {
			if m.Hosts[i].Name == pin {
				return m, &m.Hosts[i], nil
			}
		}
		return nil, nil, &problem{status: http.StatusBadRequest, message: "Model not supported by provider " + pin}
	}
	best := &m.Hosts[0]
	for i := range m.Hosts[1:] {
		h := &m.Hosts[i+1]
		if pin == "cheapest" && h.Output != nil && best.Output != nil && h.Output.LessThan(*best.Output) {
			best = h
		}
	}
	return m, best, nil
}

func (c hubCall) envelope(object string) map[string]any {
	return map[string]any{
		"id": c.id, "object": object, "created": c.at, "model": c.model.ID, "system_fingerprint": "fp_simulated",
	}
}

// hubUsage has no cost: the router tells none.
func hubUsage(th thought) map[string]any {
	return map[string]any{
		"prompt_tokens": th.prompt, "completion_tokens": th.completion, "total_tokens": th.prompt + th.completion,
	}
}

func (x *exchange) hubAnswer(c hubCall, th thought) {
	x.pause(th.took)
	if x.has(KindErrorIn200) {
		x.chargeNothing()
		x.hubErrorIn200(c)
		return
	}
	out := c.envelope("chat.completion")
	out["service_tier"] = "on_demand"
	out["choices"] = []any{map[string]any{
		"index": 0, "message": map[string]any{"role": "assistant", "content": th.text}, "logprobs": nil, "finish_reason": th.finish,
	}}
	if !x.has(KindMissingUsage) {
		out["usage"] = hubUsage(th)
	}
	x.respond(http.StatusOK, out)
}

func (x *exchange) hubErrorIn200(c hubCall) {
	inner := map[string]any{"message": "upstream provider failed", "type": "server_error", "code": "server_error"}
	if x.fault.Params.Hint != HintChoice {
		x.respond(http.StatusOK, map[string]any{"error": inner})
		return
	}
	out := c.envelope("chat.completion")
	out["choices"] = []any{map[string]any{
		"index": 0, "message": map[string]any{"role": "assistant", "content": ""}, "finish_reason": "error", "error": inner,
	}}
	x.respond(http.StatusOK, out)
}

func (c hubCall) chunk(piece, finish string) map[string]any {
	out := c.envelope("chat.completion.chunk")
	delta := map[string]any{"role": "assistant", "content": piece}
	if finish != "" {
		delta = map[string]any{}
	}
	out["choices"] = []any{map[string]any{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": orNull(finish)}}
	return out
}

func (x *exchange) hubStream(c hubCall, th thought) {
	e := sse{x}
	e.open()
	x.keepStreamAlive()
	for piece := range x.pieces(th, c.host.rate()) {
		e.send(c.chunk(piece, ""))
	}
	switch {
	case x.row.Canceled, x.has(KindCutJSON):
		e.tear(c.chunk(th.text, ""))
		x.abort()
	case x.has(KindErrorIn200):
		x.chargeNothing()
		x.record()
		e.send(map[string]any{"error": map[string]any{"message": "upstream provider failed", "type": "server_error"}})
		return
	}
	x.record()
	e.send(c.chunk("", th.finish))
	if c.wantsUsage && !x.has(KindMissingUsage) {
		last := c.envelope("chat.completion.chunk")
		last["choices"], last["usage"] = []any{}, hubUsage(th)
		e.send(last)
	}
	e.done()
}

// hubModels lists the models that some host serves; it needs no token.
func (x *exchange) hubModels() {
	served := []any{}
	for _, m := range x.s.catalogue.HuggingFace {
		if m.Gone == "" {
			served = append(served, m.listing())
		}
	}
	x.respond(http.StatusOK, map[string]any{"object": "list", "data": served})
}

func (x *exchange) hubModelDetail() {
	id := x.r.PathValue("org") + "/" + x.r.PathValue("model")
	m := x.s.catalogue.hubModel(id)
	if m == nil || m.Gone != "" {
		x.refuse(problem{status: http.StatusNotFound, message: "The model '" + clip(id, 200) + "' does not exist", code: "model_not_found"})
		return
	}
	x.respond(http.StatusOK, m.listing())
}

func (m *hubModel) listing() map[string]any {
	hosts := []any{}
	for _, h := range m.Hosts {
		host := map[string]any{
			"provider": h.Name, "status": "live", "context_length": h.Context,
			"supports_tools": h.Tools, "supports_structured_output": h.Structured,
		}
		if h.Input != nil && h.Output != nil {
			host["pricing"] = map[string]any{"input": rawNumber(h.Input.String()), "output": rawNumber(h.Output.String())}
		}
		hosts = append(hosts, host)
	}
	org, _, _ := strings.Cut(m.ID, "/")
	return map[string]any{
		"id": m.ID, "object": "model", "created": m.Created, "owned_by": org,
		"architecture": map[string]any{"input_modalities": []string{"text"}, "output_modalities": []string{"text"}},
		"providers":    hosts,
	}
}
