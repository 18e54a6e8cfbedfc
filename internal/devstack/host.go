package devstack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// host is what this package asks the machine for. Tests put another one in place to hide a binary or a package manager.
type host struct {
	goos         string
	euid         int
	lookPath     func(file string) (string, error)
	run          func(ctx context.Context, path string, argv ...string) (string, error)
	postgresDirs []string // patterns of directories with server binaries that are on no PATH
	redisDirs    []string
	stateDir     string // where root keeps data whose own place the servers' accounts cannot reach
	tmpDir       string // short enough for a socket, whatever TMPDIR says
}

func thisHost() *host {
	return &host{
		goos:     runtime.GOOS,
		euid:     os.Geteuid(),
		lookPath: exec.LookPath,
		run:      runCommand,
		postgresDirs: []string{
			"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*", "/usr/local/pgsql/bin",
			"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin", "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
			"/Applications/Postgres.app/Contents/Versions/*/bin",
		},
		redisDirs: []string{
			"/usr/bin", "/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin", "/home/linuxbrew/.linuxbrew/bin",
		},
		stateDir: "/var/lib/astrogrowth",
		tmpDir:   "/tmp",
	}
}

// runCommand runs the program at path (or on the PATH) under the name argv[0] and returns what it printed on both of
// its outputs.
func runCommand(ctx context.Context, path string, argv ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, path)
	cmd.Args = argv
	cmd.Stdout, cmd.Stderr = &out, &out
	// A package manager that is killed outright leaves a half-installed package behind.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("run %s: %w", argv[0], err)
	}
	return out.String(), nil
}

// account is who a server runs as.
type account struct {
	name     string
	uid, gid int
}

// accountNamed returns the first account of names that exists. Postgres refuses to run as root, and nothing here has
// a need to.
func accountNamed(names ...string) (account, error) {
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.Atoi(u.Uid)
		gid, gerr := strconv.Atoi(u.Gid)
		if uerr == nil && gerr == nil && uid != 0 {
			return account{name: name, uid: uid, gid: gid}, nil
		}
	}
	return account{}, fmt.Errorf("no account to run the server as: none of %s exists", strings.Join(names, ", "))
}
