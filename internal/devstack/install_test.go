package devstack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
)

// bareHost is this machine with nothing installed on it.
func bareHost() *host {
	h := thisHost()
	h.lookPath = func(string) (string, error) { return "", errors.New("nothing here") }
	h.postgresDirs, h.redisDirs = nil, nil
	return h
}

// hostWith is a machine with some programs on its PATH; ran collects what is run, and run answers it.
func hostWith(euid int, ran *[]string, run func(line string) (string, error), programs ...string) *host {
	h := bareHost()
	h.euid = euid
	h.lookPath = func(file string) (string, error) {
		if slices.Contains(programs, file) {
			return "/usr/bin/" + file, nil
		}
		return "", errors.New("not found")
	}
	h.run = func(_ context.Context, _ string, argv ...string) (string, error) {
		line := strings.ReplaceAll(strings.Join(argv, " "), aptScript, "APT")
		*ran = append(*ran, line)
		return run(line)
	}
	return h
}

func TestMissingServerNamesTheLineToType(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		euid     int
		programs []string
		want     string
	}{
		{"debian", 1000, []string{"apt-get"}, "`sudo apt-get install -y --no-install-recommends postgresql`"},
		{"debian as root", 0, []string{"apt-get"}, "`apt-get install -y --no-install-recommends postgresql`"},
		{"fedora", 1000, []string{"dnf"}, "`sudo dnf install -y postgresql-server`"},
		{"alpine", 0, []string{"apk"}, "`apk add postgresql`"},
		{"arch", 0, []string{"pacman"}, "`pacman -S --noconfirm postgresql`"},
		{"macOS", 501, []string{"brew"}, "`brew install postgresql@17`"},
		{"something else", 501, nil, "install it, or set DATABASE_URL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var ran []string
			h := hostWith(tc.euid, &ran, func(string) (string, error) { return "", nil }, tc.programs...)
			_, err := Config{host: h}.withDefaults().findPostgres(t.Context(), "")
			if growth.CodeOf(err) != growth.Unavailable || !errors.Is(err, errNotInstalled) {
				t.Fatalf("error %v, want unavailable: not installed", err)
			}
			wantWords(t, err.Error(), tc.want, "DATABASE_URL")
			if len(ran) > 0 {
				t.Errorf("ran %q without leave", ran)
			}
		})
	}
}

func TestInstall(t *testing.T) {
	t.Parallel()
	works := func(string) (string, error) { return "", nil }
	noSudo := func(line string) (string, error) {
		if strings.HasPrefix(line, "sudo") {
			return "a password is required", errors.New("exit status 1")
		}
		return "", nil
	}
	for _, tc := range []struct {
		name     string
		euid     int
		programs []string
		run      func(string) (string, error)
		want     []string
	}{
		{"apt as root", 0, []string{"apt-get", "sudo"}, works, []string{"sh -c APT sh redis-tools"}},
		{"apt with sudo", 1000, []string{"apt-get", "sudo"}, works, []string{"sudo -n true", "sudo -n sh -c APT sh redis-tools"}},
		{"sudo would ask", 1000, []string{"apt-get", "sudo"}, noSudo, []string{"sudo -n true"}},
		{"no sudo", 1000, []string{"apt-get"}, works, nil},
		{"brew", 501, []string{"brew"}, works, []string{"brew install redis"}},
		{"brew refuses root", 0, []string{"brew"}, works, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var ran []string
			cfg := Config{Install: true, host: hostWith(tc.euid, &ran, tc.run, tc.programs...)}.withDefaults()
			// Nothing of this puts a server on the machine, so it is missing still.
			if _, err := cfg.findRedis(t.Context()); !errors.Is(err, errNotInstalled) {
				t.Errorf("error %v, want not installed", err)
			}
			if !slices.Equal(ran, tc.want) {
				t.Errorf("ran %q, want %q", ran, tc.want)
			}
		})
	}
}

func TestInstallThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	var ran []string
	h := hostWith(0, &ran, func(string) (string, error) {
		return "reading lists\nE: Unable to locate package postgresql\n", errors.New("exit status 100")
	}, "apt-get")
	err := Ensure(t.Context(), Config{DataDir: dataDir(t), Install: true, host: h})
	if growth.CodeOf(err) != growth.Unavailable {
		t.Fatalf("error %v, want unavailable", err)
	}
	wantWords(t, err.Error(), "Unable to locate package", "exit status 100", "apt-get install")
}

func TestEnsureInstallsBoth(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var ran []string
	h := hostWith(0, &ran, nil, "apt-get")
	h.postgresDirs, h.redisDirs = []string{filepath.Join(dir, "*", "bin")}, []string{dir}
	record := h.run
	h.run = func(ctx context.Context, path string, argv ...string) (string, error) {
		switch {
		case argv[0] == "postgres":
			return "postgres (PostgreSQL) 17.2 (Debian 17.2-1)\n", nil
		case argv[0] == "redis-server":
			return "Redis server v=7.0.15 sha=0 malloc=jemalloc\n", nil
		case strings.HasSuffix(strings.Join(argv, " "), "postgresql"):
			bin := filepath.Join(dir, "17", "bin")
			return "", errors.Join(os.MkdirAll(bin, 0o755), os.WriteFile(filepath.Join(bin, "initdb"), nil, 0o755))
		case strings.HasSuffix(strings.Join(argv, " "), "redis-tools"):
			return "", os.WriteFile(filepath.Join(dir, "redis-check-rdb"), nil, 0o755)
		}
		return record(ctx, path, argv...)
	}
	var out output
	cfg := Config{DataDir: dir, Install: true, Out: &out, host: h}
	if err := Ensure(t.Context(), cfg); err != nil {
		t.Fatalf("Ensure: %v", err)
	}
	if pg := h.installedPostgres(t.Context()); len(pg) != 1 || pg[0].version != "17.2" || pg[0].major() != "17" {
		t.Errorf("postgres: %+v", pg)
	}
	wantWords(t, out.String(), "PostgreSQL is not on this machine", "Redis is not on this machine")

	said := out.String()
	if err := Ensure(t.Context(), cfg); err != nil || out.String() != said {
		t.Errorf("second Ensure: %v, said %q", err, out.String())
	}
}

func TestDataChoosesThePostgres(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var ran []string
	h := hostWith(0, &ran, nil)
	h.postgresDirs = []string{filepath.Join(dir, "*", "bin")}
	for _, major := range []string{"9", "14", "16"} {
		bin := filepath.Join(dir, major, "bin")
		if err := errors.Join(os.MkdirAll(bin, 0o755), os.WriteFile(filepath.Join(bin, "initdb"), nil, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	h.run = func(_ context.Context, path string, _ ...string) (string, error) {
		return "postgres (PostgreSQL) " + filepath.Base(filepath.Dir(filepath.Dir(path))) + ".3", nil
	}
	for major, want := range map[string]string{"": "16.3", "14": "14.3", "15": "16.3", "9": "16.3"} {
		bin, err := Config{host: h}.findPostgres(t.Context(), major)
		if err != nil || bin.version != want {
			t.Errorf("for data of %q: %q, %v; want %q", major, bin.version, err, want)
		}
	}
}
