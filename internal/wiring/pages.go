package wiring

import (
	"net"
	"net/url"
	"strconv"

	"github.com/zakibelm/astrogrowth/internal/config"
)

// JobPages is where a person looks at a job: the address before its id. It is the dashboard, at DASHBOARD_URL; else it is
// taken to listen beside the API on a port of its own. Where APP_URL names no port, a proxy stands before the API, and only
// the API's own answer is known to be behind it.
func JobPages(cfg config.Config) string {
	if cfg.DashboardURL != "" {
		return cfg.DashboardURL + "/jobs/"
	}
	u, err := url.Parse(cfg.AppURL)
	if err != nil || u.Host == "" {
		return ""
	}
	if u.Port() == "" {
		return cfg.AppURL + "/v1/jobs/"
	}
	return u.Scheme + "://" + net.JoinHostPort(u.Hostname(), strconv.Itoa(cfg.MonitorPort)) + "/jobs/"
}
