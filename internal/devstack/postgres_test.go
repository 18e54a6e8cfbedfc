package devstack

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
)

func TestPostgresKeepsDataOverRestart(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	var out output
	cfg := Config{DataDir: filepath.Join(dataDir(t), "a + path \"with\" 'signs'"), Out: &out, Sync: true}
	p := startPostgres(t, cfg)
	mustExec(t, p, "CREATE TABLE kept AS SELECT 1 AS n")
	if err := p.Stop(t.Context()); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	if left := p.srv.find(); len(left) > 0 {
		t.Errorf("processes %v are left after Stop", left)
	}
	select {
	case <-p.Done():
		t.Error("Done is closed, but the server was asked to stop")
	default:
	}

	again := startPostgres(t, cfg)
	mustExec(t, again, "SELECT 1/count(*) FROM kept") // fails when the row is gone
	if again.Version() == "" || !strings.HasPrefix(again.URL(), "postgres://astrogrowth@/astrogrowth?host=%2F") {
		t.Errorf("version %q, url %q", again.Version(), again.URL())
	}
	if n := strings.Count(out.String(), "making a new database"); n != 1 {
		t.Errorf("initdb ran %d times; said:\n%s", n, out.String())
	}
}

func TestPostgresSurvivesKill(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	cfg := Config{DataDir: dataDir(t), Sync: true}
	p := startPostgres(t, cfg)
	mustExec(t, p, "CREATE TABLE kept AS SELECT 1 AS n")
	if err := p.srv.proc.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	within(t, "Done after kill", p.Done())
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("Stop after death: %v", err)
	}
	mustExec(t, startPostgres(t, cfg), "SELECT 1/count(*) FROM kept")
}

func TestPostgresSideBySide(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	a := startPostgres(t, Config{DataDir: dataDir(t)})
	b := startPostgres(t, Config{DataDir: dataDir(t)})
	mustExec(t, a, "CREATE TABLE of_a AS SELECT 1")
	if err := b.exec(t.Context(), databaseName, "SELECT * FROM of_a"); err == nil {
		t.Error("b has the table of a")
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Errorf("Stop: %v", err)
	}
	mustExec(t, a, "SELECT * FROM of_a")
}

func TestPostgresDirectoryInUse(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	dir := dataDir(t)
	p := startPostgres(t, Config{DataDir: dir})
	_, err := StartPostgres(t.Context(), Config{DataDir: dir})
	if growth.CodeOf(err) != growth.Conflict {
		t.Fatalf("second start: %v, want a conflict", err)
	}
	wantWords(t, err.Error(), dir, "in use")
	mustExec(t, p, "SELECT 1") // and the first is none the worse for it

	other := Config{DataDir: dataDir(t), RuntimeDir: filepath.Join(dir, "run")}
	if _, err := StartPostgres(t.Context(), other); growth.CodeOf(err) != growth.Conflict {
		t.Errorf("another's sockets: %v, want a conflict", err)
	}
}

func TestPostgresRefusesWhatItCannotOpen(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	for _, tc := range []struct {
		name  string
		files map[string]string
		words []string
	}{
		{"another version", map[string]string{"PG_VERSION": "11\n", "global/pg_control": "x", "base/1": "data"}, []string{"PostgreSQL 11", "move the directory away"}},
		{"no cluster", map[string]string{"letters.txt": "dear"}, []string{"holds no PostgreSQL data"}},
		{"half a cluster", map[string]string{"PG_VERSION": "15\n", "base/1": "data"}, []string{"incomplete"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := dataDir(t)
			for name, text := range tc.files {
				path := filepath.Join(dir, "postgres", name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			before := snapshot(t, filepath.Join(dir, "postgres"))
			_, err := StartPostgres(t.Context(), Config{DataDir: dir})
			if growth.CodeOf(err) != growth.Conflict {
				t.Fatalf("error %v, want a conflict", err)
			}
			wantWords(t, err.Error(), append(tc.words, filepath.Join(dir, "postgres"), "nothing was changed")...)
			if tc.name == "another version" {
				wantWords(t, err.Error(), thisHost().installedPostgres(t.Context())[0].version)
			}
			if diff := cmp.Diff(before, snapshot(t, filepath.Join(dir, "postgres"))); diff != "" {
				t.Errorf("the directory was touched (-before +after):\n%s", diff)
			}
			// The refusal must not keep the directory locked.
			if _, again := StartPostgres(t.Context(), Config{DataDir: dir}); again == nil || again.Error() != err.Error() {
				t.Errorf("second start: %v, want the same refusal", again)
			}
		})
	}
}

// snapshot maps each file beneath dir to its mode, time and contents.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files[path] = info.Mode().String() + info.ModTime().String()
		if d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			files[path] += string(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestPostgresSaysWhyItDoesNotStart(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	cfg := Config{DataDir: dataDir(t)}
	p := startPostgres(t, cfg)
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(cfg.DataDir, "postgres", "postgresql.conf")
	if err := os.WriteFile(conf, []byte("no_such_setting = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := StartPostgres(t.Context(), cfg)
	if growth.CodeOf(err) != growth.Unavailable {
		t.Fatalf("error %v, want unavailable", err)
	}
	wantWords(t, err.Error(), "no_such_setting", "postgres.log")
}

func TestPostgresStartIsCanceled(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	cfg := Config{DataDir: dataDir(t)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := StartPostgres(ctx, cfg); err == nil {
		t.Fatal("no error from a canceled start")
	}
	mustExec(t, startPostgres(t, cfg), "SELECT 1") // it left nothing in the way
}

// An id that the kernel has given to somebody else since must neither stop the start nor cost that process its life.
func TestPostgresStaleLockOfReusedPID(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	needLinux(t)
	cfg := Config{DataDir: dataDir(t)}
	p := startPostgres(t, cfg)
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	stranger, err := command{path: "/bin/sleep", args: []string{"sleep", "600"}, as: p.srv.place.as, death: syscall.SIGKILL}.start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stranger.cmd.Process.Kill(); <-stranger.exited })
	pid := []byte(itoa(stranger.cmd.Process.Pid) + "\n" + p.srv.place.data + "\n")
	for _, path := range []string{filepath.Join(p.srv.place.data, "postmaster.pid"), p.srv.place.socket + ".lock"} {
		if err := os.WriteFile(path, pid, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mustExec(t, startPostgres(t, cfg), "SELECT 1")
	if !alive(stranger.cmd.Process.Pid) {
		t.Error("the process that has the old id now was ended")
	}
}

func TestPostgresLogKeepsNoData(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	p := startPostgres(t, Config{DataDir: dataDir(t)})
	mustExec(t, p, "CREATE TABLE leads (email text PRIMARY KEY)")
	mustExec(t, p, "INSERT INTO leads VALUES ('ada@example.org')")
	if err := p.exec(t.Context(), databaseName, "INSERT INTO leads VALUES ('ada@example.org')"); err == nil {
		t.Fatal("a duplicate was taken")
	}
	b, err := os.ReadFile(p.srv.place.log)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "ada@") {
		t.Errorf("the server's log holds a lead's address:\n%s", b)
	}
}
