package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lib/pq"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// maxBudgets is how many budgets a workspace may have: each one that covers a call is looked at before it.
const maxBudgets = 100

type budgetRow struct {
	ID        growth.BudgetID     `db:"id"`
	Workspace growth.WorkspaceID  `db:"workspace_id"`
	Name      string              `db:"name"`
	Campaign  sql.NullString      `db:"campaign_id"`
	Task      growth.TaskType     `db:"task_type"`
	Key       sql.NullString      `db:"key_id"`
	Period    growth.BudgetPeriod `db:"period"`
	Limit     decimal.Decimal     `db:"limit_usd"`
	Policy    growth.BudgetPolicy `db:"policy"`
	CreatedAt time.Time           `db:"created_at"`
	UpdatedAt time.Time           `db:"updated_at"`
}

const budgetColumns = `b.id, b.workspace_id, b.name, b.campaign_id, b.task_type, b.key_id, b.period, b.limit_usd, b.policy,
	b.created_at, b.updated_at`

func (r budgetRow) budget() growth.Budget {
	return growth.Budget{
		ID: r.ID, Workspace: r.Workspace, Name: r.Name, Campaign: growth.CampaignID(r.Campaign.String), Task: r.Task,
		Key: r.Key.String, Period: r.Period, LimitUSD: r.Limit, Policy: r.Policy,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

// AddBudget makes a budget. What its calls have cost in the present window counts from the start.
func (sc Scoped) AddBudget(ctx context.Context, b growth.Budget) (growth.Budget, error) {
	var r budgetRow
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		// The workspace's row is the lock under which its budgets are counted and their version grows.
		if err := tx.budgetsChanged(ctx, sc.ws); err != nil {
			return err
		}
		var n int
		if err := tx.tx.GetContext(ctx, &n, `SELECT count(*) FROM budgets WHERE workspace_id = $1`, sc.ws); err != nil {
			return wrap("add budget", err)
		}
		if n >= maxBudgets {
			return growth.Errorf(growth.Conflict, "store.AddBudget", "a workspace can have %d budgets", maxBudgets)
		}
		return budgetFault(tx.tx.GetContext(ctx, &r, `
			INSERT INTO budgets AS b (id, workspace_id, name, campaign_id, task_type, key_id, period, limit_usd, policy)
			SELECT $1, $2, $3, nullif($4, '')::uuid, $5, k.id, $7, $8, $9
			FROM (SELECT nullif($6, '')::uuid AS wanted) AS w
			LEFT JOIN api_keys k ON k.id = w.wanted AND (k.workspace_id = $2 OR k.workspace_id IS NULL)
			WHERE w.wanted IS NULL OR k.id IS NOT NULL
			RETURNING `+budgetColumns, growth.NewID(), sc.ws, b.Name, string(b.Campaign), b.Task, b.Key, b.Period, b.LimitUSD, b.Policy))
	})
	return r.budget(), err
}

func budgetFault(err error) error {
	switch {
	case violates(err, "budgets_campaign"):
		return growth.InvalidField("store.budget", "campaign_id", "there is no such campaign in this workspace")
	case violates(err, "budgets_workspace_id_name_key"):
		return growth.Errorf(growth.Conflict, "store.budget", "there is a budget with this name already")
	case growth.CodeOf(wrap("budget", err)) == growth.NotFound:
		return growth.InvalidField("store.budget", "key_id", "there is no such key in this workspace")
	}
	return wrap("budget", err)
}

// BudgetChange is what of a budget can change; what it covers cannot: make another one.
type BudgetChange struct {
	Name     *string
	LimitUSD *decimal.Decimal
	Policy   *growth.BudgetPolicy
}

// ChangeBudget changes a budget. Jobs that wait for a budget look again.
func (sc Scoped) ChangeBudget(ctx context.Context, id growth.BudgetID, c BudgetChange) (growth.Budget, error) {
	var r budgetRow
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		if err := tx.budgetsChanged(ctx, sc.ws); err != nil {
			return err
		}
		err := tx.tx.GetContext(ctx, &r, `
			UPDATE budgets AS b SET name = coalesce($3, name), limit_usd = coalesce($4, limit_usd),
				policy = coalesce($5, policy), updated_at = now()
			WHERE id = $1 AND workspace_id = $2
			RETURNING `+budgetColumns, id, sc.ws, c.Name, c.LimitUSD, c.Policy)
		if violates(err, "budgets_workspace_id_name_key") {
			return budgetFault(err)
		}
		if err != nil {
			return wrap("change budget", err)
		}
		return tx.wakeBudgetWaiters(ctx, sc.ws)
	})
	return r.budget(), err
}

// DeleteBudget ends a budget. Jobs that wait for a budget look again.
func (sc Scoped) DeleteBudget(ctx context.Context, id growth.BudgetID) error {
	return sc.s.InTx(ctx, func(tx *Tx) error {
		if err := tx.budgetsChanged(ctx, sc.ws); err != nil {
			return err
		}
		res, err := tx.tx.ExecContext(ctx, `DELETE FROM budgets WHERE id = $1 AND workspace_id = $2`, id, sc.ws)
		if err != nil {
			return wrap("delete budget", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return growth.Errorf(growth.NotFound, "store.DeleteBudget", "there is no such budget in this workspace")
		}
		return tx.wakeBudgetWaiters(ctx, sc.ws)
	})
}

func (tx *Tx) budgetsChanged(ctx context.Context, ws growth.WorkspaceID) error {
	_, err := tx.tx.ExecContext(ctx, `UPDATE workspaces SET budgets_version = budgets_version + 1 WHERE id = $1`, ws)
	return wrap("budgets version", err)
}

// wakeBudgetWaiters makes the jobs that wait for a budget due. One that is not in the outbox lies in Redis and is due
// within a minute anyway.
func (tx *Tx) wakeBudgetWaiters(ctx context.Context, ws growth.WorkspaceID) error {
	_, err := tx.tx.ExecContext(ctx, `
		UPDATE jobs SET run_at = now(), waiting_until = now(), updated_at = now()
		WHERE workspace_id = $1 AND state = 'waiting' AND waiting_reason = 'budget' AND dispatched_at IS NULL AND run_at > now()`, ws)
	return wrap("wake jobs", err)
}

// Budgets lists every budget of every workspace, for the process that has to hold all calls to them.
func (s *Store) Budgets(ctx context.Context) ([]growth.WorkspaceBudgets, error) {
	var rows []struct {
		budgetRow
		Version int64 `db:"budgets_version"`
	}
	if err := s.db.SelectContext(ctx, &rows, `
		SELECT `+budgetColumns+`, w.budgets_version FROM budgets b JOIN workspaces w ON w.id = b.workspace_id
		ORDER BY b.workspace_id, b.id`); err != nil {
		return nil, wrap("budgets", err)
	}
	var out []growth.WorkspaceBudgets
	for _, r := range rows {
		if n := len(out); n == 0 || out[n-1].Workspace != r.Workspace {
			out = append(out, growth.WorkspaceBudgets{Workspace: r.Workspace, Version: r.Version})
		}
		last := &out[len(out)-1]
		last.Budgets = append(last.Budgets, r.budget())
	}
	return out, nil
}

// Tally reads, at one instant, a workspace's budgets, what the ledger says was spent of each in the windows of the
// instants at, and every call that counts at its estimate.
func (s *Store) Tally(ctx context.Context, ws growth.WorkspaceID, at ...time.Time) (growth.BudgetTally, error) {
	out := growth.BudgetTally{WorkspaceBudgets: growth.WorkspaceBudgets{Workspace: ws}}
	tx, err := s.db.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return out, wrap("tally", err)
	}
	defer func() { _ = tx.Rollback() }() // it has only read
	t := &Tx{tx: tx}
	if err := tx.GetContext(ctx, &out.Version, `SELECT budgets_version FROM workspaces WHERE id = $1`, ws); err != nil {
		return out, wrap("tally", err)
	}
	if out.Budgets, err = t.budgetsOf(ctx, ws); err != nil || len(out.Budgets) == 0 {
		return out, err
	}
	if out.Windows, err = t.spent(ctx, ws, windowsOf(out.Budgets, at)); err != nil {
		return out, err
	}
	out.Open, err = t.openCalls(ctx, ws, earliest(out.Windows))
	return out, err
}

func (tx *Tx) budgetsOf(ctx context.Context, ws growth.WorkspaceID) ([]growth.Budget, error) {
	var rows []budgetRow
	if err := tx.tx.SelectContext(ctx, &rows, `SELECT `+budgetColumns+` FROM budgets b WHERE b.workspace_id = $1 ORDER BY b.id`, ws); err != nil {
		return nil, wrap("budgets", err)
	}
	out := make([]growth.Budget, len(rows))
	for i, r := range rows {
		out[i] = r.budget()
	}
	return out, nil
}

// window is a budget's window with its end.
type window struct {
	budget   growth.BudgetID
	from, to time.Time
}

func windowsOf(budgets []growth.Budget, at []time.Time) []window {
	var out []window
	for _, b := range budgets {
		seen := map[time.Time]bool{}
		for _, t := range at {
			if from, to := b.Period.Window(t); !seen[from] {
				seen[from] = true
				out = append(out, window{b.ID, from, to})
			}
		}
	}
	return out
}

// spent adds up whole billionths, each call's rounded up, as the working state in Redis does.
func (tx *Tx) spent(ctx context.Context, ws growth.WorkspaceID, windows []window) ([]growth.BudgetWindow, error) {
	n := len(windows)
	ids, froms, tos := make([]string, n), make([]string, n), make([]string, n)
	for i, w := range windows {
		ids[i], froms[i], tos[i] = string(w.budget), w.from.Format(time.RFC3339), w.to.Format(time.RFC3339)
	}
	var rows []struct {
		Budget growth.BudgetID `db:"budget"`
		Start  time.Time       `db:"since"`
		Nano   int64           `db:"nano"`
	}
	err := tx.tx.SelectContext(ctx, &rows, `
		SELECT w.budget, w.since, coalesce(sum(ceil(c.cost_usd * 1000000000)), 0)::bigint AS nano
		FROM unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[]) AS w (budget, since, until)
		JOIN budgets b ON b.id = w.budget AND b.workspace_id = $1
		LEFT JOIN calls c ON c.workspace_id = $1 AND c.started_at >= w.since AND c.started_at < w.until AND c.cost_usd > 0
			AND (b.campaign_id IS NULL OR c.campaign_id = b.campaign_id) AND (b.task_type = '' OR c.task_type = b.task_type)
			AND (b.key_id IS NULL OR c.key_id = b.key_id)
		GROUP BY w.budget, w.since`, ws, pq.Array(ids), pq.Array(froms), pq.Array(tos))
	if err != nil {
		return nil, wrap("spent", err)
	}
	out := make([]growth.BudgetWindow, len(rows))
	for i, r := range rows {
		out[i] = growth.BudgetWindow{Budget: r.Budget, Start: r.Start.UTC(), SpentNano: r.Nano}
	}
	return out, nil
}

func earliest(windows []growth.BudgetWindow) time.Time {
	first := windows[0].Start
	for _, w := range windows {
		if w.Start.Before(first) {
			first = w.Start
		}
	}
	return first
}

func (tx *Tx) openCalls(ctx context.Context, ws growth.WorkspaceID, since time.Time) ([]growth.OpenCall, error) {
	var rows []struct {
		ID       growth.CallID     `db:"id"`
		Campaign sql.NullString    `db:"campaign_id"`
		Task     growth.TaskType   `db:"task_type"`
		Key      sql.NullString    `db:"key_id"`
		At       time.Time         `db:"started_at"`
		Reserved decimal.Decimal   `db:"reserved_usd"`
		Status   growth.CallStatus `db:"status"`
	}
	if err := tx.tx.SelectContext(ctx, &rows, `
		SELECT id, campaign_id, task_type, key_id, started_at, reserved_usd, status FROM calls
		WHERE workspace_id = $1 AND started_at >= $2 AND cost_usd IS NULL AND reserved_usd > 0`, ws, since); err != nil {
		return nil, wrap("open calls", err)
	}
	out := make([]growth.OpenCall, len(rows))
	for i, r := range rows {
		out[i] = growth.OpenCall{
			Call: r.ID, Campaign: growth.CampaignID(r.Campaign.String), Task: r.Task, Key: r.Key.String, At: r.At.UTC(),
			Nano: growth.NanoUSD(r.Reserved), Unknown: r.Status != growth.CallStarted,
		}
	}
	return out, nil
}

// alertBudget is the kind of the alerts of budgets, and the type of their events.
const alertBudget = "budget.threshold"

// Announce records that a budget has reached a threshold, with its event. first is false when that was said already:
// once for a window, a threshold and a limit.
func (s *Store) Announce(ctx context.Context, a growth.BudgetAlert) (first bool, err error) {
	_, end := a.Budget.Period.Window(a.Start)
	data, err := json.Marshal(map[string]any{
		"budget_id": a.Budget.ID, "name": a.Budget.Name, "period": a.Budget.Period, "window_start": a.Start, "window_end": end,
		"threshold": a.Threshold, "state": growth.BudgetStateAt(a.Threshold), "used_usd": a.UsedUSD, "limit_usd": a.Budget.LimitUSD,
		"policy": a.Budget.Policy,
	})
	if err != nil {
		return false, wrap("announce", err)
	}
	err = s.InTx(ctx, func(tx *Tx) error {
		res, err := tx.tx.ExecContext(ctx, `
			INSERT INTO alerts (workspace_id, kind, subject, since) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			a.Budget.Workspace, alertBudget, thresholdSubject(a.Budget, a.Threshold), a.Start)
		if err != nil {
			return wrap("announce", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return wrap("announce", err)
		}
		first = true
		return tx.AddEvent(ctx, a.Budget.Workspace, "", NewEvent{Type: alertBudget, Data: data})
	})
	return first && err == nil, err
}

func thresholdSubject(b growth.Budget, threshold int) string {
	return fmt.Sprintf("%s/%d/%s", b.ID, threshold, b.LimitUSD.StringFixed(12))
}

// BudgetStatus lists the workspace's budgets, or one of them, with where they stand at the instant now.
func (sc Scoped) BudgetStatus(ctx context.Context, id growth.BudgetID, now time.Time) ([]growth.BudgetStatus, error) {
	var rows []struct {
		budgetRow
		Spent     decimal.Decimal `db:"spent"`
		Reserved  decimal.Decimal `db:"reserved"`
		Unknown   int             `db:"unknown"`
		UnknownAt decimal.Decimal `db:"unknown_at"`
		Said      int             `db:"said"`
	}
	err := sc.s.db.SelectContext(ctx, &rows, `
		WITH w AS (
			SELECT b.*, date_trunc(b.period, $3::timestamptz, 'UTC') AS since FROM budgets b
			WHERE b.workspace_id = $1 AND ($2 = '' OR b.id = nullif($2, '')::uuid)
		)
		SELECT `+budgetColumns+`, coalesce(sum(c.cost_usd), 0) AS spent,
			coalesce(sum(c.reserved_usd) FILTER (WHERE c.cost_usd IS NULL AND c.status = 'started'), 0) AS reserved,
			count(*) FILTER (WHERE c.cost_usd IS NULL AND c.status <> 'started') AS unknown,
			coalesce(sum(c.reserved_usd) FILTER (WHERE c.cost_usd IS NULL AND c.status <> 'started'), 0) AS unknown_at,
			coalesce((SELECT max(split_part(a.subject, '/', 2)::int) FROM alerts a WHERE a.workspace_id = b.workspace_id
				AND a.kind = 'budget.threshold' AND a.since = b.since
				AND a.subject LIKE b.id || '/%/' || b.limit_usd::numeric(20, 12)), 0) AS said
		FROM w b LEFT JOIN calls c ON c.workspace_id = b.workspace_id AND c.started_at >= b.since AND c.started_at <= $3
			AND (b.campaign_id IS NULL OR c.campaign_id = b.campaign_id) AND (b.task_type = '' OR c.task_type = b.task_type)
			AND (b.key_id IS NULL OR c.key_id = b.key_id) AND c.status <> 'skipped'
		GROUP BY b.id, b.workspace_id, b.name, b.campaign_id, b.task_type, b.key_id, b.period, b.limit_usd, b.policy,
			b.created_at, b.updated_at, b.since
		ORDER BY b.id LIMIT 200`, sc.ws, string(id), now.UTC())
	if err != nil {
		return nil, wrap("budget status", err)
	}
	out := make([]growth.BudgetStatus, len(rows))
	for i, r := range rows {
		b := growth.BudgetStatus{
			Budget: r.budget(), SpentUSD: r.Spent, ReservedUSD: r.Reserved, UnknownCalls: r.Unknown, UnknownUSD: r.UnknownAt,
		}
		b.WindowStart, b.WindowEnd = b.Period.Window(now)
		b.State = stateOf(b, r.Said)
		out[i] = b
	}
	return out, nil
}

// stateOf is exhausted also when a call was turned away before the last cent was spent: only the alert knows that.
func stateOf(b growth.BudgetStatus, said int) growth.BudgetState {
	if said >= 100 || !b.LimitUSD.IsPositive() {
		return growth.BudgetExhausted
	}
	share := b.SpentUSD.Add(b.UnknownUSD).Shift(2).Div(b.LimitUSD)
	return growth.BudgetStateAt(int(decimal.Min(share, decimal.NewFromInt(1000)).IntPart()))
}
