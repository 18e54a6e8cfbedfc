package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

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
	WalkID     sql.NullString      `db:"walk_id"`
	Reserved   decimal.NullDecimal `db:"reserved_usd"`
	SettledBy  string              `db:"settled_by"`
}

const callColumns = `id, job_id, step, task_type, provider, model, status, code, detail, decision, prompt_tokens,
	completion_tokens, cached_tokens, reasoning_tokens, cost_usd, provenance, price_version, wait_ms, latency_ms,
	generation_id, simulated, started_at, walk_id, reserved_usd, settled_by`

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
		WalkID: growth.WalkID(r.WalkID.String),
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

// CallsOfWalk lists the ledger rows of one walk over a route, oldest first, or a NotFound error.
func (sc Scoped) CallsOfWalk(ctx context.Context, id growth.WalkID) ([]growth.Call, error) {
	var rows []callRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+callColumns+` FROM calls WHERE walk_id = $1 AND workspace_id = $2 ORDER BY id LIMIT 500`, id, sc.ws); err != nil {
		return nil, wrap("calls", err)
	}
	if len(rows) == 0 {
		return nil, growth.Errorf(growth.NotFound, "calls", "there is no such walk")
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
	if c.JobID != "" {
		return s.deposit(ctx, deposit{id: c.JobID, fence: fence, calls: []growth.Call{c}})
	}
	return s.InTx(ctx, func(tx *Tx) error { return tx.SaveCalls(ctx, []growth.Call{c}, fence) })
}

// callRecord is a ledger row as statements read it.
type callRecord struct {
	ID         growth.CallID      `json:"id"`
	Fence      int64              `json:"fence"`
	Workspace  growth.WorkspaceID `json:"workspace_id"`
	JobID      *growth.JobID      `json:"job_id"`
	Step       string             `json:"step"`
	Task       growth.TaskType    `json:"task_type"`
	Provider   string             `json:"provider"`
	Model      string             `json:"model"`
	Status     growth.CallStatus  `json:"status"`
	Code       string             `json:"code"`
	Detail     string             `json:"detail"`
	Decision   growth.Decision    `json:"decision"`
	Prompt     int                `json:"prompt_tokens"`
	Completion int                `json:"completion_tokens"`
	Cached     int                `json:"cached_tokens"`
	Reasoning  int                `json:"reasoning_tokens"`
	Cost       *decimal.Decimal   `json:"cost_usd"`
	Provenance growth.Provenance  `json:"provenance"`
	WaitMS     int64              `json:"wait_ms"`
	LatencyMS  int64              `json:"latency_ms"`
	Generation string             `json:"generation_id"`
	Simulated  bool               `json:"simulated"`
	StartedAt  time.Time          `json:"started_at"`
	Prices     string             `json:"price_version"`
	WalkID     *growth.WalkID     `json:"walk_id"`
	Reserved   *decimal.Decimal   `json:"reserved_usd"`
	Campaign   *growth.CampaignID `json:"campaign_id"`
	Key        *string            `json:"key_id"`
}

func callRecords(calls []growth.Call, fence int64) []callRecord {
	out := make([]callRecord, len(calls))
	for i, c := range calls {
		r := callRecord{
			ID: c.ID, Fence: fence, Workspace: c.Workspace, Step: c.Step, Task: c.Task, Provider: c.Provider, Model: c.Model,
			Status: c.Status, Code: c.Code, Detail: strings.ReplaceAll(c.Detail, "\x00", ""), Decision: c.Decision,
			Prompt: c.Usage.PromptTokens, Completion: c.Usage.CompletionTokens, Cached: c.Usage.CachedTokens,
			Reasoning: c.Usage.ReasoningTokens, Provenance: growth.CostUnknown, WaitMS: c.WaitMS, LatencyMS: c.LatencyMS,
			Generation: strings.ReplaceAll(c.Generation, "\x00", ""), Simulated: c.Simulated, StartedAt: c.StartedAt.UTC(), Prices: c.Prices,
		}
		if c.JobID != "" {
			r.JobID = &c.JobID
		}
		if c.WalkID != "" {
			r.WalkID = &c.WalkID
		}
		if r.Reserved = c.Reserved; c.Campaign != "" {
			r.Campaign = &c.Campaign
		}
		if c.Key != "" {
			r.Key = &c.Key
		}
		if r.Status == "" {
			r.Status = "skipped"
		}
		if c.Cost.USD != nil {
			r.Cost, r.Provenance = c.Cost.USD, c.Cost.Provenance
		}
		out[i] = r
	}
	return out
}

// SaveCalls writes ledger rows, new ones or the ends of rows that were started. One statement, whatever their number.
// The end of a call whose row a sweep has marked unknown still wins: it is the better knowledge.
func (tx *Tx) SaveCalls(ctx context.Context, calls []growth.Call, fence int64) error {
	if len(calls) == 0 {
		return nil
	}
	args, err := records(callRecords(calls, fence))
	if err != nil {
		return err
	}
	_, err = tx.tx.ExecContext(ctx, `
		INSERT INTO calls (`+callInsertColumns+`) SELECT `+callRecordColumns+` FROM (`+callsFrom+`) c `+callConflict, args...)
	return wrap("save calls", err)
}

// The parts of the statements that write ledger rows; their first argument is an array of callRecord.
const (
	callInsertColumns = `id, fence, workspace_id, job_id, step, task_type, provider, model, status, code, detail, decision,
		prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cost_usd, provenance, wait_ms, latency_ms,
		generation_id, simulated, started_at, price_version, walk_id, reserved_usd,
		campaign_id, key_id`
	callRecordColumns = `c.id, c.fence, c.workspace_id, c.job_id, c.step, c.task_type, c.provider, c.model, c.status, c.code,
		c.detail, c.decision, c.prompt_tokens, c.completion_tokens, c.cached_tokens, c.reasoning_tokens, c.cost_usd,
		c.provenance, c.wait_ms, c.latency_ms, c.generation_id, c.simulated, c.started_at, c.price_version,
		c.walk_id, c.reserved_usd, c.campaign_id, c.key_id`
	callsFrom = `
		SELECT * FROM json_to_recordset($1::json) AS c (id uuid, fence bigint, workspace_id uuid, job_id uuid, step text,
			task_type text, provider text, model text, status text, code text, detail text, decision text, prompt_tokens int,
			completion_tokens int, cached_tokens int, reasoning_tokens int, cost_usd numeric, provenance text, wait_ms bigint,
			latency_ms bigint, generation_id text, simulated boolean, started_at timestamptz, price_version text,
			walk_id uuid, reserved_usd numeric, campaign_id uuid, key_id uuid)`
	callConflict = `
		ON CONFLICT (id) DO UPDATE SET status = excluded.status, code = excluded.code, detail = excluded.detail,
			decision = excluded.decision, prompt_tokens = excluded.prompt_tokens, model = excluded.model,
			completion_tokens = excluded.completion_tokens, cached_tokens = excluded.cached_tokens,
			reasoning_tokens = excluded.reasoning_tokens, price_version = excluded.price_version,
			cost_usd = coalesce(excluded.cost_usd, calls.cost_usd),
			provenance = CASE WHEN excluded.cost_usd IS NULL THEN calls.provenance ELSE excluded.provenance END,
			latency_ms = excluded.latency_ms, generation_id = excluded.generation_id, simulated = excluded.simulated
		WHERE calls.status IN ('started', 'unknown')`
)

// behind is how long a job's call whose attempt has ended may stay open: its row can come into the ledger behind that end,
// or its worker can live on without its lease and still write how the call ended, which is then taken.
const behind = time.Minute

// OrphanCalls marks calls that nobody will end: direct ones that have been open for age, longer than any deadline allows,
// because their process died, and after a minute those of jobs whose attempt is over.
func (s *Store) OrphanCalls(ctx context.Context, age time.Duration) (int64, error) {
	res, err := s.db.ExecContext(ctx, `
		UPDATE calls SET status = 'unknown', code = 'worker_lost'
		WHERE status = 'started' AND started_at < now() - $2 * interval '1 second'
		  AND (job_id IS NOT NULL OR started_at < now() - $1 * interval '1 second')
		  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = calls.job_id AND j.state = 'running' AND j.fence = calls.fence)`,
		age.Seconds(), min(age, behind).Seconds())
	if err != nil {
		return 0, wrap("orphan direct calls", err)
	}
	n, err := res.RowsAffected()
	return n, wrap("orphan direct calls", err)
}
