package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/store"
)

type batchInput struct {
	OnUnchanged string `query:"on_unchanged" enum:"qualify,skip" default:"qualify" doc:"skip: a lead whose score would rest on the same as its present one makes no job"`
	RawBody     []byte
}

// BatchItem is what became of one element of a batch.
type BatchItem struct {
	Index  int          `json:"index"`
	Status string       `json:"status" enum:"accepted,replayed,existing,unchanged,rejected"`
	ID     growth.JobID `json:"id,omitempty"`
	Error  *Problem     `json:"error,omitempty"`
}

// BatchResult is what became of a batch.
type BatchResult struct {
	Accepted int         `json:"accepted"`
	Rejected int         `json:"rejected"`
	Data     []BatchItem `json:"data"`

	faults []error // of ours, that made items fail
}

// batchChunk is how many jobs of a batch share one commit.
const batchChunk = 500

func (a *api) postBatch(ctx context.Context, in *batchInput) (*struct{ Body BatchResult }, error) {
	raws, err := splitBatch(in.RawBody)
	if err != nil {
		return nil, err
	}
	out := BatchResult{Data: make([]BatchItem, len(raws))}
	var good []item
	var where []int
	for i, raw := range raws {
		out.Data[i] = BatchItem{Index: i}
		it, err := decodeItem(raw)
		if err == nil {
			err = a.check(ctx, it)
		}
		var before store.Accepted
		var found bool
		if err == nil {
			before, found, err = a.replayed(ctx, it)
		}
		switch {
		case err != nil:
			out.reject(i, err)
			continue
		case found:
			out.Data[i].Status, out.Data[i].ID = "replayed", before.ID
			out.Accepted++
			continue
		}
		good, where = append(good, it), append(where, i)
	}
	for from := 0; from < len(good); from += batchChunk {
		to := min(from+batchChunk, len(good))
		a.acceptChunk(ctx, good[from:to], where[from:to], in.OnUnchanged == "skip", &out)
	}
	if n := len(out.faults); n > 0 { // many items fail of one cause: it is told once
		zerolog.Ctx(ctx).Error().Err(out.faults[0]).Int("items", n).Msg("items of a batch failed")
		daemon.CaptureError(ctx, out.faults[0])
	}
	return &struct{ Body BatchResult }{out}, nil
}

func (r *BatchResult) reject(i int, err error) {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError {
		r.faults = append(r.faults, err)
	}
	r.Data[i].Status, r.Data[i].Error = "rejected", p
	r.Rejected++
}

// acceptChunk commits a part of a batch. When its commit fails as a whole, its items are tried one by one, so that one
// bad campaign id, or one that we have a fault with, does not take 499 good jobs with it.
func (a *api) acceptChunk(ctx context.Context, items []item, where []int, skip bool, out *BatchResult) {
	subs, at, err := a.submissions(ctx, items, skip)
	var got []store.Accepted
	if err == nil && len(subs) > 0 {
		got, err = a.Queue.Enqueue(ctx, who(ctx).Workspace, subs...)
	}
	if code := growth.CodeOf(err); err != nil && len(items) > 1 && (code == growth.Internal || !code.Retryable()) {
		for i := range items {
			a.acceptChunk(ctx, items[i:i+1], where[i:i+1], skip, out)
		}
		return
	}
	for i, w := range where {
		switch {
		case err != nil:
			out.reject(w, err)
			continue
		case at[i] == nil:
			out.Data[w].Status = "unchanged"
		default:
			g := got[*at[i]]
			out.Data[w].ID, out.Data[w].Status = g.ID, "accepted"
			if g.Replayed {
				out.Data[w].Status = "replayed"
			} else if g.Existing {
				out.Data[w].Status = "existing"
			}
		}
		out.Accepted++
	}
}

func splitBatch(body []byte) ([]json.RawMessage, error) {
	const op = "api.splitBatch"
	body = bytes.TrimSpace(body)
	var out []json.RawMessage
	if len(body) > 0 && body[0] == '[' {
		if err := json.Unmarshal(body, &out); err != nil {
			return nil, newProblem(400, "the body is not a JSON array: "+syntax(err))
		}
	} else {
		lines := bufio.NewScanner(bytes.NewReader(body))
		lines.Buffer(make([]byte, 0, 64<<10), maxBody)
		for n := 1; lines.Scan(); n++ {
			line := bytes.TrimSpace(lines.Bytes())
			if len(line) == 0 {
				continue
			}
			if !json.Valid(line) {
				return nil, newProblem(400, "line "+strconv.Itoa(n)+" is not JSON; send a JSON array, or one JSON object a line")
			}
			out = append(out, append(json.RawMessage(nil), line...))
		}
		if lines.Err() != nil {
			return nil, newProblem(400, "a line is longer than 10 MiB")
		}
	}
	if len(out) == 0 {
		return nil, growth.InvalidField(op, "body", "send at least one job")
	}
	if len(out) > maxItems {
		return nil, growth.InvalidField(op, "body", "send at most %d jobs; these are %d", maxItems, len(out))
	}
	return out, nil
}

func syntax(err error) string {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return e.Error() + " at byte " + strconv.FormatInt(e.Offset, 10)
	}
	return "it cannot be read"
}

// decodeItem reads one element of a batch as strictly as its own path would.
func decodeItem(raw json.RawMessage) (item, error) {
	var head struct {
		Type growth.JobType `json:"type"`
		Key  string         `json:"idempotency_key"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return item{}, growth.InvalidField("api.decodeItem", "body", "use a JSON object with a type")
	}
	type typed struct {
		Type growth.JobType `json:"type"`
		Key  string         `json:"idempotency_key"`
	}
	var it item
	var err error
	switch head.Type {
	case growth.JobLeadQualification:
		b := struct {
			typed
			QualificationBody
		}{}
		if err = strict(raw, &b); err == nil {
			it, err = b.item()
		}
	case growth.JobContentGeneration:
		b := struct {
			typed
			ContentBody
		}{}
		if err = strict(raw, &b); err == nil {
			it, err = b.item()
		}
	case growth.JobLinkedInPublish:
		b := struct {
			typed
			PublishBody
		}{}
		if err = strict(raw, &b); err == nil {
			it, err = b.item()
		}
	case growth.JobCallback, growth.JobMaintenance, growth.JobLeadAgreement:
		fallthrough
	default:
		err = growth.InvalidField("api.decodeItem", "type", "use lead-qualification, content-generation or linkedin-publish")
	}
	if err == nil && utf8.RuneCountInString(head.Key) > maxKey {
		err = growth.InvalidField("api.decodeItem", "idempotency_key", "use at most %d characters", maxKey)
	}
	if it.key = head.Key; err == nil && it.key != "" {
		it.body, err = it.fingerprint()
	}
	return it, err
}

// maxKey is how long an idempotency key may be, wherever it stands.
const maxKey = 200

// strict decodes and names the member at fault.
func strict(raw []byte, v any) error {
	const op = "api.strict"
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		return nil
	}
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return growth.InvalidField(op, first(t.Field, "body"), "use a value of the type %s", jsonType(t.Type.Kind().String()))
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return growth.InvalidField(op, first(strings.Trim(field, `"`), "body"), "there is no such field; see the schema at /docs")
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return growth.InvalidField(op, "body", "the JSON ends too early")
	}
	return growth.InvalidField(op, "body", "a value cannot be read; times are RFC 3339, ids are UUIDs")
}

func jsonType(kind string) string {
	switch {
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"):
		return "whole number"
	case strings.HasPrefix(kind, "float"):
		return "number"
	case kind == "struct", kind == "map", kind == "ptr":
		return "object"
	case kind == "slice":
		return "array"
	case kind == "bool":
		return "true or false"
	}
	return kind
}
