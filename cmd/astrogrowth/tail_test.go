package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// cutStream serves events one at a time and cuts the stream after each; it is asked for the next by the last one's id.
func cutStream(t *testing.T, events []string) (url string, asked *atomic.Int32) {
	t.Helper()
	asked = &atomic.Int32{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) {
		n := int(asked.Add(1)) - 1
		want := ""
		if n > 0 {
			want = fmt.Sprintf("7-%d", n)
		}
		if got := r.URL.Query().Get("after"); n > 0 && got != want {
			t.Errorf("request %d asks for what is after %q, want %q", n, got, want)
		}
		if n >= len(events) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"code":"unauthorized","message":"the key was revoked"}`))
			return
		}
		_, _ = fmt.Fprintf(w, "retry: 3000\n\n: still here\n\nid: 7-%d\nevent: x\ndata: %s\n\n", n+1, strings.Replace(events[n], "ID", fmt.Sprintf("7-%d", n+1), 1))
	})
	mux.HandleFunc("GET /v1/jobs/"+jobID, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(jobJSON(jobID, "running", "")))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, asked
}

func event(kind, job string) string {
	return `{"id":"ID","type":"` + kind + `","job_id":"` + job + `","data":{"state":"x","job_id":"` + job + `","simulated":true,"deep":{"a":1}},"at":"2026-11-23T10:00:00Z"}`
}

func TestTailGoesOnBehindTheLastEventAndEndsWithARefusal(t *testing.T) {
	t.Parallel()
	url, asked := cutStream(t, []string{event("job.succeeded", jobID), event("job.failed", otherID)})
	got := runCLI(t, nil, "jobs", "tail", "--url", url)
	want := "2026-11-23 10:00:00  job.succeeded     " + jobID + "  simulated=true state=x\n" +
		"2026-11-23 10:00:00  job.failed        " + otherID + "  simulated=true state=x\n"
	if got.out != want || got.code != exitNothing || asked.Load() != 3 {
		t.Errorf("code %d after %d requests:\n%s", got.code, asked.Load(), got.out)
	}
	wantContains(t, "error", got.err, "the stream was cut", "the key was revoked")
}

// A stream says where it begins: one that is cut before its first event goes on from there.
func TestTailThatIsCutBeforeItsFirstEventMissesNone(t *testing.T) {
	t.Parallel()
	var asked []string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("after"))
		switch len(asked) {
		case 1:
			_, _ = w.Write([]byte("retry: 3000\nid: 7-1\n\n"))
		case 2: // in the middle of an event
			_, _ = w.Write([]byte("retry: 3000\nid: 7-1\n\nid: 7-2\nevent: x\n"))
		default:
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"code":"unauthorized","message":"the key was revoked"}`))
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	got := runCLI(t, nil, "jobs", "tail", "--url", server.URL)
	if strings.Join(asked, ",") != ",7-1,7-1" {
		t.Errorf("the streams are asked for behind %q", asked)
	}
	wantContains(t, "error", got.err, "no event is missed")
}

func TestTailOfAJobEndsWithTheJob(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		end  string
		code int
	}{{"job.succeeded", exitDone}, {"job.failed", exitPartial}} {
		t.Run(tc.end, func(t *testing.T) {
			t.Parallel()
			url, asked := cutStream(t, []string{event("lead.qualified", jobID), event(tc.end, jobID), event("job.succeeded", jobID)})
			got := runCLI(t, nil, "jobs", "tail", strings.ToUpper(jobID), "--json", "--url", url)
			if got.code != tc.code || asked.Load() != 2 || strings.Count(got.out, "\n") != 2 {
				t.Errorf("code %d, want %d, after %d requests:\n%s%s", got.code, tc.code, asked.Load(), got.out, got.err)
			}
		})
	}
}

func TestTailOfAJobThatHasEnded(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("retry: 3000\n\n")) })
	mux.HandleFunc("GET /v1/jobs/"+jobID, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(jobJSON(jobID, "canceled", "")))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	got := runCLI(t, nil, "jobs", "tail", jobID, "--url", server.URL)
	if got.code != exitPartial {
		t.Errorf("code = %d: %s", got.code, got.err)
	}
	wantContains(t, "output", got.out, "it is canceled")
}

func TestTailEndsQuietlyWhenInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(": still here\n\n"))
		cancel()
		<-r.Context().Done()
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	if got := runWith(ctx, t, nil, "jobs", "tail", "--url", server.URL); got.code != exitDone || got.out+got.err != "" {
		t.Errorf("%+v", got)
	}
}
