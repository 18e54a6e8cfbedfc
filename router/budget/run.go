package budget

import (
	"context"
	"strings"
	"sync"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// reloadEvery is how often the budgets are read for want of a notice: Pub/Sub promises nothing.
const reloadEvery = 15 * time.Second

// Run settles, listens for changes of budgets, records alerts and audits, until ctx ends; what waits to be settled is
// settled before it returns.
func (k *Keeper) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { k.runSettles(ctx) })
	wg.Go(func() { k.runAlerts(ctx) })
	wg.Go(func() { k.listen(ctx) })
	wg.Go(func() { k.audits(ctx) })
	wg.Wait()
}

func (k *Keeper) runSettles(ctx context.Context) {
	for {
		select {
		case s := <-k.settles:
			k.settleAll(ctx, s)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), reserveTimeout)
			defer cancel()
			for {
				select {
				case s := <-k.settles:
					k.settleAll(last, s)
				default:
					return
				}
			}
		}
	}
}

func (k *Keeper) runAlerts(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-k.alerts:
			if err := k.announce(ctx, a); err != nil && ctx.Err() == nil {
				k.log.Warn().Err(err).Str("budget", a.Budget.Name).Msg("alert not recorded yet")
			}
		}
	}
}

func (k *Keeper) listen(ctx context.Context) {
	sub := k.rdb.Subscribe(ctx, channel)
	defer func() { _ = sub.Close() }()
	messages := sub.Channel()
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		if err := k.Load(ctx); err != nil && ctx.Err() == nil {
			k.log.Warn().Err(err).Msg("budgets not read")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case _, ok := <-messages:
			if !ok {
				return
			}
		}
	}
}

func (k *Keeper) audits(ctx context.Context) {
	tick := time.NewTicker(k.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := k.Audit(ctx); err != nil && ctx.Err() == nil {
				k.log.Warn().Err(err).Msg("budgets not audited")
			}
		}
	}
}

// Audit compares the state of every workspace that has budgets with the ledger. Calls that start or end just now make
// the two differ for a moment; a state that differs twice running is thrown away and made again. So whatever a lost
// settlement, a failover of Redis or a hand in the database did to it is mended.
func (k *Keeper) Audit(ctx context.Context) error {
	if err := k.Load(ctx); err != nil {
		return err
	}
	for ws := range k.lists.Load().of {
		if err := k.audit(ctx, ws); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) audit(ctx context.Context, ws growth.WorkspaceID) error {
	state, ok, err := k.read(ctx, ws)
	if err != nil || !ok {
		return err // the next reservation makes it
	}
	now := k.now()
	tally, err := k.book.Tally(ctx, ws, now)
	if err != nil {
		return err
	}
	differs := false
	for name, want := range standings(tally) {
		differs = differs || state[name] != want
		for _, b := range tally.Budgets {
			k.cross(b, name, want.spent+want.unknown)
		}
	}
	k.mu.Lock()
	again := differs && k.suspects[ws]
	k.suspects[ws] = differs && !again
	k.mu.Unlock()
	if again {
		// A process that ends in the middle would leave the lock behind, and nobody could reserve until it expires.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reserveTimeout)
		defer cancel()
		return k.Rebuild(ctx, ws)
	}
	return k.tidy(ctx, ws, state, now)
}

// tidy keeps a state alive and forgets windows that ended days ago.
func (k *Keeper) tidy(ctx context.Context, ws growth.WorkspaceID, state map[string]standing, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	var old []string
	for name := range state {
		_, day, _ := strings.Cut(name, "/")
		start, err := time.Parse(time.DateOnly, day)
		if err == nil && now.Sub(start) > 33*24*time.Hour {
			old = append(old, "s:"+name, "h:"+name, "x:"+name)
		}
	}
	if len(old) > 0 {
		if err := k.rdb.HDel(ctx, stateKey(ws), old...).Err(); err != nil {
			return err
		}
	}
	return k.rdb.PExpire(ctx, stateKey(ws), stateTTL).Err()
}
