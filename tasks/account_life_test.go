package tasks_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/seal"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/tasks"
)

const days = 24 * time.Hour

// soonOver makes the tokens of every account end in a day.
func (g *agency) soonOver() {
	g.t.Helper()
	g.exec(`UPDATE linkedin_accounts SET token_at = now() - interval '59 days', expires_at = now() + interval '1 day'`)
}

func TestTokenIsRefreshedBeforeItEndsByOneProcess(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{Partner: true, RefreshInMinutes: true})
	a := g.connects(tasks.ConnectRequest{}).Account
	if left := time.Until(*a.RefreshExpiresAt); left < 364*days || left > 366*days {
		t.Errorf("the refresh token ends in %v; want a year", left)
	}
	if n, err := g.accounts.RefreshDue(t.Context()); err != nil || n != 0 {
		t.Errorf("a fresh token was refreshed: %d, %v", n, err)
	}
	before, _ := g.secrets(a.ID)
	g.soonOver()
	calls := g.calls("token")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _, _ = g.keeper(g.ring).RefreshDue(context.WithoutCancel(t.Context())) })
	}
	wg.Wait()
	if n := g.calls("token") - calls; n != 1 {
		t.Errorf("eight processes made %d refreshes; want 1", n)
	}
	after, _ := g.secrets(a.ID)
	if got := g.account(a.ID); after == before || time.Until(*got.ExpiresAt) < 59*days {
		t.Errorf("account = %+v", got)
	}
}

func TestBlankRefreshTokenOverwritesNone(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{Partner: true, BlankRefresh: true})
	a := g.connects(tasks.ConnectRequest{}).Account
	_, kept := g.secrets(a.ID)
	for range 2 {
		g.soonOver()
		if n, err := g.accounts.RefreshDue(t.Context()); err != nil || n != 1 {
			t.Fatalf("refreshed %d, %v", n, err)
		}
		if _, now := g.secrets(a.ID); now != kept || now == "" {
			t.Fatal("the refresh token is another one")
		}
	}
}

func TestNetworkFaultAtRefreshDisconnectsNobody(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"500", "503", "429", simulator.KindTimeout, simulator.KindReset, simulator.KindHTML, simulator.KindCutJSON, simulator.KindEmptyBody} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			g := newAgency(t, simulator.OAuth{Partner: true}).publishes()
			a := g.connects(tasks.ConnectRequest{}).Account
			g.ages(a.ID, 61*24*time.Hour) // over already: the worst case
			_, err := g.w.sim.SetFault(simulator.Fault{Provider: simulator.LinkedIn, Endpoint: "token", Kind: kind})
			g.must(err)
			if n, err := g.accounts.RefreshDue(t.Context()); err != nil || n != 0 {
				t.Fatalf("refreshed %d, %v", n, err)
			}
			id := g.posts(a, "Bonjour")
			eventually(t, "the post waits for a while", func() bool {
				j := g.job(id)
				return j.Waiting != nil && j.Waiting.Reason == growth.WaitReconnect && j.Waiting.Until != nil
			})
			if _, err := g.accounts.Notify(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := g.account(a.ID); got.Status != growth.AccountActive || got.RefreshError == "" || !got.Refreshes {
				t.Errorf("account = %+v", got)
			}
			if n, err := g.accounts.RefreshDue(t.Context()); err != nil || n != 0 || g.count(`SELECT count(*) FROM linkedin_accounts WHERE refresh_after > now() + interval '30 seconds'`) != 1 {
				t.Errorf("it is tried again at once: %d, %v", n, err)
			}
			g.w.sim.ClearFaults("")
			g.hurry()
			g.becomes(id, growth.JobSucceeded)
			if got := g.account(a.ID); got.RefreshError != "" || len(g.w.posts()) != 1 {
				t.Errorf("account = %+v", got)
			}
		})
	}
}

// Our own wrong settings are no fault of the account's.
func TestWrongClientSecretDisconnectsNobody(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{Partner: true})
	a := g.connects(tasks.ConnectRequest{}).Account
	g.soonOver()
	_, err := g.w.sim.SetFault(simulator.Fault{Provider: simulator.LinkedIn, Endpoint: "token", Kind: "401"})
	g.must(err)
	if _, err := g.accounts.RefreshDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := g.account(a.ID); got.Status != growth.AccountActive || got.RefreshError != "unauthorized" || !got.Refreshes {
		t.Errorf("account = %+v", got)
	}
}

func TestTokenThatIsTurnedDownIsRefreshedOnce(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{Partner: true}).publishes()
	a := g.connects(tasks.ConnectRequest{}).Account
	g.ages(a.ID, 2*time.Hour)
	g.w.sim.RevokeTokens("Ada Li", false) // the access token alone
	calls := g.calls("token")
	id := g.posts(a, "Bonjour")
	g.becomes(id, growth.JobWaiting)
	if n := g.calls("token") - calls; n != 1 {
		t.Fatalf("%d refreshes; want 1", n)
	}
	g.hurry()
	g.becomes(id, growth.JobSucceeded)
	if len(g.w.posts()) != 1 || g.account(a.ID).Status != growth.AccountActive {
		t.Errorf("%d posts, account %+v", len(g.w.posts()), g.account(a.ID))
	}
	// A token that is turned down although it was refreshed is not refreshed for ever.
	g.exec(`UPDATE linkedin_accounts SET token_at = now() - interval '2 minutes'`)
	_, err := g.w.sim.SetFault(simulator.Fault{Provider: simulator.LinkedIn, Kind: simulator.KindRevoked})
	g.must(err)
	g.posts(a, "Encore")
	eventually(t, "the account has to be connected again", func() bool { return g.account(a.ID).Status == growth.AccountReconnect })
	if n := g.calls("token") - calls; n != 1 {
		t.Errorf("%d refreshes; want 1", n)
	}
}

// A refresh token can die before the access token: until that ends, posts go out, and the end is told.
func TestDeadRefreshTokenLeavesTheAccessTokenItsTime(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{Partner: true}).publishes()
	a := g.connects(tasks.ConnectRequest{}).Account
	g.soonOver()
	g.w.sim.RevokeRefreshTokens("Ada Li")
	if n, err := g.accounts.RefreshDue(t.Context()); err != nil || n != 0 {
		t.Fatalf("refreshed %d, %v", n, err)
	}
	if got := g.account(a.ID); got.Status != growth.AccountActive || got.Refreshes {
		t.Fatalf("account = %+v", got)
	}
	g.becomes(g.posts(a, "Bonjour"), growth.JobSucceeded)
	if n, err := g.accounts.Notify(t.Context()); err != nil || n != 1 || g.notices()[0].Days != 1 {
		t.Errorf("told %d, %v: %+v", n, err, g.notices())
	}
}

func TestConsentThatWasTakenBackIsNoticedAtRefresh(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{Partner: true})
	a := g.connects(tasks.ConnectRequest{}).Account
	id := g.posts(a, "Bonjour")
	g.soonOver()
	g.w.sim.RevokeTokens("Ada Li", true)
	if _, err := g.accounts.RefreshDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := g.notices()
	if got := g.account(a.ID); got.Status != growth.AccountReconnect || len(n) != 1 || n[0].Reason != "revoked" {
		t.Fatalf("account %+v, notices %+v", got, n)
	}
	_ = id
}

func TestEndIsToldOnceForEachThresholdWithThePostsAtStake(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{})
	a := g.connects(tasks.ConnectRequest{}).Account
	at := func(in time.Duration) growth.JobID {
		when := time.Now().Add(in)
		return g.enqueue(tasks.PublishArgs{Text: "In " + in.String(), AccountID: a.ID}, growth.JobOptions{RunAt: &when})
	}
	at(days)
	late := at(70 * days)
	pass := func(left time.Duration) {
		t.Helper()
		g.exec(`UPDATE linkedin_accounts SET expires_at = $1`, time.Now().Add(left))
		// The end moves with the clock that the test does not have; the notices were given of the same end.
		g.exec(`UPDATE linkedin_accounts SET noticed_end = expires_at WHERE noticed_end IS NOT NULL`)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := g.keeper(g.ring).Notify(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	for _, left := range []time.Duration{20 * days, 14*days - time.Hour, 13 * days, 8 * days, 7*days - time.Hour, 2 * days, 30 * time.Hour, 20 * time.Hour, time.Hour, -time.Second, -time.Hour} {
		pass(left)
	}
	var got []int
	for _, n := range g.notices() {
		got = append(got, n.Days)
		if n.Count < 1 || len(n.Posts) != n.Count || n.Posts[len(n.Posts)-1].JobID != late {
			t.Errorf("%d days: posts %+v", n.Days, n.Posts)
		}
	}
	if diff := cmp.Diff([]int{14, 7, 3, 1, 0}, got); diff != "" {
		t.Errorf("thresholds (-want +got):\n%s", diff)
	}
	if first, last := g.notices()[0], g.notices()[4]; first.Count != 1 || last.Count != 2 {
		t.Errorf("posts at stake: %d with 14 days to go, %d after the end; want 1 and 2", first.Count, last.Count)
	}
	if got := g.account(a.ID); got.Status != growth.AccountReconnect {
		t.Errorf("account is %s", got.Status)
	}
	// Connected again, the next end is told anew.
	g.connects(tasks.ConnectRequest{Account: a.ID})
	g.exec(`UPDATE linkedin_accounts SET expires_at = now() + interval '10 days'`)
	if n, err := g.accounts.Notify(t.Context()); err != nil || n != 1 {
		t.Errorf("told %d, %v", n, err)
	}
}

func TestSwappedCiphertextDoesNotOpen(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{Partner: true}).publishes()
	ada := g.connects(tasks.ConnectRequest{}).Account
	g.w.sim.SetOAuth(simulator.OAuth{AutoApprove: "Bob Roy", Partner: true})
	bob := g.connects(tasks.ConnectRequest{}).Account
	g.exec(`UPDATE linkedin_accounts a SET token = b.token, refresh_token = b.refresh_token FROM linkedin_accounts b WHERE a.id <> b.id`)
	id := g.posts(ada, "As Ada, or as Bob?")
	eventually(t, "the post waits", func() bool {
		j := g.job(id)
		return j.Waiting != nil && j.Waiting.Reason == growth.WaitReconnect && j.Waiting.Until == nil
	})
	if len(g.w.posts()) != 0 || g.calls("posts") != 0 || g.account(ada.ID).Status != growth.AccountReconnect || len(g.reported()) == 0 {
		t.Errorf("%d requests, account %+v, reports %v", g.calls("posts"), g.account(ada.ID), g.reported())
	}
	// Nor does a refresh token open in the place of an access token of the same row.
	_, c, err := g.sc.AccountCredential(t.Context(), bob.ID)
	g.must(err)
	if _, err := g.ring.Open(c.Refresh, string(bob.ID)); err == nil {
		t.Error("a refresh token opens as an access token")
	}
	g.soonOver()
	calls := g.calls("token")
	if n, err := g.accounts.RefreshDue(t.Context()); err != nil || n != 0 || g.calls("token") != calls {
		t.Errorf("refreshed %d, %v", n, err)
	}
	if got := g.account(bob.ID); got.Refreshes {
		t.Error("the swapped refresh token is still there")
	}
}

// A process that has not been given the new key waits for it.
func TestUnknownKeyIsWaitedFor(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{}).publishes()
	a := g.connects(tasks.ConnectRequest{}).Account
	other, err := seal.New(seal.NewKey())
	g.must(err)
	g.exec(`UPDATE linkedin_accounts SET token = $1`, other.Seal([]byte("sim-x"), string(a.ID)))
	id := g.posts(a, "Bonjour")
	eventually(t, "the post waits for a while", func() bool {
		j := g.job(id)
		return j.Waiting != nil && j.Waiting.Reason == growth.WaitReconnect && j.Waiting.Until != nil
	})
	if got := g.account(a.ID); got.Status != growth.AccountActive {
		t.Errorf("account is %s", got.Status)
	}
	if r, err := g.accounts.Reseal(t.Context()); err != nil || r.Unreadable != 1 || r.Resealed != 0 {
		t.Errorf("resealed %+v, %v", r, err)
	}
}

// While two processes with different keys publish and refresh, and the keys are rotated twice under them, every post
// goes out and nothing is left that only an old key opens.
func TestKeysRotateUnderLoad(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{Partner: true})
	const members, each = 6, 10
	// The first process knows the new keys before anybody seals with them, as the operator is told to do it.
	next, last := seal.NewKey(), seal.NewKey()
	g.ring = g.keys(g.key, next, last)
	g.accounts = g.keeper(g.ring)
	g.publishes()
	var accounts []growth.Account
	for i := range members {
		g.w.sim.SetOAuth(simulator.OAuth{AutoApprove: fmt.Sprintf("Member %c", 'a'+i), Partner: true})
		accounts = append(accounts, g.connects(tasks.ConnectRequest{}).Account)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	defer stop()
	var beside sync.WaitGroup
	refreshed := make(chan struct{}, 10_000)
	for _, ring := range []*seal.Keyring{g.ring, g.keys(next, g.key, last), g.keys(last, next, g.key)} {
		k := g.keeper(ring)
		beside.Go(func() {
			for ctx.Err() == nil {
				g.exec( //nolint:contextcheck // it has the test's own
					`UPDATE linkedin_accounts SET expires_at = now() + interval '1 day', token_at = now() - interval '59 days'
					WHERE id = (SELECT id FROM linkedin_accounts ORDER BY random() LIMIT 1)`)
				if n, err := k.RefreshDue(ctx); err == nil && n > 0 && len(refreshed) < cap(refreshed) {
					refreshed <- struct{}{}
				}
				_, _ = k.Reseal(ctx)
			}
		})
	}
	var ids []growth.JobID
	for i := range each {
		for _, a := range accounts {
			ids = append(ids, g.posts(a, fmt.Sprintf("Post %d of %s", i, a.Name)))
		}
	}
	for _, id := range ids {
		g.becomes(id, growth.JobSucceeded)
	}
	arrives(t, "a refresh in the meantime", refreshed)
	stop()
	beside.Wait()
	if n := len(g.w.posts()); n != members*each {
		t.Errorf("%d posts; want %d", n, members*each)
	}
	r, err := g.keeper(g.keys(last, next, g.key)).Reseal(t.Context())
	if err != nil || r.Unreadable != 0 {
		t.Fatalf("resealed %+v, %v", r, err)
	}
	only := g.keys(last) // the earlier ones are dropped
	for _, a := range accounts {
		_, c, err := g.sc.AccountCredential(t.Context(), a.ID)
		g.must(err)
		token, err := only.Open(c.Token, string(a.ID))
		g.must(err)
		refresh, err := only.Open(c.Refresh, string(a.ID)+"/refresh")
		g.must(err)
		if !strings.HasPrefix(string(token), "AQX") || !strings.HasPrefix(string(refresh), "AQW") {
			t.Error("what opens is no token")
		}
		if seen, err := g.oauth.Introspect(t.Context(), string(token)); err != nil || !seen.Active {
			t.Errorf("the token that is kept is not alive: %+v, %v", seen, err)
		}
	}
}
