package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

type accountRow struct {
	ID             growth.AccountID   `db:"id"`
	Workspace      growth.WorkspaceID `db:"workspace_id"`
	URN            string             `db:"urn"`
	Name           string             `db:"name"`
	Label          string             `db:"label"`
	Status         string             `db:"status"`
	Token          string             `db:"token"`
	ExpiresAt      sql.NullTime       `db:"expires_at"`
	Refresh        string             `db:"refresh_token"`
	RefreshExpires sql.NullTime       `db:"refresh_expires_at"`
	RefreshError   string             `db:"refresh_error"`
	Scopes         pq.StringArray     `db:"scopes"`
	Settings       []byte             `db:"settings"`
	Simulated      bool               `db:"simulated"`
	TokenAt        time.Time          `db:"token_at"`
	Grant          string             `db:"grant_id"`
	Member         string             `db:"member_urn"`
	CreatedAt      time.Time          `db:"created_at"`
}

const accountColumns = `id, workspace_id, urn, name, label, status, token, expires_at, refresh_token, refresh_expires_at,
	refresh_error, scopes, settings, simulated, token_at, grant_id, member_urn, created_at`

func (r accountRow) account() growth.Account {
	a := growth.Account{
		ID: r.ID, Workspace: r.Workspace, URN: r.URN, Name: r.Name, Label: r.Label, Status: r.Status, Simulated: r.Simulated,
		Scopes: append([]string{}, r.Scopes...), Refreshes: r.Refresh != "", RefreshError: r.RefreshError,
		CreatedAt: r.CreatedAt.UTC(), TokenAt: r.TokenAt.UTC(), Grant: r.Grant, Member: r.Member,
		ExpiresAt: timeOf(r.ExpiresAt), RefreshExpiresAt: timeOf(r.RefreshExpires),
	}
	_ = json.Unmarshal(r.Settings, &a.Settings) // written by this package; one that is damaged falls back to the defaults
	return a
}

func timeOf(t sql.NullTime) *time.Time {
	if !t.Valid {
		return nil
	}
	at := t.Time.UTC()
	return &at
}

// Credential is what opens LinkedIn for one account. Both are envelopes, sealed for the account's row; an empty Refresh
// means that there is none.
type Credential struct {
	Token   string
	Refresh string
}

// Grant is what a member allowed on one occasion.
type Grant struct {
	Member           string   // their URN
	Scopes           []string // empty: nobody said
	ExpiresAt        *time.Time
	RefreshExpiresAt *time.Time
}

// Covers says whether the grant is enough to post as an account.
func (g Grant) Covers(a growth.Account) bool {
	need := "w_member_social"
	if a.Organization() {
		need = "w_organization_social"
	}
	return slices.Contains(g.Scopes, need)
}

// PutAccount stores a LinkedIn account with its sealed token, or renews the token of the one with the same URN.
func (sc Scoped) PutAccount(ctx context.Context, a growth.Account, seal func(growth.AccountID) (string, error)) (growth.Account, error) {
	var saved growth.Account
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		var err error
		saved, err = tx.putAccount(ctx, sc.ws, a, Grant{ExpiresAt: a.ExpiresAt, Member: memberOf(a)}, growth.NewID(), func(id growth.AccountID) (Credential, error) {
			token, err := seal(id)
			return Credential{Token: token}, err
		})
		return err
	})
	return saved, err
}

func memberOf(a growth.Account) string {
	if a.Organization() {
		return ""
	}
	return a.URN
}

// Connected is what connecting an account came to.
type Connected struct {
	Account growth.Account
	Renewed []growth.Account // others of the same member, which have the new token too
	Lost    []growth.Account // others of the same member, whose token ended because the scopes changed
}

// Connect stores what a member allowed: for the account that it was asked for, and for the workspace's other accounts of
// the same member. LinkedIn ends a member's earlier tokens when other scopes are asked for, so those others either take
// the new token or have to be connected again.
func (sc Scoped) Connect(ctx context.Context, a growth.Account, g Grant, seal func(growth.AccountID) (Credential, error)) (Connected, error) {
	var out Connected
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		out = Connected{}
		// One at a time for a member: two grants must not each renew half of the accounts.
		if _, err := tx.tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1 || $2, 4))`, string(sc.ws), g.Member); err != nil {
			return wrap("lock member", err)
		}
		grant := growth.NewID()
		var err error
		if out.Account, err = tx.putAccount(ctx, sc.ws, a, g, grant, seal); err != nil {
			return err
		}
		var rows []accountRow
		if err := tx.tx.SelectContext(ctx, &rows, `
			SELECT `+accountColumns+` FROM linkedin_accounts
			WHERE workspace_id = $1 AND member_urn = $2 AND id <> $3 AND status <> 'disconnected' ORDER BY id FOR UPDATE`,
			sc.ws, g.Member, out.Account.ID); err != nil {
			return wrap("accounts of a member", err)
		}
		for _, r := range rows {
			if err := tx.follow(ctx, r.account(), g, grant, seal, &out); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// follow brings another account of the same member in line with a new grant.
func (tx *Tx) follow(ctx context.Context, other growth.Account, g Grant, grant string, seal func(growth.AccountID) (Credential, error), out *Connected) error {
	if g.Covers(other) {
		renewed, err := tx.putAccount(ctx, other.Workspace, other, g, grant, seal)
		out.Renewed = append(out.Renewed, renewed)
		return err
	}
	if len(other.Scopes) == 0 || sameScopes(other.Scopes, g.Scopes) {
		return nil // its token lives on, or nobody can say
	}
	out.Lost = append(out.Lost, other)
	_, err := tx.tx.ExecContext(ctx, `
		UPDATE linkedin_accounts SET status = 'reconnect', updated_at = now() WHERE id = $1 AND workspace_id = $2`, other.ID, other.Workspace)
	if err != nil {
		return wrap("scopes changed", err)
	}
	data, err := json.Marshal(map[string]any{"account_id": other.ID, "label": other.Label, "days": 0, "reason": "scopes_changed"})
	if err != nil {
		return wrap("scopes changed", err)
	}
	return tx.AddEvent(ctx, other.Workspace, "", NewEvent{Type: "account.expiring", Data: data})
}

func sameScopes(a, b []string) bool {
	x, y := slices.Clone(a), slices.Clone(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(slices.Compact(x), slices.Compact(y))
}

// maxAccounts bounds the accounts of a workspace, those that were given up included: they are read whole.
const maxAccounts = 1000

// putAccount inserts an account or gives the one with the same URN a new grant, and lets its jobs go on.
func (tx *Tx) putAccount(ctx context.Context, ws growth.WorkspaceID, a growth.Account, g Grant, grant string, seal func(growth.AccountID) (Credential, error)) (growth.Account, error) {
	id := growth.AccountID(growth.NewID())
	err := tx.tx.GetContext(ctx, &id, `SELECT id FROM linkedin_accounts WHERE workspace_id = $1 AND urn = $2 FOR UPDATE`, ws, a.URN)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return growth.Account{}, wrap("put account", err)
	}
	if err != nil {
		if err := tx.roomForAccount(ctx, ws); err != nil {
			return growth.Account{}, err
		}
	}
	c, err := seal(id) // bound to the row's id: a token copied into another row does not open
	if err != nil {
		return growth.Account{}, err
	}
	var r accountRow
	if err := tx.tx.GetContext(ctx, &r, `
		INSERT INTO linkedin_accounts (id, workspace_id, urn, name, token, expires_at, simulated, refresh_token, refresh_expires_at, scopes, grant_id, member_urn)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (workspace_id, urn) DO UPDATE SET name = excluded.name, token = excluded.token, status = 'active',
			expires_at = excluded.expires_at, simulated = excluded.simulated, refresh_token = excluded.refresh_token,
			refresh_expires_at = excluded.refresh_expires_at, scopes = excluded.scopes, grant_id = excluded.grant_id,
			member_urn = excluded.member_urn, token_at = now(), refresh_error = '', refresh_failures = 0, refresh_after = NULL,
			noticed_end = NULL, noticed_days = NULL, updated_at = now()
		RETURNING `+accountColumns, id, ws, a.URN, a.Name, c.Token, g.ExpiresAt, a.Simulated, c.Refresh, g.RefreshExpiresAt,
		pq.Array(append([]string{}, g.Scopes...)), grant, g.Member); err != nil {
		return growth.Account{}, wrap("put account", err)
	}
	return r.account(), tx.resumePosts(ctx, ws, r.ID)
}

func (tx *Tx) roomForAccount(ctx context.Context, ws growth.WorkspaceID) error {
	var n int
	if err := tx.tx.GetContext(ctx, &n, `SELECT count(*) FROM linkedin_accounts WHERE workspace_id = $1`, ws); err != nil {
		return wrap("count accounts", err)
	}
	if n >= maxAccounts {
		return growth.Errorf(growth.Conflict, "store.PutAccount", "a workspace holds at most %d LinkedIn accounts; use another workspace", maxAccounts)
	}
	return nil
}

// resumePosts lets the jobs go on that waited for an account.
func (tx *Tx) resumePosts(ctx context.Context, ws growth.WorkspaceID, id growth.AccountID) error {
	_, err := tx.tx.ExecContext(ctx, `
		UPDATE jobs SET state = 'queued', run_at = now(), epoch = epoch + 1, dispatched_at = NULL, updated_at = now()
		WHERE workspace_id = $1 AND type = 'linkedin-publish' AND state = 'waiting' AND waiting_reason = 'reconnect'
		  AND NOT EXISTS (SELECT 1 FROM publications p WHERE p.job_id = jobs.id AND p.account_id <> $2)
		  AND coalesce(nullif(lower(input->>'account_id'), ''), $2::text) = $2::text`, ws, string(id))
	return wrap("resume jobs", err)
}

// Accounts lists the workspace's LinkedIn accounts, oldest first.
func (sc Scoped) Accounts(ctx context.Context) ([]growth.Account, error) {
	var rows []accountRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+accountColumns+` FROM linkedin_accounts WHERE workspace_id = $1 ORDER BY id LIMIT $2`, sc.ws, maxAccounts); err != nil {
		return nil, wrap("accounts", err)
	}
	out := make([]growth.Account, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.account())
	}
	return out, nil
}

// Account returns one account with its sealed token.
func (sc Scoped) Account(ctx context.Context, id growth.AccountID) (growth.Account, string, error) {
	a, c, err := sc.AccountCredential(ctx, id)
	return a, c.Token, err
}

// AccountCredential returns one account with all that opens LinkedIn for it, sealed.
func (sc Scoped) AccountCredential(ctx context.Context, id growth.AccountID) (growth.Account, Credential, error) {
	var r accountRow
	err := sc.s.db.GetContext(ctx, &r, `SELECT `+accountColumns+` FROM linkedin_accounts WHERE id = $1 AND workspace_id = $2`, id, sc.ws)
	if errors.Is(err, sql.ErrNoRows) {
		return growth.Account{}, Credential{}, noAccount("store.Account", id)
	}
	return r.account(), Credential{Token: r.Token, Refresh: r.Refresh}, wrap("account", err)
}

func noAccount(op string, id growth.AccountID) error {
	return growth.Errorf(growth.NotFound, op, "there is no LinkedIn account %s in this workspace", id)
}

// AccountChange is what a workspace may change of an account; nil leaves a field alone.
type AccountChange struct {
	Label    *string
	Settings *growth.AccountSettings
}

// ChangeAccount changes what a workspace chooses for an account.
func (sc Scoped) ChangeAccount(ctx context.Context, id growth.AccountID, c AccountChange) (growth.Account, error) {
	var settings []byte
	if c.Settings != nil {
		var err error
		if settings, err = json.Marshal(c.Settings); err != nil {
			return growth.Account{}, wrap("change account", err)
		}
	}
	var r accountRow
	err := sc.s.db.GetContext(ctx, &r, `
		UPDATE linkedin_accounts SET label = coalesce($3, label), settings = coalesce($4::jsonb, settings), updated_at = now()
		WHERE id = $1 AND workspace_id = $2 RETURNING `+accountColumns, id, sc.ws, c.Label, settings)
	if errors.Is(err, sql.ErrNoRows) {
		return growth.Account{}, noAccount("store.ChangeAccount", id)
	}
	return r.account(), wrap("change account", err)
}

// DisconnectAccount marks an account whose token LinkedIn turned down; its jobs wait until it is connected again.
func (sc Scoped) DisconnectAccount(ctx context.Context, id growth.AccountID) error {
	_, err := sc.s.db.ExecContext(ctx, `
		UPDATE linkedin_accounts SET status = 'reconnect', updated_at = now()
		WHERE id = $1 AND workspace_id = $2 AND status <> 'disconnected'`, id, sc.ws)
	return wrap("disconnect account", err)
}

// ForgetAccount gives up what opens LinkedIn for an account and keeps its history. It returns what was forgotten, and
// whether no other account of the workspace lives on the same grant.
func (sc Scoped) ForgetAccount(ctx context.Context, id growth.AccountID) (growth.Account, Credential, bool, error) {
	var (
		r    accountRow
		last bool
	)
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		err := tx.tx.GetContext(ctx, &r, `
			SELECT `+accountColumns+` FROM linkedin_accounts WHERE id = $1 AND workspace_id = $2 FOR UPDATE`, id, sc.ws)
		if errors.Is(err, sql.ErrNoRows) {
			return noAccount("store.ForgetAccount", id)
		}
		if err != nil {
			return wrap("forget account", err)
		}
		if err := tx.tx.GetContext(ctx, &last, `
			SELECT NOT EXISTS (SELECT 1 FROM linkedin_accounts WHERE workspace_id = $1 AND grant_id = $2 AND id <> $3 AND token <> '')`,
			sc.ws, r.Grant, id); err != nil {
			return wrap("forget account", err)
		}
		_, err = tx.tx.ExecContext(ctx, `
			UPDATE linkedin_accounts SET status = 'disconnected', token = '', refresh_token = '', expires_at = NULL,
				refresh_expires_at = NULL, refresh_error = '', scopes = '{}', grant_id = gen_random_uuid(), updated_at = now()
			WHERE id = $1 AND workspace_id = $2`, id, sc.ws)
		return wrap("forget account", err)
	})
	a := r.account()
	a.Status = growth.AccountDisconnected
	return a, Credential{Token: r.Token, Refresh: r.Refresh}, last, err
}
