package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// CacheDue is a lead that is gone and of which the cache may still hold answers.
type CacheDue struct {
	Workspace growth.WorkspaceID `db:"workspace_id"`
	Lead      growth.LeadID      `db:"lead_id"`
}

// CacheDues lists leads that have been gone for longer than age, the oldest first.
func (s *Store) CacheDues(ctx context.Context, age time.Duration, limit int) ([]CacheDue, error) {
	var out []CacheDue
	err := s.db.SelectContext(ctx, &out, `
		SELECT workspace_id, lead_id FROM cache_dues WHERE created_at < now() - $1 * interval '1 millisecond'
		ORDER BY created_at LIMIT $2`, age.Milliseconds(), limit)
	return out, wrap("cache dues", err)
}

// CacheForgot notes that the cache holds nothing of these leads any more; it completes the receipts of erased ones.
func (sc Scoped) CacheForgot(ctx context.Context, leads []growth.LeadID) error {
	ids := make([]string, len(leads))
	for i, l := range leads {
		ids[i] = string(l)
	}
	_, err := sc.s.db.ExecContext(ctx, `
		WITH receipts AS (
			UPDATE erasures SET cache_at = now() WHERE workspace_id = $1 AND lead_id = ANY($2::uuid[]) AND cache_at IS NULL
		)
		DELETE FROM cache_dues WHERE workspace_id = $1 AND lead_id = ANY($2::uuid[])`, sc.ws, pq.Array(ids))
	return wrap("cache forgot", err)
}
