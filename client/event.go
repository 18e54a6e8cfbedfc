package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	maxEvent = 1 << 20          // characters of one line of a stream
	silence  = 45 * time.Second // a live server says something every 15
	firstGap = 500 * time.Millisecond
	maxGap   = 30 * time.Second
)

// Event is something that happened. ID is its place in the order of events: After takes it.
type Event struct {
	ID string `json:"id"`
	growth.Event
}

// EventFilter says which events are wanted; the zero value is all that happen from now on.
type EventFilter struct {
	After string       // go on behind the event with this ID; empty: with what happens next
	Job   growth.JobID // only of this job
	Types []string     // only these, as job.succeeded
}

// Events listens until ctx ends or the server refuses. When the connection breaks it connects again and goes on behind
// the last event, so that none is missed and none comes twice. The last pair that it yields holds the error.
func (c *Client) Events(ctx context.Context, f EventFilter) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for gap := firstGap; ; gap = min(gap*2, maxGap) {
			before := f.After
			more, err := c.listen(ctx, &f, yield)
			if !more {
				return
			}
			if lasting(ctx, err) {
				yield(Event{}, err)
				return
			}
			if f.After != before {
				gap = firstGap
			}
			if p, ok := errors.AsType[*Problem](err); ok && p.RetryAfter > gap {
				gap = p.RetryAfter
			}
			if !pause(ctx, gap) {
				yield(Event{}, ctx.Err())
				return
			}
		}
	}
}

// lasting says whether another connection would end as this one did.
func lasting(ctx context.Context, err error) bool {
	p, ok := errors.AsType[*Problem](err)
	refused := ok && p.Status < http.StatusInternalServerError && p.Status != http.StatusTooManyRequests
	return refused || ctx.Err() != nil
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// listen reads one connection to its end. more is false when whoever reads wants no more.
func (c *Client) listen(ctx context.Context, f *EventFilter, yield func(Event, error) bool) (more bool, err error) {
	caller := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	idle := time.AfterFunc(silence, cancel)
	defer idle.Stop()
	q := filter("job_id", string(f.Job), "types", strings.Join(f.Types, ","))
	req, err := c.request(ctx, http.MethodGet, "/v1/events?"+q.Encode(), nil)
	if err != nil {
		return true, err
	}
	req.Header.Set("Accept", "text/event-stream")
	if f.After != "" {
		req.Header.Set("Last-Event-ID", f.After)
	}
	resp, err := c.stream.Do(req)
	if err != nil {
		return true, broken(caller, err)
	}
	defer func() { _ = resp.Body.Close() }() // the stream has ended or is not wanted
	if resp.StatusCode != http.StatusOK {
		return true, problemOf(resp)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 16<<10), maxEvent)
	for lines.Scan() {
		idle.Reset(silence)
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok && f.After == "" {
			f.After = id // where the stream begins
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return true, err
		}
		f.After = e.ID
		if !yield(e, nil) {
			return false, nil
		}
	}
	return true, broken(caller, errors.Join(lines.Err(), io.ErrUnexpectedEOF))
}

// broken is the end of a connection: the caller's own doing, or the network's.
func broken(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	return err
}
