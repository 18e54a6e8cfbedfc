package store

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// Tally is what a group of calls did. A cost that nobody knows is not in CostUSD; Unknown counts those calls.
type Tally struct {
	Provider   string          `db:"provider"`
	Model      string          `db:"model"`
	Task       growth.TaskType `db:"task_type"`
	Calls      int64           `db:"calls"`
	Failed     int64           `db:"failed"`
	Unknown    int64           `db:"unknown"` // calls whose cost is unknown
	Prompt     int64           `db:"prompt_tokens"`
	Completion int64           `db:"completion_tokens"`
	CostUSD    decimal.Decimal `db:"cost_usd"`
	LatencySum int64           `db:"latency_ms"`
	Simulated  int64           `db:"simulated"`
}

// TallyCalls sums the requests since a moment by provider, model and task type.
func (sc Scoped) TallyCalls(ctx context.Context, since time.Time) ([]Tally, error) {
	out := []Tally{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT provider, model, task_type, count(*) AS calls,
			count(*) FILTER (WHERE status IN ('failed', 'unknown')) AS failed,
			count(*) FILTER (WHERE cost_usd IS NULL AND status <> 'started') AS unknown,
			coalesce(sum(prompt_tokens), 0) AS prompt_tokens, coalesce(sum(completion_tokens), 0) AS completion_tokens,
			coalesce(sum(cost_usd), 0) AS cost_usd, coalesce(sum(latency_ms), 0) AS latency_ms,
			count(*) FILTER (WHERE simulated) AS simulated
		FROM calls WHERE workspace_id = $1 AND started_at >= $2 AND status <> 'skipped'
		GROUP BY provider, model, task_type ORDER BY cost_usd DESC, calls DESC`, sc.ws, since)
	return out, wrap("tally calls", err)
}

// Day is one UTC day of a workspace.
type Day struct {
	Date     time.Time       `db:"day"`
	Calls    int64           `db:"calls"`
	Tokens   int64           `db:"tokens"`
	CostUSD  decimal.Decimal `db:"cost_usd"`
	Unknown  int64           `db:"unknown"`
	Hits     int64           `db:"hits"`
	Misses   int64           `db:"misses"`
	SavedUSD decimal.Decimal `db:"saved_usd"`
}

// Days returns one element for each UTC day from since to today, oldest first; quiet days are there, with zeros.
func (sc Scoped) Days(ctx context.Context, since time.Time) ([]Day, error) {
	out := []Day{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT d.day, coalesce(c.calls, 0) AS calls, coalesce(c.tokens, 0) AS tokens, coalesce(c.cost_usd, 0) AS cost_usd,
			coalesce(c.unknown, 0) AS unknown, coalesce(k.hits, 0) AS hits, coalesce(k.misses, 0) AS misses,
			coalesce(k.saved_usd, 0) AS saved_usd
		FROM generate_series(($2::timestamptz AT TIME ZONE 'UTC')::date, (now() AT TIME ZONE 'UTC')::date, interval '1 day') AS g (d),
			LATERAL (SELECT g.d::date AS day) d
		LEFT JOIN (
			SELECT (started_at AT TIME ZONE 'UTC')::date AS day, count(*) AS calls, sum(prompt_tokens + completion_tokens) AS tokens,
				sum(cost_usd) AS cost_usd, count(*) FILTER (WHERE cost_usd IS NULL AND status <> 'started') AS unknown
			FROM calls WHERE workspace_id = $1 AND started_at >= ($2::timestamptz AT TIME ZONE 'UTC')::date AT TIME ZONE 'UTC'
				AND status <> 'skipped' GROUP BY 1) c USING (day)
		LEFT JOIN (
			SELECT day, sum(hits) AS hits, sum(misses) AS misses, sum(saved_usd) AS saved_usd
			FROM cache_days WHERE workspace_id = $1 GROUP BY day) k USING (day)
		ORDER BY d.day`, sc.ws, since)
	return out, wrap("days", err)
}

// Latency is a distribution of the answered calls' times, in milliseconds.
type Latency struct {
	P50 float64 `db:"p50"`
	P95 float64 `db:"p95"`
	P99 float64 `db:"p99"`
	Avg float64 `db:"avg"`
}

// Latencies returns how long the answered calls since a moment took.
func (sc Scoped) Latencies(ctx context.Context, since time.Time) (Latency, error) {
	var l Latency
	err := sc.s.db.GetContext(ctx, &l, `
		SELECT coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms), 0) AS p50,
			coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms), 0) AS p95,
			coalesce(percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_ms), 0) AS p99,
			coalesce(avg(latency_ms), 0) AS avg
		FROM calls WHERE workspace_id = $1 AND started_at >= $2 AND status = 'ok'`, sc.ws, since)
	return l, wrap("latencies", err)
}

// Rate returns the newest rate of a currency: units of it for one US dollar, and of which day it is.
func (s *Store) Rate(ctx context.Context, currency string) (perUSD decimal.Decimal, day time.Time, err error) {
	var r struct {
		PerUSD decimal.Decimal `db:"per_usd"`
		Day    time.Time       `db:"day"`
	}
	err = s.db.GetContext(ctx, &r, `SELECT per_usd, day FROM rates WHERE currency = $1 ORDER BY day DESC LIMIT 1`, currency)
	return r.PerUSD, r.Day, wrap("rate", err)
}

// SetRate stores a currency's rate of today (UTC).
func (s *Store) SetRate(ctx context.Context, currency string, perUSD decimal.Decimal, source string) error {
	_, err := s.db.ExecContext(ctx, `
		INSERT INTO rates (currency, day, per_usd, source) VALUES ($1, (now() AT TIME ZONE 'UTC')::date, $2, $3)
		ON CONFLICT (currency, day) DO UPDATE SET per_usd = excluded.per_usd, source = excluded.source`, currency, perUSD, source)
	return wrap("set rate", err)
}
