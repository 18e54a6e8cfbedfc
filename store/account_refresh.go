package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// DueGrant is a grant whose token ends soon and can be refreshed.
type DueGrant struct {
	Workspace growth.WorkspaceID `db:"workspace_id"`
	Grant     string             `db:"grant_id"`
	TokenAt   time.Time          `db:"token_at"` // when the token was issued that is to be replaced
}

// DueRefreshes lists grants whose token ends within ahead, or within a quarter of its life when that is shorter.
func (s *Store) DueRefreshes(ctx context.Context, ahead time.Duration, limit int) ([]DueGrant, error) {
	var out []DueGrant
	err := s.db.SelectContext(ctx, &out, `
		SELECT workspace_id, grant_id, token_at FROM linkedin_accounts
		WHERE status = 'active' AND refresh_token <> '' AND (refresh_after IS NULL OR refresh_after <= now())
		  AND expires_at - least($1 * interval '1 millisecond', greatest((expires_at - token_at) / 4, interval '0')) <= now()
		GROUP BY workspace_id, grant_id, token_at ORDER BY min(expires_at) LIMIT $2`, ahead.Milliseconds(), limit)
	return out, wrap("due refreshes", err)
}

// Refreshing is a grant that one process has taken to refresh. Nobody else can take it until its lease ends, and what a
// holder whose lease has ended writes is void.
type Refreshing struct {
	DueGrant
	Accounts []growth.Account
	Sealed   []Credential // of Accounts, in their order
	Failures int          // in a row, before this one
	fence    int64
}

// TakeRefresh takes a grant to refresh it; it reports false when another process has it or has done it, or when there is
// nothing to refresh.
func (s *Store) TakeRefresh(ctx context.Context, d DueGrant, lease time.Duration) (Refreshing, bool, error) {
	var rows []struct {
		accountRow
		Fence    int64 `db:"refresh_fence"`
		Failures int   `db:"refresh_failures"`
	}
	// The rows are locked in one order, and are looked at again once they are locked. They get one fence, whatever each had:
	// a page may have come to a grant that was refreshed before.
	err := s.points.SelectContext(ctx, &rows, `
		WITH held AS (
			SELECT id AS held_id, refresh_fence AS held_fence FROM linkedin_accounts
			WHERE workspace_id = $1 AND grant_id = $2 AND token_at = $4 AND refresh_token <> '' AND status <> 'disconnected'
			  AND (refresh_after IS NULL OR refresh_after <= now())
			ORDER BY id FOR UPDATE
		)
		UPDATE linkedin_accounts a SET refresh_after = now() + $3 * interval '1 millisecond', refresh_fence = (SELECT max(held_fence) FROM held) + 1
		FROM held WHERE a.id = held_id
		RETURNING `+accountColumns+`, refresh_fence, refresh_failures`, d.Workspace, d.Grant, lease.Milliseconds(), d.TokenAt)
	if err != nil || len(rows) == 0 {
		return Refreshing{}, false, wrap("take refresh", err)
	}
	out := Refreshing{DueGrant: d}
	for _, r := range rows {
		out.Accounts = append(out.Accounts, r.account())
		out.Sealed = append(out.Sealed, Credential{Token: r.Token, Refresh: r.Refresh})
		out.fence, out.Failures = max(out.fence, r.Fence), max(out.Failures, r.Failures)
	}
	return out, true, nil
}

// Refreshed is what a refresh gave. Credentials are in the order of the accounts; an empty Refresh among them, an unknown
// end and empty scopes leave what there is.
type Refreshed struct {
	Credentials      []Credential
	ExpiresAt        *time.Time
	RefreshExpiresAt *time.Time
	Scopes           []string
}

// SaveRefresh stores new tokens, and lets the jobs go on that waited for them. It reports false when the grant is not
// held any more: a member has connected again meanwhile, or somebody else has refreshed it.
func (s *Store) SaveRefresh(ctx context.Context, r Refreshing, got Refreshed) (bool, error) {
	saved := false
	err := s.InTx(ctx, func(tx *Tx) error {
		saved = false
		for i, a := range r.Accounts {
			c := got.Credentials[i]
			res, err := tx.tx.ExecContext(ctx, `
				UPDATE linkedin_accounts SET token = $5, token_at = now(), expires_at = $6, status = 'active',
					refresh_token = coalesce(nullif($7, ''), refresh_token), refresh_expires_at = coalesce($8, refresh_expires_at),
					scopes = CASE WHEN cardinality($9::text[]) > 0 THEN $9 ELSE scopes END,
					refresh_error = '', refresh_failures = 0, refresh_after = NULL, noticed_end = NULL, noticed_days = NULL, updated_at = now()
				WHERE id = $1 AND workspace_id = $2 AND grant_id = $3 AND refresh_fence = $4 AND status <> 'disconnected'`,
				a.ID, r.Workspace, r.Grant, r.fence, c.Token, got.ExpiresAt, c.Refresh, got.RefreshExpiresAt,
				pq.Array(append([]string{}, got.Scopes...)))
			if err != nil {
				return wrap("save refresh", err)
			}
			if n, err := res.RowsAffected(); err != nil || n == 0 {
				if err != nil {
					return wrap("save refresh", err)
				}
				continue
			}
			saved = true
			if err := tx.resumePosts(ctx, r.Workspace, a.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return saved, err
}

// RefreshFailed notes a refresh that gave nothing. pause is how long nobody tries again. A dead refresh token is
// forgotten; the account works on for as long as its access token does.
func (s *Store) RefreshFailed(ctx context.Context, r Refreshing, code growth.Code, pause time.Duration, dead bool) error {
	ids := make([]string, len(r.Accounts))
	for i, a := range r.Accounts {
		ids[i] = string(a.ID)
	}
	_, err := s.points.ExecContext(ctx, `
		UPDATE linkedin_accounts SET refresh_error = $5, refresh_failures = refresh_failures + 1,
			refresh_after = now() + $6 * interval '1 millisecond',
			refresh_token = CASE WHEN $7 THEN '' ELSE refresh_token END,
			refresh_expires_at = CASE WHEN $7 THEN NULL ELSE refresh_expires_at END, updated_at = now()
		WHERE id = ANY($1::uuid[]) AND workspace_id = $2 AND grant_id = $3 AND refresh_fence = $4`,
		pq.Array(ids), r.Workspace, r.Grant, r.fence, code.String(), pause.Milliseconds(), dead)
	return wrap("refresh failed", err)
}
