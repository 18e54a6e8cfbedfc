package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// Kind is how a sender proves who it is.
type Kind string

// The kinds of senders.
const (
	KindHMAC     Kind = "hmac"              // t=<s>,v1=<hex> over "t.body"; Stripe's form
	KindHMACBody Kind = "hmac_body"         // hex or base64 over the body; GitHub's form
	KindStandard Kind = "standard_webhooks" // standardwebhooks.com
	KindHubSpot  Kind = "hubspot"           // version 3
	KindTypeform Kind = "typeform"
	KindCalendly Kind = "calendly"
	KindToken    Kind = "token" // a bearer token, or a header that holds it
)

// Kinds lists the kinds.
func Kinds() []Kind {
	return []Kind{KindHMAC, KindHMACBody, KindStandard, KindHubSpot, KindTypeform, KindCalendly, KindToken}
}

// Windows of signed times.
const (
	window         = 5 * time.Minute
	calendlyWindow = 3 * time.Minute
	// MaxWindow is the widest that a source may ask for: what is older was not sent just now.
	MaxWindow = 15 * time.Minute
)

// Scheme is how the calls of one sender are told from a stranger's. The zero values of Header and Tolerance are the
// kind's own.
type Scheme struct {
	Kind      Kind
	Header    string
	Tolerance time.Duration
}

// Call is a call as it came, with the body's bytes as they were on the wire.
type Call struct {
	Method string
	URI    string // as the sender called it: a configured public address, the path, the query
	Header http.Header
	Body   []byte
}

// header is what carries the proof.
func (s Scheme) header() string {
	if s.Header != "" {
		return s.Header
	}
	switch s.Kind {
	case KindHMAC:
		return "X-Signature"
	case KindHMACBody:
		return "X-Hub-Signature-256"
	case KindStandard:
		return "Webhook-Signature"
	case KindHubSpot:
		return "X-HubSpot-Signature-v3"
	case KindTypeform:
		return "Typeform-Signature"
	case KindCalendly:
		return "Calendly-Webhook-Signature"
	case KindToken:
		return "Authorization"
	}
	return ""
}

func (s Scheme) tolerance() time.Duration {
	switch {
	case s.Tolerance > 0:
		return min(s.Tolerance, MaxWindow)
	case s.Kind == KindCalendly:
		return calendlyWindow
	}
	return window
}

// Named says whether the kind lets its header be chosen.
func (k Kind) Named() bool { return k == KindHMAC || k == KindHMACBody || k == KindToken }

// Timed says whether the kind signs the time of the call.
func (k Kind) Timed() bool {
	return k == KindHMAC || k == KindStandard || k == KindHubSpot || k == KindCalendly
}

// CheckSecret says what is wrong with a secret of this kind.
func (k Kind) CheckSecret(secret string) error {
	const op, field = "webhook.CheckSecret", "secret"
	switch {
	case len(secret) < 8 || len(secret) > 512:
		return growth.InvalidField(op, field, "use 8 to 512 characters")
	case strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return growth.InvalidField(op, field, "use a secret without control characters")
	case k == KindStandard && standardKey(secret) == nil:
		return growth.InvalidField(op, field, "use whsec_ and the base64 of 24 to 64 bytes")
	}
	return nil
}

// Verify refuses a call that none of the secrets vouches for at this time. What it says is meant for whoever set the
// source up; it holds nothing of the call.
func (s Scheme) Verify(c Call, secrets []string, now time.Time) error {
	secrets = slices.DeleteFunc(slices.Clone(secrets), func(secret string) bool { return secret == "" })
	if len(secrets) == 0 {
		return refuse("the source has no secret: it takes nothing in")
	}
	given, err := single(c.Header, s.header())
	if err != nil {
		return err
	}
	switch s.Kind {
	case KindHMAC, KindCalendly:
		return s.timed(c, given, secrets, now)
	case KindHMACBody:
		return plain(c.Body, given, secrets, decodeEither)
	case KindTypeform:
		return plain(c.Body, given, secrets, decodeTypeform)
	case KindStandard:
		return s.standard(c, given, secrets, now)
	case KindHubSpot:
		return s.hubSpot(c, given, secrets, now)
	case KindToken:
		return token(given, secrets, s.header())
	}
	return refuse("the source's kind is not known to this version")
}

func refuse(message string) error {
	return growth.Errorf(growth.Unauthorized, "webhook.Verify", "%s", message)
}

// errNoMatch does not say which part of the call it is that does not fit.
func errNoMatch() error { return refuse("the signature does not fit the body and the source's secret") }

// single is the one value of a header. Of two, nobody knows which one somebody else on the way has looked at.
func single(h http.Header, name string) (string, error) {
	switch v := h.Values(name); {
	case len(v) == 0 || v[0] == "":
		return "", refuse("the header " + http.CanonicalHeaderKey(name) + " is missing")
	case len(v) > 1:
		return "", refuse("the header " + http.CanonicalHeaderKey(name) + " stands there more than once")
	case len(v[0]) > 4096:
		return "", refuse("the header " + http.CanonicalHeaderKey(name) + " is too long")
	default:
		return v[0], nil
	}
}

// fits says whether one of the signatures is that of the parts under one of the keys.
func fits(given [][]byte, keys [][]byte, parts ...[]byte) bool {
	ok := false
	for _, key := range keys {
		if len(key) == 0 {
			continue
		}
		mac := hmac.New(sha256.New, key)
		for _, p := range parts {
			mac.Write(p)
		}
		sum := mac.Sum(nil)
		for _, g := range given {
			if hmac.Equal(g, sum) {
				ok = true
			}
		}
	}
	return ok
}

func raw(secrets []string) [][]byte {
	out := make([][]byte, len(secrets))
	for i, s := range secrets {
		out[i] = []byte(s)
	}
	return out
}

// timed is the scheme of t=…,v1=….
func (s Scheme) timed(c Call, given string, secrets []string, now time.Time) error {
	stamp, sums, err := parseTimed(given)
	if err != nil {
		return err
	}
	if !fits(sums, raw(secrets), []byte(stamp), []byte("."), c.Body) {
		return errNoMatch()
	}
	return s.recent(stamp, time.Second, now)
}

// maxSums is how many signatures of one header are looked at: a sender that rolls its secret over sends two.
const maxSums = 8

// parseTimed reads t=<time>,v1=<hex>[,v1=<hex>…]; pairs of other names are passed by.
func parseTimed(h string) (stamp string, sums [][]byte, err error) {
	for pair := range strings.SplitSeq(h, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		switch name {
		case "t":
			if stamp != "" {
				return "", nil, refuse("the signature names two times")
			}
			stamp = value
		case "v1":
			if b, err := hex.DecodeString(value); err == nil && len(b) == sha256.Size && len(sums) < maxSums {
				sums = append(sums, b)
			}
		}
	}
	if stamp == "" || len(sums) == 0 {
		return "", nil, refuse("the signature is not of the form t=<seconds>,v1=<64 hexadecimal digits>")
	}
	return stamp, sums, nil
}

// recent says whether a signed time lies near ours, before or after.
func (s Scheme) recent(stamp string, unit time.Duration, now time.Time) error {
	at, ok := parseStamp(stamp, unit)
	if !ok {
		return refuse("the signed time is not a number of seconds or milliseconds")
	}
	if d := now.Sub(at); d > s.tolerance() || d < -s.tolerance() {
		return refuse("the signed time lies too far from ours: an old call, or a clock that is wrong")
	}
	return nil
}

// parseStamp reads a decimal time that no other text stands for: no sign, no blank, nothing that overflows.
func parseStamp(s string, unit time.Duration) (time.Time, bool) {
	if s == "" || len(s) > 15 {
		return time.Time{}, false
	}
	var n int64
	for _, r := range s {
		if r < '0' || r > '9' {
			return time.Time{}, false
		}
		n = n*10 + int64(r-'0')
	}
	if unit == time.Millisecond {
		return time.UnixMilli(n), true
	}
	return time.Unix(n, 0), true
}

// plain is the scheme of a digest of the body alone.
func plain(body []byte, given string, secrets []string, decode func(string) [][]byte) error {
	sums := decode(given)
	if len(sums) == 0 {
		return refuse("the signature is not the hexadecimal or base64 form of a SHA-256 HMAC")
	}
	if !fits(sums, raw(secrets), body) {
		return errNoMatch()
	}
	return nil
}

// decodeEither reads a digest in hexadecimal or in base64, with or without its name in front.
func decodeEither(s string) [][]byte {
	s = strings.TrimPrefix(s, "sha256=")
	if b, err := hex.DecodeString(s); err == nil && len(b) == sha256.Size {
		return [][]byte{b}
	}
	return decodeBase64(s)
}

func decodeTypeform(s string) [][]byte {
	s, ok := strings.CutPrefix(s, "sha256=")
	if !ok {
		return nil
	}
	return decodeBase64(s)
}

func decodeBase64(s string) [][]byte {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != sha256.Size {
		return nil
	}
	return [][]byte{b}
}

// standard is the scheme of Standard Webhooks.
func (s Scheme) standard(c Call, given string, secrets []string, now time.Time) error {
	id, err := single(c.Header, "Webhook-Id")
	if err != nil {
		return err
	}
	stamp, err := single(c.Header, "Webhook-Timestamp")
	if err != nil {
		return err
	}
	if strings.Contains(id, ".") || strings.Contains(stamp, ".") || len(id) > 256 {
		return refuse("webhook-id and webhook-timestamp must not hold a full stop")
	}
	sums := parseStandard(given)
	if len(sums) == 0 {
		return refuse("webhook-signature holds no signature of the version v1")
	}
	var keys [][]byte
	for _, secret := range secrets {
		keys = append(keys, standardKey(secret))
	}
	if !fits(sums, keys, []byte(id), []byte("."), []byte(stamp), []byte("."), c.Body) {
		return errNoMatch()
	}
	return s.recent(stamp, time.Second, now)
}

// parseStandard reads the signatures of version v1; others are passed by.
func parseStandard(h string) [][]byte {
	var sums [][]byte
	for part := range strings.SplitSeq(h, " ") {
		if sum, ok := strings.CutPrefix(part, "v1,"); ok && len(sums) < maxSums {
			sums = append(sums, decodeBase64(sum)...)
		}
	}
	return sums
}

// standardKey is the key that a secret of Standard Webhooks stands for; nil when it stands for none.
func standardKey(secret string) []byte {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil
	}
	return key
}

// hubSpot is HubSpot's third version: method, address, body and time.
func (s Scheme) hubSpot(c Call, given string, secrets []string, now time.Time) error {
	stamp, err := single(c.Header, "X-HubSpot-Request-Timestamp")
	if err != nil {
		return err
	}
	sums := decodeBase64(given)
	if len(sums) == 0 {
		return refuse("the signature is not the base64 form of a SHA-256 HMAC")
	}
	if !fits(sums, raw(secrets), []byte(strings.ToUpper(c.Method)), []byte(hubSpotURI(c.URI)), c.Body, []byte(stamp)) {
		return refuse("the signature does not fit the body, the address and the source's secret; is APP_URL the address that HubSpot calls?")
	}
	return s.recent(stamp, time.Millisecond, now)
}

// hubSpotDecoded are the escapes that HubSpot decodes before it signs; all others stay as they are.
var hubSpotDecoded = strings.NewReplacer(
	"%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$", "%27", "'", "%28", "(", "%29", ")", "%2A", "*", "%2C", ",", "%3B", ";",
	"%3a", ":", "%2f", "/", "%3f", "?", "%2a", "*", "%2c", ",", "%3b", ";",
)

func hubSpotURI(uri string) string { return hubSpotDecoded.Replace(uri) }

// token compares digests, so that the time it takes says nothing of how much was right.
func token(given string, secrets []string, header string) error {
	if strings.EqualFold(header, "Authorization") {
		scheme, rest, found := strings.Cut(given, " ")
		if !found || !strings.EqualFold(scheme, "Bearer") {
			return refuse("send the token as Authorization: Bearer …")
		}
		given = strings.TrimSpace(rest)
	}
	sum, ok := sha256.Sum256([]byte(given)), 0
	for _, s := range secrets {
		own := sha256.Sum256([]byte(s))
		ok |= subtle.ConstantTimeCompare(sum[:], own[:])
	}
	if ok != 1 {
		return refuse("the token is not the source's")
	}
	return nil
}
