package daemon

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/getsentry/sentry-go"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	tracesSampleRate = 0.05
	sentryFlushTime  = 3 * time.Second
)

// Sentry sends errors, panics and a sample of the transactions to dsn from now on. Personal data never goes along:
// requests keep their method and path, messages lose what looks like an address, a number or a key. An empty dsn
// turns everything off. Call flush before the program ends.
func Sentry(dsn, env, release string) (flush func(), err error) {
	if dsn == "" {
		return func() {}, nil
	}
	off := &sentry.KeyValueCollectionBehavior{Mode: sentry.CollectionOff}
	err = sentry.Init(sentry.ClientOptions{
		Dsn: dsn, Environment: env, Release: release,
		AttachStacktrace: true,
		EnableTracing:    true,
		TracesSampleRate: tracesSampleRate,
		MaxBreadcrumbs:   -1,
		DataCollection: &sentry.DataCollection{
			UserInfo: sentry.Set(false), Cookies: off, QueryParams: off, HTTPBodies: []sentry.BodyType{},
			HTTPHeaders: &sentry.HeaderCollectionConfig{Request: off, Response: off},
		},
		BeforeSend:            beforeSend,
		BeforeSendTransaction: func(e *sentry.Event, _ *sentry.EventHint) *sentry.Event { return scrub(e) },
	})
	if err != nil {
		// The library's text quotes the DSN, which holds a key.
		return nil, fmt.Errorf("start sentry: the DSN is not accepted")
	}
	return func() { sentry.Flush(sentryFlushTime) }, nil
}

// CaptureError reports err to Sentry, with its code and the request's id. A caller who left is no error.
func CaptureError(ctx context.Context, err error) {
	if err == nil || growth.CodeOf(err) == growth.Canceled {
		return
	}
	if hub := hubOf(ctx); hub != nil {
		hub.WithScope(func(s *sentry.Scope) {
			tag(ctx, s)
			s.SetTag("code", growth.CodeOf(err).String())
			hub.CaptureException(err)
		})
	}
}

// CaptureFeedback reports that somebody called an answer wrong. The tags are ids by which the answer is found here;
// empty ones are left out.
func CaptureFeedback(ctx context.Context, tags map[string]string) {
	if hub := hubOf(ctx); hub != nil {
		hub.WithScope(func(s *sentry.Scope) {
			tag(ctx, s)
			for name, value := range tags {
				if value != "" {
					s.SetTag(name, value)
				}
			}
			s.SetLevel(sentry.LevelWarning)
			hub.CaptureMessage("an answer was called wrong")
		})
	}
}

// CapturePanic reports what a recover returned.
func CapturePanic(ctx context.Context, v any) {
	if hub := hubOf(ctx); hub != nil {
		hub.WithScope(func(s *sentry.Scope) {
			tag(ctx, s)
			hub.RecoverWithContext(ctx, v)
		})
	}
}

// hubOf clones the global hub for a goroutine that has none of its own, so that tags do not mix. It is nil when
// nothing is to be reported.
func hubOf(ctx context.Context) *sentry.Hub {
	hub := sentry.GetHubFromContext(ctx)
	if hub == nil {
		hub = sentry.CurrentHub().Clone()
	}
	if !hub.Client().IsEnabled() { // a hub without a client of its own has one that drops everything
		return nil
	}
	return hub
}

func tag(ctx context.Context, s *sentry.Scope) {
	if id := RequestID(ctx); id != "" {
		s.SetTag("request_id", id)
	}
}

// beforeSend drops what is no fault: a connection that we cut on purpose.
func beforeSend(e *sentry.Event, hint *sentry.EventHint) *sentry.Event {
	if hint != nil && aborted(hint.RecoveredException) {
		return nil
	}
	return scrub(e)
}

// scrub is the last word on what leaves the house. It does not rely on the collection settings.
func scrub(e *sentry.Event) *sentry.Event {
	e.User = sentry.User{}
	e.Breadcrumbs = nil
	e.Attachments = nil
	e.Message = mask(e.Message)
	e.Transaction = mask(e.Transaction)
	if e.TransactionInfo != nil && e.TransactionInfo.Source == sentry.SourceURL {
		e.Transaction = unmatched
	}
	if r := e.Request; r != nil {
		url, _, _ := strings.Cut(r.URL, "?")
		e.Request = &sentry.Request{Method: r.Method, URL: mask(url)}
	}
	for i := range e.Exception {
		e.Exception[i].Value = mask(e.Exception[i].Value)
	}
	for _, s := range e.Spans {
		s.Description = mask(s.Description)
		s.Data = scrubData(s.Data)
	}
	if trace, ok := e.Contexts["trace"]; ok {
		if data, ok := trace["data"].(map[string]any); ok {
			trace["data"] = scrubData(data)
		}
	}
	return e
}

// scrubData keeps the few facts about a span that cannot be personal.
func scrubData(data map[string]any) map[string]any {
	kept := map[string]any{}
	for _, name := range []string{"http.request.method", "http.response.status_code"} {
		if v, ok := data[name]; ok {
			kept[name] = v
		}
	}
	return kept
}

var maskings = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*://)[^\s/@"']*@`), "${1}[hidden]@"}, // user:password@ in an address
	{regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*://[^\s?"']*)\?[^\s"']*`), "$1"},    // the query of an address
	{regexp.MustCompile(`[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)+`), "[email]"},
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]+`), "$1 [hidden]"},
	{regexp.MustCompile(`\b(sk-|sk_|hf_|ag_live_|ghp_)[A-Za-z0-9_-]{4,}`), "${1}[hidden]"},
	{regexp.MustCompile(`\+?\(?\d{1,3}\)?[ .-]?\(?\d{3}\)?[ .-]?\d{3}[ .-]?\d{4}\b`), "[phone]"},
	{regexp.MustCompile(`\(?\b\d{3}\)?[ .-]\d{3}[ .-]\d{4}\b`), "[phone]"},
}

// mask takes addresses, telephone numbers and keys out of a text.
func mask(s string) string {
	for _, m := range maskings {
		s = m.pattern.ReplaceAllString(s, m.with)
	}
	return s
}
