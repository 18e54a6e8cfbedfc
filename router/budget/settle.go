package budget

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// The bounds of what waits. What finds no room is found by the next audit.
const (
	settleQueue = 8192
	settleBatch = 256
	alertQueue  = 1024
)

// settlement is the end of a reserved call. cost is nil when nobody knows it.
type settlement struct {
	workspace growth.WorkspaceID
	call      growth.CallID
	cost      *decimal.Decimal
}

// Settle puts what a call has cost in the place of its reservation; nil leaves it counted at its estimate. It must not
// come before the row of the call's end is committed, or a rebuild between the two would count the call twice.
func (k *Keeper) Settle(ctx context.Context, r Reservation, actual *decimal.Decimal) error {
	if !r.Covered() {
		return nil
	}
	return k.settle(ctx, r.spend.Workspace, []settlement{{r.spend.Workspace, r.spend.CallID, actual}})
}

// Committed takes ledger rows whose commit is done, and settles those for which money is held. It never blocks.
func (k *Keeper) Committed(calls []growth.Call) {
	for _, c := range calls {
		if c.Reserved == nil || c.Status == growth.CallStarted {
			continue
		}
		select {
		case k.settles <- settlement{c.Workspace, c.ID, c.Cost.USD}:
		default:
		}
	}
}

// settleAll settles one and whatever else has come, a workspace at a time.
func (k *Keeper) settleAll(ctx context.Context, first settlement) {
	byWorkspace := map[growth.WorkspaceID][]settlement{first.workspace: {first}}
	for n := 1; n < settleBatch; n++ {
		select {
		case s := <-k.settles:
			byWorkspace[s.workspace] = append(byWorkspace[s.workspace], s)
			continue
		default:
		}
		break
	}
	for ws, list := range byWorkspace {
		if err := k.settle(ctx, ws, list); err != nil {
			k.log.Warn().Err(err).Str("workspace", string(ws)).Int("calls", len(list)).Msg("settlement left to the audit")
		}
	}
}

// settle makes the settlements of one workspace. Without a state there is nothing to settle in: the rebuild that comes
// next reads the committed rows.
func (k *Keeper) settle(ctx context.Context, ws growth.WorkspaceID, list []settlement) error {
	args := make([]any, 0, 2*len(list))
	for _, s := range list {
		cost := ""
		if s.cost != nil {
			cost = strconv.FormatInt(growth.NanoUSD(*s.cost), 10)
		}
		args = append(args, string(s.call), cost)
	}
	for tries := 0; ; tries++ {
		short, cancel := context.WithTimeout(ctx, redisTimeout)
		got, err := settleScript.Run(short, k.rdb, []string{stateKey(ws)}, args...).StringSlice()
		cancel()
		if err != nil {
			return fmt.Errorf("settle: %w", err)
		}
		if len(got) == 0 || got[0] != "lost" {
			k.look(ws, got)
			return nil
		}
		// A rebuild that is under way may have read the ledger before the rows were committed: settle in what it makes.
		if tries == 3 {
			return fmt.Errorf("settle: the state of the budgets is being rebuilt again and again")
		}
		if err := k.rebuild(ctx, ws); err != nil {
			return err
		}
	}
}

// look raises the alerts of the windows that a settlement has changed.
func (k *Keeper) look(ws growth.WorkspaceID, got []string) {
	known := k.lists.Load()
	if known == nil {
		return
	}
	for i := 1; i+2 < len(got); i += 3 {
		n, err := numbers(got[i+1 : i+3])
		if err != nil {
			continue
		}
		for _, b := range known.of[ws].Budgets {
			k.cross(b, got[i], n[0]+n[1])
		}
	}
}

// cross raises the alerts of the thresholds that a window has reached, when the window is one of b's.
func (k *Keeper) cross(b growth.Budget, window string, used int64) {
	id, day, _ := strings.Cut(window, "/")
	start, err := time.Parse(time.DateOnly, day)
	limit := growth.NanoUSD(b.LimitUSD)
	if id != string(b.ID) || err != nil || limit == 0 {
		return
	}
	for _, percent := range growth.BudgetThresholds() {
		if used*100 >= limit*int64(percent) {
			k.reached(growth.BudgetAlert{Budget: b, Start: start, Threshold: percent, UsedUSD: growth.FromNanoUSD(used)})
		}
	}
}

// reached hands an alert to Run, unless this process has seen to it before.
func (k *Keeper) reached(a growth.BudgetAlert) {
	k.mu.Lock()
	known := k.said[alertName(a)]
	k.mu.Unlock()
	if known {
		return
	}
	select {
	case k.alerts <- a:
	default: // the next settlement or audit finds it again
	}
}

func alertName(a growth.BudgetAlert) string {
	return windowName(a.Budget.ID, a.Start) + "/" + a.Budget.LimitUSD.String() + "/" + strconv.Itoa(a.Threshold)
}

// maxSaid bounds what a process remembers of its alerts; the record of all is the book's.
const maxSaid = 10_000

// announce records an alert. Another process may have been first: then there is nothing to tell.
func (k *Keeper) announce(ctx context.Context, a growth.BudgetAlert) error {
	first, err := k.book.Announce(ctx, a)
	if err != nil {
		return err
	}
	if first {
		k.log.Warn().Str("workspace", string(a.Budget.Workspace)).Str("budget", a.Budget.Name).Int("percent", a.Threshold).Msg("budget has reached a threshold")
		k.notify(ctx, a.Budget.Workspace)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.said) >= maxSaid {
		clear(k.said)
	}
	k.said[alertName(a)] = true
	return nil
}
