package growth

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Event is something that happened in a workspace, for live listeners, subscriptions and the record.
type Event struct {
	ID        EventID         `json:"-"`
	Cursor    EventCursor     `json:"-"` // its place in the order of events; its text is the id that clients see
	Workspace WorkspaceID     `json:"-"`
	Type      string          `json:"type"` // "job.succeeded", "lead.qualified", …
	JobID     JobID           `json:"job_id,omitempty"`
	Data      json.RawMessage `json:"data"`
	At        time.Time       `json:"at"`
	Subject   *EventSubject   `json:"-"` // of a job's event that is told to people; nil: not looked up
}

// EventSubject is what a person wants to know of the job of an event.
type EventSubject struct {
	Type   JobType
	Name   string // the lead's business, else the topic; empty: neither
	Result json.RawMessage
	Error  *JobError
}

// EventCursor is a place in the order of events: behind the event that it is of. The zero value lies before them all.
type EventCursor struct {
	Tx int64 // the transaction that wrote the event
	ID EventID
}

// String is the cursor as a client keeps it, "tx-id".
func (c EventCursor) String() string { return fmt.Sprintf("%d-%d", c.Tx, c.ID) }

// After says whether c lies behind o.
func (c EventCursor) After(o EventCursor) bool { return c.Tx > o.Tx || c.Tx == o.Tx && c.ID > o.ID }

// ParseEventCursor reads what String wrote.
func ParseEventCursor(s string) (EventCursor, error) {
	tx, id, found := strings.Cut(s, "-")
	t, errT := strconv.ParseInt(tx, 10, 64)
	n, errN := strconv.ParseInt(id, 10, 64)
	if !found || errT != nil || errN != nil || t < 0 || n < 0 {
		return EventCursor{}, InvalidField("growth.ParseEventCursor", "Last-Event-ID", "use the id of an event, such as 7341-88")
	}
	return EventCursor{Tx: t, ID: EventID(n)}, nil
}

// EventTypes are the types of all events that there are.
var EventTypes = []string{
	"account.expiring", "alert.opened", "alert.resolved", "breaker.changed", "budget.threshold", "campaign.completed",
	"content.approved", "content.ready", "content.rejected", "cost.unknown", "job.canceled", "job.failed", "job.succeeded",
	"lead.merged", "lead.qualified", "lead.reviewed", "leads.consent_ended", "leads.ready", "linkedin.version_ends",
	"linkedin.version_retired", "model.expiring", "model.gone", "post.held", "post.moved", "post.published", "post.unknown",
	"subscription.disabled",
}

// CheckEventType says what is wrong with a type that somebody wants to hear of: of one that does not exist nobody would
// ever hear. begin lets "job.*" stand for all that begin so.
func CheckEventType(op, field, t string, begin bool) error {
	known := func(s string) bool { return s == t }
	if start, all := strings.CutSuffix(t, ".*"); all && begin {
		known = func(s string) bool { return strings.HasPrefix(s, start+".") }
	}
	if slices.ContainsFunc(EventTypes, known) {
		return nil
	}
	kind, _, _ := strings.Cut(t, ".")
	var near []string
	for _, s := range EventTypes {
		if strings.HasPrefix(s, kind+".") {
			near = append(near, s)
		}
	}
	if len(near) == 0 {
		near = EventTypes
	}
	return InvalidField(op, field, "there is no such type of event; use %s", strings.Join(near, ", "))
}
