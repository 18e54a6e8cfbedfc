// Package webhook knows how outgoing calls are signed (Standard Webhooks) and which addresses they may not reach. It
// does no I/O.
package webhook

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Sign adds the three headers of Standard Webhooks to h: id, timestamp and signature of body. The specification is at
// standardwebhooks.com; the secret is shown to users as "whsec_" and its base64.
func Sign(h http.Header, secret []byte, id string, at time.Time, body []byte) error {
	wh, err := standardwebhooks.NewWebhook(Secret(secret))
	if err != nil {
		return err
	}
	sig, err := wh.Sign(id, at, body)
	if err != nil {
		return err
	}
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, sig)
	return nil
}

// Secret is how a signing secret is shown.
func Secret(raw []byte) string { return "whsec_" + base64.StdEncoding.EncodeToString(raw) }

// Private says whether an address lies in a network that a stranger's URL must not make us call: loopback, private,
// link-local (where clouds keep their metadata), multicast, unspecified, and IPv6 forms that embed such an address.
func Private(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsValid() || a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() ||
		a.IsInterfaceLocalMulticast() || a.IsMulticast() || a.IsUnspecified() {
		return true
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Networks that RFC 6890 and its successors reserve, beyond those that netip names.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("100::/64"),
}
