package store

import (
	"context"
	"encoding/json"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// OnCalls sets who is told of every group of ledger rows after its commit. It must not block: a step's worker and the
// ledger's writer wait for it.
func (s *Store) OnCalls(f func([]growth.Call)) { s.onCalls.Store(&f) }

func (s *Store) committed(calls []growth.Call) {
	if f := s.onCalls.Load(); f != nil && len(calls) > 0 {
		(*f)(calls)
	}
}

// SettleCall says what a call of unknown cost has cost. A call whose cost is known, or that is still in flight, is left
// alone: Conflict.
func (sc Scoped) SettleCall(ctx context.Context, id growth.CallID, cost growth.Money, by string) (growth.Call, error) {
	var r callRow
	err := sc.s.db.GetContext(ctx, &r, `
		UPDATE calls SET cost_usd = $3, provenance = $4, settled_by = $5
		WHERE id = $1 AND workspace_id = $2 AND cost_usd IS NULL AND status <> 'started'
		RETURNING `+callColumns, id, sc.ws, cost.USD, cost.Provenance, by)
	if err := wrap("settle call", err); growth.CodeOf(err) == growth.NotFound && err != nil {
		return growth.Call{}, sc.unsettled(ctx, id)
	}
	if err != nil {
		return growth.Call{}, wrap("settle call", err)
	}
	c := r.call()
	c.Workspace = sc.ws
	sc.s.committed([]growth.Call{c})
	return c, nil
}

// unsettled says why a call was left alone.
func (sc Scoped) unsettled(ctx context.Context, id growth.CallID) error {
	var status growth.CallStatus
	if err := sc.s.db.GetContext(ctx, &status, `SELECT status FROM calls WHERE id = $1 AND workspace_id = $2`, id, sc.ws); err != nil {
		return wrap("call", err)
	}
	if status == growth.CallStarted {
		return growth.Errorf(growth.Conflict, "store.SettleCall", "the call is still in flight")
	}
	return growth.Errorf(growth.Conflict, "store.SettleCall", "the cost of this call is known")
}

// Unpriced is a call whose cost its provider may still tell.
type Unpriced struct {
	ID         growth.CallID      `db:"id"`
	Workspace  growth.WorkspaceID `db:"workspace_id"`
	Provider   string             `db:"provider"`
	Generation string             `db:"generation_id"`
}

// TakeUnpriced takes calls of a provider whose cost is unknown and that have its id, for one question each. Another
// process does not get them; they come again after a pause that doubles from a minute, ten times in all.
func (s *Store) TakeUnpriced(ctx context.Context, provider string, limit int) ([]Unpriced, error) {
	var out []Unpriced
	err := s.db.SelectContext(ctx, &out, `
		UPDATE calls SET asked = asked + 1, ask_after = now() + interval '1 minute' * power(2, asked)
		WHERE id IN (
			SELECT id FROM calls
			WHERE cost_usd IS NULL AND status NOT IN ('started', 'skipped') AND provider = $1 AND generation_id <> ''
			  AND asked < 10 AND (ask_after IS NULL OR ask_after < now())
			ORDER BY started_at LIMIT $2 FOR UPDATE SKIP LOCKED)
		RETURNING id, workspace_id, provider, generation_id`, provider, limit)
	return out, wrap("take unpriced", err)
}

// CallFilter says which ledger rows are wanted; its zero value wants all.
type CallFilter struct {
	Job      growth.JobID
	Task     growth.TaskType
	Provider string
	Status   string // started, ok, failed, unknown or skipped
	Unknown  bool   // only those whose cost nobody knows
}

// LedgerRows lists ledger rows of the workspace that pass a filter, newest first.
func (sc Scoped) LedgerRows(ctx context.Context, f CallFilter, p Page) ([]growth.Call, error) {
	var rows []callRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+callColumns+` FROM calls
		WHERE workspace_id = $1 AND id < $2 AND ($3 = '' OR job_id = nullif($3, '')::uuid) AND ($4 = '' OR task_type = $4)
		  AND ($5 = '' OR provider = $5) AND ($6 = '' OR status = $6) AND (NOT $7 OR cost_usd IS NULL AND status <> 'started')
		ORDER BY id DESC LIMIT $8`,
		sc.ws, p.before(), string(f.Job), string(f.Task), f.Provider, f.Status, f.Unknown, p.limit()); err != nil {
		return nil, wrap("ledger rows", err)
	}
	return calls(rows), nil
}

// alertUnknown is the kind of the alerts of unknown costs, and the type of their events.
const alertUnknown = "cost.unknown"

// AlertUnknownCosts makes an event for each workspace, model and UTC day that has calls of unknown cost, once. It
// returns whose events it made.
func (s *Store) AlertUnknownCosts(ctx context.Context) ([]growth.WorkspaceID, error) {
	var out []growth.WorkspaceID
	err := s.InTx(ctx, func(tx *Tx) error {
		var rows []struct {
			Workspace growth.WorkspaceID `db:"workspace_id"`
			Subject   string             `db:"subject"`
			Since     time.Time          `db:"since"`
		}
		if err := tx.tx.SelectContext(ctx, &rows, `
			INSERT INTO alerts (workspace_id, kind, subject, since)
			SELECT DISTINCT workspace_id, $1, provider || '/' || model, date_trunc('day', started_at, 'UTC') FROM calls
			WHERE cost_usd IS NULL AND status NOT IN ('started', 'skipped') AND started_at > now() - interval '1 day'
			ON CONFLICT DO NOTHING
			RETURNING workspace_id, subject, since`, alertUnknown); err != nil {
			return wrap("alert unknown costs", err)
		}
		for _, r := range rows {
			data, err := json.Marshal(map[string]any{"model": r.Subject, "day": r.Since.UTC().Format(time.DateOnly)})
			if err != nil {
				return wrap("alert unknown costs", err)
			}
			if err := tx.AddEvent(ctx, r.Workspace, "", NewEvent{Type: alertUnknown, Data: data}); err != nil {
				return err
			}
			out = append(out, r.Workspace)
		}
		return nil
	})
	return out, err
}

// SavePrices keeps the prices that a provider's list named at an instant: those that differ from the newest kept. The
// price is JSON, by model.
func (s *Store) SavePrices(ctx context.Context, provider string, at time.Time, prices map[string]json.RawMessage) (int64, error) {
	all, err := json.Marshal(prices)
	if err != nil {
		return 0, wrap("save prices", err)
	}
	res, err := s.db.ExecContext(ctx, `
		INSERT INTO prices (provider, model, read_at, price)
		SELECT $1, n.key, $2, n.value FROM jsonb_each($3::jsonb) AS n
		WHERE n.value IS DISTINCT FROM (
			SELECT p.price FROM prices p WHERE p.provider = $1 AND p.model = n.key ORDER BY p.read_at DESC LIMIT 1)
		ON CONFLICT DO NOTHING`, provider, at.UTC(), all)
	if err != nil {
		return 0, wrap("save prices", err)
	}
	n, err := res.RowsAffected()
	return n, wrap("save prices", err)
}

// KeptPrice is a price as a provider's list named it.
type KeptPrice struct {
	Provider string          `db:"provider"`
	Model    string          `db:"model"`
	ReadAt   time.Time       `db:"read_at"`
	Price    json.RawMessage `db:"price"`
}

// Prices gives the newest kept price of every model.
func (s *Store) Prices(ctx context.Context) ([]KeptPrice, error) {
	var out []KeptPrice
	err := s.db.SelectContext(ctx, &out, `
		SELECT DISTINCT ON (provider, model) provider, model, read_at, price FROM prices
		ORDER BY provider, model, read_at DESC LIMIT 10000`)
	return out, wrap("prices", err)
}
