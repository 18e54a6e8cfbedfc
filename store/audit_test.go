package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

func TestAuditSaysWhatWasBegunAndHowItEnded(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	key := growth.NewID()
	first, err := b.sc.BeginAudit(b.ctx, store.AuditEntry{KeyID: key, Actor: "ci", Operation: "post-v1-keys", RequestID: "r1"})
	b.must(err)
	b.must(b.sc.EndAudit(b.ctx, first, 201))
	odd := "a\x00b\xff" + strings.Repeat("x", 300)
	_, err = b.sc.BeginAudit(b.ctx, store.AuditEntry{Actor: "local", Operation: "delete-v1-keys-id", Target: odd})
	b.must(err)
	all, err := b.sc.Audit(b.ctx, store.AuditFilter{}, store.Page{})
	b.must(err)
	if len(all) != 2 || all[0].Status != 0 || all[0].KeyID != "" || len(all[0].Target) > 200 || !strings.HasPrefix(all[0].Target, "ab\uFFFD") {
		t.Fatalf("entries = %+v", all)
	}
	want := store.AuditEntry{ID: first, KeyID: key, Actor: "ci", Operation: "post-v1-keys", RequestID: "r1", Status: 201, At: all[1].At}
	if diff := cmp.Diff(want, all[1]); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
	for name, f := range map[string]store.AuditFilter{"operation": {Operation: "post-v1-keys"}, "key": {KeyID: key}} {
		if got, err := b.sc.Audit(b.ctx, f, store.Page{}); err != nil || len(got) != 1 || got[0].ID != first {
			t.Errorf("by %s = %+v, %v", name, got, err)
		}
	}
	if next, err := b.sc.Audit(b.ctx, store.AuditFilter{}, store.Page{Limit: 1, Cursor: all[0].ID}); err != nil || len(next) != 1 || next[0].ID != first {
		t.Errorf("second page = %+v, %v", next, err)
	}
}

// However short the retention is, what was done stays for a year.
func TestAuditIsKeptForAYear(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	for range 2 {
		_, err := b.sc.BeginAudit(b.ctx, store.AuditEntry{Operation: "o"})
		b.must(err)
	}
	all, err := b.sc.Audit(b.ctx, store.AuditFilter{}, store.Page{})
	b.must(err)
	b.exec(`UPDATE audit_log SET created_at = now() - interval '366 days' WHERE id = $1`, all[0].ID)
	b.exec(`UPDATE audit_log SET created_at = now() - interval '364 days' WHERE id = $1`, all[1].ID)
	_, err = b.s.Purge(b.ctx, time.Hour)
	b.must(err)
	if left, err := b.sc.Audit(b.ctx, store.AuditFilter{}, store.Page{}); err != nil || len(left) != 1 || left[0].ID != all[1].ID {
		t.Errorf("left = %+v, %v", left, err)
	}
}

func TestRotatedKeyWorksUntilItsGraceIsOver(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	add := func(name string, expires *time.Time) store.Key {
		k, err := b.s.AddKey(b.ctx, store.Key{Workspace: b.ws.ID, Name: name, Scopes: []string{"read", "enqueue"}, ExpiresAt: expires}, []byte(name))
		b.must(err)
		return k
	}
	old := add("old", nil)
	fresh, err := b.sc.RotateKey(b.ctx, store.ReachWorkspace, old.ID, time.Hour, "ag_live_new", []byte("new"))
	b.must(err)
	if fresh.Name != "old" || len(fresh.Scopes) != 2 || fresh.ExpiresAt != nil || fresh.Replaces == nil || *fresh.Replaces != old.ID {
		t.Errorf("new key = %+v", fresh)
	}
	still, err := b.s.KeyByHash(b.ctx, []byte("old"))
	b.must(err)
	if left := time.Until(*still.ExpiresAt); left < 59*time.Minute || left > time.Hour {
		t.Errorf("the old key lives for %v more", left)
	}
	soon := time.Now().Add(time.Minute)
	dying := add("dying", &soon)
	_, err = b.sc.RotateKey(b.ctx, store.ReachWorkspace, dying.ID, time.Hour, "ag_", []byte("newer"))
	b.must(err)
	if k, err := b.s.KeyByHash(b.ctx, []byte("dying")); err != nil || k.ExpiresAt.Sub(soon).Abs() > time.Millisecond {
		t.Errorf("grace lengthened a key's life: %+v, %v", k.ExpiresAt, err)
	}
	_, err = b.sc.RotateKey(b.ctx, store.ReachWorkspace, fresh.ID, 0, "ag_", []byte("newest"))
	b.must(err)
	_, err = b.s.KeyByHash(b.ctx, []byte("new"))
	wantCode(t, err, growth.Unauthorized)
	b.must(b.sc.RevokeKey(b.ctx, store.ReachWorkspace, old.ID))
	_, err = b.sc.RotateKey(b.ctx, store.ReachWorkspace, old.ID, 0, "ag_", []byte("another"))
	wantCode(t, err, growth.NotFound)
}

// Whoever had the key of the configuration before another was set there is out.
func TestConfiguredKeyEndsWhenAnotherIsSet(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	set := func(key string) (int64, bool) {
		ended, ok, err := b.s.SetAdminKey(b.ctx, store.Key{Prefix: key, Scopes: []string{"admin"}}, []byte(key))
		b.must(err)
		return ended, ok
	}
	works := func(key string) bool {
		_, err := b.s.KeyByHash(b.ctx, []byte(key))
		return err == nil
	}
	set("one")
	if ended, ok := set("one"); ended != 0 || !ok || !works("one") {
		t.Errorf("the same key again: %d ended, %v", ended, ok)
	}
	if ended, ok := set("two"); ended != 1 || !ok || works("one") || !works("two") {
		t.Errorf("another key: %d ended, %v, old works: %v, new works: %v", ended, ok, works("one"), works("two"))
	}
	if _, ok := set("one"); !ok || !works("one") || works("two") {
		t.Error("a key that is set again does not begin again")
	}
	keys, err := b.sc.Keys(b.ctx, store.ReachAgency, store.Page{})
	b.must(err)
	if len(keys) != 2 || !keys[0].Agency || keys[0].ExpiresAt == nil || keys[1].ExpiresAt != nil {
		t.Fatalf("keys = %+v", keys)
	}
	_, err = b.sc.RotateKey(b.ctx, store.ReachAgency, keys[1].ID, time.Hour, "ag_", []byte("three"))
	wantCode(t, err, growth.Conflict)
	if k, err := b.s.KeyByHash(b.ctx, []byte("one")); err != nil || k.ExpiresAt != nil {
		t.Errorf("a refused rotation leaves %+v, %v", k, err)
	}
	b.must(b.sc.RevokeKey(b.ctx, store.ReachAgency, keys[1].ID))
	if _, ok := set("one"); ok || works("one") {
		t.Error("a key that a person revoked works again")
	}
}
