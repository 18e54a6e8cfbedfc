package budget

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
)

// channel is the Pub/Sub channel on which changes of budgets are told: the workspace's id.
const channel = "astrogrowth:budget-changes"

// list gives a workspace's budgets, and reads all of them when this process has not yet.
func (k *Keeper) list(ctx context.Context, ws growth.WorkspaceID) (covered, error) {
	if k.lists.Load() == nil {
		if err := k.Load(ctx); err != nil {
			return covered{}, err
		}
	}
	return covered(k.lists.Load().of[ws]), nil
}

// lists are the budgets of every workspace as they were read.
type lists struct {
	nth uint64 // of the reading, by its beginning
	of  map[growth.WorkspaceID]growth.WorkspaceBudgets
}

// Load reads the budgets of every workspace. What was known stays known when they cannot be read.
func (k *Keeper) Load(ctx context.Context) error {
	return k.once(ctx, "lists", func(ctx context.Context) error {
		nth := k.readings.Add(1)
		all, err := k.book.Budgets(ctx)
		if err != nil {
			return err
		}
		fresh := &lists{nth: nth, of: make(map[growth.WorkspaceID]growth.WorkspaceBudgets, len(all))}
		for _, w := range all {
			fresh.of[w.Workspace] = w
		}
		for {
			have := k.lists.Load()
			if have != nil && have.nth > nth { // a reading that began later has ended before this one
				return nil
			}
			if k.lists.CompareAndSwap(have, fresh) {
				return nil
			}
		}
	})
}

// once lets the callers of this process that need the same thing at once share one making of it. It goes on when the
// first of them leaves.
func (k *Keeper) once(ctx context.Context, name string, f func(context.Context) error) error {
	done := k.flights.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rebuildTimeout)
		defer cancel()
		return nil, f(ctx)
	})
	select {
	case res := <-done:
		return res.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Changed tells every process that a workspace's budgets are not what they were.
func (k *Keeper) Changed(ctx context.Context, ws growth.WorkspaceID) error {
	k.flights.Forget("lists") // a reading that is under way may have begun before the change
	if err := k.Load(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	// When Redis is down the others find out when they look for themselves.
	return k.rdb.Publish(ctx, channel, string(ws)).Err()
}

// renew answers a state that was made for another version of the budgets than this process holds: one of the two is
// old. Reading the list anew tells which.
func (k *Keeper) renew(ctx context.Context, ws growth.WorkspaceID, held int64) error {
	if err := k.Load(ctx); err != nil {
		return err
	}
	if k.lists.Load().of[ws].Version != held {
		return nil
	}
	return k.Rebuild(ctx, ws)
}

// Rebuild throws a workspace's state away and makes it again from the ledger.
func (k *Keeper) Rebuild(ctx context.Context, ws growth.WorkspaceID) error {
	short, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	// Without its generation nobody takes from the state or settles in it, so nothing slips in between the reading of
	// the ledger and the state that is made of it.
	if err := k.rdb.HDel(short, stateKey(ws), "gen").Err(); err != nil {
		return fmt.Errorf("invalidate state: %w", err)
	}
	return k.rebuild(ctx, ws)
}

// rebuild makes a state that is not there, or waits until somebody else has.
func (k *Keeper) rebuild(ctx context.Context, ws growth.WorkspaceID) error {
	return k.once(ctx, string(ws), func(ctx context.Context) error {
		for {
			mine, err := k.build(ctx, ws)
			if mine || err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(5*time.Millisecond + time.Duration(rand.Int64N(int64(20*time.Millisecond)))): //nolint:gosec // spreading load needs no secrecy
			}
		}
	})
}

// build makes the state under the lock; done is false when somebody else has the lock, or took it over.
//
// From the reading of the ledger until its result is in place there must be no state: a reservation that was made and
// confirmed in one, with a row younger than the reading, would be lost. So whether there is one is asked under the lock,
// which only the builder of a state gives back, together with its state.
func (k *Keeper) build(ctx context.Context, ws growth.WorkspaceID) (done bool, err error) {
	token := growth.NewID()
	got, err := k.rdb.SetNX(ctx, lockKey(ws), token, rebuildTimeout).Result()
	exists := false
	if err == nil {
		exists, err = k.rdb.HExists(ctx, stateKey(ws), "gen").Result()
	}
	if err != nil || exists || !got {
		// Also when it was not got: a command that was sent twice says no about the lock that it has taken itself.
		k.unlock(ctx, ws, token)
		return exists, err
	}
	began := k.now()
	// The windows on both sides of a midnight that is near: clocks differ a little between machines.
	tally, err := k.book.Tally(ctx, ws, began.Add(-clockSkew), began, began.Add(clockSkew))
	if err == nil {
		done, err = k.install(ctx, ws, token, tally)
	}
	if err != nil || !done {
		k.unlock(ctx, ws, token)
		return false, err
	}
	k.log.Info().Str("workspace", string(ws)).Int("open_calls", len(tally.Open)).Dur("took", k.now().Sub(began)).Msg("budgets rebuilt from the ledger")
	return true, nil
}

const clockSkew = 10 * time.Minute

// unlock gives the lock back; one that went to somebody else stays.
func (k *Keeper) unlock(ctx context.Context, ws growth.WorkspaceID, token string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	_ = unlockScript.Run(ctx, k.rdb, []string{lockKey(ws)}, token).Err() // else it expires
}

func (k *Keeper) install(ctx context.Context, ws growth.WorkspaceID, token string, tally growth.BudgetTally) (bool, error) {
	fresh := stateKey(ws) + ":" + token
	fields := fieldsOf(tally)
	_, err := k.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, fresh, "gen", token, "ver", strconv.FormatInt(tally.Version, 10))
		p.PExpire(ctx, fresh, rebuildTimeout)
		for part := range chunks(fields, 1000) {
			p.HSet(ctx, fresh, part...)
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("write state: %w", err)
	}
	n, err := installScript.Run(ctx, k.rdb, []string{stateKey(ws), lockKey(ws), fresh}, token, stateTTL.Milliseconds()).Int()
	if err != nil {
		return false, fmt.Errorf("install state: %w", err)
	}
	return n == 1, nil
}

// chunks cuts a list of pairs into commands that Redis takes in one go.
func chunks(pairs []any, n int) func(func([]any) bool) {
	return func(yield func([]any) bool) {
		for len(pairs) > 0 {
			part := pairs[:min(n, len(pairs))]
			if !yield(part) {
				return
			}
			pairs = pairs[len(part):]
		}
	}
}

// fieldsOf lays a tally out as the fields of a state.
func fieldsOf(t growth.BudgetTally) []any {
	var out []any
	add := func(field string, n int64) { out = append(out, field, strconv.FormatInt(n, 10)) }
	for name, st := range standings(t) {
		add("s:"+name, st.spent)
		add("h:"+name, st.held)
		add("x:"+name, st.unknown)
	}
	for _, c := range t.Open {
		names := windowsOfCall(t, c)
		if len(names) == 0 {
			continue
		}
		flag := "0"
		if c.Unknown {
			flag = "1"
		}
		out = append(out, "o:"+string(c.Call), strconv.FormatInt(c.Nano, 10)+";"+flag+";"+strings.Join(names, ","))
	}
	return out
}

// standings adds up what a tally says of each of its windows.
func standings(t growth.BudgetTally) map[string]standing {
	out := map[string]standing{}
	for _, w := range t.Windows {
		out[windowName(w.Budget, w.Start)] = standing{spent: w.SpentNano}
	}
	for _, c := range t.Open {
		for _, name := range windowsOfCall(t, c) {
			st := out[name]
			if c.Unknown {
				st.unknown += c.Nano
			} else {
				st.held += c.Nano
			}
			out[name] = st
		}
	}
	return out
}

// windowsOfCall names the windows of the tally in which an open call counts.
func windowsOfCall(t growth.BudgetTally, c growth.OpenCall) []string {
	var out []string
	for _, b := range t.Budgets {
		if !b.Covers(c.Campaign, c.Task, c.Key) {
			continue
		}
		start, _ := b.Period.Window(c.At)
		for _, w := range t.Windows {
			if w.Budget == b.ID && w.Start.Equal(start) {
				out = append(out, windowName(b.ID, start))
			}
		}
	}
	return out
}
