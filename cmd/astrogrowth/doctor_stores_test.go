package main

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestDoctorComparesTheClocks(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), testenv.Postgres(t), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, tc := range []struct {
		name   string
		off    time.Duration
		status string
	}{{"together", 0, checkOK}, {"behind", -time.Minute, checkWarn}, {"ahead", time.Minute, checkWarn}} {
		now := func() time.Time { return time.Now().Add(tc.off) }
		f := doctor{}.clock(t.Context(), db, now)
		if f.Status != tc.status || (f.Status != checkOK) != (f.Mend != "") {
			t.Errorf("%s: %+v", tc.name, f)
		}
	}
}

func TestDoctorLooksAtWhatRedisKeeps(t *testing.T) {
	t.Parallel()
	rdb, err := tasks.Redis(testenv.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	for _, f := range redisKeeps(t.Context(), rdb) {
		if f.Status != checkOK {
			t.Errorf("as the product starts it: %+v", f)
		}
	}
	f := redisSetting(t.Context(), rdb, "redis eviction", "maxmemory-policy", "allkeys-lru", "…", "mend it")
	if f.Status != checkWarn || !strings.Contains(f.Detail, "maxmemory-policy is noeviction") || f.Mend == "" {
		t.Errorf("another policy: %+v", f)
	}
	if f := redisSetting(t.Context(), rdb, "x", "no-such-setting", "1", "", ""); f.Status != checkWarn || f.Mend == "" {
		t.Errorf("unknown setting: %+v", f)
	}
}

func TestDoctorOnTheKeyThatSeals(t *testing.T) {
	t.Parallel()
	good, old := config.NewSecret(testKey('a')), testKey('b')
	for _, tc := range []struct {
		name string
		cfg  config.Config
		want string
	}{
		{"made by up", config.Config{}, checkOK},
		{"missing beside a database", config.Config{DatabaseURL: config.NewSecret("postgres://h/d")}, checkWarn},
		{"set", config.Config{EncryptionKey: good}, checkOK},
		{"rotating", config.Config{EncryptionKey: good, EncryptionKeysOld: config.Secrets{config.NewSecret(old)}}, checkWarn},
	} {
		if f := (doctor{cfg: tc.cfg}).encryption(); f.Status != tc.want || (f.Status != checkOK) != (f.Mend != "") {
			t.Errorf("%s: %+v, want %s", tc.name, f, tc.want)
		}
	}
}

// testKey is 32 bytes in base64.
func testKey(b byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b, b + 1, 7, 9}, 8))
}

func TestDoctorOnAccounts(t *testing.T) {
	t.Parallel()
	now := time.Now()
	in := func(d time.Duration) *time.Time { at := now.Add(d); return &at }
	for _, tc := range []struct {
		name, status string
		ends         *time.Time
		want         string
	}{
		{"active", growth.AccountActive, nil, checkOK},
		{"long", growth.AccountActive, in(60 * 24 * time.Hour), checkOK},
		{"soon", growth.AccountActive, in(3 * 24 * time.Hour), checkWarn},
		{"ended", growth.AccountReconnect, nil, checkFail},
		{"given up", "disconnected", nil, checkWarn},
	} {
		a := accountHealth{Account: growth.Account{ID: jobID, Name: "Zoé", Status: tc.status}, EndsAt: tc.ends, PostsAtStake: 2}
		f := a.finding(now)
		if f.Status != tc.want || (f.Status != checkOK) != strings.Contains(f.Mend, jobID) || (f.Status != checkOK) != strings.Contains(f.Detail, "2 posts at stake") {
			t.Errorf("%s: %+v, want %s", tc.name, f, tc.want)
		}
	}
}
