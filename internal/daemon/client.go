package daemon

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

type clientKey struct{}

// KnowClient goes around a program's handler and finds out where each request comes from: the connection's other end,
// or, where that is a trusted proxy, whom the proxy names in X-Forwarded-For. What an untrusted client writes into that
// header is not believed.
func KnowClient(trusted func(netip.Addr) bool) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := context.WithValue(r.Context(), clientKey{}, clientOf(r, trusted))
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// Client is where the request of ctx comes from; the zero address when nobody found out.
func Client(ctx context.Context) netip.Addr {
	addr, _ := ctx.Value(clientKey{}).(netip.Addr)
	return addr
}

// ClientNetwork is Client for a log: the network, not the machine, because an address can name a person.
func ClientNetwork(ctx context.Context) string {
	addr := Client(ctx)
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	p, err := addr.Prefix(bits)
	if err != nil || !p.IsValid() {
		return ""
	}
	return p.String()
}

// clientOf walks the chain of proxies from our end. It stops at the first who is not trusted: that one may have written
// all that stands before.
func clientOf(r *http.Request, trusted func(netip.Addr) bool) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := at.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !trusted(client) {
			break
		}
		before, err := forwarded(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		client = before
	}
	return client
}

// forwarded reads one hop; some proxies add the port.
func forwarded(hop string) (netip.Addr, error) {
	if at, err := netip.ParseAddrPort(hop); err == nil {
		return at.Addr().Unmap().WithZone(""), nil
	}
	addr, err := netip.ParseAddr(strings.Trim(hop, "[]"))
	return addr.Unmap().WithZone(""), err
}
