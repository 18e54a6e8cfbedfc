package tasks_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// spent is the processor time of this process, and of the servers that it started, in microseconds. On a shared machine
// it says more than the clock on the wall.
type spent struct{ program, postgres, redis float64 }

func cpu(tb testing.TB) spent {
	tb.Helper()
	s := spent{program: ticks(tb, os.Getpid(), false)}
	var walk func(pid int)
	walk = func(pid int) {
		for _, child := range childrenOf(pid) {
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", child))
			if strings.HasPrefix(string(name), "redis") {
				s.redis += ticks(tb, child, true)
			} else {
				s.postgres += ticks(tb, child, true)
			}
			walk(child)
		}
	}
	walk(os.Getpid())
	return s
}

func (s spent) since(before spent) spent {
	return spent{s.program - before.program, s.postgres - before.postgres, s.redis - before.redis}
}

func (s spent) report(b *testing.B) {
	b.Helper()
	n := float64(b.N)
	b.ReportMetric(s.program/n, "go-µs/job")
	b.ReportMetric(s.postgres/n, "pg-µs/job")
	b.ReportMetric(s.redis/n, "redis-µs/job")
	b.ReportMetric((s.program+s.postgres+s.redis)/n, "cpu-µs/job")
}

// ticks reads a process's user and system time; gone adds that of its children that have ended.
func ticks(tb testing.TB, pid int, gone bool) float64 {
	tb.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0 // it has ended in the meantime, or this is no Linux
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	last := 13
	if gone {
		last = 15
	}
	var sum float64
	for _, f := range fields[11:last] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			tb.Fatal(err)
		}
		sum += n
	}
	return sum * 10_000 // a tick is a hundredth of a second
}

func childrenOf(pid int) []int {
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid)) // none when it has ended
	var out []int
	for _, t := range threads {
		list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		for f := range strings.FieldsSeq(string(list)) {
			if n, err := strconv.Atoi(f); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}
