package tasks

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/internal/seal"
	"github.com/zakibelm/astrogrowth/store"
)

// Authorizer is LinkedIn's authorization server.
type Authorizer interface {
	Configured() bool
	PKCE() bool
	AuthorizeURL(state, challenge string, scopes []string) string
	Exchange(ctx context.Context, code, verifier string) (linkedin.Tokens, error)
	Refresh(ctx context.Context, refresh string, known *time.Time) (linkedin.Tokens, error)
	Introspect(ctx context.Context, token string) (linkedin.Introspection, error)
	Revoke(ctx context.Context, token string) error
}

// Members finds out whose a LinkedIn token is.
type Members interface {
	Userinfo(ctx context.Context, token string) (linkedin.Member, error)
}

// Accounts connects LinkedIn accounts and keeps them connected: it makes one-time links, takes members' consent,
// refreshes tokens before they end, tells the end of those that cannot be refreshed, and seals all of them anew when the
// key is another one.
type Accounts struct {
	Store     *store.Store
	OAuth     Authorizer
	Members   Members
	Keys      *seal.Keyring
	Simulated bool     // LinkedIn is the simulator
	Wake      func()   // tells the relay that jobs may go on; nil: nobody
	Report    Reporter // nil: nobody hears of faults
	Log       zerolog.Logger
}

// The two secrets of an account are sealed for different owners, so that one does not open in the other's place.
func tokenOwner(id growth.AccountID) string   { return string(id) }
func refreshOwner(id growth.AccountID) string { return string(id) + "/refresh" }

func (a *Accounts) seal(t linkedin.Tokens) func(growth.AccountID) (store.Credential, error) {
	return func(id growth.AccountID) (store.Credential, error) {
		c := store.Credential{Token: a.Keys.Seal([]byte(t.Access), tokenOwner(id))}
		if t.Refresh != "" {
			c.Refresh = a.Keys.Seal([]byte(t.Refresh), refreshOwner(id))
		}
		return c, nil
	}
}

func (a *Accounts) wake() {
	if a.Wake != nil {
		a.Wake()
	}
}

func (a *Accounts) report(ctx context.Context, err error) {
	if a.Report != nil {
		a.Report(ctx, err)
	}
}

// Disconnect gives an account up: what opens LinkedIn for it is forgotten, its history stays. It reports whether
// LinkedIn was told; it is not when another account lives on the same consent, or when LinkedIn cannot be reached, and
// the token then ends by itself.
func (a *Accounts) Disconnect(ctx context.Context, ws growth.WorkspaceID, id growth.AccountID) (account growth.Account, revoked bool, err error) {
	before, sealed, last, err := a.Store.In(ws).ForgetAccount(ctx, id)
	if err != nil || !last || sealed.Token == "" || !a.OAuth.Configured() {
		return a.present(ctx, ws, before, err)
	}
	revoked = a.revoke(ctx, sealed.Token, tokenOwner(id))
	if sealed.Refresh != "" {
		revoked = a.revoke(ctx, sealed.Refresh, refreshOwner(id)) && revoked
	}
	account, _, err = a.present(ctx, ws, before, nil)
	return account, revoked, err
}

func (a *Accounts) present(ctx context.Context, ws growth.WorkspaceID, before growth.Account, err error) (growth.Account, bool, error) {
	if err != nil {
		return before, false, err
	}
	account, _, err := a.Store.In(ws).Account(ctx, before.ID)
	return account, false, err
}

func (a *Accounts) revoke(ctx context.Context, envelope, owner string) bool {
	token, err := a.Keys.Open(envelope, owner)
	if err != nil {
		return false
	}
	if err := a.OAuth.Revoke(ctx, string(token)); err != nil {
		a.Log.Warn().Str("code", growth.CodeOf(err).String()).Msg("linkedin was not told that a token is not used any more")
		return false
	}
	return true
}

// keepEvery is how often Run looks at every account.
const keepEvery = time.Minute

// Run keeps the accounts until ctx ends. Every worker may run one; they share the work by locking rows.
func (a *Accounts) Run(ctx context.Context) {
	t := time.NewTicker(keepEvery)
	defer t.Stop()
	for {
		if _, err := a.Keep(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn().Err(err).Msg("looking after the linkedin accounts failed")
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Kept is what a pass over the accounts did.
type Kept struct {
	Refreshed int `json:"refreshed"`
	Notices   int `json:"notices"`
	Resealed
}

// Keep looks at every account once.
func (a *Accounts) Keep(ctx context.Context) (Kept, error) {
	var k Kept
	var err error
	if k.Refreshed, err = a.RefreshDue(ctx); err != nil {
		return k, err
	}
	if k.Notices, err = a.Notify(ctx); err != nil {
		return k, err
	}
	k.Resealed, err = a.Reseal(ctx)
	return k, err
}

// Resealed is what sealing anew came to.
type Resealed struct {
	Resealed   int `json:"resealed"`
	Unreadable int `json:"unreadable"` // accounts whose envelopes no key opens that is known here
}

// resealPasses bounds how often Reseal looks again for what was written while it worked.
const resealPasses = 3

// Reseal seals with the present key what was sealed with another. It works beside everything else: an envelope that was
// replaced meanwhile is left alone. Once Unreadable is 0, the earlier keys can be dropped.
func (a *Accounts) Reseal(ctx context.Context) (Resealed, error) {
	var out Resealed
	for range resealPasses {
		n, unreadable, err := a.resealOnce(ctx)
		out.Resealed += n
		out.Unreadable = unreadable
		if err != nil || n == 0 {
			return out, err
		}
	}
	return out, nil
}

func (a *Accounts) resealOnce(ctx context.Context) (n, unreadable int, err error) {
	var after growth.AccountID
	for {
		batch, err := a.Store.SealedOtherwise(ctx, a.Keys.Prefix(), after, 100)
		if err != nil || len(batch) == 0 {
			return n, unreadable, err
		}
		for _, old := range batch {
			after = old.ID
			now, ok := a.resealed(old)
			if !ok {
				unreadable++
				continue
			}
			done, err := a.Store.Reseal(ctx, old, now)
			if err != nil {
				return n, unreadable, err
			}
			if done {
				n++
			}
		}
	}
}

func (a *Accounts) resealed(old store.SealedAccount) (store.Credential, bool) {
	token, ok := a.again(old.Token, tokenOwner(old.ID))
	if !ok {
		return store.Credential{}, false
	}
	refresh, ok := a.again(old.Refresh, refreshOwner(old.ID))
	return store.Credential{Token: token, Refresh: refresh}, ok
}

// again seals what an envelope holds with the present key; what is empty stays so.
func (a *Accounts) again(envelope, owner string) (string, bool) {
	if envelope == "" {
		return "", true
	}
	plain, err := a.Keys.Open(envelope, owner)
	if err != nil {
		return "", false
	}
	return a.Keys.Seal(plain, owner), true
}

// UpkeepAccounts looks after the LinkedIn accounts, as every worker does by itself each minute.
const UpkeepAccounts Upkeep = "accounts"

func (w MaintenanceWorker) keepAccounts(ctx context.Context, _ *Job[MaintenanceArgs]) (any, error) {
	if w.Accounts == nil {
		return Kept{}, nil
	}
	return w.Accounts.Keep(ctx)
}
