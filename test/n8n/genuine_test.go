//go:build n8n

package n8n

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
		w.product.stop()
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
			t.Fatalf("waited in vain for %s\n%s\n%s", what, up.n8n.Out, up.product.Out)
		}
	}
}
