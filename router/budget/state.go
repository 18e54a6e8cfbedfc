package budget

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
)

// The state of a workspace is one hash, so that one script reaches all of it, in a cluster too. Amounts are billionths
// of a dollar. Its fields:
//
//	gen             the state's generation: without it there is no state
//	ver             the version of the budgets that it was made for
//	s:<window>      spent                       a window is "<budget>/<its first day>"
//	h:<window>      held for calls in flight
//	x:<window>      counted for calls of unknown cost, at their estimates
//	o:<call>        "<estimate>;<1: unknown>;<windows, with commas>" of every call that is not settled
//
// Redis adds with 64-bit integers. Lua compares with doubles, which hold whole numbers exactly up to 2^53, nine million
// dollars; limits end at one million, and NanoUSD cuts off estimates that no limit could hold. Amounts reach the
// script and the commands as text and are never printed by Lua, which would write large ones as 1e+15.
func stateKey(ws growth.WorkspaceID) string { return "astrogrowth:budget:{" + string(ws) + "}" }

func lockKey(ws growth.WorkspaceID) string { return stateKey(ws) + ":rebuild" }

// stateTTL lets the state of a workspace without budgets go. Every rebuild and every audit begins it anew.
const stateTTL = 48 * time.Hour

func windowName(b growth.BudgetID, start time.Time) string {
	return string(b) + "/" + start.UTC().Format(time.DateOnly)
}

var (
	//go:embed reserve.lua
	reserveLua string
	//go:embed settle.lua
	settleLua string
	//go:embed install.lua
	installLua string

	reserveScript = redis.NewScript(reserveLua)
	settleScript  = redis.NewScript(settleLua)
	installScript = redis.NewScript(installLua)
	unlockScript  = redis.NewScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`)
)

// reply is what the script says to a reservation: "ok", "full" (with the budgets that are), "version" or "lost".
type reply struct {
	word       string
	generation string
	full       []fullBudget
}

type fullBudget struct {
	index int // of the budget in the question
	standing
}

func (k *Keeper) ask(ctx context.Context, s Spend, nano, version int64, covering []growth.Budget) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	args := make([]any, 0, 3+2*len(covering))
	args = append(args, strconv.FormatInt(version, 10), string(s.CallID), strconv.FormatInt(nano, 10))
	for _, b := range covering {
		start, _ := b.Period.Window(s.At)
		args = append(args, windowName(b.ID, start), strconv.FormatInt(growth.NanoUSD(b.LimitUSD), 10))
	}
	got, err := reserveScript.Run(ctx, k.rdb, []string{stateKey(s.Workspace)}, args...).StringSlice()
	if err != nil {
		return reply{}, fmt.Errorf("reserve: %w", err)
	}
	return parseReply(got)
}

func parseReply(got []string) (reply, error) {
	if len(got) == 0 {
		return reply{}, errors.New("the script says nothing")
	}
	r := reply{word: got[0]}
	switch {
	case r.word == "ok" && len(got) == 2:
		r.generation = got[1]
	case r.word == "full":
		for i := 1; i+3 < len(got); i += 4 {
			n, err := numbers(got[i : i+4])
			if err != nil {
				return r, err
			}
			r.full = append(r.full, fullBudget{int(n[0]), standing{spent: n[1], held: n[2], unknown: n[3]}})
		}
	}
	return r, nil
}

// numbers reads whole numbers; an absent one is 0.
func numbers(words []string) ([]int64, error) {
	out := make([]int64, len(words))
	for i, w := range words {
		if w == "" {
			continue
		}
		n, err := strconv.ParseInt(w, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("state of the budgets: %w", err)
		}
		out[i] = n
	}
	return out, nil
}

// standing is what the state says of one window.
type standing struct{ spent, held, unknown int64 }

// read gives what the state of a workspace says of every window; ok is false when there is no state.
func (k *Keeper) read(ctx context.Context, ws growth.WorkspaceID) (windows map[string]standing, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*redisTimeout)
	defer cancel()
	all, err := k.rdb.HGetAll(ctx, stateKey(ws)).Result()
	if err != nil {
		return nil, false, fmt.Errorf("read state: %w", err)
	}
	if all["gen"] == "" {
		return nil, false, nil
	}
	windows = map[string]standing{}
	for field, value := range all {
		kind, window, _ := strings.Cut(field, ":")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || len(kind) != 1 {
			continue // gen, ver, or an open call
		}
		st := windows[window]
		switch kind {
		case "s":
			st.spent = n
		case "h":
			st.held = n
		case "x":
			st.unknown = n
		}
		windows[window] = st
	}
	return windows, true, nil
}
