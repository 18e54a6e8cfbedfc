package store_test

import (
	"testing"

	growth "github.com/zakibelm/astrogrowth"
)

// What is read whole has a bound, and who goes beyond it is told: nothing is left out of a list in silence.
func TestWhatIsReadWholeIsBounded(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.exec(`INSERT INTO workspaces (id, slug, name, secret) SELECT gen_random_uuid(), 'many-' || n, 'Many', '' FROM generate_series(1, 9999) AS n`)
	all, err := b.s.Workspaces(b.ctx)
	b.must(err)
	if len(all) != 10_000 {
		t.Errorf("%d workspaces are listed, want all 10,000", len(all))
	}
	if _, err := b.s.EnsureWorkspace(b.ctx, "one-more", "One more"); growth.CodeOf(err) != growth.Conflict {
		t.Errorf("one more: %v", err)
	}
	if w, err := b.s.EnsureWorkspace(b.ctx, "many-7", "Many"); err != nil || w.Slug != "many-7" {
		t.Errorf("one that is there: %+v, %v", w, err)
	}

	put := func(urn string) error {
		_, err := b.sc.PutAccount(b.ctx, growth.Account{URN: urn, Name: "A"}, func(growth.AccountID) (string, error) { return "sealed", nil })
		return err
	}
	b.must(put("urn:li:person:first"))
	b.exec(`INSERT INTO linkedin_accounts (id, workspace_id, urn, name, token) SELECT gen_random_uuid(), $1, 'urn:li:person:' || n, 'A', 'sealed' FROM generate_series(1, 999) AS n`, b.ws.ID)
	accounts, err := b.sc.Accounts(b.ctx)
	b.must(err)
	if len(accounts) != 1000 {
		t.Errorf("%d accounts are listed, want all 1000", len(accounts))
	}
	if err := put("urn:li:person:one-more"); growth.CodeOf(err) != growth.Conflict {
		t.Errorf("one more: %v", err)
	}
	b.must(put("urn:li:person:first")) // one that is there gets its new token
}
