package dashboard

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// pagePolicy lets a page load what this program serves and nothing else: no inline script, no inline style.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard stands before every route: headers, the check of the Host header, and the refusal of writes that another site
// makes a browser send.
func (d *Dashboard) guard(next http.Handler) http.Handler {
	csrf := http.NewCrossOriginProtection()
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "this request came from another site and was refused", http.StatusForbidden)
	}))
	protected := csrf.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		strict(w.Header())
		if !d.cfg.RequireLogin && !localHost(r.Host) {
			// Without a login the only guard is that a browser says whom it means to talk to: a name that somebody
			// points at 127.0.0.1 must not open the dashboard to that somebody's page.
			http.Error(w, "without a login this dashboard answers only to localhost and 127.0.0.1; set ADMIN_API_KEY to use another name",
				http.StatusMisdirectedRequest)
			return
		}
		protected.ServeHTTP(w, r)
	})
}

func strict(h http.Header) {
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store") // pages hold personal data
}

// localHost says whether a Host header names this machine.
func localHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// secure says whether the browser came by TLS, perhaps only as far as a proxy. A header that lies harms its sender
// alone: the cookie does not come back.
func secure(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// insideOnly keeps a target of a redirect on this site.
func insideOnly(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}
