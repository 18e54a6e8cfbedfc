package testenv

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/zakibelm/astrogrowth/internal/devstack"
)

// TestMain also looks whether the end of the servers leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(Around(m)) }

func connect(t *testing.T, url string) *redis.Client {
	t.Helper()
	opt, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(opt)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestEachTestHasAnEmptyRedisDatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	first, second := Redis(t), Redis(t)
	if first == second {
		t.Fatalf("both are %s", first)
	}
	if err := connect(t, first).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := connect(t, second).Get(t.Context(), "k").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("the second sees the first's key: %v", err)
	}
	if err := connect(t, second).FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if got := connect(t, first).Get(t.Context(), "k").Val(); got != "v" {
		t.Errorf("k = %q after another's FLUSHDB", got)
	}
}

func TestRedisDatabasesAreUsedAgainEmpty(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]int{}
	for range 2*redisDatabases + 1 {
		t.Run("", func(t *testing.T) { //nolint:paralleltest // one after another is what makes them be used again
			url := Redis(t)
			mu.Lock()
			seen[url]++
			mu.Unlock()
			client := connect(t, url)
			if n := client.DBSize(t.Context()).Val(); n != 0 {
				t.Fatalf("%d keys in %s, want none", n, url)
			}
			if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
				t.Fatal(err)
			}
		})
	}
	if len(seen) > redisDatabases {
		t.Errorf("%d databases, want at most %d", len(seen), redisDatabases)
	}
}

func TestPostgresIsOneForAll(t *testing.T) {
	t.Parallel()
	url := Postgres(t)
	if again := Postgres(t); again != url {
		t.Errorf("first %s, then %s", url, again)
	}
	connector, err := pq.NewConnector(url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connector.Connect(t.Context())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestPostgresOfTheEnvironment(t *testing.T) {
	t.Setenv(databaseVar, "postgres://elsewhere/db")
	if got := Postgres(t); got != "postgres://elsewhere/db" {
		t.Errorf("Postgres = %s", got)
	}
}

// The end of a whole test binary, seen from outside.
func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^(TestPostgresIsOneForAll|TestShowDir)$", "-test.v")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := regexp.MustCompile(`servers in (\S+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("no directory in\n%s", out)
	}
	dir := string(m[1])
	if _, err = os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", dir, err)
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range lines {
		if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), dir) {
			t.Errorf("process left: %s", b)
		}
	}
}

func TestShowDir(t *testing.T) {
	t.Parallel()
	Redis(t)
	dir, err := current.dir()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("servers in %s", dir)
}

func TestSweepTakesOnlyWhatNobodyUses(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	old, used, young := filepath.Join(parent, prefix+"old"), filepath.Join(parent, prefix+"used"), filepath.Join(parent, prefix+"young")
	for _, dir := range []string{old, used, young, filepath.Join(parent, "other")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	release, err := devstack.Lock(used)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	past := time.Now().Add(-2 * time.Hour)
	for _, dir := range []string{old, used, filepath.Join(parent, "other")} {
		if err = os.Chtimes(dir, past, past); err != nil {
			t.Fatal(err)
		}
	}
	sweep(parent, time.Now().Add(-time.Hour))
	left, err := filepath.Glob(filepath.Join(parent, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 3 {
		t.Errorf("left: %v, want all but the old one", left)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old one: %v", err)
	}
}

func TestFailureOfTheTestsIsKept(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		code int
		stop error
		want int
	}{
		{"all well", 0, nil, 0},
		{"tests failed", 2, nil, 2},
		{"server did not end", 0, errors.New("does not end"), 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSuite(fixed(tc.code))
			s.atEnd(func() error { return tc.stop })
			if got := s.Run(); got != tc.want {
				t.Errorf("code %d, want %d", got, tc.want)
			}
		})
	}
}

type fixed int

func (f fixed) Run() int { return int(f) }
