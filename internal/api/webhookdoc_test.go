package api_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/tasks"
)

// The commands of docs/webhooks.md run as they stand, one after the other.
func TestCommandsOfTheWebhookPage(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	page, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	var intake *tasks.Intake
	f := newFace(t, func(c *api.Config) {
		intake = tasks.NewIntake(c.Store, nil, zerolog.Nop())
		c.Arrived = intake.Wake
	})
	ctx, cancel := context.WithCancel(t.Context())
	var beside sync.WaitGroup
	beside.Go(func() { intake.Run(ctx) })
	dispatcher := &tasks.Dispatcher{Store: f.s, Log: zerolog.Nop()}
	beside.Go(func() { dispatcher.Run(ctx) })
	t.Cleanup(func() { cancel(); beside.Wait() })

	script := "set -euo pipefail\n"
	for i, part := range strings.Split(string(page), "```") {
		if code, ok := strings.CutPrefix(part, "sh\n"); ok && i%2 == 1 {
			script += code
		}
	}
	if n := strings.Count(script, "curl "); n < 20 || !strings.Contains(script, "http://localhost:3000") {
		t.Fatalf("%d commands were found", n)
	}
	limited, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	cmd := exec.CommandContext(limited, "bash", "-c", strings.ReplaceAll(script, "http://localhost:3000", f.url))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
