package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/lib/pq"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

var zero = decimal.Zero

type callRow struct {
	ID         growth.CallID       `db:"id"`
	JobID      sql.NullString      `db:"job_id"`
	Step       string              `db:"step"`
	Task       growth.TaskType     `db:"task_type"`
	Provider   string              `db:"provider"`
	Model      string              `db:"model"`
	Status     growth.CallStatus   `db:"status"`
	Code       string              `db:"code"`
	Detail     string              `db:"detail"`
	Decision   growth.Decision     `db:"decision"`
	Prompt     int                 `db:"prompt_tokens"`
	Completion int                 `db:"completion_tokens"`
	Cached     int                 `db:"cached_tokens"`
	Reasoning  int                 `db:"reasoning_tokens"`
	Cost       decimal.NullDecimal `db:"cost_usd"`
	Provenance growth.Provenance   `db:"provenance"`
	Prices     string              `db:"price_version"`
	WaitMS     int64               `db:"wait_ms"`
	LatencyMS  int64               `db:"latency_ms"`
	Generation string              `db:"generation_id"`
	Simulated  bool                `db:"simulated"`
	StartedAt  time.Time           `db:"started_at"`
	Reserved   decimal.NullDecimal `db:"reserved_usd"`
	SettledBy  string              `db:"settled_by"`
}

const callColumns = `id, job_id, step, task_type, provider, model, status, code, detail, decision, prompt_tokens,
	completion_tokens, cached_tokens, reasoning_tokens, cost_usd, provenance, price_version, wait_ms, latency_ms,
	generation_id, simulated, started_at, reserved_usd, settled_by`

func (r callRow) call() growth.Call {
	c := growth.Call{
		ID: r.ID, JobID: growth.JobID(r.JobID.String), Step: r.Step, Task: r.Task, Provider: r.Provider, Model: r.Model,
		Status: r.Status, Code: r.Code, Detail: r.Detail, Decision: r.Decision,
		Usage: growth.Usage{
			PromptTokens: r.Prompt, CompletionTokens: r.Completion, TotalTokens: r.Prompt + r.Completion,
			CachedTokens: r.Cached, ReasoningTokens: r.Reasoning,
		},
		Cost: growth.UnknownMoney("USD"), Prices: r.Prices, WaitMS: r.WaitMS, LatencyMS: r.LatencyMS, Generation: r.Generation,
		Simulated: r.Simulated, StartedAt: r.StartedAt.UTC(), SettledBy: r.SettledBy,
	}
	if r.Reserved.Valid {
		c.Reserved = &r.Reserved.Decimal
	}
	if r.Cost.Valid {
		c.Cost = growth.USD(r.Cost.Decimal, r.Provenance)
	}
	return c
}

// CallsOfJob lists the ledger rows of a job, oldest first.
func (sc Scoped) CallsOfJob(ctx context.Context, id growth.JobID) ([]growth.Call, error) {
	var rows []callRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+callColumns+` FROM calls WHERE job_id = $1 AND workspace_id = $2 ORDER BY id LIMIT 500`, id, sc.ws); err != nil {
		return nil, wrap("calls", err)
	}
	return calls(rows), nil
}

// Calls lists ledger rows of the workspace, newest first.
func (sc Scoped) Calls(ctx context.Context, p Page) ([]growth.Call, error) {
	var rows []callRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+callColumns+` FROM calls WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`,
		sc.ws, p.before(), p.limit()); err != nil {
		return nil, wrap("calls", err)
	}
	return calls(rows), nil
}

func calls(rows []callRow) []growth.Call {
	out := make([]growth.Call, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.call())
	}
	return out
}

// StartCall commits the row of a request that is about to be sent. It must return before the connection is opened:
// what is in flight when a process dies is then known. A worker that has lost its job is told so before it spends money.
func (s *Store) StartCall(ctx context.Context, c growth.Call, fence int64) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if c.JobID != "" {
			if err := tx.fenced(ctx, c.JobID, fence); err != nil {
				return err
			}
		}
		return tx.SaveCalls(ctx, []growth.Call{c}, fence)
	})
}

// SaveCalls writes ledger rows, new ones or the ends of rows that were started. One statement, whatever their number.
// The end of a call whose row a sweep has marked unknown still wins: it is the better knowledge.
func (tx *Tx) SaveCalls(ctx context.Context, calls []growth.Call, fence int64) error {
	if len(calls) == 0 {
		return nil
	}
	n := len(calls)
	ids, wss, jobs, steps, tasks := make([]string, n), make([]string, n), make([]sql.NullString, n), make([]string, n), make([]string, n)
	provs, models, statuses, codes, details, decisions := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	pt, ct, cat, rt, waits, lats := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	costs, sources, prices := make([]sql.NullString, n), make([]string, n), make([]string, n)
	gens, sims, starts := make([]string, n), make([]bool, n), make([]string, n)
	reserves, campaigns, keys := make([]sql.NullString, n), make([]sql.NullString, n), make([]sql.NullString, n)
	for i, c := range calls {
		ids[i], wss[i], jobs[i], steps[i], tasks[i] = string(c.ID), string(c.Workspace), nullString(string(c.JobID)), c.Step, string(c.Task)
		provs[i], models[i], codes[i], decisions[i] = c.Provider, c.Model, c.Code, string(c.Decision)
		details[i], gens[i] = strings.ReplaceAll(c.Detail, "\x00", ""), strings.ReplaceAll(c.Generation, "\x00", "")
		statuses[i] = string(c.Status)
		if c.Status == "" {
			statuses[i] = "skipped"
		}
		pt[i], ct[i], cat[i], rt[i] = int64(c.Usage.PromptTokens), int64(c.Usage.CompletionTokens), int64(c.Usage.CachedTokens), int64(c.Usage.ReasoningTokens)
		waits[i], lats[i], sims[i], prices[i] = c.WaitMS, c.LatencyMS, c.Simulated, c.Prices
		starts[i], sources[i] = c.StartedAt.UTC().Format(time.RFC3339Nano), string(growth.CostUnknown)
		campaigns[i], keys[i] = nullString(string(c.Campaign)), nullString(c.Key)
		if c.Reserved != nil {
			reserves[i] = nullString(c.Reserved.String())
		}
		if c.Cost.USD != nil {
			costs[i], sources[i] = nullString(c.Cost.USD.String()), string(c.Cost.Provenance)
		}
	}
	_, err := tx.tx.ExecContext(ctx, saveCallsQuery, fence,
		pq.Array(ids), pq.Array(wss), pq.Array(jobs), pq.Array(steps), pq.Array(tasks), pq.Array(provs), pq.Array(models),
		pq.Array(statuses), pq.Array(codes), pq.Array(details), pq.Array(decisions), pq.Array(pt), pq.Array(ct), pq.Array(cat),
		pq.Array(rt), pq.Array(costs), pq.Array(sources), pq.Array(waits), pq.Array(lats), pq.Array(gens), pq.Array(sims),
		pq.Array(starts), pq.Array(prices), pq.Array(reserves), pq.Array(campaigns), pq.Array(keys))
	return wrap("save calls", err)
}

const saveCallsQuery = `
	INSERT INTO calls (fence, id, workspace_id, job_id, step, task_type, provider, model, status, code, detail, decision,
		prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cost_usd, provenance, wait_ms, latency_ms,
		generation_id, simulated, started_at, price_version, reserved_usd, campaign_id, key_id)
	SELECT $1::bigint, * FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
		$9::text[], $10::text[], $11::text[], $12::text[], $13::int[], $14::int[], $15::int[], $16::int[],
		$17::numeric[], $18::text[], $19::bigint[], $20::bigint[], $21::text[], $22::boolean[], $23::timestamptz[], $24::text[],
		$25::numeric[], $26::uuid[], $27::uuid[])
	ON CONFLICT (id) DO UPDATE SET status = excluded.status, code = excluded.code, detail = excluded.detail,
		decision = excluded.decision, prompt_tokens = excluded.prompt_tokens, model = excluded.model,
		completion_tokens = excluded.completion_tokens, cached_tokens = excluded.cached_tokens,
		reasoning_tokens = excluded.reasoning_tokens, price_version = excluded.price_version,
		cost_usd = coalesce(excluded.cost_usd, calls.cost_usd),
		provenance = CASE WHEN excluded.cost_usd IS NULL THEN calls.provenance ELSE excluded.provenance END,
		latency_ms = excluded.latency_ms, generation_id = excluded.generation_id, simulated = excluded.simulated
	WHERE calls.status IN ('started', 'unknown')`

// orphanCalls marks the calls that were in flight when a job's worker died.
func (tx *Tx) orphanCalls(ctx context.Context, job growth.JobID) error {
	_, err := tx.tx.ExecContext(ctx, `
		UPDATE calls SET status = 'unknown', code = 'worker_lost' WHERE job_id = $1 AND status = 'started'`, job)
	return wrap("orphan calls", err)
}

// OrphanDirectCalls marks direct calls that have been open for longer than any deadline allows: their process died.
func (s *Store) OrphanDirectCalls(ctx context.Context, age time.Duration) (int64, error) {
	res, err := s.db.ExecContext(ctx, `
		UPDATE calls SET status = 'unknown', code = 'worker_lost'
		WHERE job_id IS NULL AND status = 'started' AND started_at < now() - $1 * interval '1 second'`, age.Seconds())
	if err != nil {
		return 0, wrap("orphan direct calls", err)
	}
	n, err := res.RowsAffected()
	return n, wrap("orphan direct calls", err)
}

// CacheCount is what the cache did for one workspace and task type since the last report.
type CacheCount struct {
	Workspace    growth.WorkspaceID
	Task         growth.TaskType
	Hits, Misses int64
	SavedUSD     decimal.Decimal
}

// AddCacheCounts adds to the cache's statistics of today (UTC).
func (s *Store) AddCacheCounts(ctx context.Context, counts []CacheCount) error {
	for _, c := range counts {
		if _, err := s.db.ExecContext(ctx, `
			INSERT INTO cache_days AS d (workspace_id, day, task_type, hits, misses, saved_usd)
			VALUES ($1, (now() AT TIME ZONE 'UTC')::date, $2, $3, $4, $5)
			ON CONFLICT (workspace_id, day, task_type) DO UPDATE SET
				hits = d.hits + excluded.hits, misses = d.misses + excluded.misses, saved_usd = d.saved_usd + excluded.saved_usd`,
			c.Workspace, c.Task, c.Hits, c.Misses, c.SavedUSD); err != nil {
			return wrap("cache counts", err)
		}
	}
	return nil
}
