package devstack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// settling is how long a server whose starter was killed is left alone, because the kernel has told it to end.
const settling = 3 * time.Second

// trace is how the processes of one server are told from all others.
type trace struct {
	programs []string // what they run
	dir      string   // where they work
	pidFile  string
	titles   []string // parts of their command line that only they have
}

func (t trace) marks(commandLine string) bool {
	return slices.ContainsFunc(t.titles, func(title string) bool { return strings.Contains(commandLine+" ", title) })
}

// evict ends the server that an earlier run left behind in dir. It must be called with the directory's lock held: only
// then is any server in there an orphan.
func evict(ctx context.Context, cfg Config, name string, find func() []int, steps []step) error {
	pids := find()
	if len(pids) == 0 {
		return nil
	}
	cfg.say("%s: a server of an earlier run is still there (process %d); waiting for it to end", name, roots(pids)[0])
	cfg.Log.Warn().Str("server", name).Ints("pids", pids).Msg("server left over by an earlier run")
	left, err := untilGone(ctx, find, settling)
	for _, s := range steps {
		if err != nil || len(left) == 0 {
			break
		}
		for _, pid := range roots(left) {
			if kerr := syscall.Kill(pid, s.signal); kerr != nil && !errors.Is(kerr, syscall.ESRCH) {
				return fmt.Errorf("stop left-over %s (process %d): %w", name, pid, kerr)
			}
		}
		left, err = untilGone(ctx, find, s.wait)
	}
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return growth.Errorf(growth.Conflict, "devstack", "a %s of an earlier run (process %d) does not end: stop it by hand", name, left[0])
	}
	return nil
}

// untilGone waits until find finds nothing, and returns what is left after wait.
func untilGone(ctx context.Context, find func() []int, wait time.Duration) ([]int, error) {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		left := find()
		if len(left) == 0 {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return left, ctx.Err()
		case <-deadline.C:
			return left, nil
		case <-tick.C:
		}
	}
}
