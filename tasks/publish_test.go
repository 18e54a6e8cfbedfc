package tasks_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/internal/seal"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func asError(err error) *growth.Error {
	if e, ok := errors.AsType[*growth.Error](err); ok {
		return e
	}
	return &growth.Error{}
}

// press is a plant that publishes at the simulated LinkedIn.
type press struct {
	*plant
	w       *world
	keys    *seal.Keyring
	account growth.Account
}

const token = "sim-hunter2-token"

func newPress(t *testing.T, change ...func(*tasks.PublishWorker)) *press {
	t.Helper()
	w, p := newWorld(t), newPlant(t)
	keys, err := seal.New(seal.NewKey())
	p.must(err)
	pr := &press{plant: p, w: w, keys: keys}
	pr.connect(token)
	worker := tasks.PublishWorker{
		Store: p.s, Open: keys.Open, PerDay: 100, Simulated: true,
		LinkedIn: linkedin.New(linkedin.Settings{APIURL: w.url + "/linkedin", HTTP: &http.Client{Timeout: 2 * time.Second}}),
	}
	for _, f := range change {
		f(&worker)
	}
	tasks.AddWorker(p.runner, worker)
	return pr
}

func (p *press) runs() *press {
	p.relays().serves(growth.JobLinkedInPublish)
	return p
}

// connect stores the account, or its new token.
func (p *press) connect(token string) {
	p.t.Helper()
	var err error
	p.account, err = p.sc.PutAccount(p.t.Context(), growth.Account{URN: "urn:li:person:abc", Name: "A. Member", Simulated: true},
		func(id growth.AccountID) (string, error) { return p.keys.Seal([]byte(token), string(id)), nil })
	p.must(err)
	p.queue.Wake()
}

func (p *press) content(body string, status growth.ContentStatus) growth.Content {
	p.t.Helper()
	c := growth.Content{
		ID: growth.ContentID(growth.NewID()), Variant: 1, Version: 1, Body: body, Hashtags: []string{"#terrasse"}, Status: status,
		Hash: content.Hash(body, "", []string{"#terrasse"}, "", nil), Checks: []growth.Check{},
	}
	c, _, err := p.sc.CreateContent(p.t.Context(), c, "tester")
	p.must(err)
	return c
}

func (p *press) publish(c growth.Content) growth.JobID {
	p.t.Helper()
	return p.enqueue(tasks.PublishArgs{ContentID: c.ID}, growth.JobOptions{})
}

func (p *press) publication() growth.Publication {
	p.t.Helper()
	list, err := p.sc.Publications(p.t.Context(), "", store.Page{})
	p.must(err)
	if len(list) != 1 {
		p.t.Fatalf("%d publications; want 1", len(list))
	}
	return list[0]
}

// waits waits for a job to wait for a reason.
func (p *press) waits(id growth.JobID, want growth.WaitReason) growth.Job {
	p.t.Helper()
	j := p.becomes(id, growth.JobWaiting)
	if j.Waiting.Reason != want {
		p.t.Fatalf("the job waits for %s (%+v); want %s", j.Waiting.Reason, j.Error, want)
	}
	return j
}

// neverAgain lets every mender do its work and looks whether anything is sent.
func (p *press) neverAgain(id growth.JobID, posts int) {
	p.t.Helper()
	sent := p.w.requests(simulator.LinkedIn)
	for range 3 {
		p.must(p.recon.Sweep(p.t.Context()))
		p.must(p.recon.Compare(p.t.Context(), 0))
		room := func(string) store.Share { return store.Share{Pending: 10, Active: 10, Unsettled: 10} }
		round, err := p.s.HandOver(p.t.Context(), room, func(due []store.Handover) []bool { return make([]bool, len(due)) })
		p.must(err)
		if round.Marked != 0 {
			p.t.Error("the job was handed over again")
		}
	}
	for _, list := range [][]any{{p.inRetry("publish")}, {p.archived("publish")}} {
		if b, err := json.Marshal(list); err != nil || strings.Contains(string(b), string(id)) {
			p.t.Errorf("asynq holds the job: %s %v", b, err)
		}
	}
	if n := p.w.requests(simulator.LinkedIn); n != sent || len(p.w.posts()) != posts {
		p.t.Errorf("%d more requests, %d posts; want none more and %d", n-sent, len(p.w.posts()), posts)
	}
}

func TestPostIsMadeOnceAndItsAddressKept(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	c := p.content("Une terrasse pleine du lundi au jeudi (vraiment).", growth.ContentApproved)
	id := p.publish(c)
	j := p.becomes(id, growth.JobSucceeded)
	out := result[struct{ URN, URL string }](t, j)
	posts := p.w.posts()
	if len(posts) != 1 || posts[0].URN != out.URN || !strings.Contains(out.URL, "/feed/update/") || !j.Simulated {
		t.Fatalf("posts %+v, result %+v", posts, out)
	}
	if want := content.Text(content.Draft{Body: c.Body, Hashtags: c.Hashtags}); posts[0].Text != want {
		t.Errorf("text = %q; want what was approved, %q", posts[0].Text, want)
	}
	if pub := p.publication(); pub.State != growth.PublicationPublished || pub.URN != out.URN || pub.PublishedAt == nil {
		t.Errorf("publication = %+v", pub)
	}
	if now, err := p.sc.Content(t.Context(), c.ID); err != nil || now.Status != growth.ContentPublished {
		t.Errorf("content is %s, %v", now.Status, err)
	}
	p.neverAgain(id, 1)
}

func TestSamePostByAnotherJobIsRefused(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	p.becomes(p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{}), growth.JobSucceeded)
	if j := p.becomes(p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{}), growth.JobFailed); j.Error.Code != growth.Conflict {
		t.Errorf("error = %+v", j.Error)
	}
	if n := len(p.w.posts()); n != 1 {
		t.Errorf("%d posts; want 1", n)
	}
}

// One approved text for a member and for a page, and once more for the member on a person's word. LinkedIn itself
// refuses what it calls a duplicate.
func TestOneTextGoesOutOnTwoAccountsAndIsRepeatedOnRequest(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	page, err := p.sc.PutAccount(t.Context(), growth.Account{URN: "urn:li:organization:77", Name: "A. Page", Simulated: true},
		func(id growth.AccountID) (string, error) {
			return p.keys.Seal([]byte("sim-page-token"), string(id)), nil
		})
	p.must(err)
	p.runs()
	c := p.content("Bonjour", growth.ContentApproved)
	p.becomes(p.enqueue(tasks.PublishArgs{ContentID: c.ID, AccountID: p.account.ID}, growth.JobOptions{}), growth.JobSucceeded)
	p.becomes(p.enqueue(tasks.PublishArgs{ContentID: c.ID, AccountID: page.ID}, growth.JobOptions{}), growth.JobSucceeded)
	if j := p.becomes(p.enqueue(tasks.PublishArgs{ContentID: c.ID, AccountID: page.ID}, growth.JobOptions{}), growth.JobFailed); j.Error.Code != growth.Conflict {
		t.Errorf("a repetition that nobody asked for: %+v", j.Error)
	}
	sent := p.asked("posts")
	p.becomes(p.enqueue(tasks.PublishArgs{ContentID: c.ID, AccountID: p.account.ID, AllowRepeat: true}, growth.JobOptions{}), growth.JobFailed)
	if p.asked("posts") != sent+1 || len(p.w.posts()) != 2 {
		t.Errorf("LinkedIn was not asked for the repetition, or %d posts; want 2", len(p.w.posts()))
	}
	if now, err := p.sc.Content(t.Context(), c.ID); err != nil || now.Status != growth.ContentPublished {
		t.Errorf("content is %s, %v", now.Status, err)
	}
}

// Posts of before are known by the digest that the migration makes of them.
func TestOldPostsAreKnownByTheirAuthor(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	m, err := tasks.SavePicture(t.Context(), p.sc, picture(t, 2), "a")
	p.must(err)
	p.runs()
	mention := growth.Mention{Name: "Zoé", URN: "urn:li:person:z"}
	for _, a := range []tasks.PublishArgs{
		{Text: "Déjà vu \u2028 \"<b>\""},
		{Text: "Article", Article: &growth.Article{URL: "https://example.com/é", Title: "T"}},
		{Text: "Merci @Zoé", Images: []string{string(m.ID)}, Mentions: []growth.Mention{mention}},
	} {
		p.becomes(p.enqueue(a, growth.JobOptions{}), growth.JobSucceeded)
	}
	sql, err := os.ReadFile("../store/migrations/00026_author.sql")
	p.must(err)
	_, update, _ := strings.Cut(string(sql), "UPDATE publications p SET post_hash")
	update, _, _ = strings.Cut(update, ";")
	p.exec(`CREATE TABLE kept AS SELECT id, post_hash FROM publications`)
	p.exec(`UPDATE publications SET post_hash = id::text`)
	p.exec(`UPDATE publications p SET post_hash` + update)
	if n := p.count(`SELECT count(*) FROM kept JOIN publications p USING (id, post_hash)`); n != 3 {
		t.Errorf("%d of 3 posts have the digest that a worker makes", n)
	}
}

// After LinkedIn may have made the post, no machine sends it again.
func TestPostOfUnknownOutcomeIsNeverSentAgain(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{simulator.KindTimeoutAfterPost, simulator.KindResetAfterPost, "500_after_accept", "503"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := newPress(t)
			p.w.fails(kind, simulator.FaultParams{}, simulator.LinkedIn)
			p.runs()
			id := p.publish(p.content("Bonjour", growth.ContentApproved))
			j := p.waits(id, growth.WaitOutcomeUnknown)
			if j.Waiting.Until != nil || j.Error == nil || j.Error.Code != growth.Uncertain || strings.Contains(j.Error.Message, "hunter2") {
				t.Errorf("until %v, error %+v", j.Waiting.Until, j.Error)
			}
			if pub := p.publication(); pub.State != growth.PublicationUnknown {
				t.Errorf("publication is %s", pub.State)
			}
			p.w.sim.ClearFaults("")
			p.neverAgain(id, len(p.w.posts()))
			if _, err := p.sc.CancelJob(t.Context(), id); growth.CodeOf(err) != growth.Conflict {
				t.Errorf("cancel: %v; want a conflict: the post must be looked for", err)
			}
		})
	}
}

// A person who says "send again" about a post that is there after all gets that post, not a second one.
func TestSendAgainAdoptsThePostThatIsThere(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	p.w.fails(simulator.KindResetAfterPost, simulator.FaultParams{}, simulator.LinkedIn)
	p.runs()
	id := p.publish(p.content("Bonjour", growth.ContentApproved))
	p.waits(id, growth.WaitOutcomeUnknown)
	p.w.sim.ClearFaults("")
	_, err := p.sc.Settle(t.Context(), p.publication().ID, store.SettleSendAgain, "", "")
	p.must(err)
	p.queue.Wake()
	out := result[struct{ URN string }](t, p.becomes(id, growth.JobSucceeded))
	if posts := p.w.posts(); len(posts) != 1 || posts[0].URN != out.URN {
		t.Errorf("posts %+v, result %s; want the first post", posts, out.URN)
	}
}

func TestWorkerThatDiesWhileItSendsLeavesAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	id := p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{})
	c, ok, err := p.s.Claim(t.Context(), id, 0, "dead", tasks.Lease)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	_, err = p.s.PreparePublication(t.Context(), growth.Publication{Workspace: p.ws.ID, JobID: id, AccountID: p.account.ID}, c.Fence,
		growth.Post{AuthorURN: p.account.URN, Text: "Bonjour"}, "hash", false)
	p.must(err)
	_, err = p.s.ClaimPublication(t.Context(), c.Job, c.Fence, 0, 10, func(growth.Post, *growth.Content) error { return nil })
	p.must(err)
	p.exec(`UPDATE jobs SET lease_until = now() - interval '1 second'`)
	p.runs()
	p.must(p.recon.Sweep(t.Context()))
	p.waits(id, growth.WaitOutcomeUnknown)
	p.neverAgain(id, 0)
}

// The simulated account that an installation began with, and those that somebody gave up, are not in the way of the one
// real account.
func TestOnlyAccountsThatCanPostAreCounted(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	sc := p.s.In(p.ws.ID)
	other := func(simulated bool) growth.Account {
		t.Helper()
		a, err := sc.PutAccount(t.Context(), growth.Account{URN: "urn:li:person:" + growth.NewID(), Name: "B", Simulated: simulated},
			func(growth.AccountID) (string, error) { return "sealed", nil })
		p.must(err)
		return a
	}
	other(!p.account.Simulated)
	given := other(p.account.Simulated)
	p.exec(`UPDATE linkedin_accounts SET status = 'disconnected' WHERE id = $1`, given.ID)
	id := p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{})
	p.runs()
	if j := p.settled(id); j.State != growth.JobSucceeded {
		t.Errorf("job = %s, %+v; want it done on the only account that can post", j.State, j.Error)
	}
	p.exec(`UPDATE linkedin_accounts SET status = 'disconnected'`)
	id = p.enqueue(tasks.PublishArgs{Text: "Bonsoir"}, growth.JobOptions{})
	if j := p.settled(id); j.State != growth.JobFailed || !strings.Contains(j.Error.Message, "connect one") {
		t.Errorf("job = %s, %+v; want to hear that an account is missing", j.State, j.Error)
	}
}

// A worker that stood still between its claim and its request may have been taken for dead: it sends nothing.
func TestWorkerThatStoodStillSendsNothing(t *testing.T) {
	t.Parallel()
	var looks, entered atomic.Int32
	p := newPress(t, func(w *tasks.PublishWorker) {
		w.Windows = meddler{func() { entered.Add(1) }}
		w.Now = func() time.Time {
			if entered.Load() == 1 { // from here to the request the clock goes by leaps
				return time.Now().Add(time.Duration(looks.Add(1)) * 2 * tasks.Lease)
			}
			return time.Now()
		}
	})
	id := p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{})
	p.runs()
	p.until(func() bool { return looks.Load() >= 2 && p.job(id).State == growth.JobRetrying })
	if n := p.asked("posts"); n != 0 {
		t.Errorf("%d requests were made", n)
	}
	if pub := p.publication(); pub.State != growth.PublicationReady {
		t.Errorf("publication = %s; want it ready for another attempt", pub.State)
	}
	p.hurry()
	p.becomes(id, growth.JobSucceeded)
	if n := len(p.w.posts()); n != 1 {
		t.Errorf("%d posts", n)
	}
}

// A delivery that comes before the sweep must not send either.
func TestSecondDeliveryOfAPostInFlightSendsNothing(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	id := p.enqueue(tasks.PublishArgs{Text: "Bonjour", AccountID: p.account.ID}, growth.JobOptions{})
	c, ok, err := p.s.Claim(t.Context(), id, 0, "dead", tasks.Lease)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	_, err = p.s.PreparePublication(t.Context(), growth.Publication{Workspace: p.ws.ID, JobID: id, AccountID: p.account.ID}, c.Fence,
		growth.Post{AuthorURN: p.account.URN, Text: "Bonjour"}, "hash", false)
	p.must(err)
	_, err = p.s.ClaimPublication(t.Context(), c.Job, c.Fence, 0, 10, func(growth.Post, *growth.Content) error { return nil })
	p.must(err)
	p.exec(`UPDATE jobs SET state = 'queued', lease_until = NULL, dispatched_at = NULL`)
	p.runs()
	p.waits(id, growth.WaitOutcomeUnknown)
	p.neverAgain(id, 0)
}

func TestDeadTokenWaitsUntilTheAccountIsConnectedAgain(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{simulator.KindRevoked, simulator.KindExpired, "401"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := newPress(t)
			p.w.fails(kind, simulator.FaultParams{}, simulator.LinkedIn)
			p.runs()
			first := p.publish(p.content("Bonjour", growth.ContentApproved))
			if j := p.waits(first, growth.WaitReconnect); strings.Contains(j.Error.Message, "hunter2") || j.Attempts != 0 {
				t.Errorf("attempts %d, error %+v", j.Attempts, j.Error)
			}
			a, _, err := p.sc.Account(t.Context(), p.account.ID)
			p.must(err)
			if a.Status != "reconnect" {
				t.Errorf("account is %s", a.Status)
			}
			second := p.enqueue(tasks.PublishArgs{Text: "Bonsoir"}, growth.JobOptions{})
			p.waits(second, growth.WaitReconnect)
			p.w.sim.ClearFaults("")
			p.connect("sim-new-token")
			p.becomes(first, growth.JobSucceeded)
			p.becomes(second, growth.JobSucceeded)
			if n := len(p.w.posts()); n != 2 {
				t.Errorf("%d posts; want 2", n)
			}
		})
	}
}

func TestTokenStandsNowhereInTheDatabase(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	p.w.fails(simulator.KindRevoked, simulator.FaultParams{}, simulator.LinkedIn)
	p.runs()
	p.waits(p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{}), growth.WaitReconnect)
	for _, table := range []string{"jobs", "publications", "events", "linkedin_accounts", "job_steps"} {
		if n := p.count(`SELECT count(*) FROM ` + table + ` x WHERE strpos(to_jsonb(x)::text, 'hunter2') > 0`); n != 0 {
			t.Errorf("the token stands in %s", table)
		}
	}
}

func TestLinkedInsLimitIsWaitedFor(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	p.w.fails("429", simulator.FaultParams{RetryAfter: 1}, simulator.LinkedIn)
	p.runs()
	id := p.publish(p.content("Bonjour", growth.ContentApproved))
	if j := p.waits(id, growth.WaitRateLimited); time.Until(*j.Waiting.Until) < 50*time.Second {
		t.Errorf("again in %v; want a minute at least", time.Until(*j.Waiting.Until))
	}
	if pub := p.publication(); pub.State != growth.PublicationReady {
		t.Errorf("publication is %s; the post was certainly not made", pub.State)
	}
	if n := p.count(`SELECT count(*) FROM jobs WHERE dispatched_at IS NULL AND epoch = 1`); n != 1 || len(p.inRetry("publish")) != 0 {
		t.Error("the wait lies in asynq, which must never repeat a post")
	}
}

// A page whose member has lost the right to post there: its posts wait for somebody who has it, and none is lost.
func TestPostsOfAPageWithoutRightsWait(t *testing.T) {
	t.Parallel()
	p := newPress(t).page("sim-page-token")
	p.fails("posts", "403", 0)
	p.runs()
	var ids []growth.JobID
	for _, text := range []string{"un", "deux"} {
		id := p.enqueue(tasks.PublishArgs{Text: text}, growth.JobOptions{})
		p.waits(id, growth.WaitReconnect)
		ids = append(ids, id)
	}
	if n := p.asked("posts"); n > 2 {
		t.Errorf("%d requests", n)
	}
	if a, _, err := p.sc.Account(t.Context(), p.account.ID); err != nil || a.Status != growth.AccountReconnect {
		t.Errorf("account %s, %v", a.Status, err)
	}
	p.w.sim.ClearFaults("")
	p.page("sim-page-token")
	for _, id := range ids {
		p.becomes(id, growth.JobSucceeded)
	}
}

// LinkedIn that cannot be reached has no post; the relay tries again, asynq never does.
func TestPostThatWasNotSentIsTriedAgainByTheRelay(t *testing.T) {
	t.Parallel()
	p := newPress(t, func(w *tasks.PublishWorker) {
		w.LinkedIn = linkedin.New(linkedin.Settings{APIURL: "http://127.0.0.1:1"})
	}).runs()
	id := p.publish(p.content("Bonjour", growth.ContentApproved))
	j := p.becomes(id, growth.JobRetrying)
	if j.Error.Code != growth.Unavailable || len(p.inRetry("publish")) != 0 {
		t.Errorf("error %+v, %d tasks in asynq's retry set", j.Error, len(p.inRetry("publish")))
	}
	eventually(t, "it is tried again", func() bool { return p.job(id).Attempts == 2 })
	eventually(t, "no task lies in Redis", func() bool {
		info, err := p.inspect.GetTaskInfo("publish", string(id))
		return err != nil || info.MaxRetry == 0
	})
}

func TestRefusedPostFails(t *testing.T) {
	t.Parallel()
	for kind, code := range map[string]growth.Code{"422": growth.Invalid, simulator.KindDuplicate: growth.Conflict, "403": growth.Forbidden} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := newPress(t)
			p.w.fails(kind, simulator.FaultParams{}, simulator.LinkedIn)
			p.runs()
			id := p.publish(p.content("Bonjour", growth.ContentApproved))
			if j := p.becomes(id, growth.JobFailed); j.Error.Code != code || j.Attempts != 1 {
				t.Errorf("after %d attempts: %+v; want %v", j.Attempts, j.Error, code)
			}
			if pub := p.publication(); pub.State != growth.PublicationRejected {
				t.Errorf("publication is %s", pub.State)
			}
		})
	}
}

func TestPostWaitsForItsApproval(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	c := p.content("Bonjour", growth.ContentInReview)
	id := p.publish(c)
	if j := p.waits(id, growth.WaitApproval); j.Error != nil || j.Attempts != 0 {
		t.Errorf("attempts %d, error %+v; nothing went wrong", j.Attempts, j.Error)
	}
	_, err := p.sc.ApproveContent(t.Context(), c.ID, c.Hash, "reviewer")
	p.must(err)
	p.queue.Wake()
	p.becomes(id, growth.JobSucceeded)
}

func TestRejectedContentIsNotPosted(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	c := p.content("Bonjour", growth.ContentInReview)
	id := p.publish(c)
	p.waits(id, growth.WaitApproval)
	_, err := p.sc.RejectContent(t.Context(), c.ID, "", "no")
	p.must(err)
	p.queue.Wake()
	p.becomes(id, growth.JobFailed)
	if n := len(p.w.posts()); n != 0 {
		t.Errorf("%d posts", n)
	}
}

// Nothing but the text that was approved is sent, even when the row was changed behind everybody's back.
func TestTextChangedBehindTheApprovalIsNotPosted(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	c := p.content("Bonjour", growth.ContentApproved)
	p.exec(`UPDATE contents SET body = body || '!' WHERE id = $1`, c.ID)
	id := p.publish(c)
	eventually(t, "the job has come to a stop", func() bool { s := p.job(id).State; return s.Final() || s == growth.JobWaiting })
	if n := len(p.w.posts()); n != 0 {
		t.Errorf("%d posts of a text that nobody approved", n)
	}
}

func TestPostingWindowIsKept(t *testing.T) {
	t.Parallel()
	p := newPress(t, func(w *tasks.PublishWorker) { w.Spacing = time.Hour }).runs()
	p.becomes(p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{}), growth.JobSucceeded)
	second := p.enqueue(tasks.PublishArgs{Text: "Bonsoir"}, growth.JobOptions{})
	if j := p.waits(second, growth.WaitPostingWindow); j.Error != nil || time.Until(*j.Waiting.Until) < 50*time.Minute {
		t.Errorf("until %v, error %+v", j.Waiting.Until, j.Error)
	}
}

// slow is a LinkedIn that answers when it is told to.
type slow struct {
	*linkedin.Client

	began   chan struct{}
	release chan struct{}
}

func (s slow) Publish(ctx context.Context, _ string, _ growth.Post) (linkedin.Receipt, error) {
	close(s.began)
	select {
	case <-s.release:
		return linkedin.Receipt{URN: "urn:li:share:1"}, nil
	case <-ctx.Done():
		return linkedin.Receipt{}, ctx.Err()
	}
}

// A send that is cut short is an unknown outcome; one that may finish is a known one.
func TestStopAndCancelLetASendFinish(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(*press, growth.JobID){
		"stop": func(p *press, _ growth.JobID) { p.stop() },
		"cancel": func(p *press, id growth.JobID) {
			_, err := p.sc.CancelJob(p.t.Context(), id)
			p.must(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := slow{linkedin.New(linkedin.Settings{}), make(chan struct{}), make(chan struct{})}
			p := newPress(t, func(w *tasks.PublishWorker) { w.LinkedIn = s }).runs()
			id := p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{})
			arrives(t, "the post is being sent", s.began)
			disturb(p, id)
			close(s.release)
			if out := result[struct{ URN string }](t, p.becomes(id, growth.JobSucceeded)); out.URN != "urn:li:share:1" {
				t.Errorf("result = %+v", out)
			}
		})
	}
}
