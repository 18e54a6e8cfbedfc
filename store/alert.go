package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// Severity says how soon a person should look.
type Severity string

// The severities.
const (
	SeverityWarning  Severity = "warning"
	SeverityCritical Severity = "critical"
)

// Alert is something that is wrong, from when to when.
type Alert struct {
	ID       string          `json:"id" db:"id"`
	Kind     string          `json:"kind" db:"kind" enum:"budget,budget_forecast,breaker_open,failover_rate,queue_latency,account_expiring,unknown_costs,unknown_publications,target"`
	Subject  string          `json:"subject" db:"subject" doc:"What it is about: the id of a budget or an account, a breaker, a target; empty: the workspace"`
	Severity Severity        `json:"severity" db:"severity" enum:"warning,critical"`
	Message  string          `json:"message" db:"message"`
	Data     json.RawMessage `json:"data" db:"data" doc:"The figures behind it"`
	Opened   time.Time       `json:"opened_at" db:"opened_at"`
	Seen     time.Time       `json:"seen_at" db:"seen_at" doc:"When it was last found to hold"`
	Resolved *time.Time      `json:"resolved_at" db:"resolved_at" doc:"null while it is open"`
}

const alertColumns = `id, kind, subject, severity, message, data, opened_at, seen_at, resolved_at`

// AlertBudgetForecast is the kind of the alert that a budget's forecast raises; its changes are told as changes of the
// budget too.
const AlertBudgetForecast = "budget_forecast"

// alertCalm is for how long an alert must not hold before it is resolved, so that what comes and goes is one alert.
const alertCalm = 5 * time.Minute

// SetAlerts says what is wrong in the workspace now: new alerts are opened, and those that have not been found for a while
// are resolved, each with its event. It returns the types of the events that it made.
func (sc Scoped) SetAlerts(ctx context.Context, found []Alert, now time.Time) (told []string, err error) {
	err = sc.s.InTx(ctx, func(tx *Tx) error {
		told = nil
		for _, a := range found {
			opened, err := tx.openAlert(ctx, sc.ws, a, now)
			if err != nil {
				return err
			}
			if opened != nil {
				types, err := tx.tellAlert(ctx, sc.ws, *opened)
				if err != nil {
					return err
				}
				told = append(told, types...)
			}
		}
		var over []Alert
		if err := tx.tx.SelectContext(ctx, &over, `
			UPDATE alert_states SET resolved_at = $2 WHERE workspace_id = $1 AND resolved_at IS NULL AND seen_at < $3
			RETURNING `+alertColumns, sc.ws, now.UTC(), now.UTC().Add(-alertCalm)); err != nil {
			return wrap("resolve alerts", err)
		}
		for _, a := range over {
			types, err := tx.tellAlert(ctx, sc.ws, a)
			if err != nil {
				return err
			}
			told = append(told, types...)
		}
		return nil
	})
	return told, err
}

// openAlert returns the alert when it was not open yet.
func (tx *Tx) openAlert(ctx context.Context, ws growth.WorkspaceID, a Alert, now time.Time) (*Alert, error) {
	if a.Data == nil {
		a.Data = json.RawMessage(`{}`)
	}
	var row struct {
		Alert

		New bool `db:"new"`
	}
	err := tx.tx.GetContext(ctx, &row, `
		INSERT INTO alert_states AS s (id, workspace_id, kind, subject, severity, message, data, opened_at, seen_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
		ON CONFLICT (workspace_id, kind, subject) WHERE resolved_at IS NULL DO UPDATE SET
			severity = excluded.severity, message = excluded.message, data = excluded.data, seen_at = excluded.seen_at
		RETURNING `+alertColumns+`, id = $1 AS new`,
		growth.NewID(), ws, a.Kind, a.Subject, a.Severity, a.Message, []byte(a.Data), now.UTC())
	if err != nil || !row.New {
		return nil, wrap("open alert", err)
	}
	return &row.Alert, nil
}

// tellAlert makes the events of an alert that was opened or resolved.
func (tx *Tx) tellAlert(ctx context.Context, ws growth.WorkspaceID, a Alert) ([]string, error) {
	kind := "alert.opened"
	if a.Resolved != nil {
		kind = "alert.resolved"
	}
	data, err := json.Marshal(a)
	if err != nil {
		return nil, wrap("tell alert", err)
	}
	if err := tx.AddEvent(ctx, ws, "", NewEvent{Type: kind, Data: data}); err != nil || a.Kind != AlertBudgetForecast {
		return []string{kind}, err
	}
	figures := map[string]any{}
	if err := json.Unmarshal(a.Data, &figures); err != nil {
		return nil, wrap("tell alert", err)
	}
	figures["kind"], figures["passing"] = "forecast", a.Resolved == nil
	if data, err = json.Marshal(figures); err != nil {
		return nil, wrap("tell alert", err)
	}
	return []string{kind, alertBudget}, tx.AddEvent(ctx, ws, "", NewEvent{Type: alertBudget, Data: data})
}

// Alerts lists the workspace's alerts, newest first: the open ones, the resolved ones, or all.
func (sc Scoped) Alerts(ctx context.Context, state string, p Page) ([]Alert, error) {
	out := []Alert{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT `+alertColumns+` FROM alert_states
		WHERE workspace_id = $1 AND id < $2 AND ($3 = '' OR ($3 = 'open') = (resolved_at IS NULL)) ORDER BY id DESC LIMIT $4`,
		sc.ws, p.before(), state, p.limit())
	return out, wrap("alerts", err)
}

// Troubles are what can be wrong beside money and the chain.
type Troubles struct {
	Unknown   int64      `db:"unknown"`   // calls of the last day whose cost nobody knows
	Unsettled int64      `db:"unsettled"` // publications of which nobody knows whether they were made
	Oldest    *time.Time `db:"oldest"`    // since when the job that waits longest could have begun
	Accounts  []Expiring
	Breakers  []StuckBreaker
}

// Expiring is an account whose token ends soon, or has ended.
type Expiring struct {
	ID growth.AccountID `db:"id"`
	At time.Time        `db:"expires_at"`
}

// StuckBreaker is a breaker that has not closed since it opened.
type StuckBreaker struct {
	Name  string    `db:"name"`
	Since time.Time `db:"since"`
}

// Troubles looks for what is wrong: tokens that end before soon, and breakers, whose events are in the workspace that every
// installation begins with.
func (sc Scoped) Troubles(ctx context.Context, soon time.Time) (Troubles, error) {
	var t Troubles
	if err := sc.s.db.GetContext(ctx, &t, `
		SELECT (SELECT count(*) FROM calls WHERE workspace_id = $1 AND cost_usd IS NULL AND status NOT IN ('started', 'skipped')
				AND started_at > now() - interval '1 day') AS unknown,
			(SELECT count(*) FROM publications WHERE workspace_id = $1 AND state = 'unknown') AS unsettled,
			(SELECT min(j.run_at) FROM (
				SELECT run_at, lane FROM jobs WHERE workspace_id = $1 AND state = 'queued' AND dispatched_at IS NULL
				UNION ALL SELECT run_at, lane FROM jobs WHERE workspace_id = $1 AND state = 'queued' AND dispatched_at IS NOT NULL
			) j WHERE NOT EXISTS (SELECT 1 FROM pauses p WHERE p.queue = split_part(j.lane, ':', 1)
				AND (p.workspace_id = $1 OR p.workspace_id IS NULL))) AS oldest`, sc.ws); err != nil {
		return t, wrap("troubles", err)
	}
	if err := sc.s.db.SelectContext(ctx, &t.Accounts, `
		SELECT id, expires_at FROM linkedin_accounts WHERE workspace_id = $1 AND status = 'active' AND expires_at < $2 ORDER BY expires_at LIMIT 200`,
		sc.ws, soon.UTC()); err != nil {
		return t, wrap("troubles", err)
	}
	err := sc.s.db.SelectContext(ctx, &t.Breakers, `
		SELECT e.data->>'breaker' AS name, min(e.created_at) AS since FROM events e
		WHERE e.workspace_id = $1 AND e.type = 'breaker.changed' AND e.data->>'state' <> 'CLOSED' AND e.id > coalesce((
			SELECT max(l.id) FROM events l WHERE l.workspace_id = $1 AND l.type = 'breaker.changed' AND l.data->>'state' = 'CLOSED'
				AND l.data->>'breaker' = e.data->>'breaker'), 0)
		GROUP BY 1 ORDER BY 1 LIMIT 200`, sc.ws)
	return t, wrap("troubles", err)
}

// TakeTurn says whether the caller has the turn of some work that is done at most so often, by one process for all.
func (s *Store) TakeTurn(ctx context.Context, name string, every time.Duration) (bool, error) {
	var taken string
	err := s.db.GetContext(ctx, &taken, `
		INSERT INTO turns AS t (name, taken_at) VALUES ($1, now())
		ON CONFLICT (name) DO UPDATE SET taken_at = now() WHERE t.taken_at <= now() - $2 * interval '1 millisecond'
		RETURNING name`, name, every.Milliseconds())
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, wrap("take turn", err)
}
