package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/daemon"
)

// portUse is a port of the configuration and the program that listens on it.
type portUse struct {
	program, variable string
	port              int
}

// portsOf are the ports that an installation listens on.
func portsOf(cfg config.Config) []portUse {
	out := []portUse{{"enqueuer", "PORT", cfg.Port}, {"monitor", "MONITOR_PORT", cfg.MonitorPort}, {"worker", "WORKER_PORT", cfg.WorkerPort}}
	if cfg.SimulatorWanted() {
		out = append(out, portUse{"simulator", "SIMULATOR_PORT", cfg.SimulatorPort})
	}
	return out
}

// ports says of each port whether it is free, or how the program of ours stands that has it. They are looked at together:
// one that hangs takes its whole time.
func (d doctor) ports(ctx context.Context) []finding {
	uses := portsOf(d.cfg)
	each, runs := make([][]finding, len(uses)), make([]bool, len(uses))
	var wg sync.WaitGroup
	for i, u := range uses {
		wg.Go(func() { each[i], runs[i] = d.port(ctx, u) })
	}
	wg.Wait()
	out := slices.Concat(each...)
	if !slices.Contains(runs, true) {
		return out
	}
	for i, u := range uses {
		if !runs[i] && each[i][0].Status == checkOK {
			out = append(out, d.missing(u))
		}
	}
	return out
}

// missing is a program that does not run here while others do.
func (d doctor) missing(u portUse) finding {
	const mend = "start it, or stop what runs and start everything with 'astrogrowth up'"
	if d.cfg.Embedded() || u.program == "simulator" { // then none can run elsewhere
		return failing(u.program, "does not run, while other programs of ours do", mend)
	}
	return doubtful(u.program, "does not run on this machine, while other programs of ours do", mend+", unless one runs elsewhere")
}

// port says who has a port, and whether that is a program of ours.
func (d doctor) port(ctx context.Context, u portUse) (out []finding, ours bool) {
	name := fmt.Sprintf("%s %d", u.variable, u.port)
	if daemon.PortFree(ctx, d.cfg.Addr(u.port), u.variable) == nil {
		return []finding{found(name, "free")}, false
	}
	at := "http://" + localAddr(d.cfg, u.port)
	status, body := d.ask(ctx, at+"/healthz")
	if status == 0 {
		return []finding{failing(name, "taken, and whoever has it does not answer: the "+u.program+" that hangs, or another program",
			fmt.Sprintf("see who it is ('ss -ltnp sport = :%d', or 'lsof -i :%d'). Our own: end it with 'kill -9', and 'astrogrowth up' starts it again. Another one: stop it, or set %s to another port", u.port, u.port, u.variable))}, false
	}
	who, known := programOf(status, body)
	if !known {
		return []finding{failing(name, "taken by another program", "stop that one, or set "+u.variable+" to another port")}, false
	}
	if who.Program != u.program {
		return []finding{failing(name, "taken by our "+who.Program, "stop that one, or give the two programs different ports")}, true
	}
	status, body = d.ask(ctx, at+"/readyz")
	return append([]finding{found(name, fmt.Sprintf("ours: %s %s", who.Program, who.Version))}, d.readiness(who.Program, status, body)...), true
}

// alive is what a program says on /healthz.
type alive struct {
	Program string `json:"program"`
	Version string `json:"version"`
}

func programOf(status int, body []byte) (a alive, known bool) {
	known = status == http.StatusOK && json.Unmarshal(body, &a) == nil && a.Program != ""
	return a, known
}

// readiness is what a program says on /readyz: a finding for each of its checks that fails.
func (d doctor) readiness(program string, status int, body []byte) []finding {
	var r daemon.Readiness
	if status == 0 || json.Unmarshal(body, &r) != nil || r.Program == "" {
		return []finding{failing(program, "lives, and does not say whether it can work", "see its log, and start it again")}
	}
	if r.Status == "stopping" {
		return []finding{doubtful(program, "is stopping", "run the doctor again when it has started anew")}
	}
	var out []finding
	for _, name := range slices.Sorted(maps.Keys(r.Checks)) {
		if c := r.Checks[name]; !c.OK {
			out = append(out, failing(program, fmt.Sprintf("cannot work: %s %s", name, c.Error), d.checkMend(name)))
		}
	}
	if len(out) == 0 && status != http.StatusOK {
		return []finding{failing(program, "is "+r.Status, "see its log")}
	}
	return out
}

// checkMend says what to do about a check of a program that fails.
func (d doctor) checkMend(name string) string {
	if name == "postgres" || name == "redis" {
		return d.storeMend(name)
	}
	return "see its log"
}

// unready says in a line which checks of a program fail.
func unready(r daemon.Readiness) string {
	var out []string
	for name, check := range r.Checks {
		if !check.OK {
			out = append(out, name+" "+check.Error)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// ask gives status 0 when there is no answer.
func (d doctor) ask(ctx context.Context, address string) (status int, body []byte) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil
	}
	resp, err := d.http.Do(req)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = resp.Body.Close() }() // it has been read as far as anyone cares
	body, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, body
}

// localAddr is where this machine reaches a port of ours.
func localAddr(cfg config.Config, port int) string {
	if cfg.Loopback() {
		return cfg.Addr(port)
	}
	return "127.0.0.1:" + strconv.Itoa(port)
}
