//go:build n8n

package n8n

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zakibelm/astrogrowth/internal/testenv/program"
)

func TestTheCallbackResumesARunThatWaits(t *testing.T) {
	p, s := begin(t)
	before := s.newest(t)
	release := p.hold(t)
	if status, answer := fire(t, s, "?wait=0s", formKey, bistro("Rita")); status != http.StatusAccepted || answer["state"] != "queued" {
		t.Fatalf("%d %v; want 202", status, answer)
	}
	s.becomes(t, before, qualifyID, "waiting")
	release()
	r := s.becomes(t, before, qualifyID, "success")
	if r.ran("Wait for the callback") == 0 || r.ran("Call today") != 1 {
		t.Errorf("the run: %+v", r.Nodes)
	}
	await(t, "the callback to have arrived", func() bool { c := p.lastCallback(t); return c.State == "succeeded" && c.Result.Status == 200 })
}

func TestTheCallbackOutlivesARestartOfN8n(t *testing.T) {
	p, s := begin(t)
	before := s.newest(t)
	release := p.hold(t)
	if status, answer := fire(t, s, "?wait=0s", formKey, bistro("Luc")); status != http.StatusAccepted {
		t.Fatalf("%d %v; want 202", status, answer)
	}
	s.becomes(t, before, qualifyID, "waiting")
	earlier := p.lastCallback(t).ID
	s.halt()
	release()
	await(t, "the callback to fail while n8n is away", func() bool { c := p.lastCallback(t); return c.ID != earlier && c.State == "retrying" })
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	r := s.becomes(t, before, qualifyID, "success")
	c := p.lastCallback(t)
	if r.ran("Call today") != 1 || c.Attempts < 2 {
		t.Errorf("%d attempts, the run: %+v", c.Attempts, r.Nodes)
	}
}

// The product stands aside for a front that delays one answer; nothing else of the way is changed.
func TestTheCallbackThatComesBeforeTheWaitNodeIsSentAgain(t *testing.T) {
	p, s := begin(t)
	elsewhere(t, p)
	f := newDelay()
	stand(t, p.api, f.seen)
	before, earlier := s.newest(t), p.lastCallback(t).ID
	release := p.hold(t)
	answered := make(chan struct{})
	var status int
	go func() {
		defer close(answered)
		status, _ = fire(t, s, "?wait=0s", formKey, bistro("Noor"))
	}()
	within(t, time.Minute, "the run to ask for the job", f.holding)
	release()
	await(t, "n8n to turn the callback down", func() bool {
		c := p.lastCallback(t)
		return c.ID != earlier && c.State == "retrying" && c.Error != nil && strings.Contains(c.Error.Message, "409")
	})
	close(f.release)
	within(t, time.Minute, "the answer", answered)
	r := s.becomes(t, before, qualifyID, "success")
	if status != http.StatusAccepted || r.ran("Wait for the callback") == 0 || r.ran("Call today") != 1 {
		t.Errorf("%d, the run: %+v", status, r.Nodes)
	}
	await(t, "the callback to have arrived", func() bool { c := p.lastCallback(t); return c.State == "succeeded" && c.Result.Status == 200 })
}

func TestALeadWhoseAnswerIsLostIsScoredOnce(t *testing.T) {
	p, s := begin(t)
	elsewhere(t, p)
	l := &loss{left: 2}
	stand(t, p.api, l.seen)
	before, jobs := s.newest(t), len(p.jobs(t, "type=lead-qualification"))
	if status, answer := fire(t, s, "", formKey, bistro("Ines")); status != http.StatusOK || answer["priority"] != "high" {
		t.Errorf("%d %v; want 200 after two lost answers", status, answer)
	}
	if r := s.becomes(t, before, qualifyID, "success"); r.ran("Qualify") != 3 || r.ran("Call today") != 1 {
		t.Errorf("the run: %+v; want three tries", r.Nodes)
	}
	if n := len(p.jobs(t, "type=lead-qualification")) - jobs; n != 1 {
		t.Errorf("%d jobs; want one", n)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(slices.Compact(slices.Clone(l.keys))) != 1 || l.keys[0] == "" || !slices.Equal(l.replayed, []string{"", "true", "true"}) {
		t.Errorf("keys %q, replayed %q; want one key, and the first job again", l.keys, l.replayed)
	}
}

// elsewhere moves the product to another port for one test.
func elsewhere(t *testing.T, p *product) {
	t.Helper()
	p.stop()
	port, err := program.Ports(1)
	if err == nil {
		err = p.start(port[0])
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.stop()
		if err := p.start(configuredPort); err != nil {
			t.Error(err)
		}
	})
}
