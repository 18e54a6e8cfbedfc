package devstack

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// packages names one server in the package managers that there are.
type packages struct {
	apt, dnf, apk, pacman, brew string
	setting                     string // what to set to use a server that runs elsewhere
}

var (
	postgresPackages = packages{
		apt: "postgresql", dnf: "postgresql-server", apk: "postgresql", pacman: "postgresql", brew: "postgresql@17",
		setting: "DATABASE_URL",
	}
	// redis-tools and not redis-server: it holds the very same program, without the system service that would start.
	redisPackages = packages{
		apt: "redis-tools", dnf: "redis", apk: "redis", pacman: "redis", brew: "redis",
		setting: "REDIS_URL",
	}
)

//go:embed apt.sh
var aptScript string

// install puts a server on the machine with the package manager that is there, without letting it start anything.
func (c Config) install(ctx context.Context, what string, p packages) error {
	if !c.Install {
		return c.missing(what, p, errNotInstalled)
	}
	argv := c.installer(ctx, p)
	if argv == nil {
		return c.missing(what, p, fmt.Errorf("%w, and this program may not install it", errNotInstalled))
	}
	c.say("%s is not on this machine; installing it (about a minute)", what)
	out, err := c.host.run(ctx, argv[0], argv...)
	if ctx.Err() != nil {
		return fmt.Errorf("install %s: %w", what, context.Cause(ctx))
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(out), "\n")
		return c.missing(what, p, fmt.Errorf("%w: %w: %s", errNotInstalled, err, strings.Join(lines[max(0, len(lines)-4):], "; ")))
	}
	c.Log.Info().Str("server", what).Msg("server installed")
	return nil
}

// installer is the command that installs p, nil when there is none that would work without a question.
func (c Config) installer(ctx context.Context, p packages) []string {
	h := c.host
	switch {
	case h.has("apt-get"):
		script := []string{"sh", "-c", aptScript, "sh", p.apt}
		if h.euid == 0 {
			return script
		}
		if !h.has("sudo") {
			return nil
		}
		if _, err := h.run(ctx, "sudo", "sudo", "-n", "true"); err != nil {
			return nil
		}
		return append([]string{"sudo", "-n"}, script...)
	case h.has("brew") && h.euid != 0: // brew refuses root
		return []string{"brew", "install", p.brew}
	}
	return nil
}

func (h *host) has(program string) bool {
	_, err := h.lookPath(program)
	return err == nil
}

// lineToType is the command with which a person installs p, empty when the package manager is not one that we know.
func (h *host) lineToType(p packages) string {
	sudo := "sudo "
	if h.euid == 0 {
		sudo = ""
	}
	for _, m := range []struct{ manager, line string }{
		{"apt-get", sudo + "apt-get install -y --no-install-recommends " + p.apt},
		{"dnf", sudo + "dnf install -y " + p.dnf},
		{"apk", sudo + "apk add " + p.apk},
		{"pacman", sudo + "pacman -S --noconfirm " + p.pacman},
		{"brew", "brew install " + p.brew},
	} {
		if h.has(m.manager) {
			return m.line
		}
	}
	return ""
}

// advice is what a person can do about a missing server.
func (h *host) advice(p packages) string {
	if line := h.lineToType(p); line != "" {
		return "install it with `" + line + "`, or set " + p.setting
	}
	return "install it, or set " + p.setting
}

// missing is the error about a server that is not there, with the line to type.
func (c Config) missing(what string, p packages, cause error) error {
	return &growth.Error{Code: growth.Unavailable, Op: "devstack", Message: what + " is needed; " + c.host.advice(p), Err: cause}
}
