package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
)

// Bounds of event streams.
const (
	maxStreams = 10_000           // in this process
	streamBeat = 15 * time.Second // between two signs of life
	eventPage  = 200
)

func (a *api) events(h huma.API) {
	o := op(http.MethodGet, "/v1/events", "events", "Listen to what happens in the workspace", auth.ScopeRead, 200)
	o.Description = "Server-sent events, whole and in order. A client that was cut off sends the id of the last event that it had as " +
		"`Last-Event-ID` and goes on behind it; events are kept as long as jobs are. Without it, the stream begins with what happens next. " +
		"A comment comes every 15 seconds."
	o.Responses = map[string]*huma.Response{"200": {
		Description: "A stream of events, each with `id`, `event` (its type) and `data`",
		Content: map[string]*huma.MediaType{"text/event-stream": {
			Schema:  &huma.Schema{Type: huma.TypeString},
			Example: "id: 7341-88\nevent: job.succeeded\ndata: {\"id\":\"7341-88\",\"type\":\"job.succeeded\",\"job_id\":\"…\",\"data\":{…},\"at\":\"…\"}\n\n",
		}},
	}}
	register(h, o, a.streamEvents)
}

// EventView is an event as clients see it.
type EventView struct {
	ID string `json:"id" doc:"Its place in the order of events" example:"7341-88"`
	growth.Event
}

func eventView(e growth.Event) EventView { return EventView{ID: e.Cursor.String(), Event: e} }

type eventsInput struct {
	LastEventID string   `header:"Last-Event-ID" maxLength:"50" doc:"The id of the last event that the client had"`
	After       string   `query:"after" maxLength:"50" doc:"The same, for clients that cannot set headers"`
	JobID       string   `query:"job_id" format:"uuid" doc:"Only events of this job"`
	Types       []string `query:"types" maxItems:"20" doc:"Only these types, such as job.succeeded,post.unknown"`
}

// listening is one client's stream.
type listening struct {
	input eventsInput
	types map[string]bool
	at    growth.EventCursor
	asked bool // to go on behind at
	w     *eventWriter
}

func (a *api) streamEvents(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	l := listening{input: *in, types: map[string]bool{}}
	for _, t := range in.Types {
		t = strings.TrimSpace(t)
		if err := growth.CheckEventType("api.streamEvents", "types", t, false); err != nil {
			return nil, err
		}
		l.types[t] = true
	}
	if last := in.LastEventID + in.After; last != "" {
		if in.LastEventID != "" { // a browser that reconnects knows better than the address that it first asked
			last = in.LastEventID
		}
		at, err := growth.ParseEventCursor(last)
		if err != nil {
			return nil, err
		}
		l.at, l.asked = at, true
	}
	if a.Feed == nil || a.Feed.Listeners() >= maxStreams {
		return nil, &growth.Error{Code: growth.Unavailable, Op: "api.events", Message: "too many listeners; try again", RetryAfter: 10 * time.Second}
	}
	ws := who(ctx).Workspace
	return &huma.StreamResponse{Body: func(hctx huma.Context) { //nolint:contextcheck // the request's own, which also says that the server drains
		r, w := humago.Unwrap(hctx)
		l.w = &eventWriter{w: w, control: http.NewResponseController(w)}
		a.serveEvents(r.Context(), ws, l)
	}}, nil
}

// serveEvents first listens, then reads what the client has missed, so that nothing can fall between the two.
func (a *api) serveEvents(ctx context.Context, ws growth.WorkspaceID, l listening) {
	now, err := a.Store.EventHorizon(ctx)
	if err != nil {
		a.Log.Warn().Err(err).Msg("events cannot be read")
		return
	}
	live, stop := a.Feed.Listen(ws, now)
	defer stop()
	if !l.asked {
		l.at = now
	}
	if !l.w.begin(l.at) || !a.catchUp(ctx, ws, &l) {
		return
	}
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		select {
		case e := <-live.C:
			if !l.send(e) || live.Behind() && !a.catchUp(ctx, ws, &l) {
				return
			}
		case <-beat.C:
			if !l.w.write(": still here\n\n") || live.Behind() && !a.catchUp(ctx, ws, &l) {
				return
			}
		case <-daemon.Draining(ctx): // the client comes back, to another process, with the id of its last event
			return
		case <-ctx.Done():
			return
		}
	}
}

// catchUp reads the log from where the client stands. It is false when the client has left or the log cannot be read:
// the client comes back and goes on where it stood.
func (a *api) catchUp(ctx context.Context, ws growth.WorkspaceID, l *listening) bool {
	sc := a.Store.In(ws)
	for {
		page, err := sc.EventsAfter(ctx, l.at, growth.JobID(l.input.JobID), eventPage)
		if err != nil {
			if ctx.Err() == nil {
				a.Log.Warn().Err(err).Msg("events cannot be read")
			}
			return false
		}
		for _, e := range page {
			if !l.send(e) {
				return false
			}
		}
		if len(page) < eventPage {
			return true
		}
	}
}

// send passes an event on that the client wants and has not had.
func (l *listening) send(e growth.Event) bool {
	if !e.Cursor.After(l.at) {
		return true
	}
	l.at = e.Cursor
	if l.input.JobID != "" && string(e.JobID) != l.input.JobID || len(l.types) > 0 && !l.types[e.Type] {
		return true
	}
	b, err := json.Marshal(eventView(e))
	return err == nil && l.w.write("id: "+e.Cursor.String()+"\nevent: "+e.Type+"\ndata: "+string(b)+"\n\n")
}

// eventWriter writes a stream; every write has a deadline, so that a client that reads nothing is let go.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// begin says first where the stream begins, so that a client that is cut off before its first event misses none either.
func (s *eventWriter) begin(at growth.EventCursor) bool {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // proxies would otherwise hold events back
	s.w.WriteHeader(http.StatusOK)
	return s.write("retry: 3000\nid: " + at.String() + "\n\n")
}

func (s *eventWriter) write(text string) bool {
	_ = s.control.SetWriteDeadline(time.Now().Add(streamWrite)) // a connection without deadlines has none to set
	if _, err := s.w.Write([]byte(text)); err != nil {
		return false
	}
	return s.control.Flush() == nil
}
