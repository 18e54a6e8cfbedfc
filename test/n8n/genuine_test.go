//go:build n8n

package n8n

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	errorsID  = "astrogrowth00errors"
	qualifyID = "astrogrowth01qualify"
	contentID = "astrogrowth02content"
	formKey   = "what-the-form-sends"
)

// world is the product on the port that the workflows name, and a genuine n8n that has imported them.
type world struct {
	product *product
	n8n     *server
}

var (
	once sync.Once
	up   world
	fate error
)

func TestMain(m *testing.M) {
	code := m.Run()
	up.close()
	os.Exit(code)
}

// begin brings both up for the first test that wants them.
func begin(t *testing.T) (*product, *server) {
	t.Helper()
	once.Do(func() { fate = up.open() })
	if fate != nil {
		t.Fatal(fate)
	}
	return up.product, up.n8n
}

func (w *world) open() (err error) {
	version := os.Getenv("N8N_VERSION")
	if version == "" {
		version = "2.8.4"
	}
	if w.n8n, err = newServer(version); err != nil {
		return err
	}
	if w.product, err = newProduct(); err != nil {
		return err
	}
	if err = w.product.start(configuredPort); err != nil {
		return err
	}
	key, err := w.product.newKey()
	if err != nil {
		return err
	}
	if err = w.n8n.credentials(map[string]string{"astrogrowthApiKey": key, "leadFormKey": formKey}); err != nil {
		return err
	}
	dir, err := filepath.Abs(workflowDir)
	if err != nil {
		return err
	}
	if err = w.n8n.take(dir, 3); err != nil {
		return err
	}
	for _, id := range []string{errorsID, qualifyID, contentID} {
		if w.n8n.old() && id == errorsID {
			continue // has no trigger of its own to be activated
		}
		if err = w.n8n.publish(id); err != nil {
			return err
		}
		w.n8n.live++
	}
	return w.n8n.start()
}

func (w *world) close() {
	if w.n8n != nil {
		w.n8n.halt()
		_ = os.RemoveAll(w.n8n.home)
	}
	if w.product != nil {
		w.product.stop(syscall.SIGINT)
		_ = os.RemoveAll(w.product.dir)
	}
}

// newKey makes the key that the guide tells a user to make.
func (p *product) newKey() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.api+"/v1/keys", strings.NewReader(`{"name":"n8n","scopes":["enqueue","read"]}`))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{}).Do(req) // ctx limits the time
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var made struct{ Key string }
	err = json.NewDecoder(resp.Body).Decode(&made)
	return made.Key, err
}

// What the lint believes is what this n8n declares.
func TestFactsAreThoseOfTheGenuineNodes(t *testing.T) {
	_, s := begin(t)
	keys := slices.Sorted(maps.Keys(facts))
	raw, err := exec.CommandContext(t.Context(), "node", append([]string{"nodes.cjs", s.install}, keys...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var declared map[string]*struct {
		Params, Options, Credentials []string
		Outputs                      int
	}
	if err := json.Unmarshal(raw, &declared); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		d, f := declared[k], facts[k]
		if d == nil {
			t.Errorf("n8n %s has no %s", s.version, k)
			continue
		}
		for _, p := range f.params {
			if !slices.Contains(d.Params, p) {
				t.Errorf("%s has no parameter %s, but %v", k, p, d.Params)
			}
		}
		for _, o := range f.options {
			if !slices.Contains(d.Options, o) {
				t.Errorf("%s has no option %s, but %v", k, o, d.Options)
			}
		}
		if d.Outputs >= 0 && f.outputs != d.Outputs {
			t.Errorf("%s has %d outputs, want %d", k, d.Outputs, f.outputs)
		}
	}
}

// fire calls the webhook as a form would.
func fire(t *testing.T, s *server, query, key string, lead any) (int, map[string]any) {
	t.Helper()
	status, raw := send(t, http.MethodPost, s.url+"/webhook/qualify-lead"+query, key, lead)
	var answer map[string]any
	_ = json.Unmarshal(raw, &answer) // n8n's own refusals are text
	t.Logf("webhook%s: %d %s", query, status, raw)
	return status, answer
}

// bistro is a lead of high priority.
func bistro(name string) map[string]any {
	return map[string]any{
		"business_name": "Bistro " + name, "business_type": "restaurant", "city": "Laval", "website": "https://" + strings.ToLower(name) + ".example",
		"google_rating": 4.6, "google_reviews": 212, "notes": "Nous cherchons quelqu'un pour refaire notre site web ce mois-ci, budget de 4000 $.",
		"colour of the door": "blue", "tables": 14,
	}
}

func TestAStrangerIsTurnedAway(t *testing.T) {
	_, s := begin(t)
	for _, key := range []string{"", "another"} {
		if status, _ := fire(t, s, "", key, bistro("Nobody")); status != http.StatusForbidden {
			t.Errorf("key %q: %d; want 403", key, status)
		}
	}
}

func TestTheScoreIsInTheAnswer(t *testing.T) {
	p, s := begin(t)
	before := s.newest(t)
	status, answer := fire(t, s, "", formKey, bistro("Ada"))
	if status != http.StatusOK || answer["state"] != "succeeded" || answer["priority"] != "high" || answer["simulated"] != true {
		t.Fatalf("%d %v; want 200 and a lead of high priority", status, answer)
	}
	r := s.becomes(t, before, qualifyID, "success")
	if r.ran("Call today") != 1 || r.ran("Keep warm")+r.ran("Write to them")+r.ran("Wait for the callback") != 0 || r.ran("Qualify") != 1 || r.ran("First look") != 1 {
		t.Errorf("the run: %+v; want one call of each, and the branch for a high priority", r.Nodes)
	}
	var list struct {
		Data []struct {
			Lead struct{ Extra map[string]string }
		}
	}
	p.call(t, http.MethodGet, "/v1/leads?q=Ada&limit=1", nil, &list)
	if len(list.Data) != 1 || list.Data[0].Lead.Extra["tables"] != "14" || list.Data[0].Lead.Extra["colour of the door"] != "blue" {
		t.Errorf("the lead: %+v; want the form's own fields kept", list.Data)
	}
	// The callback finds the run ended, which is no failure of the job.
	await(t, "the callback to be done with", func() bool { return p.lastCallback(t).State == "succeeded" })
}

func TestAWrongLeadIsAnsweredWithWhatIsWrong(t *testing.T) {
	_, s := begin(t)
	status, answer := fire(t, s, "", formKey, map[string]any{"email": "not an address"})
	if status != http.StatusUnprocessableEntity || !strings.Contains(fmt.Sprint(answer["message"]), "lead.email") {
		t.Errorf("%d %v; want 422 that names lead.email", status, answer)
	}
}

func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s\n%s\n%s", what, up.n8n.out, up.product.out)
		}
	}
}

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
	p.stop(syscall.SIGINT)
	port, err := freePorts(1)
	if err == nil {
		err = p.start(port[0])
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.stop(syscall.SIGINT)
		if err := p.start(configuredPort); err != nil {
			t.Error(err)
		}
	})
}

// summary is what the second workflow says of a run.
type summary struct {
	Leads, Written, Failed, Approved int
	NotTaken                         int      `json:"not_taken"`
	AtWork                           int      `json:"still_at_work"`
	ForAPerson                       int      `json:"for_a_person"`
	Reasons                          []string `json:"reasons"`
	Campaign                         string
	Cost                             struct{ Currency string }
}

func summaryOf(t *testing.T, r run) summary {
	t.Helper()
	if r.ran("Summary") != 1 {
		t.Fatalf("run %d %s without a summary: %s %+v", r.ID, r.Status, r.Error, r.Nodes)
	}
	raw, err := json.Marshal(r.Nodes["Summary"][0].JSON)
	if err != nil {
		t.Fatal(err)
	}
	var out summary
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	t.Logf("run %d (%s): %+v", r.ID, r.Mode, out)
	return out
}

func TestTheBatchIsWrittenOnce(t *testing.T) {
	p, s := begin(t)
	p.call(t, http.MethodPut, "/v1/workspace/settings", map[string]any{"brand": map[string]any{"name": "Agence", "trusted_posts": 5}}, nil)
	for _, name := range []string{"Zoe", "Max", "Eve", "Jan", "Kim", "Lea", "Tom"} {
		lead := bistro(name)
		delete(lead, "tables")
		delete(lead, "colour of the door")
		var made job
		p.call(t, http.MethodPost, "/v1/jobs/lead-qualification", map[string]any{"lead": lead}, &made)
		p.call(t, http.MethodGet, "/v1/jobs/"+made.ID+"?wait=60s", nil, &made)
		if made.State != "succeeded" {
			t.Fatalf("%+v", made)
		}
	}
	var leads struct{ Data []json.RawMessage }
	p.call(t, http.MethodGet, "/v1/leads?priority=high&limit=200", nil, &leads)
	first := batch(t, s, p, len(leads.Data))
	if first.ran("This round") != (len(leads.Data)+4)/5 || first.ran("A moment") == 0 {
		t.Errorf("%d rounds of five, %d pauses; want all leads in rounds, and waiting", first.ran("This round"), first.ran("A moment"))
	}
	jobs := len(p.jobs(t, "type=content-generation"))
	batch(t, s, p, len(leads.Data))
	if again := len(p.jobs(t, "type=content-generation")); again != jobs {
		t.Errorf("%d jobs after a second run of the day, %d before", again, jobs)
	}
}

// batch runs the second workflow by hand and holds its summary against the product's own word.
func batch(t *testing.T, s *server, p *product, leads int) run {
	t.Helper()
	before := s.newest(t)
	if out, err := s.cli("execute", "--id="+contentID); err != nil || !strings.Contains(out, "Execution was successful") {
		t.Fatalf("%v %s", err, out)
	}
	r := s.becomes(t, before, contentID, "success")
	got := summaryOf(t, r)
	if got.Leads != leads || got.Written != leads || got.NotTaken+got.Failed+got.AtWork != 0 || got.Approved+got.ForAPerson != leads || got.Approved == 0 || got.Cost.Currency == "" {
		t.Errorf("summary = %+v; want %d leads, a post about each, and some approved", got, leads)
	}
	approved := 0
	for _, j := range p.jobs(t, "type=content-generation") {
		for _, v := range j.Result.Variants {
			var c struct{ Status string }
			p.call(t, http.MethodGet, "/v1/contents/"+v.ContentID, nil, &c)
			if c.Status == "approved" {
				approved++
			}
		}
	}
	if approved != got.Approved {
		t.Errorf("the summary counts %d approved, the product %d", got.Approved, approved)
	}
	return r
}

// Here copies are changed: nobody waits for seven o'clock, and somebody wants to be told.
func TestTheScheduleRunsAndErrorsAreTold(t *testing.T) {
	p, s := begin(t)
	told := make(chan string, 10)
	listener := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message struct{ Text string }
		_ = json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&message)
		told <- message.Text
	}))
	t.Cleanup(listener.Close)
	s.halt()
	importCopies(t, s, map[string][2]string{
		"00-errors.json":                   {`"value": ""`, `"value": "` + listener.URL + `"`},
		"02-content-generation-batch.json": {`"field": "cronExpression",`, `"field": "seconds", "secondsInterval": 20,`},
	})
	before := s.newest(t)
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	if r := s.becomes(t, before, contentID, "success"); r.Mode != "trigger" {
		t.Errorf("run %d began by %s; want the schedule", r.ID, r.Mode)
	}

	p.stop(syscall.SIGINT)
	t.Cleanup(func() {
		if err := p.start(configuredPort); err != nil {
			t.Error(err)
		}
	})
	before = s.newest(t)
	if status, answer := fire(t, s, "", formKey, bistro("Gone")); status != http.StatusBadGateway || answer["message"] == nil {
		t.Errorf("%d %v; want 502 with a message while the product is down", status, answer)
	}
	r := s.becomes(t, before, errorsID, "success")
	if r.Mode != "error" || r.ran("Tell them") != 1 {
		t.Errorf("the error workflow: %+v", r)
	}
	for end := time.After(time.Minute); ; {
		select {
		case text := <-told: // the schedule's run may have failed as well by now
			if strings.Contains(text, "lead qualification") && strings.Contains(text, "Not taken") {
				t.Log(text)
				return
			}
		case <-end:
			t.Fatal("nobody was told of the lead that was not taken")
		}
	}
}

// importCopies imports changed copies of files over what is there, and publishes them.
func importCopies(t *testing.T, s *server, changes map[string][2]string) {
	t.Helper()
	dir := t.TempDir()
	var ids []string
	for name, change := range changes {
		raw, err := os.ReadFile(filepath.Join(workflowDir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(raw), change[0]) {
			t.Fatalf("%s does not hold %s", name, change[0])
		}
		copied := strings.Replace(string(raw), change[0], change[1], 1)
		var w workflow
		if err := json.Unmarshal([]byte(copied), &w); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, w.ID)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(copied), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.take(dir, len(changes)); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if s.old() && id == errorsID {
			continue
		}
		if err := s.publish(id); err != nil {
			t.Fatal(err)
		}
	}
}
