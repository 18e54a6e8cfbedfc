package devstack

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// dieWithUs has the kernel send signal to the child when the thread that started it ends, which is how a server ends
// in order even when we are killed.
func dieWithUs(attr *syscall.SysProcAttr, signal syscall.Signal) { attr.Pdeathsig = signal }

// seesHelpers: here residents finds every process of a server, so none found means that none is left.
const seesHelpers = true

// residents finds the live processes of a server by what they run and where they work: every process of Postgres and
// of Redis works in its data directory, also those of which no file tells. Root in a container may not look up where
// others work; there the command line has to do.
func residents(t trace) []int {
	dir, err := filepath.EvalSymlinks(t.dir)
	if err != nil {
		return nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		proc := filepath.Join("/proc", e.Name())
		name, err := os.ReadFile(filepath.Join(proc, "comm")) //nolint:gosec // beneath /proc
		if err != nil || !slices.Contains(t.programs, strings.TrimSpace(string(name))) {
			continue
		}
		cwd, _ := os.Readlink(filepath.Join(proc, "cwd"))
		line, _ := os.ReadFile(filepath.Join(proc, "cmdline")) //nolint:gosec // beneath /proc
		// A process that has ended and was not waited for has no command line: it holds nothing any more.
		if len(line) > 0 && (cwd == dir || t.marks(string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// roots leaves out the processes whose parent is among pids: a server tells its own helpers when to end.
func roots(pids []int) []int {
	return slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return slices.Contains(pids, parentOf(pid)) })
}

func parentOf(pid int) int {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0
	}
	// "pid (name) state ppid …", and the name may hold spaces and brackets.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	ppid, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return ppid
}
