package cache

import (
	"context"
	"encoding/hex"
	"sync"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// The times of a lease.
const (
	leaseLife  = 3 * time.Second // of a holder that says nothing more: it died
	firstPause = 20 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// Await waits until the answer of k is there, or until the caller is the one to make it: among all processes one is at
// a time, and when it dies another one is within the lease's life. It waits no longer than patience; then, and when
// Redis does not answer, each makes its own. When nothing was found the caller makes the call, keeps the answer with
// the entry's Seen, and then calls release, which is never nil.
func (c *Cache) Await(ctx context.Context, k Key, patience time.Duration) (e Entry, found bool, release func()) {
	nothing := func() {}
	if c.resting() {
		return Entry{Seen: unseen}, false, nothing
	}
	name := k.Name()
	l := &lease{c: c, name: redisName(k.Workspace, "lease", hex.EncodeToString(name[:])), token: growth.NewID()}
	patient := time.NewTimer(patience)
	defer patient.Stop()
	for pause := firstPause; ; pause = min(pause*3/2, lastPause) {
		e, found, held, err := l.try(ctx, k)
		switch {
		case err != nil:
			return Entry{Seen: unseen}, false, nothing
		case found:
			if held {
				l.release(ctx)
			}
			return e, true, nothing
		case held:
			return e, false, l.keep(ctx)
		}
		select {
		case <-time.After(pause):
		case <-patient.C:
			return e, false, nothing
		case <-ctx.Done():
			return e, false, nothing
		}
	}
}

// lease is the right to make one answer.
type lease struct {
	c     *Cache
	name  string
	token string
}

// try takes the lease if it is free, and then looks: whoever had it before has kept the answer first.
func (l *lease) try(ctx context.Context, k Key) (e Entry, found, held bool, err error) {
	epoch := l.c.epoch.Load()
	ctx, cancel := context.WithTimeout(ctx, l.c.settings.Patience)
	defer cancel()
	p := l.c.rdb.Pipeline()
	taken := p.SetNX(ctx, l.name, l.token, l.c.settings.Lease)
	values := p.MGet(ctx, k.entryName(), k.generationName())
	if _, err := p.Exec(ctx); l.c.failed(ctx, err) {
		return Entry{}, false, false, err
	}
	e, found = l.c.read(k, values.Val(), epoch)
	return e, found, taken.Val(), nil
}

// keep prolongs the lease until it is released.
func (l *lease) keep(ctx context.Context) (release func()) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(l.c.settings.Lease / 3)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				l.renew(ctx)
			}
		}
	})
	return func() {
		stop()
		wg.Wait()
		l.release(context.WithoutCancel(ctx))
	}
}

func (l *lease) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.c.settings.Patience)
	defer cancel()
	_ = renewScript.Run(ctx, l.c.rdb, []string{l.name}, l.token, l.c.settings.Lease.Milliseconds()).Err() // the next tick tries again
}

func (l *lease) release(ctx context.Context) {
	if l.c.resting() {
		return // it ends by itself
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.c.settings.Patience)
	defer cancel()
	l.c.failed(ctx, releaseScript.Run(ctx, l.c.rdb, []string{l.name}, l.token).Err())
}
