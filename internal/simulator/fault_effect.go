package simulator

import (
	"math"
	"net"
	"net/http"
	"strconv"
	"time"
)

// failBefore lets the fault happen that comes before any work is done; it is false when there is an answer to be made.
func (x *exchange) failBefore() bool {
	if x.fault == nil || x.fault.afterAccept() {
		return false
	}
	switch x.fault.Kind {
	case KindTimeout:
		x.hang()
	case KindReset:
		x.reset()
	case KindHTML:
		x.page()
	case KindEmptyBody:
		x.row.Status = orDefault(x.fault.Params.Status, http.StatusOK)
		x.record()
		x.w.WriteHeader(x.row.Status)
	default:
		status := x.fault.status()
		if status == 0 {
			return false
		}
		x.fail(status)
	}
	return true
}

// fail answers with a status of the fault's choosing in the provider's own shape, with its retry hint.
func (x *exchange) fail(status int) {
	p := problem{status: status, message: x.fault.Params.Message, model: x.row.Model, kind: x.fault.Params.Hint}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable || x.fault.Params.Hint != "" {
		p.wait = x.hint(status)
	}
	x.refuse(p)
}

const defaultRetryAfter = 7 // seconds

// hint sets the header that says when to come back and returns the wait, when the body has to say it.
func (x *exchange) hint(status int) time.Duration {
	p, now, h := x.fault.Params, x.s.now(), x.w.Header()
	seconds := p.RetryAfter
	if seconds == 0 {
		seconds = defaultRetryAfter
	}
	wait := time.Duration(seconds * float64(time.Second))
	switch p.Hint {
	case HintBody:
		return wait
	case HintNone:
	case HintDate:
		// An HTTP date has whole seconds: up, so that nobody comes back too early.
		h.Set("Retry-After", now.Add(wait+time.Second-1).UTC().Format(http.TimeFormat))
	case HintMillis:
		h.Set("Retry-After-Ms", strconv.FormatInt(wait.Milliseconds(), 10))
	case HintReset:
		x.rateLimit("20", now.Add(wait))
	case HintDaily:
		x.rateLimit("50", now.UTC().Truncate(24*time.Hour).Add(24*time.Hour))
	default:
		// LinkedIn and Ollama never send the header on their own; only an explicit hint does.
		silent := x.row.Provider == LinkedIn || x.row.Provider == Ollama
		if p.Hint == HintSeconds || p.RetryAfter > 0 || (!silent && status == http.StatusTooManyRequests) {
			h.Set("Retry-After", strconv.Itoa(int(math.Ceil(seconds))))
		}
	}
	return 0
}

func (x *exchange) rateLimit(limit string, reset time.Time) {
	h := x.w.Header()
	h.Set("X-RateLimit-Limit", limit)
	h.Set("X-RateLimit-Remaining", "0")
	h.Set("X-RateLimit-Reset", strconv.FormatInt(reset.UnixMilli(), 10))
}

// reset drops the connection so that the client sees a TCP reset and no answer.
func (x *exchange) reset() {
	x.record()
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		x.abort() // HTTP/2 and recorders have no connection of their own to take over
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// page is what an edge server shows to people when the machine behind it is gone.
func (x *exchange) page() {
	x.row.Status = orDefault(x.fault.Params.Status, http.StatusBadGateway)
	x.record()
	x.w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	x.w.WriteHeader(x.row.Status)
	text := strconv.Itoa(x.row.Status) + " " + http.StatusText(x.row.Status)
	_, _ = x.w.Write([]byte("<!DOCTYPE html>\n<html><head><title>" + text + "</title></head>\n<body><center><h1>" + text +
		"</h1></center><hr><center>edge</center></body></html>\n"))
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
