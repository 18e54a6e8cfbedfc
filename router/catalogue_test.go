package router_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/store"
)

// lines is a log that a test reads.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), s)
}

// process is a router of its own over a shared book, watching until the test ends.
func process(t *testing.T, book *store.ModelBook) (*chain, *lines) {
	t.Helper()
	ch := newChain(t, func(c *router.Config) { c.Models = book })
	for _, f := range []*fake{ch.a, ch.b, ch.c} {
		f.served = []providers.Model{{ID: "1"}, {ID: "2"}}
	}
	log := &lines{}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { ch.Watch(ctx, zerolog.New(log)) })
	t.Cleanup(func() { stop(); wg.Wait() })
	return ch, log
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still not after 30 s: %s", what)
		}
	}
}

// resolved is what a's family means now.
func resolved(ch *chain) router.Resolution { return ch.Resolved("")[0].Candidates[0] }

func TestModelThatIsGoneIsOutInEveryProcess(t *testing.T) {
	t.Parallel()
	s := testenv.Store(t)
	ws := testenv.Workspace(t, s)
	mine, log := process(t, s.ModelBook(nil))
	other, _ := process(t, s.ModelBook(nil))
	elsewhere, _ := process(t, s.ModelBook(map[string]string{"a": "another address"}))
	for _, ch := range []*chain{mine, other, elsewhere} {
		eventually(t, "the lists are read", func() bool { return resolved(ch).Status == "served" })
	}
	mine.a.will(inOrder(fails(growth.ModelGone), says("from a")))
	if diff := cmp.Diff([]string{"a/1 failed model_gone", "a/2 answered"}, trail(mine.gets(t).Calls)); diff != "" {
		t.Errorf("walk (-want +got):\n%s", diff)
	}
	eventually(t, "the other process knows", func() bool { return resolved(other).Model == "2" })
	if got := resolved(other).Models[0]; got.State != router.ModelGone || got.Since == nil {
		t.Errorf("model = %+v", got)
	}
	if got := trail(other.gets(t).Calls); got[0] != "a/2 answered" {
		t.Errorf("walk there = %v", got)
	}
	if got := resolved(elsewhere).Model; got != "1" {
		t.Errorf("at another address the family means %s", got)
	}
	if st := mine.Breakers().Status(); st["a"].Failures+st["a/1"].Failures != 0 {
		t.Errorf("a model that is gone counts against a breaker: %+v", st)
	}
	eventually(t, "the log says so", func() bool { return log.has("a model of the routes is gone") && log.has(`"families":["family a"]`) })
	events, err := s.In(ws.ID).Events(t.Context(), 0, "", 10)
	if err != nil || len(events) != 1 || events[0].Type != "model.gone" || string(events[0].Data) != `{"model": "1", "provider": "a"}` {
		t.Errorf("events = %+v, %v; want one", events, err)
	}

	// A list that was read later and names it again brings it back, everywhere.
	mine.LearnCatalogues(t.Context())
	if got := resolved(mine).Model; got != "1" {
		t.Errorf("after a new list the family means %s", got)
	}
	eventually(t, "it is back in the other process", func() bool { return resolved(other).Model == "1" })
}

// A caller who forces made-up names does not fill anybody's tables.
func TestModelThatNoRouteNamesIsNotNoted(t *testing.T) {
	t.Parallel()
	s := testenv.Store(t)
	ch, _ := process(t, s.ModelBook(nil))
	eventually(t, "the lists are read", func() bool { return resolved(ch).Status == "served" })
	ch.a.will(func(ctx context.Context, req providers.Request) (providers.Response, error) {
		return fails(growth.ModelGone)(ctx, req)
	})
	for _, model := range []string{"made up", "1"} {
		if e := ch.refuses(t, func(r *router.Request) { r.Force = &growth.Call{Provider: "a", Model: model} }); e.Calls[0].Code != "model_gone" {
			t.Fatalf("calls = %v", trail(e.Calls))
		}
	}
	var gone []growth.ModelNotice
	eventually(t, "the model of the route is noted", func() bool {
		var err error
		gone, err = s.ModelBook(nil).Gone(t.Context())
		return err == nil && len(gone) > 0
	})
	if len(gone) != 1 || gone[0].Model != "1" {
		t.Errorf("gone = %+v", gone)
	}
}

// A start without a network knows what the last process knew.
func TestListsAreKeptForAStartWithoutANetwork(t *testing.T) {
	t.Parallel()
	s := testenv.Store(t)
	book := s.ModelBook(nil)
	before := newChain(t, func(c *router.Config) { c.Models = book })
	ends := time.Date(2031, 5, 1, 0, 0, 0, 0, time.UTC)
	before.a.served = []providers.Model{{ID: "2", Structured: true, Expires: ends}}
	if faults := before.LearnCatalogues(t.Context()); len(faults) != 1 || faults["b"] == nil {
		t.Errorf("faults = %v; want b's, whose list is empty", faults)
	}
	after := newChain(t, func(c *router.Config) { c.Models = book })
	if err := after.Recall(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := resolved(after)
	if got.Model != "2" || got.Status != "served" || got.ListRead == nil || got.Expires == nil || !got.Expires.Equal(ends) {
		t.Errorf("a's family = %+v; want 2, as the last process read", got)
	}
	if got := after.Resolved("")[0].Candidates[1]; got.Status != "assumed" || got.Model != "1" || got.ListRead != nil {
		t.Errorf("b's family = %+v; want to be tried", got)
	}
	if got := after.Resolved("")[0].Candidates[2]; got.Status != "model_gone" || got.Model != "" {
		t.Errorf("c's family = %+v; a machine of one's own may have no model at all", got)
	}
}

// An old list never replaces a newer one.
func TestListThatIsOlderIsNotKept(t *testing.T) {
	t.Parallel()
	s := testenv.Store(t)
	book, now := s.ModelBook(nil), time.Now().UTC().Truncate(time.Millisecond)
	for _, l := range []growth.ModelList{
		{Provider: "a", ReadAt: now, Models: []byte(`[{"ID":"new"}]`)},
		{Provider: "a", ReadAt: now.Add(-time.Hour), Models: []byte(`[{"ID":"old"}]`)},
	} {
		if err := book.SaveList(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	lists, err := book.Lists(t.Context())
	if err != nil || len(lists) != 1 || string(lists[0].Models) != `[{"ID": "new"}]` || !lists[0].ReadAt.Equal(now) {
		t.Errorf("lists = %+v, %v", lists, err)
	}
}

func TestModelThatWillEndIsToldOnceAhead(t *testing.T) {
	t.Parallel()
	s := testenv.Store(t)
	ws := testenv.Workspace(t, s)
	soon, late := time.Now().Add(10*24*time.Hour), time.Now().Add(300*24*time.Hour)
	var logs []*lines
	for range 2 {
		ch := newChain(t, func(c *router.Config) { c.Models = s.ModelBook(nil) })
		ch.a.served = []providers.Model{{ID: "1", Expires: soon}, {ID: "2", Expires: late}, {ID: "other", Expires: soon}}
		ch.LearnCatalogues(t.Context())
		log := &lines{}
		logs = append(logs, log)
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { ch.Watch(ctx, zerolog.New(log)) })
		t.Cleanup(func() { stop(); wg.Wait() })
	}
	eventually(t, "one of the two says so", func() bool {
		return logs[0].has("a model of the routes will end") || logs[1].has("a model of the routes will end")
	})
	events, err := s.In(ws.ID).Events(t.Context(), 0, "", 10)
	if err != nil || len(events) != 1 || events[0].Type != "model.expiring" || !strings.Contains(string(events[0].Data), soon.UTC().Format(time.DateOnly)) {
		t.Errorf("events = %+v, %v; want one, of the model that ends soon", events, err)
	}
}

// broken is a book whose database is down.
type broken struct{}

var errDown = errors.New("down")

func (broken) Lists(context.Context) ([]growth.ModelList, error)  { return nil, errDown }
func (broken) SaveList(context.Context, growth.ModelList) error   { return errDown }
func (broken) Gone(context.Context) ([]growth.ModelNotice, error) { return nil, errDown }
func (broken) Note(context.Context, growth.ModelNotice) (first bool, err error) {
	return false, errDown
}

// Without the book a process still knows what it finds out itself.
func TestModelsWithoutTheirBook(t *testing.T) {
	t.Parallel()
	ch := newChain(t, func(c *router.Config) { c.Models = broken{} })
	ch.a.served = []providers.Model{{ID: "2"}}
	if faults := ch.LearnCatalogues(t.Context()); !errors.Is(faults["a"], errDown) {
		t.Errorf("faults = %v", faults)
	}
	ch.b.will(fails(growth.ModelGone))
	if got := resolved(ch).Model; got != "2" {
		t.Errorf("a's family means %q; want what the list says", got)
	}
}

// A slug may say more than the list's entry: a choice among hosts, or no tag.
func TestSlugsAreFoundAsTheListWritesThem(t *testing.T) {
	t.Parallel()
	for slug, listed := range map[string]string{
		"x/m:nitro": "x/m", "x/m:floor": "x/m", "x/m:cheapest": "x/m", "tiny": "tiny:latest", "x/m:free": "x/m:free",
	} {
		ch := newChain(t, func(c *router.Config) {
			r := c.Routes[growth.TaskQualification]
			r.Candidates = []router.Candidate{{Family: "f", Provider: "a", Slugs: []string{slug}}}
			c.Routes[growth.TaskQualification] = r
		})
		ch.a.served = []providers.Model{{ID: listed}}
		ch.LearnCatalogues(t.Context())
		if got := resolved(ch); got.Status != "served" || got.Model != slug {
			t.Errorf("%s by the list of %s: %+v", slug, listed, got)
		}
		ch.a.served = []providers.Model{{ID: "x/m:free:other"}, {ID: "x"}}
		ch.LearnCatalogues(t.Context())
		if got := resolved(ch); got.Status != "model_gone" {
			t.Errorf("%s without an entry: %+v", slug, got)
		}
	}
}
