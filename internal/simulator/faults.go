package simulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The kinds of faults beside HTTP statuses: a kind such as "429" or "503" answers with that status, and at LinkedIn
// "500_after_accept" does so after the post was made.
const (
	KindLatency          = "latency"             // later by params.latency_ms; adds to any other fault
	KindHTML             = "html"                // a page for people, with params.status (502)
	KindTimeout          = "timeout"             // no answer until the client leaves
	KindReset            = "reset"               // the connection is reset before anything is done
	KindCutJSON          = "cut_json"            // half of the answer; hint "mismatch": and the length of the whole
	KindEmpty            = "empty"               // 200 with an answer of no characters
	KindEmptyBody        = "empty_body"          // params.status (200) without a body
	KindErrorIn200       = "error_in_200"        // 200 that carries an error; hint "choice": inside the choice
	KindMissingUsage     = "missing_usage"       // an answer without token counts
	KindInvalidAnswer    = "invalid_json_answer" // not what the schema asks for; hint "prose", "fence" or "shape"
	KindKeepAlive        = "keepalive"           // blank lines before the JSON, comments before a stream, over params.latency_ms
	KindStall            = "stall"               // 200, params.after pieces, then nothing but keep-alives until the client leaves
	KindGullible         = "gullible"            // the model obeys what a lead's text tells it
	KindCareless         = "careless"            // the model writes posts with a mistake; hint "number", "banned", "placeholder", "foreign", "copy" or "apology", params.message its words
	KindTimeoutAfterPost = "timeout_after_accept"
	KindResetAfterPost   = "reset_after_accept"
	KindDuplicate        = "duplicate" // 422 that names a post
	KindRevoked          = "revoked"   // 401: the token was revoked
	KindExpired          = "expired"   // 401: the token has expired
	KindNoID             = "no_id"     // 201 without the post's id
)

// The hints: how a 429 or 503 says when to come back, and the variants of other faults.
const (
	HintSeconds  = "seconds"  // Retry-After: 7 (the default)
	HintDate     = "date"     // Retry-After: an HTTP date
	HintMillis   = "ms"       // retry-after-ms: 7000
	HintReset    = "reset"    // X-RateLimit-Reset: epoch milliseconds
	HintBody     = "body"     // in the body only
	HintDaily    = "daily"    // the daily cap of free models: reset at the next UTC midnight
	HintNone     = "none"     // not at all
	HintMismatch = "mismatch" // cut_json
	HintMidPiece = "midpiece" // cut_json: a stream ends within a piece
	HintChoice   = "choice"   // error_in_200
	HintProse    = "prose"    // invalid_json_answer
	HintFence    = "fence"    // invalid_json_answer: repairable
	HintShape    = "shape"    // invalid_json_answer

	HintNumber      = "number"      // careless: figures that nobody gave
	HintBanned      = "banned"      // careless: a promise, or params.message
	HintPlaceholder = "placeholder" // careless: a blank to be filled in
	HintForeign     = "foreign"     // careless: a sentence in the other language
	HintCopy        = "copy"        // careless: params.message in place of the post
	HintApology     = "apology"     // careless: a model that speaks of itself
)

// Fault tells the simulator to misbehave.
type Fault struct {
	ID       int         `json:"id"`
	Provider string      `json:"provider"`
	Endpoint string      `json:"endpoint,omitempty"` // "chat", "models", "embed", "posts", "read", "delete", "images", "uploads", "comments", "userinfo", "token", "introspect", "revoke" or "any"; empty: "chat", at LinkedIn "posts"
	Model    string      `json:"model,omitempty"`    // as the request names it; empty: every model
	Kind     string      `json:"kind"`
	Count    int         `json:"count,omitempty"` // how many requests it befalls; 0: until it is cleared
	Rate     *float64    `json:"rate,omitempty"`  // share of requests, 0 to 1; absent: all
	Params   FaultParams `json:"params,omitzero"`
	Fired    int         `json:"fired"` // how many requests it has befallen so far
}

// FaultParams are the details of a fault. The zero value is every detail's default.
type FaultParams struct {
	Status     int     `json:"status,omitempty"`
	RetryAfter float64 `json:"retry_after,omitempty"` // seconds
	Hint       string  `json:"hint,omitempty"`
	LatencyMS  int     `json:"latency_ms,omitempty"`
	Message    string  `json:"message,omitempty"`
	After      int     `json:"after,omitempty"` // pieces of a stream before it breaks or stalls; 0: half of them, for a stall none
}

var namedKinds = []string{
	KindLatency, KindHTML, KindTimeout, KindReset, KindCutJSON, KindEmpty, KindEmptyBody, KindErrorIn200, KindMissingUsage,
	KindInvalidAnswer, KindGullible, KindCareless, KindKeepAlive, KindStall, KindTimeoutAfterPost, KindResetAfterPost, KindDuplicate, KindRevoked, KindExpired, KindNoID,
}

var linkedInKinds = []string{
	KindTimeoutAfterPost, KindResetAfterPost, KindDuplicate, KindRevoked, KindExpired, KindNoID,
}

var (
	endpoints = []string{"chat", "models", "embed", "posts", "read", "delete", "images", "uploads", "comments", "userinfo", "key", "token", "introspect", "revoke", "any"}
	hints     = []string{
		"", HintSeconds, HintDate, HintMillis, HintReset, HintBody, HintDaily, HintNone, HintMismatch, HintMidPiece, HintChoice,
		HintProse, HintFence, HintShape, HintNumber, HintBanned, HintPlaceholder, HintForeign, HintCopy, HintApology,
	}
)

// status is the HTTP status that a numeric kind stands for, 0 when the kind is none.
func (f *Fault) status() int {
	n, err := strconv.Atoi(strings.TrimSuffix(f.Kind, "_after_accept"))
	if err != nil || n < 400 || n > 599 {
		return 0
	}
	return n
}

// afterAccept says whether the fault comes only once the post was made.
func (f *Fault) afterAccept() bool { return strings.HasSuffix(f.Kind, "_after_accept") }

// check fills in defaults and refuses what would silently do nothing.
func (f *Fault) check() error {
	if !slices.Contains([]string{OpenRouter, HuggingFace, Ollama, LinkedIn}, f.Provider) {
		return fmt.Errorf("provider: %q is none of openrouter, huggingface, ollama, linkedin", f.Provider)
	}
	if f.Endpoint == "" {
		f.Endpoint = "chat"
		if f.Provider == LinkedIn {
			f.Endpoint = "posts"
		}
	}
	if !slices.Contains(endpoints, f.Endpoint) {
		return fmt.Errorf("endpoint: %q is none of %s", f.Endpoint, strings.Join(endpoints, ", "))
	}
	if f.status() == 0 && !slices.Contains(namedKinds, f.Kind) {
		return fmt.Errorf("kind: %q is neither an HTTP status from 400 to 599 nor one of %s", f.Kind, strings.Join(namedKinds, ", "))
	}
	if f.Provider != LinkedIn && (f.afterAccept() || slices.Contains(linkedInKinds, f.Kind)) {
		return fmt.Errorf("kind: %q exists at linkedin only", f.Kind)
	}
	return f.checkNumbers()
}

func (f *Fault) checkNumbers() error {
	p := f.Params
	switch {
	case f.Count < 0:
		return fmt.Errorf("count: %d is negative", f.Count)
	case f.Rate != nil && (*f.Rate < 0 || *f.Rate > 1):
		return fmt.Errorf("rate: %v is not between 0 and 1", *f.Rate)
	case !slices.Contains(hints, p.Hint):
		return fmt.Errorf("params.hint: %q is none of %s", p.Hint, strings.Join(hints[1:], ", "))
	case p.Status != 0 && (p.Status < 200 || p.Status > 599):
		return fmt.Errorf("params.status: %d is no HTTP status from 200 to 599", p.Status)
	case p.LatencyMS < 0 || p.RetryAfter < 0 || p.After < 0:
		return fmt.Errorf("params: negative durations and counts do not exist")
	case f.Kind == KindCareless && p.Hint == HintCopy && p.Message == "":
		return fmt.Errorf("params.message: give the text that is copied")
	case f.Kind == KindLatency && p.LatencyMS == 0:
		return fmt.Errorf("params.latency_ms: a latency of nothing is no fault")
	}
	return nil
}

// faultSet holds the faults in force, in the order in which they were set.
type faultSet struct {
	mu     sync.Mutex
	dice   *dice
	faults []*Fault
	last   int
}

const maxFaults = 1000

func newFaultSet(d *dice) *faultSet { return &faultSet{dice: d} }

// set adds a fault, in place of one that has the same provider, endpoint, model and kind.
func (s *faultSet) set(f Fault) (Fault, error) {
	if err := f.check(); err != nil {
		return Fault{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(o *Fault) bool {
		same := o.Provider == f.Provider && o.Endpoint == f.Endpoint && o.Model == f.Model && o.Kind == f.Kind
		return same || o.spent()
	})
	if len(s.faults) >= maxFaults {
		return Fault{}, fmt.Errorf("faults: %d are in force already", maxFaults)
	}
	s.last++
	f.ID, f.Fired = s.last, 0
	s.faults = append(s.faults, &f)
	return f, nil
}

func (f *Fault) spent() bool { return f.Count > 0 && f.Fired >= f.Count }

func (f *Fault) meets(provider, endpoint, model string) bool {
	return f.Provider == provider && (f.Endpoint == "any" || f.Endpoint == endpoint) && (f.Model == "" || f.Model == model)
}

// pick returns how much later the answer has to be and the fault that befalls it, nil for none.
func (s *faultSet) pick(provider, endpoint, model string) (time.Duration, *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var delay time.Duration
	for _, f := range s.faults {
		if f.spent() || !f.meets(provider, endpoint, model) || (f.Rate != nil && !s.dice.chance(*f.Rate)) {
			continue
		}
		f.Fired++
		if f.Kind != KindLatency {
			c := *f
			return delay, &c
		}
		delay += time.Duration(f.Params.LatencyMS) * time.Millisecond
	}
	return delay, nil
}

func (s *faultSet) list() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Fault, 0, len(s.faults))
	for _, f := range s.faults {
		out = append(out, *f)
	}
	return out
}

// clear removes the faults of a provider, all of them when it is empty.
func (s *faultSet) clear(provider string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return provider == "" || f.Provider == provider })
}

// SetFault puts a fault into force; the one it returns has its id and its defaults filled in.
func (s *Server) SetFault(f Fault) (Fault, error) { return s.faults.set(f) }

// ClearFaults removes the faults of one provider, or all of them when provider is empty.
func (s *Server) ClearFaults(provider string) { s.faults.clear(provider) }

// Faults lists the faults in force and those that are spent since the last one was set.
func (s *Server) Faults() []Fault { return s.faults.list() }
