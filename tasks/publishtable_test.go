package tasks_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

var update = flag.Bool("update", false, "write the generated documents anew")

const publishingFile = "../docs/publishing.md"

const publishingHead = `# Publishing

What becomes of a publish job under every fault. Generated: each row was made by the simulator over real HTTP
(` + "`go test ./tasks -run TestPublishingTable -update`" + `), and the tests fail when it is no longer what happens.

*publication* and *job* are the states after the one request; *live* is whether the post stands on LinkedIn; *attempt*
says whether the fault used up one of the job's attempts. What is sent again by a machine stands under *next*: only what
certainly made no post. An ` + "`unknown`" + ` publication is sent again by nobody but a person (` + "`POST /v1/publications/{id}/settle`" + `); a
read-back that finds the post settles it, where the account is an organisation page and the scope allows.

| fault | publication | job | live | attempt | next |
|---|---|---|---|---|---|
`

// mishap is one thing that can go wrong with a post.
type mishap struct {
	name    string
	kind    string
	message string
	change  func(*tasks.PublishWorker)
	before  func(*press)
	next    string
}

func mishaps() []mishap {
	const person, never = "a person settles it", "-"
	return []mishap{
		{name: "none", next: never},
		{name: "nobody listens", change: func(w *tasks.PublishWorker) {
			w.LinkedIn = linkedin.New(linkedin.Settings{APIURL: "http://127.0.0.1:1"})
		}, next: "sent again with growing pauses"},
		{name: "connection reset before the post is made", kind: simulator.KindReset, next: person},
		{name: "connection reset after it", kind: simulator.KindResetAfterPost, next: person},
		{name: "no answer, and no post", kind: simulator.KindTimeout, next: person},
		{name: "no answer after the post", kind: simulator.KindTimeoutAfterPost, next: person},
		{name: "201 without the post's id", kind: simulator.KindNoID, next: never},
		{name: "400 or 422, a field at fault", kind: "422", next: never},
		{name: "401, token revoked", kind: simulator.KindRevoked, next: "sent once the account is connected again"},
		{name: "401, token expired", kind: simulator.KindExpired, next: "sent once the account is connected again"},
		{name: "403, a member's post", kind: "403", next: never},
		{name: "403, a page's post", kind: "403", before: asPage, next: "sent once a member who may post there has connected the page"},
		{name: "404", kind: "404", next: never},
		{name: "408", kind: "408", next: person},
		{name: "409 `CONFLICT`", kind: "409", next: "sent once more after a second, then a person settles it"},
		{name: "413", kind: "413", next: never},
		{name: "422 `DUPLICATE_POST`, first send", kind: simulator.KindDuplicate, next: never},
		{name: "422 `DUPLICATE_POST` after a person's \"send again\"", before: unsettled, next: "the post that LinkedIn names is taken for ours, unless another job made it or may have"},
		{name: "426, version retired", kind: "426", next: "all posts wait; one is tried every 15 minutes"},
		{name: "version retired, under another status", kind: "500", message: "Requested version 20260801 is not active", next: "all posts wait; one is tried every 15 minutes"},
		{name: "429", kind: "429", next: "sent after 15 minutes, or what `Retry-After` says"},
		{name: "429, limit of the day", kind: "429", message: "Resource level throttle APPLICATION DAY limit for calls to this resource is reached.", next: "sent after midnight UTC"},
		{name: "our count of the member's day is full", change: func(w *tasks.PublishWorker) {
			w.LinkedIn = linkedin.New(linkedin.Settings{APIURL: "http://127.0.0.1:1", Spend: func(context.Context, string) error {
				return &growth.Error{Code: growth.Throttled, RetryAfter: time.Hour, Message: "the day is full"}
			}})
		}, next: "sent after midnight UTC"},
		{name: "500 before the post is made", kind: "500", next: person},
		{name: "500 after it", kind: "500_after_accept", next: person},
		{name: "502, a page of an edge", kind: simulator.KindHTML, next: person},
		{name: "503", kind: "503", next: person},
		{name: "503 after the post", kind: "503_after_accept", next: person},
		{name: "504", kind: "504", next: person},
	}
}

// unsettled leaves a post on LinkedIn whose outcome nobody knew and that a person wants sent again.
func unsettled(p *press) {
	p.fails("posts", simulator.KindResetAfterPost, 1)
	p.runs()
	p.waits(p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{}), growth.WaitOutcomeUnknown)
	_, err := p.sc.Settle(p.t.Context(), p.publication().ID, store.SettleSendAgain, "", "")
	p.must(err)
	p.queue.Wake()
}

// asPage posts as a page whose member may not.
func asPage(p *press) {
	p.page("sim-page-token").runs()
	p.waits(p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{}), growth.WaitReconnect)
}

// row lets a fault befall one job and says what came of it.
func (m mishap) row(t *testing.T) string {
	t.Helper()
	var change []func(*tasks.PublishWorker)
	if m.change != nil {
		change = append(change, m.change)
	}
	p := newPress(t, change...)
	if m.kind != "" {
		if _, err := p.w.sim.SetFault(simulator.Fault{
			Provider: simulator.LinkedIn, Kind: m.kind, Params: simulator.FaultParams{Message: m.message},
		}); err != nil {
			t.Fatal(err)
		}
	}
	var id growth.JobID
	if m.before != nil {
		m.before(p)
		id = p.publication().JobID
	} else {
		p.runs()
		id = p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{})
	}
	var j growth.Job
	eventually(t, "the job has come to a stop", func() bool {
		j = p.job(id)
		return j.State.Final() || j.State == growth.JobWaiting && j.Waiting.Reason != "" || j.State == growth.JobRetrying
	})
	state := string(j.State)
	if j.State == growth.JobWaiting {
		state += ": " + string(j.Waiting.Reason)
	}
	live := map[int]string{0: "no", 1: "yes"}[len(p.w.posts())]
	attempt := "used"
	if j.Attempts == 0 {
		attempt = "kept"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", m.name, p.publication().State, state, live, attempt, m.next)
}

// The table of faults and outcomes in the documents is what happens.
func TestPublishingTable(t *testing.T) {
	t.Parallel()
	all := mishaps()
	rows := make([]string, len(all))
	t.Run("rows", func(t *testing.T) {
		for i, m := range all {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				rows[i] = m.row(t)
			})
		}
	})
	got := publishingHead + strings.Join(rows, "")
	if *update {
		if err := os.WriteFile(publishingFile, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(publishingFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, []byte(got)) {
		t.Errorf("docs/publishing.md is not what happens (-docs +now):\n%s", cmp.Diff(string(want), got))
	}
}
