package store

import (
	"context"

	growth "github.com/zakibelm/astrogrowth"
)

// SealedAccount is what is sealed of one account.
type SealedAccount struct {
	ID      growth.AccountID `db:"id"`
	Token   string           `db:"token"`
	Refresh string           `db:"refresh_token"`
}

// SealedOtherwise lists what does not begin with a prefix: envelopes of another key than the present one. It looks at
// every workspace: keys belong to the installation.
func (s *Store) SealedOtherwise(ctx context.Context, prefix string, after growth.AccountID, limit int) ([]SealedAccount, error) {
	if after == "" {
		after = "00000000-0000-0000-0000-000000000000"
	}
	var out []SealedAccount
	err := s.db.SelectContext(ctx, &out, `
		SELECT id, token, refresh_token FROM linkedin_accounts
		WHERE id > $2 AND (token <> '' AND NOT starts_with(token, $1) OR refresh_token <> '' AND NOT starts_with(refresh_token, $1))
		ORDER BY id LIMIT $3`, prefix, after, limit)
	return out, wrap("sealed otherwise", err)
}

// Reseal replaces envelopes by others that hold the same. It reports false when there are other envelopes by now: a
// refresh, or a new consent, has been quicker, and what it wrote must not be undone.
func (s *Store) Reseal(ctx context.Context, old SealedAccount, now Credential) (bool, error) {
	res, err := s.points.ExecContext(ctx, `
		UPDATE linkedin_accounts SET token = $4, refresh_token = $5 WHERE id = $1 AND token = $2 AND refresh_token = $3`,
		old.ID, old.Token, old.Refresh, now.Token, now.Refresh)
	if err != nil {
		return false, wrap("reseal", err)
	}
	n, err := res.RowsAffected()
	return n == 1, wrap("reseal", err)
}
