package router_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

// genuineModel is the model that the folder's server must have: any that can chat, however small.
const genuineModel = "tiny-chat"

// genuineOllama starts the real server of the folder that ASTROGROWTH_OLLAMA names: bin/ollama, and models, in which
// tiny-chat was made.
func genuineOllama(t *testing.T) (*router.Router, *exec.Cmd) {
	t.Helper()
	dir := os.Getenv("ASTROGROWTH_OLLAMA")
	if dir == "" {
		t.Skip("set ASTROGROWTH_OLLAMA to a folder with bin/ollama and models, in which tiny-chat was made, to run this test")
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	var log bytes.Buffer
	server := exec.Command(filepath.Join(dir, "bin", "ollama"), "serve") //nolint:noctx // it is ended below, with its runners
	server.Env = append(os.Environ(), "OLLAMA_HOST="+addr, "OLLAMA_MODELS="+filepath.Join(dir, "models"), "HOME="+t.TempDir(),
		"OLLAMA_NO_CLOUD=1", "OLLAMA_NOPRUNE=1")
	server.Stdout, server.Stderr = &log, &log
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-server.Process.Pid, syscall.SIGKILL)
		_ = server.Wait()
		if t.Failed() {
			t.Logf("server:\n%s", log.String()[max(0, log.Len()-4000):])
		}
	})
	answers(t, "http://"+addr+"/api/version")
	return onlyOllama(t, "http://"+addr), server
}

// onlyOllama is a chain that has nothing but a server's one model.
func onlyOllama(t *testing.T, address string) *router.Router {
	t.Helper()
	web := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(web.CloseIdleConnections)
	routes := router.Routes{growth.TaskSimple: router.Route{
		Candidates: []router.Candidate{{Family: "only", Provider: "ollama", Slugs: []string{genuineModel}}},
		MaxTokens:  300, CallTimeout: time.Minute, Timeout: 2 * time.Minute,
	}}
	r := router.New(router.Config{Routes: routes, Ledger: &book{}, Providers: []router.Provider{
		providers.NewOllama(providers.Settings{BaseURL: address, MaxInFlight: 2, HTTP: web}),
	}})
	if faults := r.LearnCatalogues(t.Context()); len(faults) > 0 {
		t.Fatal(faults)
	}
	if got := r.Resolved("")[0].Candidates[0]; got.Status != "served" {
		t.Fatalf("the family means %+v; want %s, as the server lists it", got, genuineModel)
	}
	return r
}

// answers waits until an address does.
func answers(t *testing.T, address string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 600 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := (&http.Client{Timeout: time.Second}).Do(req); err == nil {
			_ = resp.Body.Close()
			return
		}
		<-tick.C
	}
	t.Fatalf("no answer from %s within 30 s", address)
}

const shop = `{"type":"object","properties":{"name":{"type":"string","maxLength":12},"stars":{"type":"integer","minimum":1,"maximum":5},
	"kind":{"enum":["food","service"]}},"required":["name","stars","kind"],"additionalProperties":false}`

func question(schema string, tokens int) router.Request {
	r := ask(func(r *router.Request) {
		r.Sampling.MaxTokens = tokens
		r.Messages = []growth.Message{{Role: "user", Content: "Describe a shop."}}
	})
	if schema != "" {
		r.Schema = json.RawMessage(schema)
	}
	return r
}

// With a real server as the only provider every answer fits the schema, however small and random the model is.
func TestGenuineOllamaAnswersWithinTheSchema(t *testing.T) {
	r, _ := genuineOllama(t)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(shop))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:///shop.json", doc); err != nil {
		t.Fatal(err)
	}
	schema := c.MustCompile("mem:///shop.json")
	for i := range 20 {
		a, err := r.Complete(t.Context(), question(shop, 300))
		if err != nil || a.FinishReason != "stop" || a.Usage.CompletionTokens == 0 || len(a.Calls) != 1 {
			t.Fatalf("answer %d: %+v, %v; want one at the first try", i, a, err)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(a.Text))
		if err == nil {
			err = schema.Validate(v)
		}
		if err != nil || a.Cost.USD == nil || !a.Cost.USD.IsZero() {
			t.Errorf("answer %d: %s: %v, cost %v", i, a.Text, err, a.Cost.USD)
		}
	}
}

// A cut answer is told from a runner that died: the one speaks against nobody, the other against the model; and the next
// request finds a new runner.
func TestGenuineOllamaTellsACutAnswerFromADeadRunner(t *testing.T) {
	r, server := genuineOllama(t)
	failures := func() int { return r.Breakers().Status()["ollama/"+genuineModel].Failures }
	_, err := r.Complete(t.Context(), question(shop, 3))
	cut, ok := chainEnd(err)
	if !ok || cut.Fault.Code != growth.Malformed || len(cut.Calls) != 1 || cut.Calls[0].Detail != "the answer was cut at the token limit" || failures() != 0 {
		t.Fatalf("cut answer: %v, %d failures; want it turned down, not asked for again, and to harm no breaker", err, failures())
	}
	done := make(chan error, 1)
	go func() {
		_, err := r.Complete(t.Context(), question(long(), 30000))
		done <- err
	}()
	busyRunner(t, server.Process.Pid)
	dead, ok := chainEnd(<-done)
	if !ok || len(dead.Calls) != 1 || dead.Calls[0].Detail == cut.Calls[0].Detail || failures() != 1 {
		t.Fatalf("dead runner: %+v, %d failures; want one, against the model", dead, failures())
	}
	t.Logf("a dead runner reads as %s: %s", dead.Calls[0].Code, dead.Calls[0].Detail)
	if a, err := r.Complete(t.Context(), question(shop, 300)); err != nil || a.FinishReason != "stop" {
		t.Errorf("after it: %+v, %v; want an answer", a, err)
	}
}

// long is a schema whose answer takes a while to write.
func long() string {
	fields, names := []string{}, []string{}
	for i := range 200 {
		fields = append(fields, fmt.Sprintf(`"f%d":{"type":"string","minLength":60,"maxLength":70}`, i))
		names = append(names, fmt.Sprintf(`"f%d"`, i))
	}
	return `{"type":"object","properties":{` + strings.Join(fields, ",") + `},"required":[` + strings.Join(names, ",") + `]}`
}

// busyRunner kills the server's runner as soon as it works on something.
func busyRunner(t *testing.T, server int) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	before := map[int]int{}
	for range 1500 {
		for _, pid := range childrenOf(server) {
			used := ticks(pid)
			if first, ok := before[pid]; ok && used > first+5 {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				return
			}
			if _, ok := before[pid]; !ok {
				before[pid] = used
			}
		}
		<-tick.C
	}
	t.Fatal("no runner worked within 30 s")
}

// childrenOf lists the processes that a process started.
func childrenOf(parent int) []int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	var out []int
	for _, path := range stats {
		if f := statOf(path); len(f) > 1 && f[1] == strconv.Itoa(parent) {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
				out = append(out, pid)
			}
		}
	}
	return out
}

// ticks is how much time of a processor a process has used.
func ticks(pid int) int {
	f := statOf(fmt.Sprintf("/proc/%d/stat", pid))
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	return user
}

// statOf gives the fields of a process behind its name, of which the second is its parent.
func statOf(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.Fields(rest)
}
