package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/webhook"
)

const (
	vectorBody  = `{"id":"lead_1","email":"ada@example.test"}`
	vectorTime  = 1767225600
	whsec       = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	otherSecret = "another-secret"
)

// vector is a call whose signature was made by somebody else's code.
type vector struct {
	name   string
	scheme webhook.Scheme
	secret string
	uri    string
	header [][2]string
	timed  bool
}

var vectors = []vector{
	{
		"Standard Webhooks",
		webhook.Scheme{Kind: webhook.KindStandard},
		whsec, "",
		[][2]string{{"webhook-id", "msg_01"}, {"webhook-timestamp", "1767225600"}, {"webhook-signature", "v1,IrXYx3+Iq7mgqSAviKoHdj7UipYYyQB6lPbvze/l0nc="}},
		true,
	},
	{
		"HubSpot v3",
		webhook.Scheme{Kind: webhook.KindHubSpot},
		"demo-secret", "https://leads.example.test/hooks/hubspot?src=a%20b",
		[][2]string{{"X-HubSpot-Request-Timestamp", "1767225600000"}, {"X-HubSpot-Signature-v3", "zgibyIQJoX8IEl6/ml97PNrlrdgRMDIHz0nCGbH+GwE="}},
		true,
	},
	{
		"Typeform",
		webhook.Scheme{Kind: webhook.KindTypeform},
		"demo-secret", "",
		[][2]string{{"Typeform-Signature", "sha256=kSFyPKcegfPmU2YCmYx6KforCpXA2FAn66Je4TpvzLk="}},
		false,
	},
	{
		"Calendly",
		webhook.Scheme{Kind: webhook.KindCalendly},
		"demo-secret", "",
		[][2]string{{"Calendly-Webhook-Signature", "t=1767225600,v1=6e6b326d4cb70bd227c21248eb14ee89d2aae631373bde9fa5baef54fc3b4aca"}},
		true,
	},
	{
		"Stripe's form",
		webhook.Scheme{Kind: webhook.KindHMAC, Header: "Stripe-Signature"},
		"whsec_demo", "",
		[][2]string{{"Stripe-Signature", "t=1767225600,v1=75b90331f8049fdbaec9130a187bfcd3dbe4ae78e6b606998f8a3be7c68b24d4"}},
		true,
	},
	{
		"GitHub's form",
		webhook.Scheme{Kind: webhook.KindHMACBody},
		"demo-secret", "",
		[][2]string{{"X-Hub-Signature-256", "sha256=9121723ca71e81f3e6536602998c7a29fa2b0a95c0d85027eba25ee13a6fccb9"}},
		false,
	},
	{
		"bare hexadecimal",
		webhook.Scheme{Kind: webhook.KindHMACBody, Header: "x-cal-signature-256"},
		"demo-secret", "",
		[][2]string{{"X-Cal-Signature-256", "9121723ca71e81f3e6536602998c7a29fa2b0a95c0d85027eba25ee13a6fccb9"}},
		false,
	},
	{
		"body in base64",
		webhook.Scheme{Kind: webhook.KindHMACBody, Header: "X-Sig"},
		"demo-secret", "",
		[][2]string{{"X-Sig", "kSFyPKcegfPmU2YCmYx6KforCpXA2FAn66Je4TpvzLk="}},
		false,
	},
	{"bearer token", webhook.Scheme{Kind: webhook.KindToken}, "token-of-ours", "", [][2]string{{"Authorization", "Bearer token-of-ours"}}, false},
	{"token in a header", webhook.Scheme{Kind: webhook.KindToken, Header: "X-Token"}, "token-of-ours", "", [][2]string{{"X-Token", "token-of-ours"}}, false},
}

func (v vector) call(body string) webhook.Call {
	h := http.Header{}
	for _, kv := range v.header {
		h.Add(kv[0], kv[1])
	}
	return webhook.Call{Method: "post", URI: v.uri, Header: h, Body: []byte(body)}
}

func at(seconds int64) time.Time { return time.Unix(seconds, 0) }

func wantRefused(t *testing.T, what string, err error) {
	t.Helper()
	if growth.CodeOf(err) != growth.Unauthorized || err == nil {
		t.Errorf("%s: %v; want it refused", what, err)
	}
}

func TestEverySchemeAcceptsItsVectorAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			if err := v.scheme.Verify(v.call(vectorBody), []string{v.secret}, at(vectorTime)); err != nil {
				t.Fatalf("the vector is refused: %v", err)
			}
			other := otherSecret
			if v.scheme.Kind == webhook.KindStandard {
				other = webhook.Secret([]byte(strings.Repeat("x", 32)))
			}
			if err := v.scheme.Verify(v.call(vectorBody), []string{other, v.secret}, at(vectorTime)); err != nil {
				t.Errorf("beside a newer secret: %v", err)
			}
			wantRefused(t, "another secret", v.scheme.Verify(v.call(vectorBody), []string{other}, at(vectorTime)))
			wantRefused(t, "no secret", v.scheme.Verify(v.call(vectorBody), nil, at(vectorTime)))
			wantRefused(t, "an empty secret", v.scheme.Verify(v.call(vectorBody), []string{""}, at(vectorTime)))
			if v.scheme.Kind != webhook.KindToken {
				wantRefused(t, "a changed body", v.scheme.Verify(v.call(vectorBody+" "), []string{v.secret}, at(vectorTime)))
			}
			for _, kv := range v.header {
				c := v.call(vectorBody)
				c.Header.Del(kv[0])
				wantRefused(t, "without "+kv[0], v.scheme.Verify(c, []string{v.secret}, at(vectorTime)))
				c = v.call(vectorBody)
				c.Header.Add(kv[0], kv[1])
				wantRefused(t, "twice "+kv[0], v.scheme.Verify(c, []string{v.secret}, at(vectorTime)))
				c = v.call(vectorBody)
				c.Header.Set(kv[0], kv[1]+"0")
				wantRefused(t, "changed "+kv[0], v.scheme.Verify(c, []string{v.secret}, at(vectorTime)))
			}
		})
	}
}

func TestSignedTimesMustLieNearOurs(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		if !v.timed {
			continue
		}
		window := int64(300)
		if v.scheme.Kind == webhook.KindCalendly {
			window = 180
		}
		for _, off := range []int64{window, -window} {
			if err := v.scheme.Verify(v.call(vectorBody), []string{v.secret}, at(vectorTime+off)); err != nil {
				t.Errorf("%s, %d s off: %v", v.name, off, err)
			}
		}
		for _, off := range []int64{window + 1, -window - 1, 1 << 40} {
			wantRefused(t, fmt.Sprintf("%s, %d s off", v.name, off), v.scheme.Verify(v.call(vectorBody), []string{v.secret}, at(vectorTime+off)))
		}
	}
	tight := webhook.Scheme{Kind: webhook.KindHMAC, Header: "Stripe-Signature", Tolerance: 10 * time.Second}
	wantRefused(t, "11 s off where 10 are allowed", tight.Verify(vectors[4].call(vectorBody), []string{vectors[4].secret}, at(vectorTime+11)))
}

// A time that is signed and is none that a clock shows is refused, whatever it would overflow to.
func TestOddTimesAreRefused(t *testing.T) {
	t.Parallel()
	s := webhook.Scheme{Kind: webhook.KindHMAC, Header: "X-Signature"}
	for _, stamp := range []string{"", "-1767225600", "+1767225600", " 1767225600", "1767225600.0", "0x6956", "18446744075476777216", "99999999999999999999", "１７６７２２５６００"} {
		h := http.Header{}
		h.Set("X-Signature", "t="+stamp+",v1="+sum("demo-secret", stamp+"."+vectorBody))
		wantRefused(t, "the time "+stamp, s.Verify(webhook.Call{Header: h, Body: []byte(vectorBody)}, []string{"demo-secret"}, at(vectorTime)))
	}
}

func sum(secret, text string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}

func TestOneOfSeveralSignaturesIsEnough(t *testing.T) {
	t.Parallel()
	stamp := fmt.Sprint(vectorTime)
	good, bad := sum("demo-secret", stamp+"."+vectorBody), sum("old", stamp+"."+vectorBody)
	s := webhook.Scheme{Kind: webhook.KindHMAC}
	for header, ok := range map[string]bool{
		"t=" + stamp + ",v0=" + good + ",v1=" + bad + ",v1=" + good: true,
		"v1=" + good + ", t=" + stamp:                               true,
		"t=" + stamp + ",v0=" + good:                                false,
		"t=" + stamp + ",t=" + stamp + ",v1=" + good:                false,
		"t=" + stamp + ",v1=" + good[:62]:                           false,
		"v1=" + good:                                                false,
	} {
		h := http.Header{}
		h.Set("X-Signature", header)
		if err := s.Verify(webhook.Call{Header: h, Body: []byte(vectorBody)}, []string{"demo-secret"}, at(vectorTime)); (err == nil) != ok {
			t.Errorf("%.40s…: %v; want it accepted: %v", header, err, ok)
		}
	}
	std := vectors[0]
	for signature, ok := range map[string]bool{
		"v2,AAAA v1a,AAAA v1,IrXYx3+Iq7mgqSAviKoHdj7UipYYyQB6lPbvze/l0nc=": true,
		"v1a,IrXYx3+Iq7mgqSAviKoHdj7UipYYyQB6lPbvze/l0nc=":                 false,
		"IrXYx3+Iq7mgqSAviKoHdj7UipYYyQB6lPbvze/l0nc=":                     false,
	} {
		c := std.call(vectorBody)
		c.Header.Set("webhook-signature", signature)
		if err := std.scheme.Verify(c, []string{whsec}, at(vectorTime)); (err == nil) != ok {
			t.Errorf("%s: %v; want it accepted: %v", signature, err, ok)
		}
	}
}

// HubSpot decodes some escapes of the address before it signs, and leaves the others.
func TestHubSpotEscapes(t *testing.T) {
	t.Parallel()
	stamp := fmt.Sprint(vectorTime * 1000)
	for uri, signed := range map[string]string{
		"https://x.test/a?u=https%3A%2F%2Fy.test%3Fq%3D1":         "https://x.test/a?u=https://y.test?q%3D1",
		"https://x.test/a?b=%40%21%24%27%28%29%2A%2C%3B%20%26%3D": "https://x.test/a?b=@!$'()*,;%20%26%3D",
	} {
		m := hmac.New(sha256.New, []byte("demo-secret"))
		m.Write([]byte("POST" + signed + vectorBody + stamp))
		h := http.Header{}
		h.Set("X-HubSpot-Request-Timestamp", stamp)
		h.Set("X-HubSpot-Signature-v3", b64(m.Sum(nil)))
		c := webhook.Call{Method: "POST", URI: uri, Header: h, Body: []byte(vectorBody)}
		if err := (webhook.Scheme{Kind: webhook.KindHubSpot}).Verify(c, []string{"demo-secret"}, at(vectorTime)); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
		c.URI = strings.Replace(uri, "x.test", "evil.test", 1)
		wantRefused(t, "another host", (webhook.Scheme{Kind: webhook.KindHubSpot}).Verify(c, []string{"demo-secret"}, at(vectorTime)))
	}
}

// The older versions of HubSpot's signature carry no time; they come beside the third and count for nothing.
func TestOldHubSpotVersionsCountForNothing(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	h.Set("X-HubSpot-Signature", "0dc6b77fe6bf8805f356496dd7e23a7ee4a20c4b4b8c4add583fff013e53026f")
	h.Set("X-HubSpot-Signature-Version", "v2")
	c := webhook.Call{Method: "POST", URI: vectors[1].uri, Header: h, Body: []byte(vectorBody)}
	wantRefused(t, "version 2", (webhook.Scheme{Kind: webhook.KindHubSpot}).Verify(c, []string{"demo-secret"}, at(vectorTime)))
}

func TestRefusalsSayNothingOfTheCall(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		err := v.scheme.Verify(v.call(vectorBody), []string{"wrong-secret-1"}, at(vectorTime))
		for _, secret := range []string{"ada@", "demo-secret", "wrong-secret", "token-of-ours", "v1,Ir", "9121723"} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", v.name, err)
			}
		}
	}
}

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind   webhook.Kind
		secret string
		ok     bool
	}{
		{webhook.KindTypeform, "demo-secret", true},
		{webhook.KindTypeform, "", false},
		{webhook.KindTypeform, "short", false},
		{webhook.KindTypeform, "with\nline-break", false},
		{webhook.KindStandard, whsec, true},
		{webhook.KindStandard, "whsec_AAAA", false},
		{webhook.KindStandard, "demo-secret-that-is-no-base64!", false},
	} {
		if err := tc.kind.CheckSecret(tc.secret); (err == nil) != tc.ok {
			t.Errorf("%s %q: %v; want it taken: %v", tc.kind, tc.secret, err, tc.ok)
		}
	}
}
