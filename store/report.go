package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/lib/pq"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// Span is a range of whole UTC days, both of which belong to it.
type Span struct{ From, To time.Time }

// Since is the span of the last so many days, today's among them.
func Since(now time.Time, days int) Span {
	today := now.UTC().Truncate(24 * time.Hour)
	return Span{From: today.AddDate(0, 0, 1-days), To: today}
}

// end is the first instant behind the span.
func (p Span) end() time.Time { return p.To.AddDate(0, 0, 1) }

// Days is how many days the span has.
func (p Span) Days() int { return int(p.end().Sub(p.From).Hours() / 24) }

// Use is what a group of requests of one UTC day did. A cost that nobody knows is in none of the sums; Unknown counts
// those requests.
type Use struct {
	Day         time.Time         `db:"day"`
	Provider    string            `db:"provider"`
	Model       string            `db:"model"`
	Task        growth.TaskType   `db:"task_type"`
	Campaign    growth.CampaignID `db:"campaign_id"` // empty: none
	Purpose     Purpose           `db:"purpose"`
	Waste       Waste             `db:"waste"`
	Calls       int64             `db:"calls"`
	Failed      int64             `db:"failed"`
	Answered    int64             `db:"answered"`
	Unknown     int64             `db:"unknown"`
	Simulated   int64             `db:"simulated"`
	Prompt      int64             `db:"prompt_tokens"`
	Completion  int64             `db:"completion_tokens"`
	LatencySum  int64             `db:"latency_ms"`
	CostUSD     decimal.Decimal   `db:"cost_usd"`
	ReportedUSD decimal.Decimal   `db:"reported_usd"`
	PricedUSD   decimal.Decimal   `db:"priced_usd"`
	SettledUSD  decimal.Decimal   `db:"settled_usd"`
	LastOK      *time.Time        `db:"last_ok"`
}

// Purpose is what requests were made for.
type Purpose string

// The purposes.
const (
	ForLead    Purpose = "lead"    // reading a lead
	ForTwin    Purpose = "twin"    // reading it a second time, to find an injection
	ForContent Purpose = "content" // writing and judging
	ForCaller  Purpose = "direct"  // asked for without a job
	ForOther   Purpose = "other"
)

// Waste is why a request's answer was of no use.
type Waste string

// The kinds of waste among requests.
const (
	NoWaste       Waste = ""
	WasteFallback Waste = "fallback" // another candidate answered in its place
	WasteRetry    Waste = "retry"    // it had to be asked again, at once or in another attempt
)

// Outcomes are what the money was spent for.
type Outcomes struct {
	Leads         int64           `db:"leads"`          // qualified, each counted once
	Contents      int64           `db:"contents"`       // written by jobs
	Approved      int64           `db:"approved"`       // of these
	Rejected      int64           `db:"rejected"`       // of these
	Published     int64           `db:"published"`      // posts
	RejectedUSD   decimal.Decimal `db:"rejected_usd"`   // of the rejected drafts, a job's cost shared out over its variants
	RejectedCalls int64           `db:"rejected_calls"` // requests for jobs with rejected drafts
	RejectedOpen  int64           `db:"rejected_open"`  // those of them whose cost nobody knows
}

// Report is everything that a summary is made of, as it was at one instant.
type Report struct {
	Uses     []Use
	Speeds   []Speed
	Health   ChainHealth
	Cache    []CacheCount
	Outcomes Outcomes
}

// Report reads what happened in a span. Days that are summed up already are not counted again.
func (sc Scoped) Report(ctx context.Context, p Span) (Report, error) {
	var r Report
	err := sc.reading(ctx, p, func(b *books) error {
		var err error
		if r.Uses, err = b.uses(ctx); err != nil {
			return err
		}
		if r.Speeds, err = b.speeds(ctx); err != nil {
			return err
		}
		if r.Health, err = b.health(ctx); err != nil {
			return err
		}
		if r.Cache, err = b.cache(ctx); err != nil {
			return err
		}
		r.Outcomes, err = b.outcomes(ctx)
		return err
	})
	for _, u := range r.Uses {
		r.Health.Answered += u.Answered
		r.Health.CostUSD, r.Health.Unknown = r.Health.CostUSD.Add(u.CostUSD), r.Health.Unknown+u.Unknown
	}
	return r, err
}

// Uses is Report without what is not about requests and their cost.
func (sc Scoped) Uses(ctx context.Context, p Span) (out []Use, err error) {
	err = sc.reading(ctx, p, func(b *books) error { out, err = b.uses(ctx); return err })
	return out, err
}

// books are a workspace's ledger as one transaction sees it, and which of a span's days have to be counted in it.
type books struct {
	tx       *Tx
	ws       growth.WorkspaceID
	span     Span
	from, to pq.StringArray // the ranges of days that are not summed up
}

func (sc Scoped) reading(ctx context.Context, p Span, f func(*books) error) error {
	tx, err := sc.s.db.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return wrap("report", err)
	}
	defer func() { _ = tx.Rollback() }() // it has only read
	b := &books{tx: &Tx{tx: tx}, ws: sc.ws, span: p}
	var closed []time.Time
	if err := tx.SelectContext(ctx, &closed, `
		SELECT day FROM ledger_days WHERE workspace_id = $1 AND day >= $2::date AND day < $3::date AND ready ORDER BY day`,
		sc.ws, p.From.Format(time.DateOnly), p.end().Format(time.DateOnly)); err != nil {
		return wrap("report", err)
	}
	b.between(closed)
	return f(b)
}

// between makes ranges of the days that are not closed.
func (b *books) between(closed []time.Time) {
	open := b.span.From
	gap := func(to time.Time) {
		if open.Before(to) {
			b.from, b.to = append(b.from, open.Format(time.RFC3339)), append(b.to, to.Format(time.RFC3339))
		}
	}
	for _, day := range closed {
		gap(day.UTC())
		open = day.UTC().AddDate(0, 0, 1)
	}
	gap(b.span.end())
}

func (b *books) args() []any {
	return []any{b.ws, b.from, b.to, b.span.From.Format(time.DateOnly), b.span.end().Format(time.DateOnly)}
}

// Parts of statements that count in the ledger: their first three arguments are a workspace and the starts and ends of
// ranges. The same counts are what days are summed up with.
const (
	ledgerUses = `
		SELECT (c.started_at AT TIME ZONE 'UTC')::date AS day, c.provider, c.model, c.task_type, c.campaign_id, c.purpose, c.waste,
			count(*) AS calls, count(*) FILTER (WHERE c.status IN ('failed', 'unknown')) AS failed,
			count(*) FILTER (WHERE c.decision = 'answered') AS answered,
			count(*) FILTER (WHERE c.cost_usd IS NULL AND c.status <> 'started') AS unknown, count(*) FILTER (WHERE c.simulated) AS simulated,
			sum(c.prompt_tokens) AS prompt_tokens, sum(c.completion_tokens) AS completion_tokens, sum(c.latency_ms) AS latency_ms,
			coalesce(sum(c.cost_usd), 0) AS cost_usd, coalesce(sum(c.cost_usd) FILTER (WHERE c.provenance = 'reported'), 0) AS reported_usd,
			coalesce(sum(c.cost_usd) FILTER (WHERE c.provenance = 'priced'), 0) AS priced_usd,
			coalesce(sum(c.cost_usd) FILTER (WHERE c.provenance = 'settled'), 0) AS settled_usd,
			max(c.started_at + c.latency_ms * interval '1 millisecond') FILTER (WHERE c.status = 'ok') AS last_ok
		FROM (
			SELECT c.*,
				CASE WHEN c.step = '' THEN 'direct' WHEN c.step LIKE 'twin%' THEN 'twin' WHEN c.task_type = 'qualification' THEN 'lead'
					WHEN c.task_type IN ('content_generation', 'verification') THEN 'content' ELSE 'other' END AS purpose,
				CASE WHEN c.status IN ('ok', 'started') THEN ''
					WHEN EXISTS (SELECT 1 FROM calls a WHERE a.walk_id = c.walk_id AND a.workspace_id = $1 AND a.decision = 'answered'
						AND (a.provider, a.model) <> (c.provider, c.model)) THEN 'fallback'
					ELSE 'retry' END AS waste
			FROM unnest($2::timestamptz[], $3::timestamptz[]) AS r (since, until)
			JOIN calls c ON c.workspace_id = $1 AND c.started_at >= r.since AND c.started_at < r.until AND c.status <> 'skipped'
		) c
		GROUP BY 1, 2, 3, 4, 5, 6, 7`

	ledgerLatencies = `
		SELECT l.day, l.provider, l.model, l.task_type, l.campaign_id, array_agg(l.ms ORDER BY l.ms) AS ms, array_agg(l.calls ORDER BY l.ms) AS calls
		FROM (
			SELECT (c.started_at AT TIME ZONE 'UTC')::date AS day, c.provider, c.model, c.task_type, c.campaign_id,
				CASE WHEN c.latency_ms < 1000 THEN c.latency_ms ELSE round(c.latency_ms, 2 - floor(log(c.latency_ms))::int)::bigint END AS ms,
				count(*) AS calls
			FROM unnest($2::timestamptz[], $3::timestamptz[]) AS r (since, until)
			JOIN calls c ON c.workspace_id = $1 AND c.started_at >= r.since AND c.started_at < r.until AND c.status = 'ok'
			GROUP BY 1, 2, 3, 4, 5, 6
		) l
		GROUP BY 1, 2, 3, 4, 5`

	// A minute without an answer that is followed by one with an answer counts as up: the walk went over the minute's end.
	// A walk belongs to the day on which it began. Rows from before walks had ids are grouped by the job's attempt and
	// step, and such rows of direct calls, which nothing groups, are no walk.
	ledgerHealth = `
		SELECT d.day, coalesce(u.minutes, 0) AS minutes, coalesce(u.up_minutes, 0) AS up_minutes, coalesce(f.failovers, 0) AS failovers,
			coalesce(f.failovers_ok, 0) AS failovers_ok
		FROM (
			SELECT r.since, r.until, g::date AS day
			FROM unnest($2::timestamptz[], $3::timestamptz[]) AS r (since, until),
				generate_series(r.since AT TIME ZONE 'UTC', r.until AT TIME ZONE 'UTC' - interval '1 day', interval '1 day') AS g
		) d
		LEFT JOIN (
			SELECT (w.began AT TIME ZONE 'UTC')::date AS day, count(*) AS failovers, count(w.won) AS failovers_ok
			FROM (
				SELECT min(c.started_at) AS began, (array_agg(c.provider || '/' || c.model ORDER BY c.id) FILTER (WHERE c.lost))[1] AS lost,
					(array_agg(c.provider || '/' || c.model ORDER BY c.id) FILTER (WHERE c.decision = 'answered'))[1] AS won
				FROM (
					SELECT c.*, r.since, c.decision = 'failed' AND c.code <> 'canceled' OR c.decision = 'skipped' AND c.code = 'breaker_open' AS lost
					FROM unnest($2::timestamptz[], $3::timestamptz[]) AS r (since, until)
					JOIN calls c ON c.workspace_id = $1 AND c.status <> 'started'
						AND c.started_at >= r.since - interval '15 minutes' AND c.started_at < r.until + interval '15 minutes'
				) c
				WHERE coalesce(c.walk_id::text, c.job_id::text) IS NOT NULL
				GROUP BY c.since, coalesce(c.walk_id::text, c.job_id || ' ' || c.fence || ' ' || c.step)
				HAVING bool_or(c.lost)
			) w
			WHERE w.won IS DISTINCT FROM w.lost GROUP BY 1
		) f USING (day)
		LEFT JOIN (
			SELECT (m.minute AT TIME ZONE 'UTC')::date AS day, count(*) AS minutes,
				count(*) FILTER (WHERE m.up OR m.next_up AND m.next_minute = m.minute + interval '1 minute') AS up_minutes
			FROM (
				SELECT m.*, lead(m.minute) OVER w AS next_minute, lead(m.up) OVER w AS next_up
				FROM (
					SELECT r.since, date_trunc('minute', c.started_at) AS minute, bool_or(c.decision = 'answered') AS up
					FROM unnest($2::timestamptz[], $3::timestamptz[]) AS r (since, until)
					JOIN calls c ON c.workspace_id = $1 AND c.status <> 'started' AND c.started_at >= r.since AND c.started_at < r.until + interval '1 minute'
					WHERE c.decision = 'answered' OR c.decision = 'failed' AND c.code <> 'canceled' OR c.decision = 'skipped' AND c.code = 'breaker_open'
					GROUP BY 1, 2
				) m
				WINDOW w AS (PARTITION BY m.since ORDER BY m.minute)
			) m
			GROUP BY 1
		) u USING (day)`
)

// summedUp limits a table of sums to the days of the span that are ready.
const summedUp = ` s JOIN ledger_days d ON d.workspace_id = s.workspace_id AND d.day = s.day AND d.ready
		WHERE s.workspace_id = $1 AND s.day >= $4::date AND s.day < $5::date`

func (b *books) uses(ctx context.Context) ([]Use, error) {
	out := []Use{}
	err := b.tx.tx.SelectContext(ctx, &out, `
		SELECT day, provider, model, task_type, coalesce(campaign_id::text, '') AS campaign_id, purpose, waste, calls, failed, answered, unknown,
			simulated, prompt_tokens, completion_tokens, latency_ms, cost_usd, reported_usd, priced_usd, settled_usd, last_ok
		FROM (
			SELECT s.day, s.provider, s.model, s.task_type, s.campaign_id, s.purpose, s.waste, s.calls, s.failed, s.answered, s.unknown,
				s.simulated, s.prompt_tokens, s.completion_tokens, s.latency_ms, s.cost_usd, s.reported_usd, s.priced_usd, s.settled_usd, s.last_ok
			FROM ledger_sums`+summedUp+`
			UNION ALL `+ledgerUses+`
		) x ORDER BY day`, b.args()...)
	return out, wrap("uses", err)
}

func (b *books) speeds(ctx context.Context) ([]Speed, error) {
	var rows []latencies
	if err := b.tx.tx.SelectContext(ctx, &rows, `
		SELECT provider, model, task_type, coalesce(campaign_id::text, '') AS campaign_id, ms, calls FROM (
			SELECT s.provider, s.model, s.task_type, s.campaign_id, s.ms, s.calls FROM ledger_latencies`+summedUp+`
			UNION ALL SELECT provider, model, task_type, campaign_id, ms, calls FROM (`+ledgerLatencies+`) live
		) x`, b.args()...); err != nil {
		return nil, wrap("speeds", err)
	}
	return speedsOf(rows), nil
}

func (b *books) health(ctx context.Context) (ChainHealth, error) {
	var h ChainHealth
	err := b.tx.tx.GetContext(ctx, &h, `
		SELECT coalesce(sum(minutes), 0)::bigint AS minutes, coalesce(sum(up_minutes), 0)::bigint AS up_minutes,
			coalesce(sum(failovers), 0)::bigint AS failovers, coalesce(sum(failovers_ok), 0)::bigint AS failovers_ok
		FROM (
			SELECT s.minutes, s.up_minutes, s.failovers, s.failovers_ok FROM ledger_health`+summedUp+`
			UNION ALL SELECT minutes, up_minutes, failovers, failovers_ok FROM (`+ledgerHealth+`) live
		) x`, b.args()...)
	return h, wrap("health", err)
}

func (b *books) cache(ctx context.Context) ([]CacheCount, error) {
	out := []CacheCount{}
	err := b.tx.tx.SelectContext(ctx, &out, `
		SELECT day, task_type, hits, near_hits, misses, bytes, age_ms, saved_usd, unknown_saved
		FROM cache_days WHERE workspace_id = $1 AND day >= $2::date AND day < $3::date ORDER BY day, task_type`,
		b.ws, b.span.From.Format(time.DateOnly), b.span.end().Format(time.DateOnly))
	return out, wrap("cache days", err)
}

func (b *books) outcomes(ctx context.Context) (Outcomes, error) {
	var o Outcomes
	err := b.tx.tx.GetContext(ctx, &o, `
		WITH made AS (
			SELECT job_id, count(*) AS variants, count(*) FILTER (WHERE approved_hash IS NOT NULL AND status <> 'rejected') AS approved,
				count(*) FILTER (WHERE status = 'rejected') AS rejected
			FROM contents WHERE workspace_id = $1 AND created_at >= $2 AND created_at < $3 AND job_id IS NOT NULL GROUP BY job_id
		), lost AS (
			SELECT sum(c.cost_usd * m.rejected / m.variants) AS usd, count(*) AS calls, count(*) FILTER (WHERE c.cost_usd IS NULL) AS open
			FROM made m JOIN calls c ON c.job_id = m.job_id AND c.workspace_id = $1 AND c.status = 'ok' WHERE m.rejected > 0
		)
		SELECT (SELECT count(DISTINCT lead_id) FROM qualifications WHERE workspace_id = $1 AND created_at >= $2 AND created_at < $3) AS leads,
			(SELECT count(*) FROM publications WHERE workspace_id = $1 AND state = 'published' AND published_at >= $2 AND published_at < $3) AS published,
			coalesce(sum(m.variants), 0)::bigint AS contents, coalesce(sum(m.approved), 0)::bigint AS approved,
			coalesce(sum(m.rejected), 0)::bigint AS rejected, coalesce(round(max(lost.usd), 12), 0) AS rejected_usd,
			coalesce(max(lost.calls), 0) AS rejected_calls, coalesce(max(lost.open), 0) AS rejected_open
		FROM lost LEFT JOIN made m ON true`, b.ws, b.span.From, b.span.end())
	return o, wrap("outcomes", err)
}
