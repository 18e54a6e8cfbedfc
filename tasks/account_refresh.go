package tasks

import (
	"context"
	"errors"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/store"
)

// The life of tokens.
const (
	refreshAhead = 15 * 24 * time.Hour // before the end, or a quarter of the token's life when that is shorter
	refreshLease = time.Minute         // longer than any call to LinkedIn's authorization server
	settling     = time.Minute         // in which LinkedIn may call a new token revoked
	oneRefresh   = time.Hour           // a token that is turned down sooner than this after it was issued is not refreshed again
)

// refreshing says how a refresh ended.
type refreshing uint8

const (
	refreshBusy   refreshing = iota // another process has it, or tried in vain a moment ago
	refreshDone                     // there is a new token
	refreshFailed                   // nothing is known to have changed: try again later
	refreshDead                     // the refresh token is dead and forgotten
)

// RefreshDue refreshes the tokens that end soon, each by one process, and says how many it renewed. A failure of one
// keeps none of the others up.
func (a *Accounts) RefreshDue(ctx context.Context) (int, error) {
	if !a.OAuth.Configured() {
		return 0, nil
	}
	due, err := a.Store.DueRefreshes(ctx, refreshAhead, 200)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, d := range due {
		how, err := a.refresh(ctx, d)
		if err != nil {
			return n, err
		}
		if how == refreshDone {
			n++
		}
	}
	return n, nil
}

// refresh renews the token of a grant. An error is a fault of ours; what LinkedIn did is in the other result.
func (a *Accounts) refresh(ctx context.Context, d store.DueGrant) (refreshing, error) {
	r, taken, err := a.Store.TakeRefresh(ctx, d, refreshLease)
	if err != nil || !taken {
		return refreshBusy, err
	}
	token, known, err := a.refreshToken(r)
	if err != nil {
		return a.unopened(ctx, r)
	}
	got, err := a.OAuth.Refresh(ctx, token, known)
	if err != nil {
		return a.refreshFault(ctx, r, err)
	}
	saved, err := a.saveRefresh(context.WithoutCancel(ctx), r, a.refreshed(r, got))
	if err != nil || !saved {
		return refreshBusy, err
	}
	a.Log.Info().Str("account_id", string(r.Accounts[0].ID)).Msg("linkedin token refreshed")
	a.wake()
	return refreshDone, nil
}

// saveRefresh tries for most of the lease: LinkedIn may have made the earlier refresh token worthless, and a database that
// is away for a moment must not lose the new one.
func (a *Accounts) saveRefresh(ctx context.Context, r store.Refreshing, got store.Refreshed) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, refreshLease/2)
	defer cancel()
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		saved, err := a.Store.SaveRefresh(ctx, r, got)
		if err == nil || growth.CodeOf(err) != growth.Unavailable {
			return saved, err
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return false, err
		case <-t.C:
		}
	}
}

// refreshed seals a new token for each account of the grant.
func (a *Accounts) refreshed(r store.Refreshing, got linkedin.Tokens) store.Refreshed {
	out := store.Refreshed{ExpiresAt: got.ExpiresAt, RefreshExpiresAt: got.RefreshExpiresAt, Scopes: got.Scopes}
	for _, acc := range r.Accounts {
		c, _ := a.seal(got)(acc.ID) // it makes no error of its own
		out.Credentials = append(out.Credentials, c)
	}
	return out
}

// refreshToken opens the refresh token of a grant; its accounts have the same.
func (a *Accounts) refreshToken(r store.Refreshing) (string, *time.Time, error) {
	var fault error
	for i, acc := range r.Accounts {
		plain, err := a.Keys.Open(r.Sealed[i].Refresh, refreshOwner(acc.ID))
		if err == nil {
			return string(plain), acc.RefreshExpiresAt, nil
		}
		fault = err
	}
	return "", nil, fault
}

// unopened is for a refresh token that does not open. With a key that only another process has, that process will do it.
// One that was changed or comes from another row is of no use to anybody, and somebody should know.
func (a *Accounts) unopened(ctx context.Context, r store.Refreshing) (refreshing, error) {
	for _, c := range r.Sealed {
		if !a.Keys.Knows(c.Refresh) {
			return refreshFailed, a.Store.RefreshFailed(ctx, r, growth.Unauthorized, refreshLease, false)
		}
	}
	a.report(ctx, errors.New("a sealed refresh token does not open although its key is known: it was changed, or copied from another account"))
	return refreshDead, a.Store.RefreshFailed(ctx, r, growth.KeyRejected, time.Hour, true)
}

// refreshFault notes what LinkedIn answered instead of a token. Only its plain word that the refresh token is dead ends
// anything; a network's fault never does.
func (a *Accounts) refreshFault(ctx context.Context, r store.Refreshing, fault error) (refreshing, error) {
	ctx = context.WithoutCancel(ctx)
	code := growth.CodeOf(fault)
	a.Log.Warn().Str("account_id", string(r.Accounts[0].ID)).Str("code", code.String()).Msg("linkedin token not refreshed")
	if code != growth.KeyRejected {
		pause := max(min(time.Minute<<min(r.Failures, 10), 6*time.Hour), growth.RetryAfterOf(fault))
		return refreshFailed, a.Store.RefreshFailed(ctx, r, code, pause, false)
	}
	if err := a.Store.RefreshFailed(ctx, r, code, time.Hour, true); err != nil {
		return refreshDead, err
	}
	if !a.accessDead(ctx, r) {
		return refreshDead, nil // it goes on until its own end, which is told ahead
	}
	for _, acc := range r.Accounts {
		if _, err := a.end(ctx, acc, "revoked"); err != nil {
			return refreshDead, err
		}
	}
	return refreshDead, nil
}

// accessDead asks whether the access token went together with the refresh token. Without an answer it did not, unless
// its time is over.
func (a *Accounts) accessDead(ctx context.Context, r store.Refreshing) bool {
	acc := r.Accounts[0]
	if acc.ExpiresAt != nil && !acc.ExpiresAt.After(time.Now()) {
		return true
	}
	token, err := a.Keys.Open(r.Sealed[0].Token, tokenOwner(acc.ID))
	if err != nil {
		return false
	}
	seen, err := a.OAuth.Introspect(ctx, string(token))
	return err == nil && !seen.Active
}

// freshAccount reads an account for a post, with a token that is not known to be over.
func (w PublishWorker) freshAccount(ctx context.Context, sc store.Scoped, id growth.AccountID) (growth.Account, string, error) {
	a, envelope, err := sc.Account(ctx, id)
	if err != nil || w.Accounts == nil || a.Status != growth.AccountActive {
		return a, envelope, err
	}
	if !w.Accounts.Keys.Knows(envelope) {
		return a, "", &WaitError{Reason: growth.WaitReconnect, Until: time.Now().Add(time.Minute), Err: growth.Errorf(growth.KeyRejected, "tasks.Publish",
			"the stored token was sealed with a key that is neither in ENCRYPTION_KEY nor in ENCRYPTION_KEYS_OLD of this worker")}
	}
	if _, err := w.Accounts.Keys.Open(envelope, tokenOwner(a.ID)); err != nil {
		w.Accounts.report(ctx, errors.New("a sealed token does not open although its key is known: it was changed, or copied from another account"))
		if _, err := w.Accounts.end(ctx, a, "unreadable"); err != nil {
			return a, "", err
		}
		return sc.Account(ctx, id)
	}
	if !a.Refreshes || a.ExpiresAt == nil || a.ExpiresAt.After(time.Now()) {
		return a, envelope, nil
	}
	how, err := w.Accounts.refresh(ctx, store.DueGrant{Workspace: a.Workspace, Grant: a.Grant, TokenAt: a.TokenAt})
	switch {
	case err != nil:
		return a, "", err
	case how == refreshBusy, how == refreshFailed:
		return a, "", soon(growth.Errorf(growth.KeyRejected, "tasks.Publish", "the token of the LinkedIn account has ended and could not be refreshed yet"))
	}
	return sc.Account(ctx, id)
}

// turnedDown decides what becomes of a post whose token LinkedIn turned down, which proves that no post was made. The
// token is refreshed once where that can be; else the account has to be connected again, and the post waits for it.
func (w PublishWorker) turnedDown(ctx context.Context, a growth.Account, cause error) error {
	sc := w.Store.In(a.Workspace)
	if w.Accounts == nil {
		if err := sc.DisconnectAccount(ctx, a.ID); err != nil {
			return err
		}
		return &WaitError{Reason: growth.WaitReconnect, Err: cause}
	}
	now, _, err := sc.Account(ctx, a.ID)
	if err != nil {
		return err
	}
	age := time.Since(a.TokenAt)
	switch {
	case !now.TokenAt.Equal(a.TokenAt), age < settling: // another token by now, or one that is too new to work
		return soon(cause)
	case a.Refreshes && age > oneRefresh:
		how, err := w.Accounts.refresh(ctx, store.DueGrant{Workspace: a.Workspace, Grant: a.Grant, TokenAt: a.TokenAt})
		if err != nil {
			return err
		}
		if how != refreshDead {
			return soon(cause)
		}
	}
	if _, err := w.Accounts.end(ctx, a, "turned_down"); err != nil {
		return err
	}
	return &WaitError{Reason: growth.WaitReconnect, Err: cause}
}

// barred has the posts of a page wait until a member who may post there has connected it: refused one by one they would
// all be lost.
func (w PublishWorker) barred(ctx context.Context, a growth.Account, cause error) error {
	if w.Accounts == nil {
		if err := w.Store.In(a.Workspace).DisconnectAccount(ctx, a.ID); err != nil {
			return err
		}
	} else if _, err := w.Accounts.end(ctx, a, "no_rights"); err != nil {
		return err
	}
	return &WaitError{Reason: growth.WaitReconnect, Err: growth.Errorf(growth.Forbidden, "tasks.Publish",
		"LinkedIn does not let the member who connected this page post there: connect it as one of its administrators; %s", faultOf(cause).Message)}
}

// soon has a post wait for a token that may be there in a moment.
func soon(cause error) error {
	return &WaitError{Reason: growth.WaitReconnect, Until: time.Now().Add(15 * time.Second), Err: cause}
}
