package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// MaxSubscriptions is how many subscriptions a workspace may have.
const MaxSubscriptions = 100

type subscriptionRow struct {
	ID        growth.SubscriptionID `db:"id"`
	Workspace growth.WorkspaceID    `db:"workspace_id"`
	URL       string                `db:"url"`
	Types     pq.StringArray        `db:"types"`
	Form      string                `db:"form"`
	Active    bool                  `db:"active"`
	Reason    string                `db:"disabled_reason"`
	Secret    string                `db:"secret"`
	Former    []byte                `db:"secrets_former"`
	CreatedAt time.Time             `db:"created_at"`
	UpdatedAt time.Time             `db:"updated_at"`
}

const subscriptionColumns = `id, workspace_id, url, types, form, active, disabled_reason, secret, secrets_former, created_at, updated_at`

func (r subscriptionRow) subscription() growth.Subscription {
	s := growth.Subscription{
		ID: r.ID, Workspace: r.Workspace, URL: r.URL, Types: append([]string{}, r.Types...), Form: r.Form, Active: r.Active, DisabledReason: r.Reason,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	former, _ := formerSecrets(r.Former) // what cannot be read signs nothing; sealed says so
	for _, f := range former {
		if s.OldSecretUntil == nil || f.Until.After(*s.OldSecretUntil) {
			s.OldSecretUntil = inUTC(&f.Until)
		}
	}
	return s
}

// sealed are the secrets that sign now.
func (r subscriptionRow) sealed() ([]string, error) {
	former, err := formerSecrets(r.Former)
	out := []string{r.Secret}
	for _, f := range former {
		out = append(out, string(f.Secret))
	}
	return out, err
}

// AddSubscription stores a subscription, which is told of what happens from now on. seal makes its secret fit for the row.
func (sc Scoped) AddSubscription(ctx context.Context, s growth.Subscription, seal func(growth.SubscriptionID) string) (growth.Subscription, error) {
	id := growth.SubscriptionID(growth.NewID())
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockNames(ctx, sc.ws, []string{"subscriptions"}); err != nil {
			return err
		}
		var n int
		if err := tx.tx.GetContext(ctx, &n, `SELECT count(*) FROM subscriptions WHERE workspace_id = $1`, sc.ws); err != nil {
			return wrap("count subscriptions", err)
		}
		if n >= MaxSubscriptions {
			return growth.Errorf(growth.Conflict, "store.AddSubscription", "this workspace has %d subscriptions; delete one first", n)
		}
		var r subscriptionRow
		err := tx.tx.GetContext(ctx, &r, `
			INSERT INTO subscriptions (id, workspace_id, url, types, form, active, secret, cursor_tx, cursor_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, `+fromNow+`) RETURNING `+subscriptionColumns,
			id, sc.ws, s.URL, pq.Array(append([]string{}, s.Types...)), s.Form, s.Active, seal(id))
		s = r.subscription()
		return wrap("add subscription", err)
	})
	return s, err
}

// fromNow is the place in the order of events behind which all lies that is still to come; see EventHorizon. What has
// happened and is held back by a transaction that began before is still to come, and it is told.
const fromNow = `(pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)::text::xid8, 9223372036854775807`

func subscriptionFault(err error) error {
	if none(err) {
		return growth.Errorf(growth.NotFound, "store.Subscription", "there is no such subscription in this workspace")
	}
	return wrap("subscription", err)
}

// Subscription returns one subscription.
func (sc Scoped) Subscription(ctx context.Context, id growth.SubscriptionID) (growth.Subscription, error) {
	var r subscriptionRow
	err := sc.s.db.GetContext(ctx, &r, `SELECT `+subscriptionColumns+` FROM subscriptions WHERE workspace_id = $1 AND id = $2`, sc.ws, id)
	return r.subscription(), subscriptionFault(err)
}

// Subscriptions lists subscriptions, newest first.
func (sc Scoped) Subscriptions(ctx context.Context, p Page) ([]growth.Subscription, error) {
	var rows []subscriptionRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+subscriptionColumns+` FROM subscriptions WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`,
		sc.ws, p.before(), p.limit()); err != nil {
		return nil, wrap("subscriptions", err)
	}
	out := make([]growth.Subscription, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.subscription())
	}
	return out, nil
}

// ChangeSubscription changes a subscription while no dispatcher touches it. One that becomes active again is told of what
// happens from then on.
func (sc Scoped) ChangeSubscription(ctx context.Context, id growth.SubscriptionID, change func(*growth.Subscription) error) (growth.Subscription, error) {
	var out growth.Subscription
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		var r subscriptionRow
		if err := tx.tx.GetContext(ctx, &r, `
			SELECT `+subscriptionColumns+` FROM subscriptions WHERE workspace_id = $1 AND id = $2 FOR UPDATE`, sc.ws, id); err != nil {
			return subscriptionFault(err)
		}
		s := r.subscription()
		if err := change(&s); err != nil {
			return err
		}
		if s.Active {
			s.DisabledReason = ""
		}
		wakes := s.Active && !r.Active
		if err := tx.tx.GetContext(ctx, &r, `
			UPDATE subscriptions SET url = $3, types = $4, form = $5, active = $6, disabled_reason = $7, updated_at = now(),
				cursor_tx = CASE WHEN $8 THEN (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)::text::xid8 ELSE cursor_tx END,
				cursor_id = CASE WHEN $8 THEN 9223372036854775807 ELSE cursor_id END
			WHERE workspace_id = $1 AND id = $2 RETURNING `+subscriptionColumns,
			sc.ws, id, s.URL, pq.Array(append([]string{}, s.Types...)), s.Form, s.Active, s.DisabledReason, wakes); err != nil {
			return subscriptionFault(err)
		}
		out = r.subscription()
		return nil
	})
	return out, err
}

// RotateSubscription gives a subscription a new secret; until then the one before signs too, as those do that an earlier
// rotation left longer.
func (sc Scoped) RotateSubscription(ctx context.Context, id growth.SubscriptionID, sealed string, until time.Time) (growth.Subscription, error) {
	var r subscriptionRow
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		if err := tx.tx.GetContext(ctx, &r, `
			SELECT `+subscriptionColumns+` FROM subscriptions WHERE workspace_id = $1 AND id = $2 FOR UPDATE`, sc.ws, id); err != nil {
			return subscriptionFault(err)
		}
		former, err := replaced(r.Former, []byte(r.Secret), until)
		if err != nil {
			return err
		}
		return subscriptionFault(tx.tx.GetContext(ctx, &r, `
			UPDATE subscriptions SET secrets_former = $4, secret = $3, updated_at = now()
			WHERE workspace_id = $1 AND id = $2 RETURNING `+subscriptionColumns, sc.ws, id, sealed, former))
	})
	return r.subscription(), err
}

// DeleteSubscription ends a subscription and forgets what it was sent.
func (sc Scoped) DeleteSubscription(ctx context.Context, id growth.SubscriptionID) error {
	res, err := sc.s.db.ExecContext(ctx, `DELETE FROM subscriptions WHERE workspace_id = $1 AND id = $2`, sc.ws, id)
	if err != nil {
		return wrap("delete subscription", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return subscriptionFault(errors.Join(err, sql.ErrNoRows))
	}
	return nil
}
