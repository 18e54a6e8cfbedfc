package router_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

// followed is a router over a route file that a test changes; heard gets every reload.
func followed(t *testing.T) (ch *chain, path string, heard <-chan router.Reload) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "routes.yaml")
	first := strings.NewReplacer("provider: openrouter", "provider: a", "provider: ollama", "provider: b").Replace(routeFile)
	write(t, path, first)
	routes, err := router.ParseRoutes([]byte(first))
	if err != nil {
		t.Fatal(err)
	}
	ch = newChain(t, func(c *router.Config) { c.Routes = routes })
	reloads := make(chan router.Reload, 16)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		ch.Follow(ctx, path, []byte(first), 5*time.Millisecond, func(r router.Reload) { reloads <- r })
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	return ch, path, reloads
}

// write replaces the file in one step: the test looks so often that it would see a half of any other.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func next(t *testing.T, heard <-chan router.Reload) router.Reload {
	t.Helper()
	select {
	case r := <-heard:
		return r
	case <-time.After(time.Minute):
		t.Fatal("no reload after a minute")
		return router.Reload{}
	}
}

func TestReloadPutsAChangedFileInForce(t *testing.T) {
	t.Parallel()
	ch, path, heard := followed(t)
	if got := ch.gets(t); got.Provider != "b" || got.Model != "tiny" {
		t.Fatalf("answer from %s/%s; want b/tiny", got.Provider, got.Model)
	}
	write(t, path, strings.Replace(read(t, path), "slugs: [tiny]", "slugs: [newer]", 1))
	if r := next(t, heard); r.Err != nil || r.Path != path {
		t.Fatalf("reload = %+v", r)
	}
	if got := ch.gets(t); got.Model != "newer" {
		t.Errorf("model = %s; want the new file's", got.Model)
	}
	if names := ch.Breakers().Names(); !slices.Contains(names, "b/newer") {
		t.Errorf("breakers = %v; want one of the new model", names)
	}
}

func TestReloadKeepsTheRoutesWhenTheFileIsBroken(t *testing.T) {
	t.Parallel()
	ch, path, heard := followed(t)
	right := read(t, path)
	write(t, path, strings.Replace(right, "paid: when_free_spent", "payd: never", 1))
	if r := next(t, heard); r.Err == nil || !strings.Contains(r.Err.Error(), `line 21: qualification: there is no key "payd"`) {
		t.Fatalf("reload = %+v; want what is wrong", r)
	}
	if got := ch.Routes()[growth.TaskQualification]; got.Paid != router.PaidWhenFreeSpent || ch.gets(t).Model != "tiny" {
		t.Errorf("route = %+v; want the one before", got)
	}
	write(t, path, right)
	if r := next(t, heard); r.Err != nil {
		t.Errorf("reload of the mended file = %+v", r)
	}
}

func TestReloadOfAFileThatGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	ch, path, heard := followed(t)
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if r := next(t, heard); r.Err == nil {
		t.Fatal("nothing is said of a file that is gone")
	}
	if got := ch.gets(t); got.Model != "tiny" {
		t.Errorf("model = %s; want the old routes'", got.Model)
	}
	if err := os.Rename(path+".old", path); err != nil {
		t.Fatal(err)
	}
	if r := next(t, heard); r.Err != nil {
		t.Errorf("reload = %+v", r)
	}
}

// A walk that has begun ends by the routes with which it began.
func TestReloadDoesNotDisturbAWalk(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.a.will(func(ctx context.Context, req providers.Request) (providers.Response, error) {
		ch.Replace(router.Routes{growth.TaskSimple: router.Route{
			Candidates: []router.Candidate{{Family: "other", Provider: "c", Slugs: []string{"1"}}}, MaxTokens: 1, CallTimeout: time.Second, Timeout: time.Second,
		}})
		return fails(growth.Unavailable)(ctx, req)
	})
	if got := ch.gets(t); got.Text != "from b" {
		t.Errorf("answer %q; want the old route's next candidate", got.Text)
	}
	if got := ch.gets(t); got.Text != "from c" {
		t.Errorf("answer %q; want the new route's", got.Text)
	}
}

// The breakers of models that a reload brings are kept like those of the start, whatever names callers force.
func TestBreakersOfNewRoutesAreKept(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	routes := router.Routes{}
	for task, r := range ch.Routes() {
		r.Candidates = append(slices.Clone(r.Candidates), router.Candidate{Family: "new", Provider: "a", Slugs: []string{"brought-by-the-reload"}})
		routes[task] = r
	}
	ch.Replace(routes)
	for n := range 10_000 { // far more than the set remembers
		if report, _, _ := ch.Breakers().Allow("a/made-up-" + strconv.Itoa(n)); report != nil {
			report("", false)
		}
	}
	if _, kept := ch.Breakers().Status()["a/brought-by-the-reload"]; !kept {
		t.Error("the breaker of a model of the routes was forgotten")
	}
}
