package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// Bodies of messages that came in are kept for BodiesKept, and what they are recognised by for DigestsKept: longer than
// any sender tries again.
const (
	BodiesKept  = 14 * 24 * time.Hour
	DigestsKept = 30 * 24 * time.Hour
)

// Arrival is a message that has come in and was proved.
type Arrival struct {
	Dedup []byte
	Event string
	Body  []byte
	Drop  string // why it is not taken in; empty: it is
}

// Arrived is what became of an Arrival.
type Arrived struct {
	ID    growth.DeliveryID
	State growth.DeliveryState
	Known bool // it had come before; ID is the first one
}

// AddDeliveries keeps the messages of one call in one statement: from its return on they are not lost. A message that is
// there already is not kept again.
func (s *Store) AddDeliveries(ctx context.Context, src growth.WebhookSource, as []Arrival) ([]Arrived, error) {
	n := len(as)
	ids, dedups, events, states := make([]string, n), make([][]byte, n), make([]string, n), make([]string, n)
	bodies, plains, reasons := make([]sql.NullString, n), make([]sql.NullString, n), make([]string, n)
	for i, a := range as {
		ids[i], dedups[i], events[i], reasons[i] = growth.NewID(), a.Dedup, string(withoutZero(a.Event)), a.Drop
		states[i] = string(growth.DeliveryReceived)
		if a.Drop != "" {
			states[i] = string(growth.DeliveryDropped)
			continue
		}
		bodies[i], plains[i] = nullString(string(a.Body)), unescaped(a.Body)
	}
	var rows []struct {
		At    int                  `db:"at"`
		ID    growth.DeliveryID    `db:"id"`
		State growth.DeliveryState `db:"state"`
		Known bool                 `db:"known"`
	}
	// A row that another call inserts at the same moment is not seen by this statement, though it is in its way; hence
	// the update, which waits for it and gives it back.
	if err := s.points.SelectContext(ctx, &rows, `
		WITH given AS MATERIALIZED (
			SELECT * FROM unnest($3::uuid[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[]) WITH ORDINALITY
				AS g (id, dedup, event, state, body, plain, reason, at)
		), seen AS (
			UPDATE webhook_sources SET last_at = now()
			WHERE id = $2 AND (last_at IS NULL OR last_at < now() - interval '10 seconds')
		), kept AS (
			INSERT INTO webhook_deliveries AS d (id, workspace_id, source_id, dedup, event, state, body, plain, reason)
			SELECT id, $1, $2, dedup, event, state, body, plain, reason FROM given ORDER BY dedup
			ON CONFLICT (source_id, dedup) DO UPDATE SET dedup = excluded.dedup
			RETURNING d.id, d.dedup, d.state
		)
		SELECT g.at - 1 AS at, k.id, k.state, k.id <> g.id AS known FROM given g JOIN kept k ON k.dedup = g.dedup ORDER BY g.at`,
		src.Workspace, src.ID, pq.Array(ids), pq.Array(dedups), pq.Array(events), pq.Array(states), pq.Array(bodies), pq.Array(plains),
		pq.Array(reasons)); err != nil {
		return nil, wrap("keep delivery", err)
	}
	out := make([]Arrived, n)
	for _, r := range rows {
		out[r.At] = Arrived{ID: r.ID, State: r.State, Known: r.Known}
	}
	return out, nil
}

func withoutZero(s string) []byte { return bytes.ReplaceAll([]byte(s), []byte{0}, nil) }

// unescaped is a body whose texts stand as they are read, so that a name in it can be found however it was written.
func unescaped(body []byte) sql.NullString {
	if !bytes.Contains(body, []byte(`\`)) {
		return sql.NullString{}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return sql.NullString{}
	}
	var b bytes.Buffer
	textsOf(&b, v)
	return nullString(string(withoutZero(b.String())))
}

func textsOf(b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case string:
		b.WriteString(v)
		b.WriteByte('\n')
	case []any:
		for _, item := range v {
			textsOf(b, item)
		}
	case map[string]any:
		for _, item := range v {
			textsOf(b, item)
		}
	}
}

type deliveryRow struct {
	ID          growth.DeliveryID    `db:"id"`
	Workspace   growth.WorkspaceID   `db:"workspace_id"`
	SourceID    growth.SourceID      `db:"source_id"`
	Event       string               `db:"event"`
	State       growth.DeliveryState `db:"state"`
	Reason      string               `db:"reason"`
	LeadID      *growth.LeadID       `db:"lead_id"`
	JobID       *growth.JobID        `db:"job_id"`
	Body        sql.NullString       `db:"body"`
	Attempts    int                  `db:"attempts"`
	ReceivedAt  time.Time            `db:"received_at"`
	ProcessedAt *time.Time           `db:"processed_at"`
}

const deliveryColumns = `id, workspace_id, source_id, event, state, reason, lead_id, job_id, body, attempts, received_at, processed_at`

func (r deliveryRow) delivery() growth.WebhookDelivery {
	d := growth.WebhookDelivery{
		ID: r.ID, SourceID: r.SourceID, Event: r.Event, State: r.State, Reason: r.Reason, LeadID: r.LeadID, JobID: r.JobID,
		ReceivedAt: r.ReceivedAt.UTC(), ProcessedAt: inUTC(r.ProcessedAt),
	}
	if r.Body.Valid {
		d.Body = json.RawMessage(r.Body.String)
	}
	return d
}

// DeliveryFilter narrows a list of deliveries.
type DeliveryFilter struct {
	Source growth.SourceID
	State  growth.DeliveryState
}

// Deliveries lists what came in, newest first, without the bodies.
func (sc Scoped) Deliveries(ctx context.Context, f DeliveryFilter, p Page) ([]growth.WebhookDelivery, error) {
	var rows []deliveryRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT id, workspace_id, source_id, event, state, reason, lead_id, job_id, NULL AS body, attempts, received_at, processed_at
		FROM webhook_deliveries
		WHERE workspace_id = $1 AND id < $2 AND ($3 = '' OR source_id = nullif($3, '')::uuid) AND ($4 = '' OR state = $4)
		ORDER BY id DESC LIMIT $5`, sc.ws, p.before(), string(f.Source), string(f.State), p.limit()); err != nil {
		return nil, wrap("webhook deliveries", err)
	}
	out := make([]growth.WebhookDelivery, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.delivery())
	}
	return out, nil
}

// Delivery returns one message that came in, with its body.
func (sc Scoped) Delivery(ctx context.Context, id growth.DeliveryID) (growth.WebhookDelivery, error) {
	var r deliveryRow
	err := sc.s.db.GetContext(ctx, &r, `SELECT `+deliveryColumns+` FROM webhook_deliveries WHERE workspace_id = $1 AND id = $2`, sc.ws, id)
	if none(err) {
		return growth.WebhookDelivery{}, noDelivery()
	}
	return r.delivery(), wrap("webhook delivery", err)
}

func noDelivery() error {
	return growth.Errorf(growth.NotFound, "store.Delivery", "there is no such delivery in this workspace")
}

// ReplayDelivery has a message made into a lead once more, as the source maps it now.
func (sc Scoped) ReplayDelivery(ctx context.Context, id growth.DeliveryID) (growth.WebhookDelivery, error) {
	var r deliveryRow
	err := sc.s.db.GetContext(ctx, &r, `
		UPDATE webhook_deliveries SET state = 'received', attempts = 0, reason = '', next_at = now(), processed_at = NULL
		WHERE workspace_id = $1 AND id = $2 AND body IS NOT NULL AND state <> 'received' RETURNING `+deliveryColumns, sc.ws, id)
	if !none(err) {
		return r.delivery(), wrap("replay delivery", err)
	}
	d, err := sc.Delivery(ctx, id)
	if err != nil || d.State == growth.DeliveryReceived {
		return d, err
	}
	return d, growth.Errorf(growth.Conflict, "store.ReplayDelivery", "the body of this delivery is not held any more")
}

// Intake is what is to be made of a message.
type Intake struct {
	Fault string // why nothing can be made of it
	Put   LeadPut
	Job   func(SavedLead) (*NewJob, error) // nil job: the lead is only kept
}

// TookIn is what was made of a message.
type TookIn struct {
	Delivery growth.DeliveryID
	Source   growth.SourceID
	State    growth.DeliveryState
}

// TakeIn takes the message that has waited for longest, unless another process has it, and makes of it what plan says:
// the lead, its job and the message's end are one commit. found is false when nothing waits.
func (s *Store) TakeIn(ctx context.Context, plan func(growth.WebhookSource, growth.WebhookDelivery) Intake,
	same func(old, update growth.Lead) bool, merge func(old, update growth.Lead) growth.Lead,
) (took TookIn, found bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		var r deliveryRow
		err := tx.tx.GetContext(ctx, &r, `
			SELECT `+deliveryColumns+` FROM webhook_deliveries WHERE state = 'received' AND next_at <= now()
			ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED`)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return wrap("next delivery", err)
		}
		found, took = true, TookIn{Delivery: r.ID, Source: r.SourceID}
		var src sourceRow
		if err := tx.tx.GetContext(ctx, &src, `SELECT `+sourceColumns+` FROM webhook_sources WHERE id = $1`, r.SourceID); err != nil {
			return wrap("source of delivery", err)
		}
		source, _, err := src.source()
		if err != nil {
			return err
		}
		return tx.takeIn(ctx, r, plan(source, r.delivery()), same, merge, &took)
	})
	return took, found, err
}

func (tx *Tx) takeIn(ctx context.Context, r deliveryRow, in Intake, same func(old, update growth.Lead) bool,
	merge func(old, update growth.Lead) growth.Lead, took *TookIn,
) error {
	if took.State = growth.DeliveryFailed; in.Fault != "" {
		return tx.endDelivery(ctx, r.ID, took.State, in.Fault, "", "")
	}
	puts := []LeadPut{in.Put}
	if err := tx.lockKeys(ctx, r.Workspace, puts); err != nil {
		return err
	}
	if err := tx.refuseErased(ctx, r.Workspace, puts); growth.CodeOf(err) == growth.Conflict {
		took.State = growth.DeliveryRefused
		return tx.endDelivery(ctx, r.ID, took.State, "this lead was erased and is not taken in again", "", "")
	} else if err != nil {
		return err
	}
	saved, err := tx.putLead(ctx, r.Workspace, in.Put, same, merge)
	if err != nil {
		return err
	}
	job, err := in.Job(saved)
	if err != nil {
		return err
	}
	var id growth.JobID
	if job != nil {
		out, err := tx.accept(ctx, r.Workspace, []NewJob{*job})
		if err != nil {
			return err
		}
		id = out[0].ID
	}
	took.State = growth.DeliveryProcessed
	return tx.endDelivery(ctx, r.ID, took.State, "", saved.Lead.ID, id)
}

// endDelivery writes what became of a message. What an erased lead sent is not kept.
func (tx *Tx) endDelivery(ctx context.Context, id growth.DeliveryID, state growth.DeliveryState, reason string, lead growth.LeadID, job growth.JobID) error {
	_, err := tx.tx.ExecContext(ctx, `
		UPDATE webhook_deliveries SET state = $2, reason = $3, lead_id = coalesce(nullif($4, '')::uuid, lead_id),
			job_id = coalesce(nullif($5, '')::uuid, job_id), attempts = attempts + 1, processed_at = now(),
			body = CASE WHEN $2 = 'refused' THEN NULL ELSE body END, plain = CASE WHEN $2 = 'refused' THEN NULL ELSE plain END
		WHERE id = $1`, id, state, reason, string(lead), string(job))
	return wrap("end delivery", err)
}

// mostTakings is how often a message is tried whose lead cannot be stored for a reason that may pass.
const mostTakings = 10

// PutOffDelivery has a message tried again after a pause, or ends it with a reason when it was tried often, or when
// trying again is of no use.
func (s *Store) PutOffDelivery(ctx context.Context, id growth.DeliveryID, pause time.Duration, reason string, final bool) error {
	_, err := s.db.ExecContext(ctx, `
		UPDATE webhook_deliveries SET attempts = attempts + 1, reason = $3, next_at = now() + $2 * interval '1 millisecond',
			state = CASE WHEN $4 OR attempts + 1 >= $5 THEN 'failed' ELSE state END,
			processed_at = CASE WHEN $4 OR attempts + 1 >= $5 THEN now() END
		WHERE id = $1 AND state = 'received'`, id, pause.Milliseconds(), reason, final, mostTakings)
	return wrap("put off delivery", err)
}

// forgetDeliveries drops the bodies in which leads stand: by their own link, by what is theirs alone, and, of messages
// that nobody waits for any more, by what they may share with a namesake.
const forgetDeliveries = `
	UPDATE webhook_deliveries d SET state = 'erased', body = NULL, plain = NULL, reason = '', processed_at = now()
	WHERE d.workspace_id = $1 AND d.state <> 'erased' AND (d.lead_id = ANY($2::uuid[]) OR d.body IS NOT NULL AND EXISTS (
		SELECT 1 FROM (
			SELECT f.value, f.key IN ('email', 'linkedin_url') AS sure FROM leads l, jsonb_each_text(l.data) AS f
			WHERE l.workspace_id = $1 AND l.id = ANY($2::uuid[]) AND f.key IN ('email', 'phone', 'contact_name', 'linkedin_url', 'address', 'external_id')
			UNION ALL
			SELECT k.value, true FROM lead_keys k WHERE k.workspace_id = $1 AND k.lead_id = ANY($2::uuid[]) AND k.kind IN ('email', 'linkedin')
		) AS v
		WHERE length(v.value) > 6 AND (v.sure OR d.state <> 'received') AND strpos(lower(coalesce(d.plain, d.body)), lower(v.value)) > 0))`
