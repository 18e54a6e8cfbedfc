package router

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/router/cache"
)

// keyVersion changes when the encoding below does, so that no program reads another version's answers.
const keyVersion = 1

// keyOf digests everything in a request that can change its answer: all but who asks (Job, Lead, Step, RequestID,
// Ledger), how they ask and wait (via, KeepAlive, Timeout), and what they do with the answer (Accept, Cache).
func keyOf(route Route, req Request) cache.Key {
	b := make([]byte, 0, 1024)
	b = appendMessages(append(b, keyVersion), req.Messages)
	return cache.NewKey(req.Workspace, req.Task, appendSettings(b, route, req))
}

// nearKey adds what the request shares with those that differ from it in nothing that counts. The user's words are
// brought into their near form, all else stays as it is; without such a form there is no near key.
func nearKey(key cache.Key, route Route, req Request) cache.Key {
	forms := make([]growth.Message, len(req.Messages))
	for i, m := range req.Messages {
		forms[i] = m
		if m.Role != "user" {
			continue
		}
		form, ok := cache.Near(m.Content)
		if !ok {
			return key
		}
		forms[i].Content = form
	}
	b := appendMessages(append(make([]byte, 0, 1024), keyVersion), forms)
	return key.WithNear(appendSettings(b, route, req))
}

// Every text and list comes with its length, so that no two requests run together.
func appendMessages(b []byte, messages []growth.Message) []byte {
	b = binary.AppendUvarint(b, uint64(len(messages)))
	for _, m := range messages {
		b = appendText(appendText(b, m.Role), m.Content)
	}
	return b
}

func appendSettings(b []byte, route Route, req Request) []byte {
	s := req.Sampling
	if s.Temperature == nil {
		s.Temperature = route.Temperature
	}
	if s.MaxTokens == 0 {
		s.MaxTokens = route.MaxTokens
	}
	if s.TopP == nil {
		s.TopP = route.TopP
	}
	if s.Stop == nil {
		s.Stop = route.Stop
	}
	b = appendFloat(appendFloat(b, s.Temperature), s.TopP)
	b = binary.AppendVarint(b, int64(s.MaxTokens))
	b = binary.AppendUvarint(b, uint64(len(s.Stop)))
	for _, stop := range s.Stop {
		b = appendText(b, stop)
	}
	b = appendText(b, string(compact(req.Schema)))
	force := growth.Call{}
	if req.Force != nil {
		force = *req.Force
	}
	for _, text := range []string{req.SchemaName, string(req.Privacy), req.Scope, force.Provider, force.Model} {
		b = appendText(b, text)
	}
	if req.Except != "" { // absent from the keys of requests that bar nobody
		b = appendText(b, Lineage(req.Except))
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendFloat(b []byte, f *float64) []byte {
	if f == nil {
		return append(b, 0)
	}
	return binary.BigEndian.AppendUint64(append(b, 1), math.Float64bits(*f))
}

// compact takes the layout out of a schema; one that is not JSON stays as it is.
func compact(schema json.RawMessage) []byte {
	if len(schema) == 0 {
		return nil
	}
	var b bytes.Buffer
	if json.Compact(&b, schema) != nil {
		return schema
	}
	return b.Bytes()
}
