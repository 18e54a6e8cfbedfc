package api

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/webhook"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// maxWebhook is how long a message may be that comes in. Senders send a few kilobytes.
const maxWebhook = 1 << 20

// webhookIn is the way in of those who have no key of ours: their signature is the key.
func (a *api) webhookIn(h huma.API, mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/webhooks/{source}", a.postWebhook)
	d := h.OpenAPI()
	answer := d.Components.Schemas.Schema(typeOf[WebhookAnswer](), true, "")
	o := &huma.Operation{
		Method: http.MethodPost, Path: "/v1/webhooks/{source}", Tags: []string{"webhooks"}, Summary: "Send leads", OperationID: operationID(http.MethodPost, "/v1/webhooks/{source}"),
		Description: "For senders, not for callers with a key: the call is proved by the signature, or the token, that the source's kind wants. " +
			"It is kept before it is answered; the lead is made afterwards. A message that comes again is answered 200 and makes nothing.",
		Security:    []map[string][]string{{}},
		Parameters:  []*huma.Param{{Name: "source", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"}}},
		RequestBody: &huma.RequestBody{Required: true, Content: asJSON(&huma.Schema{})},
		Responses: map[string]*huma.Response{
			"200": {Description: "Nothing new: it has come before, or is of a type that the source drops", Content: asJSON(answer)},
			"202": {Description: "Kept", Content: asJSON(answer)},
		},
	}
	problem := d.Components.Schemas.Schema(typeOf[Problem](), true, "")
	for status, text := range map[string]string{"400": "The body cannot be read", "401": "The call is not proved", "404": "There is no such source, or it is off", "403": "The host is not allowed", "413": "The body is larger than 1 MiB", "429": "Try again later", "500": "A fault of ours", "503": "Try again"} {
		o.Responses[status] = &huma.Response{Description: text, Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}}
	}
	d.AddOperation(o)
}

// WebhookAnswer says what became of the messages of a call.
type WebhookAnswer struct {
	Accepted   int              `json:"accepted"`
	Duplicates int              `json:"duplicates" doc:"Had come before"`
	Dropped    int              `json:"dropped" doc:"Of types that the source does not take in"`
	Data       []WebhookMessage `json:"data"`
}

// WebhookMessage is one message of a call.
type WebhookMessage struct {
	ID     growth.DeliveryID `json:"id"`
	Status string            `json:"status" enum:"accepted,duplicate,dropped"`
}

func (a *api) postWebhook(w http.ResponseWriter, r *http.Request) {
	answer, err := a.takeWebhook(w, r)
	if err != nil {
		p := problemOf(err)
		if p.Status == http.StatusUnprocessableEntity {
			p.Status, p.Title = http.StatusBadRequest, http.StatusText(http.StatusBadRequest) // who sends knows 400
		}
		if p.Status >= 500 {
			zerolog.Ctx(r.Context()).Error().Err(err).Str("code", p.Code).Msg("webhook failed")
			if p.Status == http.StatusInternalServerError {
				daemon.CaptureError(r.Context(), err)
			}
		}
		writeProblem(w, p)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if answer.Accepted > 0 {
		a.arrived()
		w.WriteHeader(http.StatusAccepted)
	}
	writeJSON(w, answer)
}

// arrived has what came in looked at now, where this process does so.
func (a *api) arrived() {
	if a.Arrived != nil {
		a.Arrived()
	}
}

func (a *api) takeWebhook(w http.ResponseWriter, r *http.Request) (WebhookAnswer, error) {
	ctx := r.Context()
	id := r.PathValue("source")
	if !growth.ValidID(id) {
		return WebhookAnswer{}, noSource()
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(30 * time.Second)) // a connection without deadlines has none to set
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWebhook))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		p := newProblem(http.StatusRequestEntityTooLarge, "")
		p.Detail, p.Message = "the body is larger than 1 MiB", "the body is larger than 1 MiB"
		return WebhookAnswer{}, p
	}
	if err != nil {
		return WebhookAnswer{}, newProblem(http.StatusBadRequest, "the body could not be read to its end")
	}
	src, sealed, err := a.Store.CalledSource(ctx, growth.SourceID(id))
	if growth.CodeOf(err) == growth.NotFound && err != nil {
		return WebhookAnswer{}, noSource()
	}
	if err != nil {
		return WebhookAnswer{}, err
	}
	call := webhook.Call{Method: r.Method, URI: a.publicURI(r), Header: r.Header, Body: body}
	if err := a.prove(src, sealed, call); err != nil {
		if e, ok := errors.AsType[*growth.Error](err); ok && e.Code == growth.Unauthorized {
			if err := a.Store.SourceRefused(ctx, src.ID, e.Message); err != nil {
				zerolog.Ctx(ctx).Warn().Err(err).Msg("a refusal was not noted")
			}
		}
		return WebhookAnswer{}, err
	}
	arrivals, err := tasks.Arrivals(src, call)
	if err != nil {
		return WebhookAnswer{}, err
	}
	got, err := a.Store.AddDeliveries(ctx, src, arrivals)
	return answerOf(got), err
}

func noSource() error {
	return growth.Errorf(growth.NotFound, "api.webhook", "there is no such source, or it is off")
}

// prove tells a sender from a stranger.
func (a *api) prove(src growth.WebhookSource, sealed []store.SealedSecret, c webhook.Call) error {
	var secrets []string
	for _, s := range sealed {
		secret, err := a.Open(s.Sealed, string(src.ID))
		if err != nil {
			return &growth.Error{Code: growth.Internal, Op: "api.prove", Message: "a secret of the source cannot be opened with ENCRYPTION_KEY; rotate it", Err: err}
		}
		secrets = append(secrets, string(secret))
	}
	return tasks.SchemeOf(src).Verify(c, secrets, time.Now())
}

// publicURI is the address as the sender called it: what a request says of its own host proves nothing.
func (a *api) publicURI(r *http.Request) string {
	uri := strings.TrimSuffix(a.PublicURL, "/") + r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		uri += "?" + r.URL.RawQuery
	}
	return uri
}

func answerOf(got []store.Arrived) WebhookAnswer {
	out := WebhookAnswer{Data: make([]WebhookMessage, 0, len(got))}
	for _, g := range got {
		m := WebhookMessage{ID: g.ID, Status: "accepted"}
		switch {
		case g.Known:
			m.Status = "duplicate"
			out.Duplicates++
		case g.State == growth.DeliveryDropped:
			m.Status = "dropped"
			out.Dropped++
		default:
			out.Accepted++
		}
		out.Data = append(out.Data, m)
	}
	return out
}
