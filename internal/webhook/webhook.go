// Package webhook knows how calls between servers are proved: how ours are signed (Standard Webhooks) and which addresses
// they may not reach, how the calls of others are told from a stranger's, and where in their bodies a lead stands. It
// does no I/O, keeps nothing, and refuses to know what becomes of a lead.
package webhook

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Sign adds the three headers of Standard Webhooks to h: id, timestamp and signatures of body, one by each secret, so
// that a receiver that still knows the old one accepts it too. The specification is at standardwebhooks.com; a secret is
// shown to users as "whsec_" and its base64.
func Sign(h http.Header, secrets [][]byte, id string, at time.Time, body []byte) error {
	var sigs []string
	for _, secret := range secrets {
		wh, err := standardwebhooks.NewWebhook(Secret(secret))
		if err != nil {
			return err
		}
		sig, err := wh.Sign(id, at, body)
		if err != nil {
			return err
		}
		sigs = append(sigs, sig)
	}
	if len(sigs) == 0 {
		return errors.New("there is no secret to sign with")
	}
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(sigs, " "))
	return nil
}

// NewSecret makes the bytes of a signing secret.
func NewSecret() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, by its documentation
	return b
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
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("fec0::/10"), // IPv4 in IPv6 as it was once, and site-local: old kernels route both
}
