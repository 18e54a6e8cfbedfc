//go:build n8n

package n8n

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Here changed copies take the place of the files: nobody waits for seven o'clock, and somebody wants to be told. They
// stay, so this comes last.
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

	p.stop()
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
