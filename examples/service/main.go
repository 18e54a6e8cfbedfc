// Command service has a lead qualified by a running AstroGrowth, as a program in any language would: two HTTP requests
// and no library. It is an example, kept whole by the tests of the documentation.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// job is the part of a job that this program needs.
type job struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Result struct {
		Score    int    `json:"score"`
		Priority string `json:"priority"`
	} `json:"result"`
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// service is where AstroGrowth answers.
type service struct {
	base, key string
	http      *http.Client
}

// say writes one line. Nothing can be done about a terminal that went away.
func say(format string, args ...any) { _, _ = fmt.Fprintf(os.Stdout, format+"\n", args...) }

func main() {
	s := service{http: &http.Client{Timeout: 70 * time.Second}} // longer than the longest ?wait=
	flag.StringVar(&s.base, "url", "http://localhost:3000", "address of AstroGrowth")
	flag.StringVar(&s.key, "key", "", "API key; a fresh `make run` needs none")
	name := flag.String("business", "Café du Parc", "name of the lead's business")
	flag.Parse()
	if err := s.qualify(context.Background(), *name); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

// qualify sends the lead and waits. The key says which request this is: sent again after a cut, it makes no second job.
func (s service) qualify(ctx context.Context, business string) error {
	lead, err := json.Marshal(map[string]any{"lead": map[string]string{"business_name": business, "city": "Laval"}})
	if err != nil {
		return fmt.Errorf("encode the lead: %w", err)
	}
	var j job
	if err := s.call(ctx, http.MethodPost, "/v1/jobs/lead-qualification", "example: "+business, lead, &j); err != nil {
		return err
	}
	say("accepted: %s", j.ID)
	for j.State != "succeeded" && j.State != "failed" && j.State != "canceled" {
		if err := s.call(ctx, http.MethodGet, "/v1/jobs/"+j.ID+"?wait=60s", "", nil, &j); err != nil {
			return err
		}
	}
	if j.Error != nil {
		return fmt.Errorf("the job has %s: %s", j.State, j.Error.Message)
	}
	say("%s: score %d, priority %s", j.State, j.Result.Score, j.Result.Priority)
	return nil
}

func (s service) call(ctx context.Context, method, path, idempotencyKey string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", idempotencyKey)
	}
	if s.key != "" {
		req.Header.Set("X-API-Key", s.key)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask AstroGrowth: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // it has been read as far as anyone cares
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 10<<20))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}
