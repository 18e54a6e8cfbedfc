package devstack

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
)

func TestSocketPathOfNoUse(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	needRedis(t)
	for name, sub := range map[string]string{"too long": strings.Repeat("long/", 24), "comma": "one,two"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := thisHost()
			h.tmpDir = dataDir(t)
			cfg := Config{DataDir: filepath.Join(dataDir(t), sub), host: h}
			p, r := startPostgres(t, cfg), startRedis(t, cfg)
			for _, place := range []place{p.srv.place, r.srv.place} {
				if len(place.socket) > maxSocketPath || !strings.HasPrefix(place.socket, h.tmpDir+"/astrogrowth-") {
					t.Errorf("socket %s", place.socket)
				}
				info, err := os.Stat(place.sockets)
				if err != nil || info.Mode().Perm() != 0o700 {
					t.Errorf("%s: %v, %v, want mode 0700", place.sockets, info, err)
				}
			}
			mustExec(t, p, "SELECT 1")
			if err := connect(t, r.URL()).Ping(t.Context()).Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Somebody may have made the directory in /tmp before us, to have a look at what we put there.
func TestSocketPlaceOfSomebodyElse(t *testing.T) {
	t.Parallel()
	needRoot(t)
	h := thisHost()
	h.tmpDir = dataDir(t)
	deep := filepath.Join(dataDir(t), strings.Repeat("long/", 24))
	trap := filepath.Join(h.tmpDir, "astrogrowth-0-"+shortHash(deep))
	if err := os.Mkdir(trap, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(trap, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	_, err := newPlace(Config{DataDir: deep, host: h}.withDefaults(), "redis", "redis.sock", "nobody")
	if growth.CodeOf(err) != growth.Conflict {
		t.Fatalf("error %v, want a conflict", err)
	}
	wantWords(t, err.Error(), trap)
}

func TestDataMovesWhereItsAccountCanReachIt(t *testing.T) {
	t.Parallel()
	needRoot(t)
	needPostgres(t)
	h := thisHost()
	h.stateDir = filepath.Join(dataDir(t), "state")
	home := filepath.Join(dataDir(t), "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	var out output
	cfg := Config{DataDir: filepath.Join(home, "data"), Out: &out, host: h}
	p := startPostgres(t, cfg)
	mustExec(t, p, "CREATE TABLE kept AS SELECT 1")
	if !strings.HasPrefix(p.srv.place.data, h.stateDir+"/") {
		t.Errorf("data in %s, want it in %s", p.srv.place.data, h.stateDir)
	}
	wantWords(t, out.String(), "cannot reach", cfg.DataDir, p.srv.place.base)
	if info, err := os.Stat(home); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory above: %v, %v, want it left as it was", info, err)
	}
	if err := p.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	mustExec(t, startPostgres(t, cfg), "SELECT * FROM kept")
}

func TestReachable(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := dataDir(t)
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	a := account{uid: 4321, gid: 8765}
	for _, tc := range []struct {
		name     string
		mode     os.FileMode
		uid, gid int
		want     bool
	}{
		{"open to all", 0o711, 0, 0, true},
		{"shut", 0o700, 0, 0, false},
		{"its own", 0o700, 4321, 0, true},
		{"its own, shut to itself", 0o611, 4321, 0, false},
		{"its group's", 0o710, 0, 8765, true},
		{"its group shut out", 0o701, 0, 8765, false},
	} {
		t.Run(tc.name, func(t *testing.T) { //nolint:paralleltest // one directory for all
			if err := os.Chown(sub, tc.uid, tc.gid); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(sub, tc.mode); err != nil {
				t.Fatal(err)
			}
			if got := reachable(sub, a); got != tc.want {
				t.Errorf("reachable = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(dataDir(t), "new")
	release, err := Lock(dir)
	if err != nil {
		t.Fatalf("Lock: %v", err)
	}
	_, err = Lock(dir)
	if growth.CodeOf(err) != growth.Conflict {
		t.Fatalf("second Lock: %v, want a conflict", err)
	}
	wantWords(t, err.Error(), dir, itoa(os.Getpid()))
	release()
	release() // is harmless
	again, err := Lock(dir)
	if err != nil {
		t.Fatalf("Lock after release: %v", err)
	}
	again()
}

func TestServerLogIsPutAsideWhenItIsLarge(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.log")
	if err := os.WriteFile(path, make([]byte, maxServerLog+1), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := openServerLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if _, err := l.file.WriteString("one\ntwo\nthree\n"); err != nil {
		t.Fatal(err)
	}
	if got := l.tail(2); got != "two\nthree" {
		t.Errorf("tail = %q", got)
	}
	if info, err := os.Stat(path + ".1"); err != nil || info.Size() != maxServerLog+1 {
		t.Errorf("the old log: %v, %v", info, err)
	}
}

// What is in our environment is ours: the providers' keys must not be in that of a server under another account.
func TestServersDoNotSeeOurEnvironment(t *testing.T) {
	t.Parallel()
	needLinux(t)
	needRedis(t)
	r := startRedis(t, Config{DataDir: dataDir(t)})
	b, err := os.ReadFile(filepath.Join("/proc", itoa(r.srv.proc.cmd.Process.Pid), "environ"))
	if err != nil {
		t.Fatal(err)
	}
	for kv := range strings.SplitSeq(strings.TrimRight(string(b), "\x00"), "\x00") {
		name, _, _ := strings.Cut(kv, "=")
		if name != "" && name != "PATH" && name != "TZ" {
			t.Errorf("the server has %s in its environment", name)
		}
	}
}
