package wiring

import (
	"testing"

	"github.com/zakibelm/astrogrowth/internal/config"
)

func TestPagesOfJobs(t *testing.T) {
	t.Parallel()
	for app, want := range map[string]string{
		"http://localhost:3000": "http://localhost:3001/jobs/", "http://[::1]:3000": "http://[::1]:3001/jobs/",
		"https://growth.example.com": "https://growth.example.com/v1/jobs/", "": "",
	} {
		if got := JobPages(config.Config{AppURL: app, MonitorPort: 3001}); got != want {
			t.Errorf("%s: %s, want %s", app, got, want)
		}
	}
}
