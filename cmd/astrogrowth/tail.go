package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	growth "github.com/zakibelm/astrogrowth"
)

// The bounds of listening.
const (
	maxEvent    = 4 << 20          // bytes of one line of the stream
	tailSilence = 40 * time.Second // the API gives a sign of life every 15 seconds
	tailPause   = time.Second      // before the first new try; each further one takes twice as long
	tailLongest = 15 * time.Second
)

func jobsTailCommand(s surroundings, f *apiFlags) *cobra.Command {
	var types []string
	after := ""
	cmd := &cobra.Command{
		Use:   "tail [ID]",
		Short: "Show what happens as it happens: in the workspace, or to one job until it ends",
		Long: "Writes a line for each event, and with --json the event itself, one a line. After a cut it goes on behind the last\n" +
			"event that it had, so that none is missed. Ctrl-C ends it.\n\n" +
			"With the ID of a job it ends with that job: exit code 0 when the job succeeded, 1 when it did not.",
		Example: "  astrogrowth jobs tail\n  astrogrowth jobs tail --types job.failed,post.unknown --json\n" +
			"  astrogrowth jobs tail 01990000-0000-7000-8000-00000000000a",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return wrongUsage("%q is one argument too many", args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := f.client(s)
			if err != nil {
				return err
			}
			t := &tailing{api: api, cmd: cmd, json: f.json, types: types, last: after, paint: painter(s, cmd.OutOrStdout())}
			if len(args) == 0 {
				return t.follow(cmd.Context())
			}
			return withJob(s, f, args[0], func(*client, string) error {
				t.job = strings.ToLower(args[0])
				return t.untilJobEnds(cmd.Context())
			})
		},
	}
	cmd.Flags().StringSliceVar(&types, "types", nil, "only these types of events, such as job.failed,post.unknown")
	cmd.Flags().StringVar(&after, "after", "", "begin behind the event with this id (default: with what happens next)")
	return cmd
}

// tailing is a listener of the API's events.
type tailing struct {
	api   *client
	cmd   *cobra.Command
	json  bool
	types []string
	job   string // the only job of interest; empty: all
	last  string // id of the last event that was had
	paint paint
	ended growth.JobState // of the only job
	told  bool            // that the stream was cut
}

// streamedEvent is an event as the stream carries it.
type streamedEvent struct {
	ID    string          `json:"id"`
	Type  string          `json:"type"`
	JobID growth.JobID    `json:"job_id"`
	Data  json.RawMessage `json:"data"`
	At    time.Time       `json:"at"`
}

// untilJobEnds follows one job; its end decides about the exit code.
func (t *tailing) untilJobEnds(ctx context.Context) error {
	if len(t.types) > 0 { // its end may not be among them
		t.types = append(t.types, "job.succeeded", "job.failed", "job.canceled")
	}
	if err := t.follow(ctx); err != nil || ctx.Err() != nil || t.ended == growth.JobSucceeded {
		return err
	}
	return &codedError{code: exitPartial}
}

// look reads how the job stands once the stream is open, so that an end before that is not missed.
func (t *tailing) look(ctx context.Context) error {
	var raw json.RawMessage
	if err := t.api.get(ctx, "/v1/jobs/"+t.job, &raw); err != nil {
		return err
	}
	j, err := decodeJob(raw)
	if err != nil || !j.State.Final() {
		return err
	}
	t.ended = j.State
	if !t.json {
		say(t.cmd.OutOrStdout(), "The job has ended: it is %s. 'astrogrowth jobs show' says more.", j.State)
	}
	return nil
}

// follow listens until somebody ends it, the only job of interest ends, or the API refuses.
func (t *tailing) follow(ctx context.Context) error {
	wait := tailPause
	for {
		had := t.last
		err := t.listen(ctx)
		switch refused := err != nil && !growth.CodeOf(err).Retryable(); {
		case t.over(ctx):
			return nil
		case refused:
			return err
		case t.last != had:
			wait = tailPause
		}
		if !t.told {
			t.told = true
			say(t.cmd.ErrOrStderr(), "the stream was cut; listening again%s", map[bool]string{true: ", from now on", false: " (no event is missed)"}[t.last == ""])
		}
		_ = pause(ctx, wait) // an interruption is seen above
		wait = min(2*wait, tailLongest)
	}
}

// over says whether nobody wants more: somebody interrupted, or the only job of interest has ended.
func (t *tailing) over(ctx context.Context) bool { return ctx.Err() != nil || t.ended != "" }

// listen reads one stream to its end.
func (t *tailing) listen(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	alive := time.AfterFunc(tailSilence, cancel)
	defer alive.Stop()
	q := url.Values{}
	if t.job != "" {
		q.Set("job_id", t.job)
	}
	if len(t.types) > 0 {
		q.Set("types", strings.Join(t.types, ","))
	}
	if t.last != "" {
		q.Set("after", t.last)
	}
	body, err := t.api.stream(ctx, "/v1/events?"+q.Encode())
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // it has been read as far as it goes
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 64<<10), maxEvent)
	id, dispatched := "", false // of the event that is being read
	for first := true; lines.Scan(); first = false {
		alive.Reset(tailSilence)
		if first && t.job != "" && t.last == "" {
			if err := t.look(ctx); err != nil || t.ended != "" {
				return err
			}
		}
		line := lines.Text()
		if line == "" { // an id without an event is where the stream begins
			if id != "" && !dispatched {
				t.last = id
			}
			id, dispatched = "", false
		}
		if at, isID := strings.CutPrefix(line, "id:"); isID {
			id = strings.TrimSpace(at)
		}
		data, isData := strings.CutPrefix(line, "data:")
		if !isData {
			continue // the type stands in the data, too
		}
		dispatched = true
		if err := t.had([]byte(strings.TrimSpace(data))); err != nil || t.ended != "" {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) { // it would be too long the next time, too
		return growth.Errorf(growth.Internal, "", "an event is longer than %d bytes; begin behind it with --after", maxEvent)
	}
	return nil // whatever broke it: the next stream goes on
}

// had writes an event and remembers that it was written.
func (t *tailing) had(data []byte) error {
	var e streamedEvent
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Errorf("read an event: %w", err)
	}
	t.last, t.told = e.ID, false
	if t.json {
		say(t.cmd.OutOrStdout(), "%s", data)
	} else {
		t.line(t.cmd.OutOrStdout(), e)
	}
	if t.job == "" || string(e.JobID) != t.job {
		return nil
	}
	if state, isJob := strings.CutPrefix(e.Type, "job."); isJob && growth.JobState(state).Final() {
		t.ended = growth.JobState(state)
	}
	return nil
}

func (t *tailing) line(out io.Writer, e streamedEvent) {
	look := plain
	switch e.Type {
	case "job.failed", "post.unknown", "post.held":
		look = bad
	case "job.canceled", "breaker.changed", "budget.threshold", "account.expiring", "cost.unknown":
		look = doubt
	case "job.succeeded", "post.published":
		look = good
	}
	kind := t.paint(look, fmt.Sprintf("%-16s", e.Type))
	say(out, "%s  %s  %s", when(e.At), kind, strings.TrimSpace(string(e.JobID)+"  "+gist(e.Data)))
}

// gist gives the scalar facts of an event in the order of their names, as far as a line has room.
func gist(data json.RawMessage) string {
	var facts map[string]any
	if json.Unmarshal(data, &facts) != nil {
		return ""
	}
	var out []string
	delete(facts, "job_id") // it stands in the line already
	for name, v := range facts {
		switch v := v.(type) {
		case string:
			if v != "" {
				out = append(out, name+"="+v)
			}
		case float64, bool:
			out = append(out, fmt.Sprintf("%s=%v", name, v))
		}
	}
	slices.Sort(out)
	return shorten(strings.Join(out, " "), 140)
}

// stream opens an answer that has no end of its own; ctx ends it.
func (c *client) stream(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := c.request(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := (&http.Client{}).Do(req) // without the limit for whole answers
	if err != nil {
		return nil, c.silence(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()                      // it has been read as far as anyone cares
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // half an answer is no problem document: stranger says so
	return nil, c.refusal(resp, answer)
}
