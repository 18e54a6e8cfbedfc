package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// Bounds of one-time links.
const (
	maxOpenLinks = 100 // of a workspace at once
	maxOpens     = 10  // of one link: programs that look at links before people do must not use it up
)

// ConnectLink is a one-time link by which a member connects an account.
type ConnectLink struct {
	ID               string
	Workspace        growth.WorkspaceID
	WorkspaceName    string           // when read
	Account          growth.AccountID // to be connected again; empty: whoever allows it
	OrganizationURN  string           // the page to connect; empty: the member's own account
	OrganizationName string
	Scopes           []string
	Verifier         string // of PKCE, sealed for the link's id; empty: none
	RequestedBy      string
	ExpiresAt        time.Time // when read
}

type linkRow struct {
	ID               string             `db:"id"`
	Workspace        growth.WorkspaceID `db:"workspace_id"`
	WorkspaceName    string             `db:"workspace_name"`
	Account          sql.NullString     `db:"account_id"`
	OrganizationURN  string             `db:"organization_urn"`
	OrganizationName string             `db:"organization_name"`
	Scopes           pq.StringArray     `db:"scopes"`
	Verifier         string             `db:"verifier"`
	RequestedBy      string             `db:"requested_by"`
	ExpiresAt        time.Time          `db:"expires_at"`
	Opens            pq.ByteaArray      `db:"opens"`
	Used             bool               `db:"used"`
	Expired          bool               `db:"expired"`
}

const linkColumns = `c.id, c.workspace_id, w.name AS workspace_name, c.account_id, c.organization_urn, c.organization_name, c.scopes,
	c.verifier, c.requested_by, c.expires_at, c.opens, c.used_at IS NOT NULL AS used, c.expires_at <= now() AS expired`

func (r linkRow) link() ConnectLink {
	return ConnectLink{
		ID: r.ID, Workspace: r.Workspace, WorkspaceName: r.WorkspaceName, Account: growth.AccountID(r.Account.String),
		OrganizationURN: r.OrganizationURN, OrganizationName: r.OrganizationName, Scopes: r.Scopes, Verifier: r.Verifier,
		RequestedBy: r.RequestedBy, ExpiresAt: r.ExpiresAt.UTC(),
	}
}

// AddConnectLink keeps a link, of which only the hash of its secret is known here, for a time.
func (sc Scoped) AddConnectLink(ctx context.Context, l ConnectLink, hash []byte, life time.Duration) (time.Time, error) {
	var expires time.Time
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		if l.Account != "" {
			var found bool
			err := tx.tx.GetContext(ctx, &found, `SELECT true FROM linkedin_accounts WHERE id = $1 AND workspace_id = $2`, l.Account, sc.ws)
			if errors.Is(err, sql.ErrNoRows) {
				return noAccount("store.AddConnectLink", l.Account)
			}
			if err != nil {
				return wrap("add link", err)
			}
		}
		var open int
		if err := tx.tx.GetContext(ctx, &open, `
			SELECT count(*) FROM linkedin_connects WHERE workspace_id = $1 AND expires_at > now() AND used_at IS NULL`, sc.ws); err != nil {
			return wrap("add link", err)
		}
		if open >= maxOpenLinks {
			return &growth.Error{Code: growth.Throttled, Op: "store.AddConnectLink", RetryAfter: life, Message: "too many links of this workspace are open: use one of them, or wait until they expire"}
		}
		return wrap("add link", tx.tx.GetContext(ctx, &expires, `
			INSERT INTO linkedin_connects (id, workspace_id, link_hash, account_id, organization_urn, organization_name, scopes, verifier, requested_by, expires_at)
			VALUES ($1, $2, $3, nullif($4, '')::uuid, $5, $6, $7, $8, $9, now() + $10 * interval '1 millisecond') RETURNING expires_at`,
			l.ID, sc.ws, hash, string(l.Account), l.OrganizationURN, l.OrganizationName, pq.Array(l.Scopes), l.Verifier, l.RequestedBy, life.Milliseconds()))
	})
	return expires.UTC(), err
}

// OpenConnectLink finds a link by the hash of its secret and notes the state and browser with which it was opened.
// opened makes their hash, of the link's id. A link may be opened more than once and is used once.
func (s *Store) OpenConnectLink(ctx context.Context, hash []byte, opened func(id string) []byte) (ConnectLink, error) {
	const op = "store.OpenConnectLink"
	var r linkRow
	err := s.InTx(ctx, func(tx *Tx) error {
		err := tx.tx.GetContext(ctx, &r, `
			SELECT `+linkColumns+` FROM linkedin_connects c JOIN workspaces w ON w.id = c.workspace_id WHERE c.link_hash = $1 FOR UPDATE OF c`, hash)
		if errors.Is(err, sql.ErrNoRows) {
			return growth.Errorf(growth.NotFound, op, "there is no such link")
		}
		if err != nil {
			return wrap("open link", err)
		}
		if err := r.usable(op); err != nil {
			return err
		}
		if len(r.Opens) >= maxOpens {
			return growth.Errorf(growth.Conflict, op, "the link was opened too often")
		}
		_, err = tx.tx.ExecContext(ctx, `UPDATE linkedin_connects SET opens = array_append(opens, $2::bytea) WHERE id = $1`, r.ID, opened(r.ID))
		return wrap("open link", err)
	})
	return r.link(), err
}

// UseConnectLink uses a link up, for the browser and state that opened it and for nobody else.
func (s *Store) UseConnectLink(ctx context.Context, id string, opened []byte) (ConnectLink, error) {
	const op = "store.UseConnectLink"
	var r linkRow
	err := s.InTx(ctx, func(tx *Tx) error {
		err := tx.tx.GetContext(ctx, &r, `
			SELECT `+linkColumns+` FROM linkedin_connects c JOIN workspaces w ON w.id = c.workspace_id WHERE c.id = $1 FOR UPDATE OF c`, id)
		if errors.Is(err, sql.ErrNoRows) {
			return growth.Errorf(growth.NotFound, op, "there is no such link")
		}
		if err != nil {
			return wrap("use link", err)
		}
		// Whoever did not open it learns nothing of it, and cannot use it up for the one who did.
		if !slices.ContainsFunc(r.Opens, func(o []byte) bool { return string(o) == string(opened) }) {
			return growth.Errorf(growth.Forbidden, op, "the link was opened in another browser")
		}
		if err := r.usable(op); err != nil {
			return err
		}
		_, err = tx.tx.ExecContext(ctx, `UPDATE linkedin_connects SET used_at = now(), verifier = '' WHERE id = $1`, r.ID)
		return wrap("use link", err)
	})
	return r.link(), err
}

func (r linkRow) usable(op string) error {
	if r.Used {
		return growth.Errorf(growth.Conflict, op, "the link was used already")
	}
	if r.Expired {
		return growth.Errorf(growth.Conflict, op, "the link has expired")
	}
	return nil
}
