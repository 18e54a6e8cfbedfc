package store_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zakibelm/astrogrowth/store"
)

func TestPastGivesBackWhatWasKept(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p, err := b.s.NewPast(b.ctx)
	b.must(err)
	defer p.Close()
	key := func(n byte) [16]byte { return [16]byte{n, 0xff, 15: n} }
	b.must(p.Keep(b.ctx, []store.PastLead{{Number: 0, Data: []byte{0, 1}, Fresh: true}, {Number: 1, Data: []byte("one"), Fresh: true}},
		[]store.PastKey{{Key: key(2), Lead: 1}, {Key: key(1), Lead: 0}}))
	b.must(p.Keep(b.ctx, []store.PastLead{{Number: 2, Data: []byte("two"), Fresh: true}, {Number: 1, Data: []byte("changed")}},
		[]store.PastKey{{Key: key(2), Lead: 2}, {Key: key(3), Lead: 1}}))
	leads, keys, err := p.Recall(b.ctx, [][16]byte{key(2), key(9)})
	b.must(err)
	if d := cmp.Diff([]store.PastKey{{Key: key(2), Lead: 1}, {Key: key(2), Lead: 2}}, keys); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]store.PastLead{{Number: 1, Data: []byte("changed")}, {Number: 2, Data: []byte("two")}}, leads); d != "" {
		t.Errorf("leads (-want +got):\n%s", d)
	}
}

// A past holds a connection: there are never more than two, and who waits for a third can give up.
func TestPastsAreFew(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	first, err := b.s.NewPast(b.ctx)
	b.must(err)
	second, err := b.s.NewPast(b.ctx)
	b.must(err)
	defer second.Close()
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if _, err := b.s.NewPast(ctx); err == nil {
		t.Error("there is a third past")
	}
	first.Close()
	third, err := b.s.NewPast(b.ctx)
	b.must(err)
	defer third.Close()
	if leads, _, err := third.Recall(b.ctx, [][16]byte{{1}}); err != nil || len(leads) > 0 {
		t.Errorf("a new past knows %v: %v", leads, err)
	}
}
