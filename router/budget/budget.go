// Package budget holds the calls of all processes to the budgets of their workspaces: before a paid call its estimate
// is reserved, and afterwards the reservation gives way to what the call has cost. Spend, reservations and the estimate
// of the next call never exceed a limit, however many workers ask at once: one script in Redis looks at every budget
// that covers a call and takes from all of them or from none.
//
// Redis holds the working state, and only that. Every reservation is also a ledger row, committed before its call is
// sent, so the state can be made again from the ledger at any time. A state carries a generation; one that is gone, or
// whose budgets have changed since, is rebuilt by whoever meets it first. While it cannot be had, nothing is allowed.
//
// The package refuses to know providers, prices and SQL.
package budget

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
	"golang.org/x/sync/singleflight"

	growth "github.com/zakibelm/astrogrowth"
)

// Book is the truth behind the working state: the budgets, and what the ledger says about them.
type Book interface {
	// Budgets lists every budget of every workspace.
	Budgets(ctx context.Context) ([]growth.WorkspaceBudgets, error)
	// Tally reads, at one instant, a workspace's budgets, what was spent of each in the windows of the instants at, and
	// the calls that count at their estimate.
	Tally(ctx context.Context, ws growth.WorkspaceID, at ...time.Time) (growth.BudgetTally, error)
	// Announce records an alert; first is false when it was recorded before.
	Announce(ctx context.Context, a growth.BudgetAlert) (first bool, err error)
}

// Config is what a keeper stands on. Redis and Book are required.
type Config struct {
	Redis  redis.UniversalClient
	Book   Book
	Log    zerolog.Logger
	Notify func(ctx context.Context, ws growth.WorkspaceID) // hears of alerts once they are recorded; nil: nobody
	Audit  time.Duration                                    // how often the state is compared with the ledger; 0: 30 s
	Now    func() time.Time                                 // nil: time.Now
}

// How long the parts of a reservation may take.
const (
	reserveTimeout  = 5 * time.Second // with a rebuild, and with waiting for somebody else's
	redisTimeout    = time.Second
	rebuildTimeout  = 30 * time.Second
	unreadablePause = 5 * time.Second // until a state that cannot be had is worth another try
	passingPause    = 2 * time.Second // until calls in flight may have given money back
)

// Keeper reserves and settles. It is safe for use by many goroutines; Run must be running for settlements, for changes
// of budgets and for alerts to travel.
type Keeper struct {
	rdb    redis.UniversalClient
	book   Book
	log    zerolog.Logger
	notify func(context.Context, growth.WorkspaceID)
	every  time.Duration
	now    func() time.Time

	lists    atomic.Pointer[lists]
	readings atomic.Uint64
	flights  singleflight.Group // reading the lists, rebuilding a state
	settles  chan settlement
	alerts   chan growth.BudgetAlert
	mu       sync.Mutex
	said     map[string]bool // alerts that are on record, by name
	suspects map[growth.WorkspaceID]bool
}

// New makes a keeper. It reads nothing yet.
func New(cfg Config) *Keeper {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Audit == 0 {
		cfg.Audit = 30 * time.Second
	}
	if cfg.Notify == nil {
		cfg.Notify = func(context.Context, growth.WorkspaceID) {}
	}
	return &Keeper{
		rdb: cfg.Redis, book: cfg.Book, log: cfg.Log, notify: cfg.Notify, every: cfg.Audit, now: cfg.Now,
		settles: make(chan settlement, settleQueue), alerts: make(chan growth.BudgetAlert, alertQueue),
		said: map[string]bool{}, suspects: map[growth.WorkspaceID]bool{},
	}
}

// Spend is a call that is about to be made.
type Spend struct {
	Workspace growth.WorkspaceID
	Campaign  growth.CampaignID
	Task      growth.TaskType
	Key       string
	Job       growth.JobID
	CallID    growth.CallID
	At        time.Time        // the call's start, which decides its window
	Estimate  *decimal.Decimal // what it may cost at most; nil: nobody knows
}

// Reservation is money held for a call. The zero value holds none: no budget covers the call.
type Reservation struct {
	Held       decimal.Decimal // what the call's ledger row says is reserved
	spend      Spend
	generation string
}

// Covered says whether a budget holds money for the call.
func (r Reservation) Covered() bool { return r.generation != "" }

// Applies says whether a budget covers the call. It reads memory alone; as long as the budgets are not known it says
// yes, and Reserve finds out.
func (k *Keeper) Applies(s Spend) bool {
	known := k.lists.Load()
	if known == nil {
		return true
	}
	for _, b := range known.of[s.Workspace].Budgets {
		if b.Covers(s.Campaign, s.Task, s.Key) {
			return true
		}
	}
	return false
}

// Reserve holds the estimate of a call in every budget that covers it, or in none: then the error is a *RefusalError. To
// reserve for the same call again is no second reservation, and it is refused when the sums have passed a limit by then.
func (k *Keeper) Reserve(ctx context.Context, s Spend) (Reservation, error) {
	ctx, cancel := context.WithTimeout(ctx, reserveTimeout)
	defer cancel()
	for {
		r, again, err := k.reserve(ctx, s)
		switch {
		case !again:
			return r, err
		case err != nil:
			return Reservation{}, k.unreadable(err)
		case ctx.Err() != nil:
			return Reservation{}, k.unreadable(ctx.Err())
		}
	}
}

// reserve makes one attempt; again says that the state or the lists had to be made anew and it is worth another.
func (k *Keeper) reserve(ctx context.Context, s Spend) (r Reservation, again bool, err error) {
	list, err := k.list(ctx, s.Workspace)
	if err != nil {
		return r, false, k.unreadable(err)
	}
	covering := list.covering(s)
	switch {
	case len(covering) == 0:
		return r, false, nil
	case s.Estimate == nil:
		return r, false, &RefusalError{Kind: UnknownPrice, Budget: covering[0]}
	}
	nano := growth.NanoUSD(*s.Estimate)
	got, err := k.ask(ctx, s, nano, list.Version, covering)
	if err != nil {
		return r, false, k.unreadable(err)
	}
	switch got.word {
	case "ok":
		return Reservation{Held: growth.FromNanoUSD(nano), spend: s, generation: got.generation}, false, nil
	case "full":
		return r, false, k.refuse(s, nano, got, covering)
	case "version":
		return r, true, k.renew(ctx, s.Workspace, list.Version)
	}
	return r, true, k.rebuild(ctx, s.Workspace)
}

// covered is a workspace's budgets as this process holds them.
type covered growth.WorkspaceBudgets

func (c covered) covering(s Spend) []growth.Budget {
	var out []growth.Budget
	for _, b := range c.Budgets {
		if b.Covers(s.Campaign, s.Task, s.Key) {
			out = append(out, b)
		}
	}
	return out
}

// Confirm says whether the money is still held, once the call's row is committed: a state that was lost in between may
// have been rebuilt without the row, and others may have been given the money since. Then it is reserved again, or
// refused after all. Every call that is confirmed is therefore within the limits of a state that counts it, and in the
// ledger before any later state is made.
func (k *Keeper) Confirm(ctx context.Context, r Reservation) error {
	if !r.Covered() {
		return nil
	}
	short, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	// The reservation itself is looked for too: a failover keeps the generation and may forget what came last.
	got, err := k.rdb.HMGet(short, stateKey(r.spend.Workspace), "gen", "o:"+string(r.spend.CallID)).Result()
	if err == nil && len(got) == 2 && got[0] == r.generation && got[1] != nil {
		return nil
	}
	_, err = k.Reserve(ctx, r.spend)
	return err
}

// RefusalKind says why a call was turned away.
type RefusalKind uint8

// The kinds of refusals.
const (
	LimitReached RefusalKind = iota
	UnknownPrice             // nothing can be reserved for a call that may cost anything
	Unreadable               // what was spent cannot be read now, so no paid call is allowed
)

// RefusalError is the error of a call that a budget does not allow.
type RefusalError struct {
	Kind    RefusalKind
	Budget  growth.Budget // the strictest of those that refused; empty when Unreadable
	Until   time.Time     // when another try is worth while; zero: time does not help
	Passing bool          // calls in flight hold the money, and may give enough of it back
	// Of the refusing budget at that instant, with LimitReached: what was spent, what was held for calls in flight or
	// counted for calls of unknown cost, and the estimate that would have gone over the limit. A call that asks again may
	// be counted among the held ones itself.
	Spent, Held, Estimate decimal.Decimal
	Err                   error
}

// Error reads as a person needs it.
func (e *RefusalError) Error() string {
	name := "the budget \"" + e.Budget.Name + "\""
	limit := " (" + e.Budget.LimitUSD.String() + " USD a " + string(e.Budget.Period) + ")"
	switch {
	case e.Kind == UnknownPrice:
		return name + " allows no call whose price nobody knows"
	case e.Kind == Unreadable:
		return "what the budgets have left cannot be read now"
	case e.Passing:
		return name + limit + " is held by calls in flight; try again soon"
	}
	return name + limit + " has too little left for a call that may cost " + e.Estimate.String() + " USD; it frees at " + e.Until.UTC().Format(time.RFC3339)
}

// Unwrap gives the fault behind an unreadable state.
func (e *RefusalError) Unwrap() error { return e.Err }

func (k *Keeper) unreadable(err error) *RefusalError {
	return &RefusalError{Kind: Unreadable, Until: k.now().Add(unreadablePause), Err: err}
}

// refuse picks the strictest of the budgets that have no money left, and among equals the one that frees last: the call
// has to get past all of them.
func (k *Keeper) refuse(s Spend, nano int64, got reply, covering []growth.Budget) error {
	var out *RefusalError
	for _, f := range got.full {
		r := k.refusal(s, nano, covering[f.index], f.standing)
		if out != nil && (out.Budget.Policy.Stricter(r.Budget.Policy) || out.Budget.Policy == r.Budget.Policy && !out.Until.Before(r.Until)) {
			continue
		}
		out = r
	}
	return out
}

func (k *Keeper) refusal(s Spend, nano int64, b growth.Budget, st standing) *RefusalError {
	start, end := b.Period.Window(s.At)
	r := &RefusalError{
		Budget: b, Until: end, Passing: st.spent+st.unknown+nano <= growth.NanoUSD(b.LimitUSD),
		Spent: growth.FromNanoUSD(st.spent), Held: growth.FromNanoUSD(st.held + st.unknown), Estimate: growth.FromNanoUSD(nano),
	}
	if r.Passing {
		r.Until = k.now().Add(passingPause)
		return r
	}
	k.reached(growth.BudgetAlert{Budget: b, Start: start, Threshold: 100, UsedUSD: growth.FromNanoUSD(st.spent + st.unknown)})
	return r
}
