package devstack

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

func itoa(n int) string { return strconv.Itoa(n) }

// player is this test binary run as a program of its own.
func player(t *testing.T, how, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), os.Args[0], how, dir)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, bufio.NewScanner(stdout)
}

func TestServersEndWithTheirKilledStarter(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	needRedis(t)
	dir := dataDir(t)
	cmd, lines := player(t, "run", dir)
	var pids []int
	for lines.Scan() && pids == nil {
		if rest, ok := strings.CutPrefix(lines.Text(), "PLAYING "); ok {
			for f := range strings.FieldsSeq(rest) {
				pid, err := strconv.Atoi(f)
				if err != nil {
					t.Fatal(err)
				}
				pids = append(pids, pid)
			}
			break
		}
	}
	if len(pids) != 2 {
		t.Fatalf("the program did not start: %v", lines.Err())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// At once, while the old servers are still on their way out.
	p := startPostgres(t, Config{DataDir: dir})
	mustExec(t, p, "SELECT * FROM kept")
	r := startRedis(t, Config{DataDir: dir})
	for _, pid := range pids {
		if slices.Contains(p.srv.find(), pid) || slices.Contains(r.srv.find(), pid) {
			t.Errorf("process %d outlived its starter and the next start", pid)
		}
	}
}

func TestInterruptedInitdbIsDoneAgain(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	dir := dataDir(t)
	cmd, lines := player(t, "run", dir)
	go func() { // so that it does not wait for a reader
		for lines.Scan() {
		}
	}()
	eventually(t, "initdb at work", func() bool {
		half, _ := filepath.Glob(filepath.Join(dir, "postgres.init-*", "PG_VERSION"))
		return len(half) > 0
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
		t.Fatal("initdb had ended before it could be interrupted")
	}
	mustExec(t, startPostgres(t, Config{DataDir: dir}), "SELECT 1")
	if half, _ := filepath.Glob(filepath.Join(dir, "postgres.init-*")); len(half) > 0 {
		t.Errorf("left behind: %v", half)
	}
}

// A server whose death signal did not come, as on systems that have none.
func TestOrphanIsTakenOver(t *testing.T) {
	t.Parallel()
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		needPostgres(t)
		var out output
		cfg := Config{DataDir: dataDir(t), Out: &out}
		p := startPostgres(t, cfg)
		mustExec(t, p, "CREATE TABLE kept AS SELECT 1 AS n")
		if err := p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		orphan := abandoned(t, filepath.Join(p.bin.dir, "postgres"), p.args(), p.srv.place)
		eventually(t, "orphan answers", func() bool { return p.exec(t.Context(), databaseName, "SELECT 1") == nil })

		mustExec(t, startPostgres(t, cfg), "SELECT 1/count(*) FROM kept")
		within(t, "end of the orphan", orphan.exited)
		if !orphan.succeeded() {
			t.Errorf("the orphan ended with %s, want an orderly end", orphan.outcome())
		}
		wantWords(t, out.String(), "earlier run", itoa(orphan.cmd.Process.Pid))
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		needRedis(t)
		cfg := Config{DataDir: dataDir(t)}
		r := startRedis(t, cfg)
		if err := r.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		orphan := abandoned(t, r.bin.path, r.args(), r.srv.place)
		eventually(t, "orphan answers", func() bool { got, _ := r.answers(t.Context()); return got == ready })
		client := connect(t, r.URL())
		if err := client.Set(t.Context(), "kept", "yes", 0).Err(); err != nil {
			t.Fatal(err)
		}

		again := startRedis(t, cfg)
		within(t, "end of the orphan", orphan.exited)
		if got, err := connect(t, again.URL()).Get(t.Context(), "kept").Result(); got != "yes" {
			t.Errorf("kept = %q, %v", got, err)
		}
	})
}

// abandoned starts a server of p without a death signal and without the lock, as one that outlived its starter.
func abandoned(t *testing.T, path string, args []string, p place) *process {
	t.Helper()
	log, err := openServerLog(p.log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.close)
	proc, err := command{path: path, args: args, as: p.as, log: log.file}.start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proc.cmd.Process.Kill(); <-proc.exited })
	return proc
}

func TestPlainUser(t *testing.T) {
	t.Parallel()
	needRoot(t)
	needPostgres(t)
	needRedis(t)
	nobody, err := accountNamed("nobody")
	if err != nil {
		t.Skip(err)
	}
	dir := dataDir(t)
	binary := filepath.Join(dir, "devstack.test") // where the other user can execute it
	copyFile(t, os.Args[0], binary)
	home := filepath.Join(dir, "home")
	if err = os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err = os.Chown(home, nobody.uid, nobody.gid); err != nil {
		t.Fatal(err)
	}
	cycle := func(data string) (string, error) {
		cmd := exec.CommandContext(t.Context(), binary, "cycle", data)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(nobody.uid), Gid: uint32(nobody.gid)}}
		out, cerr := cmd.CombinedOutput()
		return string(out), cerr
	}

	data := filepath.Join(home, "data")
	out, err := cycle(data)
	if err != nil || strings.Count(out, "PLAYING") != 2 {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, mode := range map[string]os.FileMode{"": 0o700, "postgres": 0o700, "redis": 0o700, "run/postgres": 0o700} {
		info, serr := os.Stat(filepath.Join(data, name))
		if serr != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want mode %v", name, info, serr, mode)
		}
	}

	// The same directory by root goes on with what the plain user made, as that user.
	p := startPostgres(t, Config{DataDir: data})
	mustExec(t, p, "SELECT * FROM kept")
	if p.srv.place.as == nil || p.srv.place.as.uid != nobody.uid {
		t.Errorf("root runs it as %+v, want the owner", p.srv.place.as)
	}

	// And root's is refused to the plain user.
	of := filepath.Join(dir, "of-root")
	if err = startPostgres(t, Config{DataDir: of}).Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err = cycle(of)
	if err == nil {
		t.Error("a plain user opened root's data")
	}
	wantWords(t, out, "belongs to user")
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	src, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = src.Close() }()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(dst, src); err != nil {
		t.Fatal(err)
	}
	if err := dst.Close(); err != nil {
		t.Fatal(err)
	}
}

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
