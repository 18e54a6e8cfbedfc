//go:build unix && !linux

package devstack

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// dieWithUs does nothing: only Linux can tie the life of a child to ours. After a kill the server stays, and the next
// start finds it by its pid file and stops it.
func dieWithUs(*syscall.SysProcAttr, syscall.Signal) {}

// seesHelpers: a pid file names the first process of a server only, so residents may overlook the others.
const seesHelpers = false

// residents finds the live server that a pid file names, if the process of that number is the server and not one that
// got the number later.
func residents(t trace) []int {
	b, err := os.ReadFile(t.pidFile)
	if err != nil {
		return nil
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil || !t.marks(string(out)) {
		return nil
	}
	return []int{pid}
}

// roots is everything: a pid file names the first process of a server only.
func roots(pids []int) []int { return pids }
