package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// maxTypes is how many types of events a subscription may name.
const maxTypes = 50

// FillSubscription puts the defaults in and refuses what is wrong.
func FillSubscription(s growth.Subscription, allowHosts []string) (growth.Subscription, error) {
	const op = "tasks.FillSubscription"
	if s.URL == "" {
		return s, growth.InvalidField(op, "url", "give the address that is to be called")
	}
	if err := CheckURL("url", s.URL, allowHosts); err != nil {
		return s, err
	}
	switch s.Form {
	case "":
		s.Form = growth.FormStandard
	case growth.FormStandard, growth.FormSlack:
	default:
		return s, growth.InvalidField(op, "form", "use standard or slack")
	}
	if len(s.Types) > maxTypes {
		return s, growth.InvalidField(op, "types", "name at most %d types; none means all", maxTypes)
	}
	for i, t := range s.Types {
		if err := growth.CheckEventType(op, fmt.Sprintf("types[%d]", i), t, true); err != nil {
			return s, err
		}
	}
	return s, nil
}

// wants says whether a subscription is told of a type of event.
func wants(types []string, event string) bool {
	return len(types) == 0 || slices.ContainsFunc(types, func(t string) bool {
		prefix, all := strings.CutSuffix(t, "*")
		return t == event || all && strings.HasPrefix(event, prefix)
	})
}

// Pace of a dispatcher.
const (
	dispatchIdle = time.Second
	dispatchPage = 200 // events that one step of a cursor passes
)

// Dispatcher makes deliveries of events for the subscriptions that want them. Every process may run one: the cursor's
// step and the deliveries are one commit.
type Dispatcher struct {
	Store *store.Store
	Relay *Relay // nil: another process's relay hands the jobs over
	Log   zerolog.Logger
	Pages string // where a person looks at a job: the address before its id; empty: no link is sent
}

// Run dispatches until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) {
	failed := 0
	for {
		if err := d.Pass(ctx); err != nil && ctx.Err() == nil {
			if failed++; failed == 1 || failed%60 == 0 {
				d.Log.Warn().Err(err).Int("times", failed).Msg("events were not dispatched")
			}
		} else {
			failed = 0
		}
		if pauseFor(ctx, dispatchIdle); ctx.Err() != nil {
			return
		}
	}
}

// Pass dispatches until no subscription is behind.
func (d *Dispatcher) Pass(ctx context.Context) error {
	for ctx.Err() == nil {
		told, found, err := d.Store.Dispatch(ctx, dispatchPage, d.outgoing)
		if err != nil || !found {
			return err
		}
		if told.Made > 0 && d.Relay != nil {
			d.Relay.Wake()
		}
	}
	return ctx.Err()
}

// eventMessage is what a subscription of the standard form is sent.
type eventMessage struct {
	Type      string          `json:"type"`
	Timestamp time.Time       `json:"timestamp"`
	EventID   string          `json:"event_id"` // as GET /v1/events gives it
	JobID     growth.JobID    `json:"job_id,omitempty"`
	Data      json.RawMessage `json:"data"`
}

func (d *Dispatcher) outgoing(s growth.Subscription, e growth.Event) (store.Outgoing, bool, error) {
	if !wants(s.Types, e.Type) {
		return store.Outgoing{}, false, nil
	}
	var message any = eventMessage{Type: e.Type, Timestamp: e.At, EventID: e.Cursor.String(), JobID: e.JobID, Data: e.Data}
	if s.Form == growth.FormSlack {
		message = map[string]string{"text": slackText(e, d.Pages)}
	}
	body, err := json.Marshal(message)
	if err != nil {
		return store.Outgoing{}, false, fmt.Errorf("encode event: %w", err)
	}
	return store.Outgoing{ID: growth.DeliveryID(growth.NewID()), Body: body}, true, nil
}

// The bounds of a text for people.
const (
	slackFields = 12
	slackField  = 200
)

// slackText is an event in a line, with what of its data is short; of a job also what it was about, what came of it, and
// where to look at it. Slack reads &, < and > as its own.
func slackText(e growth.Event, pages string) string {
	var b strings.Builder
	b.WriteString("*" + slackEscape.Replace(e.Type) + "*")
	var data map[string]any
	_ = json.Unmarshal(e.Data, &data) // data that is no object has no members to tell
	if data == nil {
		data = map[string]any{}
	}
	if e.Subject != nil {
		b.WriteString(" " + slackEscape.Replace(slackSubject(*e.Subject)))
		outcome(*e.Subject, data)
		delete(data, "job_id")
		delete(data, "lead_id")
	} else if _, there := data["job_id"]; !there && e.JobID != "" {
		data["job_id"] = string(e.JobID)
	}
	slackData(&b, data)
	if e.JobID != "" && pages != "" {
		b.WriteString("\n<" + slackEscape.Replace(pages+string(e.JobID)) + "|look at the job>")
	}
	return b.String()
}

// slackSubject names a job: its type, and the lead or the topic.
func slackSubject(of growth.EventSubject) string {
	if of.Name == "" {
		return string(of.Type)
	}
	return string(of.Type) + ": " + clip(of.Name)
}

// outcome adds to an event's data what came of its job.
func outcome(of growth.EventSubject, data map[string]any) {
	add := func(name, value string) {
		if _, there := data[name]; !there && value != "" {
			data[name] = value
		}
	}
	var result struct {
		Score    *int   `json:"score"`
		Priority string `json:"priority"`
		URL      string `json:"url"`
		Variants []struct {
			Title string `json:"title"`
			Score *int   `json:"score"`
		} `json:"variants"`
	}
	_ = json.Unmarshal(of.Result, &result) // a result of another form has nothing to add
	if len(result.Variants) > 0 {
		add("title", result.Variants[0].Title)
		result.Score = result.Variants[0].Score
	}
	if result.Score != nil {
		add("score", strconv.Itoa(*result.Score))
	}
	add("priority", result.Priority)
	add("post", result.URL)
	if of.Error != nil {
		add("error", of.Error.Code.String()+": "+of.Error.Message)
	}
}

func clip(text string) string {
	if r := []rune(text); len(r) > slackField {
		return string(r[:slackField]) + "…"
	}
	return text
}

// slackData writes what of an event's data is short.
func slackData(b *strings.Builder, data map[string]any) {
	told := 0
	for _, name := range slices.Sorted(maps.Keys(data)) {
		switch data[name].(type) {
		case string, float64, bool:
		default:
			continue
		}
		text := fmt.Sprint(data[name])
		if text == "" || told == slackFields {
			continue
		}
		told++
		b.WriteString("\n" + slackEscape.Replace(strings.ReplaceAll(name, "_", " ")+": "+clip(text)))
	}
}

var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// tellSubscription delivers an event once, and keeps in the log of deliveries how it went.
func (w CallbackWorker) tellSubscription(ctx context.Context, job *Job[CallbackArgs]) error {
	ws, id := job.Job.Workspace, job.Args.DeliveryID
	out, err := w.Store.In(ws).Outgoing(ctx, id)
	if growth.CodeOf(err) == growth.NotFound && err != nil {
		return job.Complete(map[string]string{"outcome": "the delivery was deleted"}, nil)
	}
	if err != nil {
		return err
	}
	status, err := w.tell(ctx, job, out)
	if _, waits := waitOf(err); waits {
		return err
	}
	a := attemptOf(job, status, err)
	save := func(ctx context.Context, tx *store.Tx) error {
		if status == http.StatusGone {
			if err := tx.EndSubscription(ctx, ws, out.Subscription.ID, "the address says that it is gone (410)"); err != nil {
				return err
			}
		}
		return tx.SaveAttempt(ctx, ws, a)
	}
	if err == nil {
		return job.Complete(map[string]int{"status": status}, save)
	}
	job.AlsoSave(save)
	return err
}

func (w CallbackWorker) tell(ctx context.Context, job *Job[CallbackArgs], out store.OutgoingDelivery) (int, error) {
	if !out.Subscription.Active {
		return 0, growth.Errorf(growth.Refused, "tasks.tell", "the subscription is off")
	}
	var secrets [][]byte
	for _, sealed := range out.Sealed {
		secret, err := w.Open(sealed, string(out.Subscription.ID))
		if err != nil {
			return 0, growth.Errorf(growth.Invalid, "tasks.tell", "the subscription's secret cannot be opened with ENCRYPTION_KEY; rotate it")
		}
		secrets = append(secrets, secret)
	}
	return w.deliver(ctx, job, parcel{url: out.Subscription.URL, id: "msg_" + string(job.Args.DeliveryID), secrets: secrets, body: out.Body})
}

// attemptOf is how an attempt is written into the log: as the runner will decide of it.
func attemptOf(job *Job[CallbackArgs], status int, err error) store.DeliveryAttempt {
	a := store.DeliveryAttempt{ID: job.Args.DeliveryID, State: "delivered", Status: status}
	if err == nil {
		return a
	}
	fault := faultOf(err)
	a.State, a.Fault = "failed", &fault
	if fault.Retryable && job.Job.Attempts < job.Job.MaxAttempts {
		a.State, a.NextAt = "pending", time.Now().Add(growth.RetryAfterOf(err))
	}
	return a
}
