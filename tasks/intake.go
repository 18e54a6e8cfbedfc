package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/internal/webhook"
	"github.com/zakibelm/astrogrowth/store"
)

// Bounds of a source.
const (
	maxSourceName = 100
	maxEvents     = 50
)

// CheckSource says what is wrong with a source of webhooks.
func CheckSource(s growth.WebhookSource) error {
	const op = "tasks.CheckSource"
	kind := webhook.Kind(s.Kind)
	switch {
	case s.Name == "" || len(s.Name) > maxSourceName:
		return growth.InvalidField(op, "name", "give a name of at most %d characters", maxSourceName)
	case !slices.Contains(webhook.Kinds(), kind):
		return growth.InvalidField(op, "kind", "use one of: %s", strings.Join(kindNames(), ", "))
	case s.Header != "" && !kind.Named():
		return growth.InvalidField(op, "header", "leave it out: the kind %s has a header of its own", s.Kind)
	case !headerName(s.Header):
		return growth.InvalidField(op, "header", "use the name of a header: letters, digits and -")
	case s.ToleranceS != 0 && !kind.Timed():
		return growth.InvalidField(op, "tolerance_s", "leave it out: the kind %s signs no time", s.Kind)
	case s.ToleranceS < 0 || s.ToleranceS > int(webhook.MaxWindow.Seconds()):
		return growth.InvalidField(op, "tolerance_s", "use 1 to %d seconds", int(webhook.MaxWindow.Seconds()))
	case len(s.Events) > maxEvents:
		return growth.InvalidField(op, "events", "name at most %d types", maxEvents)
	case s.CampaignID != "" && !growth.ValidID(string(s.CampaignID)):
		return growth.InvalidField(op, "campaign_id", "use the id of a campaign, a UUID")
	}
	if err := readingOf(s).Check(); err != nil {
		return err
	}
	return checkMapping(s.Mapping)
}

func kindNames() []string {
	var out []string
	for _, k := range webhook.Kinds() {
		out = append(out, string(k))
	}
	return out
}

func headerName(s string) bool {
	return len(s) <= 100 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	})
}

func checkMapping(m map[string]string) error {
	if err := webhook.Mapping(m).Check(); err != nil {
		return err
	}
	for _, field := range slices.Sorted(maps.Keys(m)) {
		if err := lead.CheckField(field); err != nil {
			return growth.InvalidField("tasks.checkMapping", "mapping."+field, "%s", messageOf(err))
		}
	}
	return nil
}

// SchemeOf is how the calls of a source are proved.
func SchemeOf(s growth.WebhookSource) webhook.Scheme {
	return webhook.Scheme{Kind: webhook.Kind(s.Kind), Header: s.Header, Tolerance: time.Duration(s.ToleranceS) * time.Second}
}

func readingOf(s growth.WebhookSource) webhook.Reading {
	return webhook.Reading{Kind: webhook.Kind(s.Kind), EventPath: s.EventPath, DedupPath: s.DedupPath}
}

// Arrivals are the messages of a call that was proved, ready to be kept.
func Arrivals(s growth.WebhookSource, c webhook.Call) ([]store.Arrival, error) {
	messages, err := readingOf(s).Read(c)
	if err != nil {
		return nil, err
	}
	out := make([]store.Arrival, len(messages))
	for i, m := range messages {
		out[i] = store.Arrival{Dedup: m.Dedup, Event: m.Event, Body: m.Raw}
		if !webhook.Kind(s.Kind).Wanted(m.Event, s.Events) {
			out[i].Drop = "the source does not take in events of this type"
		}
	}
	return out, nil
}

// MessagePreview is what a source would make of a message.
type MessagePreview struct {
	Event    string       `json:"event"`
	Taken    bool         `json:"taken" doc:"false: events of this type are dropped"`
	Lead     *growth.Lead `json:"lead" doc:"null: none can be made; see problem"`
	Qualify  bool         `json:"qualify" doc:"It would be scored"`
	Warnings []string     `json:"warnings"`
	Problem  string       `json:"problem"`
}

// PreviewMessages shows what a source would make of a body, and writes nothing.
func PreviewMessages(s growth.WebhookSource, body []byte) ([]MessagePreview, error) {
	messages, err := readingOf(s).Read(webhook.Call{Body: body})
	if err != nil {
		return nil, err
	}
	out := make([]MessagePreview, 0, len(messages))
	for _, m := range messages {
		v := MessagePreview{Event: m.Event, Taken: webhook.Kind(s.Kind).Wanted(m.Event, s.Events), Warnings: []string{}}
		l, warnings, err := leadOf(s, m)
		if err != nil {
			v.Problem = messageOf(err)
		} else {
			v.Lead, v.Qualify, v.Warnings = &l, s.Qualify && scorable(l), append(v.Warnings, warnings...)
		}
		out = append(out, v)
	}
	return out, nil
}

func leadOf(s growth.WebhookSource, m webhook.Message) (growth.Lead, []string, error) {
	values, err := webhook.Mapping(s.Mapping).Fields(webhook.Kind(s.Kind), m)
	if err != nil {
		return growth.Lead{}, nil, err
	}
	if values["source"] == "" {
		values["source"] = s.Name
	}
	l, warnings, err := lead.FromValues(values)
	if err != nil {
		return l, nil, err
	}
	return l, warnings, lead.Validate(l)
}

// scorable says whether a lead says anything that a score could rest on. The number of a contact elsewhere does not.
func scorable(l growth.Lead) bool {
	return l.BusinessName+l.ContactName+l.Email+l.Website+l.Notes+l.LinkedInURL != ""
}

// messageOf is an error as whoever set the source up sees it: the field and what would be right, nothing of what came.
func messageOf(err error) string {
	f := faultOf(err)
	return f.Message
}

// Pace of an intake.
const (
	intakeIdle  = time.Second
	intakePause = 2 * time.Second // before a message is tried again that could not be stored
)

// Intake makes leads of the messages that came in by webhook, and has them scored. Every process may run one: a lead, its
// job and the message's end are one commit.
type Intake struct {
	Store *store.Store
	Relay *Relay // nil: another process's relay hands the jobs over
	Log   zerolog.Logger
	wake  chan struct{}
}

// NewIntake makes an intake at rest.
func NewIntake(s *store.Store, relay *Relay, log zerolog.Logger) *Intake {
	return &Intake{Store: s, Relay: relay, Log: log, wake: make(chan struct{}, 1)}
}

// Wake tells the intake that something has come.
func (in *Intake) Wake() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// Run takes in until ctx ends.
func (in *Intake) Run(ctx context.Context) {
	failed := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-in.wake:
		case <-timer.C:
		}
		if err := in.Pass(ctx); err != nil && ctx.Err() == nil {
			if failed++; failed == 1 || failed%60 == 0 {
				in.Log.Warn().Err(err).Int("times", failed).Msg("webhook deliveries were not taken in")
			}
		} else {
			failed = 0
		}
		timer.Reset(intakeIdle)
	}
}

// Pass takes in until nothing waits.
func (in *Intake) Pass(ctx context.Context) error {
	for ctx.Err() == nil {
		took, found, err := in.Store.TakeIn(ctx, intakeOf, lead.Alike, lead.Update)
		switch {
		case err != nil && took.Delivery == "":
			return err
		case err != nil:
			if err := in.putOff(ctx, took.Delivery, err); err != nil {
				return err
			}
		case !found:
			return nil
		case took.State == growth.DeliveryProcessed && in.Relay != nil:
			in.Relay.Wake()
		}
	}
	return ctx.Err()
}

// putOff leaves a message for later that could not be stored. A database that is away is nobody's fault and costs no try.
func (in *Intake) putOff(ctx context.Context, id growth.DeliveryID, cause error) error {
	code := growth.CodeOf(cause)
	if code == growth.Unavailable || code == growth.Canceled {
		return cause
	}
	in.Log.Warn().Err(cause).Str("delivery_id", string(id)).Msg("webhook delivery could not be stored")
	return in.Store.PutOffDelivery(ctx, id, intakePause, messageOf(cause), !code.Retryable() && code != growth.Internal)
}

// intakeOf is what is made of a message, by the source as it is now.
func intakeOf(s growth.WebhookSource, d growth.WebhookDelivery) store.Intake {
	m, err := readingOf(s).Reread(d.Body)
	if err != nil {
		return store.Intake{Fault: messageOf(err)}
	}
	l, _, err := leadOf(s, m)
	if err != nil {
		return store.Intake{Fault: messageOf(err)}
	}
	return store.Intake{
		Put: store.LeadPut{Lead: l, Keys: LeadKeys(l), Campaign: s.CampaignID},
		Job: func(saved store.SavedLead) (*store.NewJob, error) {
			if !s.Qualify || !scorable(saved.Lead) {
				return nil, nil //nolint:nilnil // the lead is kept without a job
			}
			return scoreJob(s, d, saved.Lead.ID)
		},
	}
}

func scoreJob(s growth.WebhookSource, d growth.WebhookDelivery, id growth.LeadID) (*store.NewJob, error) {
	args := QualifyArgs{LeadID: id}
	input, err := json.Marshal(args)
	if err != nil {
		return nil, fmt.Errorf("encode arguments: %w", err)
	}
	options, err := FillOptions(args.Type(), growth.JobOptions{CampaignID: s.CampaignID})
	return &store.NewJob{Type: args.Type(), Input: input, Options: options, LeadID: id, TraceID: "webhook-" + string(d.ID)}, err
}
