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
		said := config.Config{AppURL: app, DashboardURL: "https://dash.example.com/growth", MonitorPort: 3001}
		if got := JobPages(said); got != "https://dash.example.com/growth/jobs/" {
			t.Errorf("%s with DASHBOARD_URL: %s", app, got)
		}
	}
}
