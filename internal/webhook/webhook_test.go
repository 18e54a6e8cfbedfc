package webhook_test

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/zakibelm/astrogrowth/internal/webhook"
)

func TestSignedCallIsAcceptedByTheStandardVerifier(t *testing.T) {
	t.Parallel()
	secret, body, h := []byte("0123456789abcdef0123456789abcdef"), []byte(`{"type":"job.finished"}`), http.Header{}
	if err := webhook.Sign(h, [][]byte{secret}, "msg_1", time.Now(), body); err != nil {
		t.Fatal(err)
	}
	verifier, err := standardwebhooks.NewWebhook(webhook.Secret(secret))
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(body, h); err != nil {
		t.Errorf("genuine call refused: %v", err)
	}
	if err := verifier.Verify([]byte(`{"type":"job.other"}`), h); err == nil {
		t.Error("a changed body was accepted")
	}
}

func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	for _, a := range []string{
		"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "::1", "fe80::1",
		"fd00::1", "::127.0.0.1", "::10.0.0.1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1", "255.255.255.255",
	} {
		if !webhook.Private(netip.MustParseAddr(a)) {
			t.Errorf("%s may be called", a)
		}
	}
	for _, a := range []string{"8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"} {
		if webhook.Private(netip.MustParseAddr(a)) {
			t.Errorf("%s may not be called", a)
		}
	}
}
