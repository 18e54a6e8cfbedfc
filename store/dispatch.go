package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// Told is what one step of a subscription's cursor came to.
type Told struct {
	Subscription growth.SubscriptionID
	Looked       int // events that the cursor passed
	Made         int // deliveries
}

// DeliveryArgs are the arguments of a job that delivers an event.
type DeliveryArgs struct {
	DeliveryID growth.DeliveryID `json:"delivery_id"`
}

// Outgoing is an event as a subscription is told of it.
type Outgoing struct {
	ID   growth.DeliveryID
	Body []byte
}

// Dispatch takes a subscription that is behind, unless another process has it, and makes deliveries, with their jobs, of
// the events that come next: in the commit that moves its cursor, so that each event is told once whatever is killed.
// body says what is sent of an event; ok is false for one that the subscription does not want. found is false when none
// is behind.
func (s *Store) Dispatch(ctx context.Context, limit int, body func(growth.Subscription, growth.Event) (Outgoing, bool, error)) (told Told, found bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		var r struct {
			subscriptionRow
			CursorTx string         `db:"cursor_tx"`
			CursorID growth.EventID `db:"cursor_id"`
		}
		err := tx.tx.GetContext(ctx, &r, `
			SELECT `+subscriptionColumns+`, cursor_tx::text, cursor_id FROM subscriptions s
			WHERE active AND EXISTS (
				SELECT 1 FROM events e WHERE e.workspace_id = s.workspace_id AND (e.tx, e.id) > (s.cursor_tx, s.cursor_id)
				  AND e.tx < pg_snapshot_xmin(pg_current_snapshot()))
			ORDER BY cursor_tx, cursor_id, id LIMIT 1 FOR UPDATE SKIP LOCKED`)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return wrap("subscription that is behind", err)
		}
		found, told.Subscription = true, r.ID
		events, err := eventsAfter(ctx, tx.tx, `
			SELECT id, workspace_id, type, job_id, data, created_at, tx::text::bigint AS tx FROM events
			WHERE workspace_id = $1 AND (tx, id) > ($2::text::xid8, $3) AND tx < pg_snapshot_xmin(pg_current_snapshot())
			ORDER BY tx, id LIMIT $4`, r.Workspace, r.CursorTx, r.CursorID, limit)
		if err != nil || len(events) == 0 {
			return err
		}
		told.Looked = len(events)
		if r.Form == growth.FormSlack {
			if err := tx.subjects(ctx, r.Workspace, events); err != nil {
				return err
			}
		}
		if told.Made, err = tx.tell(ctx, r.subscription(), events, body); err != nil {
			return err
		}
		last := events[len(events)-1].Cursor
		_, err = tx.tx.ExecContext(ctx, `
			UPDATE subscriptions SET cursor_tx = ($2::bigint)::text::xid8, cursor_id = $3 WHERE id = $1`, r.ID, last.Tx, last.ID)
		return wrap("move cursor", err)
	})
	return told, found, err
}

// subjects looks up what the jobs of events are about, for a form that people read.
func (tx *Tx) subjects(ctx context.Context, ws growth.WorkspaceID, events []growth.Event) error {
	var jobs []string
	for _, e := range events {
		if e.JobID != "" {
			jobs = append(jobs, string(e.JobID))
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	var rows []struct {
		ID      growth.JobID    `db:"id"`
		Type    growth.JobType  `db:"type"`
		Name    string          `db:"name"`
		Result  json.RawMessage `db:"result"`
		Code    sql.NullString  `db:"error_code"`
		Message sql.NullString  `db:"error_message"`
	}
	if err := tx.tx.SelectContext(ctx, &rows, `
		SELECT j.id, j.type, coalesce(nullif(l.data->>'business_name', ''), j.input->'lead'->>'business_name', j.input->>'topic', '') AS name,
		  coalesce(j.result, 'null') AS result, j.error_code, j.error_message
		FROM jobs j LEFT JOIN leads l ON l.workspace_id = j.workspace_id AND l.id = j.lead_id
		WHERE j.workspace_id = $1 AND j.id = ANY($2::uuid[])`, ws, pq.Array(jobs)); err != nil {
		return wrap("subjects of events", err)
	}
	about := make(map[growth.JobID]*growth.EventSubject, len(rows))
	for _, r := range rows {
		about[r.ID] = &growth.EventSubject{Type: r.Type, Name: r.Name, Result: r.Result}
		if r.Code.Valid {
			about[r.ID].Error = &growth.JobError{Code: growth.ParseCode(r.Code.String), Message: r.Message.String}
		}
	}
	for i, e := range events {
		events[i].Subject = about[e.JobID]
	}
	return nil
}

// tell makes the deliveries of some events.
func (tx *Tx) tell(ctx context.Context, s growth.Subscription, events []growth.Event, body func(growth.Subscription, growth.Event) (Outgoing, bool, error)) (int, error) {
	var ids, types, bodies, jobs, leads []string
	var numbers []int64
	var work []NewJob
	for _, e := range events {
		out, wanted, err := body(s, e)
		if err != nil {
			return 0, err
		}
		if !wanted {
			continue
		}
		job, err := deliveryJob(out.ID)
		if err != nil {
			return 0, err
		}
		ids, types, bodies, jobs = append(ids, string(out.ID)), append(types, e.Type), append(bodies, string(out.Body)), append(jobs, string(e.JobID))
		leads, numbers, work = append(leads, leadOf(e.Data)), append(numbers, int64(e.ID)), append(work, job)
	}
	if len(ids) == 0 {
		return 0, nil
	}
	if _, err := tx.tx.ExecContext(ctx, `
		INSERT INTO subscription_deliveries (id, workspace_id, subscription_id, event_id, type, body, event_job_id, event_lead_id, next_at)
		SELECT id, $1, $2, event, type, body, nullif(job, '')::uuid, lead, now()
		FROM unnest($3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[]) AS g (id, event, type, body, job, lead)`,
		s.Workspace, s.ID, pq.Array(ids), pq.Array(numbers), pq.Array(types), pq.Array(bodies), pq.Array(jobs), pq.Array(leads)); err != nil {
		return 0, wrap("add deliveries", err)
	}
	_, err := tx.accept(ctx, s.Workspace, work)
	return len(ids), err
}

// deliveryJob delivers one event. It may be tried for as long as a callback may.
func deliveryJob(id growth.DeliveryID) (NewJob, error) {
	input, err := json.Marshal(DeliveryArgs{DeliveryID: id})
	return NewJob{
		Type: growth.JobCallback, Input: input, UniqueKey: "delivery " + string(id),
		Options: growth.JobOptions{Priority: growth.PriorityNormal, TimeoutS: 60, MaxAttempts: CallbackAttempts},
	}, wrap("delivery job", err)
}

// leadOf is the lead that an event names.
func leadOf(data json.RawMessage) string {
	var of struct {
		LeadID string `json:"lead_id"`
	}
	_ = json.Unmarshal(data, &of) // data that is no object names nobody
	return of.LeadID
}

// OutgoingDelivery is what a worker needs to deliver an event.
type OutgoingDelivery struct {
	Subscription growth.Subscription
	Sealed       []string // the secrets that sign now, sealed to the subscription's id
	Type         string
	Body         []byte
	State        string
	Created      time.Time // when the event was told of first; a redelivery begins anew
}

// Outgoing returns a delivery with the subscription that it is for.
func (sc Scoped) Outgoing(ctx context.Context, id growth.DeliveryID) (OutgoingDelivery, error) {
	var r struct {
		subscriptionRow
		Type    string    `db:"event_type"`
		Body    string    `db:"body"`
		State   string    `db:"state"`
		Created time.Time `db:"made_at"`
	}
	err := sc.s.db.GetContext(ctx, &r, `
		SELECT s.id, s.workspace_id, s.url, s.types, s.form, s.active, s.disabled_reason, s.secret, s.secrets_former, s.created_at, s.updated_at,
			d.type AS event_type, d.body, d.state, d.created_at AS made_at
		FROM subscription_deliveries d JOIN subscriptions s ON s.id = d.subscription_id AND s.workspace_id = d.workspace_id
		WHERE d.workspace_id = $1 AND d.id = $2`, sc.ws, id)
	if none(err) {
		return OutgoingDelivery{}, noDelivery()
	}
	if err != nil {
		return OutgoingDelivery{}, wrap("outgoing delivery", err)
	}
	sealed, err := r.sealed()
	return OutgoingDelivery{
		Subscription: r.subscription(), Sealed: sealed, Type: r.Type, Body: []byte(r.Body), State: r.State, Created: r.Created.UTC(),
	}, err
}

// DeliveryAttempt is how one attempt to deliver an event ended.
type DeliveryAttempt struct {
	ID     growth.DeliveryID
	State  string // pending: it is tried again
	Status int    // 0: no answer
	Fault  *growth.JobError
	NextAt time.Time
}

// SaveAttempt writes an attempt into the log of deliveries.
func (tx *Tx) SaveAttempt(ctx context.Context, ws growth.WorkspaceID, a DeliveryAttempt) error {
	var code, message string
	if a.Fault != nil {
		code, message = a.Fault.Code.String(), a.Fault.Message
	}
	_, err := tx.tx.ExecContext(ctx, `
		UPDATE subscription_deliveries SET state = $3, attempts = attempts + 1, status = nullif($4, 0), code = $5, error = $6,
			next_at = $7, ended_at = CASE WHEN $3 = 'pending' THEN NULL ELSE now() END
		WHERE workspace_id = $1 AND id = $2`, ws, a.ID, a.State, a.Status, code, message, orClock(a.NextAt))
	return wrap("save attempt", err)
}

// EndSubscription disables a subscription for a reason, once, and says so to those who listen.
func (tx *Tx) EndSubscription(ctx context.Context, ws growth.WorkspaceID, id growth.SubscriptionID, reason string) error {
	res, err := tx.tx.ExecContext(ctx, `
		UPDATE subscriptions SET active = false, disabled_reason = $3, updated_at = now() WHERE workspace_id = $1 AND id = $2 AND active`, ws, id, reason)
	if err != nil {
		return wrap("end subscription", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return wrap("end subscription", err)
	}
	data, err := json.Marshal(map[string]any{"subscription_id": id, "reason": reason})
	if err != nil {
		return wrap("end subscription", err)
	}
	return tx.AddEvent(ctx, ws, "", NewEvent{Type: "subscription.disabled", Data: data})
}

// SubscriptionDeliveries lists what a subscription was sent, newest first.
func (sc Scoped) SubscriptionDeliveries(ctx context.Context, id growth.SubscriptionID, state string, p Page) ([]growth.SubscriptionDelivery, error) {
	var rows []outgoingRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+outgoingColumns+` FROM subscription_deliveries
		WHERE workspace_id = $1 AND subscription_id = $2 AND id < $3 AND ($4 = '' OR state = $4) ORDER BY id DESC LIMIT $5`,
		sc.ws, id, p.before(), state, p.limit()); err != nil {
		return nil, wrap("subscription deliveries", err)
	}
	out := make([]growth.SubscriptionDelivery, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.delivery())
	}
	return out, nil
}

type outgoingRow struct {
	ID             growth.DeliveryID     `db:"id"`
	SubscriptionID growth.SubscriptionID `db:"subscription_id"`
	Type           string                `db:"type"`
	State          string                `db:"state"`
	Attempts       int                   `db:"attempts"`
	Status         *int                  `db:"status"`
	Code           string                `db:"code"`
	Error          string                `db:"error"`
	NextAt         *time.Time            `db:"next_at"`
	CreatedAt      time.Time             `db:"created_at"`
	EndedAt        *time.Time            `db:"ended_at"`
}

const outgoingColumns = `id, subscription_id, type, state, attempts, status, code, error, next_at, created_at, ended_at`

func (r outgoingRow) delivery() growth.SubscriptionDelivery {
	d := growth.SubscriptionDelivery{
		ID: r.ID, SubscriptionID: r.SubscriptionID, Type: r.Type, State: r.State, Attempts: r.Attempts, Status: r.Status, Code: r.Code,
		Error: r.Error, CreatedAt: r.CreatedAt.UTC(), EndedAt: inUTC(r.EndedAt),
	}
	if r.State == "pending" {
		d.NextAt = inUTC(r.NextAt)
	}
	return d
}

// Redeliver sends an event again, under the same id and with the same bytes. What is on its way already is left to go on,
// and a subscription that is off is sent nothing.
func (sc Scoped) Redeliver(ctx context.Context, id growth.DeliveryID) (growth.SubscriptionDelivery, error) {
	var r outgoingRow
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		if err := tx.tx.GetContext(ctx, &r, `
			UPDATE subscription_deliveries SET state = 'pending', ended_at = NULL, code = '', error = '', status = NULL, next_at = now()
			WHERE workspace_id = $1 AND id = $2
			  AND EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = subscription_id AND s.active) RETURNING `+outgoingColumns, sc.ws, id); err != nil {
			return sc.notRedelivered(ctx, id, err)
		}
		job, err := deliveryJob(id)
		if err != nil {
			return err
		}
		_, err = tx.accept(ctx, sc.ws, []NewJob{job})
		return err
	})
	return r.delivery(), err
}

func (sc Scoped) notRedelivered(ctx context.Context, id growth.DeliveryID, err error) error {
	if !none(err) {
		return wrap("redeliver", err)
	}
	if _, err := sc.Outgoing(ctx, id); err != nil {
		return err
	}
	return growth.Errorf(growth.Conflict, "store.Redeliver", "the subscription is off: make it active first")
}
