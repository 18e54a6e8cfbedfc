package compat

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The genuine clients of the system that this one replaces, in the versions that the test installs.
var trpcClients = map[string][]string{
	"10": {"@trpc/client@10.45.4", "@trpc/server@10.45.4"},
	"11": {"@trpc/client@11.25.2", "@trpc/server@11.25.2"},
}

func TestTRPCClients(t *testing.T) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not on this machine")
	}
	script, err := filepath.Abs("node/trpc.mjs")
	if err != nil {
		t.Fatal(err)
	}
	for version, packages := range trpcClients {
		t.Run(version, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			install := exec.CommandContext(ctx, npm, append([]string{"install", "--no-audit", "--no-fund", "--ignore-scripts", "--legacy-peer-deps"}, packages...)...)
			install.Dir = dir
			if out, err := install.CombinedOutput(); err != nil {
				t.Fatalf("install: %v\n%s", err, out)
			}
			run := exec.CommandContext(ctx, "node", script, dir, up.api)
			run.Stderr = os.Stderr
			out, err := run.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var steps []step
			if err := json.Unmarshal(out, &steps); err != nil || len(steps) < 19 {
				t.Fatalf("%d steps, %v: %s", len(steps), err, out)
			}
			for _, s := range steps {
				t.Run(s.Name, func(t *testing.T) {
					if s.Fault != "" {
						t.Error(s.Fault)
					}
				})
			}
		})
	}
}

// What bare curl sends: no client, no batch, days beside input, and a body without the header of JSON.
func TestTRPCByCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not on this machine")
	}
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"a mutation":        {[]string{"-X", "POST", "/llm.complete", "-H", "Content-Type: application/json", "-d", `{"taskType":"simple","messages":[{"role":"user","content":"What is 2+2? Just answer with the number."}]}`}, `"content":"4"`},
		"without a header":  {[]string{"-X", "POST", "/llm.complete", "-d", `{"taskType":"simple","messages":[{"role":"user","content":"What is 2+2? Just answer with the number."}]}`}, `"content":"4"`},
		"days beside input": {[]string{"/llmAnalytics.summary?days=7"}, `"totalCalls"`},
		"a POST of a query": {[]string{"-X", "POST", "/leads.listByCampaign", "-H", "Content-Type: application/json", "-d", `{"campaignId":"01990000-0000-7000-8000-000000000000"}`}, `"NOT_FOUND"`},
		"the breakers":      {[]string{"/llmAnalytics.circuitBreakerStatus"}, `"CLOSED"`},
		"the cache":         {[]string{"/llmAnalytics.cacheMetrics"}, `"estimatedSavingsUSD"`},
		"broken JSON":       {[]string{"-X", "POST", "/llm.complete", "-H", "Content-Type: application/json", "-d", `{"taskType":`}, `"BAD_REQUEST"`},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"-s", "--max-time", "60"}
			for _, a := range tc.args {
				if strings.HasPrefix(a, "/") {
					a = up.api + "/api/trpc" + a
				}
				args = append(args, a)
			}
			out, err := exec.CommandContext(t.Context(), curl, args...).Output()
			if err != nil || !strings.Contains(string(out), tc.says) {
				t.Errorf("%v: %s; want %s", err, out, tc.says)
			}
		})
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, up.api+"/api/trpc/llm.complete", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("PUT = %d %s", resp.StatusCode, b)
	}
}
