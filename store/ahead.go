package store

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// JobsAhead counts jobs that are set for a later day.
type JobsAhead struct {
	Day      time.Time         `db:"day"`
	Type     growth.JobType    `db:"type"`
	Campaign growth.CampaignID `db:"campaign_id"`
	Key      string            `db:"key_id"`
	N        int64             `db:"n"`
}

// JobsAhead counts by UTC day the jobs that are set for a time behind now and before until. Work that is due already is
// part of what a day usually brings.
func (sc Scoped) JobsAhead(ctx context.Context, now, until time.Time) ([]JobsAhead, error) {
	out := []JobsAhead{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT (run_at AT TIME ZONE 'UTC')::date AS day, type, coalesce(campaign_id::text, '') AS campaign_id, coalesce(key_id::text, '') AS key_id,
			count(*) AS n
		FROM jobs WHERE workspace_id = $1 AND dispatched_at IS NULL AND state = 'scheduled' AND run_at > $2 AND run_at < $3
		GROUP BY 1, 2, 3, 4`, sc.ws, now.UTC(), until.UTC())
	return out, wrap("jobs ahead", err)
}

// DayCost is what the calls of one UTC day cost, as far as it is known.
type DayCost struct {
	Day     time.Time       `db:"day"`
	CostUSD decimal.Decimal `db:"cost_usd"`
	Calls   int64           `db:"calls"`
}

// CostsOfKey adds up by UTC day what one API key has asked for, in a campaign and for a task type where these are given.
// The sums of days know no keys: this is counted in the ledger.
func (sc Scoped) CostsOfKey(ctx context.Context, b growth.Budget, since time.Time) ([]DayCost, error) {
	out := []DayCost{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT (started_at AT TIME ZONE 'UTC')::date AS day, coalesce(sum(cost_usd), 0) AS cost_usd, count(*) AS calls FROM calls
		WHERE workspace_id = $1 AND started_at >= $2 AND status <> 'skipped' AND key_id = nullif($3, '')::uuid
			AND ($4 = '' OR campaign_id = nullif($4, '')::uuid) AND ($5 = '' OR task_type = $5)
		GROUP BY 1`, sc.ws, since.UTC(), b.Key, string(b.Campaign), b.Task)
	return out, wrap("costs of key", err)
}
