package tasks_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// A retired version stops everybody at once; nobody loses an attempt, and one job after the other finds out when it is over.
func TestRetiredVersionStopsEveryPost(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	p.fails("posts", "426", 1)
	p.runs()
	first := p.enqueue(tasks.PublishArgs{Text: "Un"}, growth.JobOptions{})
	if j := p.waits(first, growth.WaitAPIVersion); j.Attempts != 0 || !strings.Contains(j.Error.Message, "LINKEDIN_VERSION") {
		t.Errorf("attempts %d, error %+v", j.Attempts, j.Error)
	}
	second := p.enqueue(tasks.PublishArgs{Text: "Deux"}, growth.JobOptions{})
	if j := p.waits(second, growth.WaitAPIVersion); j.Attempts != 0 || p.asked("posts") != 1 {
		t.Errorf("attempts %d, %d requests; the second asks nobody", j.Attempts, p.asked("posts"))
	}
	if n := p.count(`SELECT count(*) FROM events WHERE type = 'linkedin.version_retired'`); n != 1 {
		t.Errorf("%d events; want 1", n)
	}
	p.exec(`UPDATE linkedin_stops SET seen_at = now() - interval '16 minutes'`)
	p.exec(`UPDATE jobs SET run_at = now() WHERE id = $1`, first)
	p.queue.Wake()
	p.becomes(first, growth.JobSucceeded)
	p.becomes(second, growth.JobSucceeded) // the first one's success has released it
	if n := p.count(`SELECT count(*) FROM linkedin_stops`); n != 0 {
		t.Error("the stop is still there")
	}
}

func TestWriteConflictIsTriedOnceMore(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		faults []string
		want   growth.PublicationState
	}{
		"once":                     {[]string{"409"}, growth.PublicationPublished},
		"twice":                    {[]string{"409", "409"}, growth.PublicationUnknown},
		"and the post is there":    {[]string{"409", "duplicate"}, growth.PublicationPublished},
		"duplicate without before": {[]string{"duplicate"}, growth.PublicationRejected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPress(t)
			p.fails("posts", tc.faults[0], 1)
			p.runs()
			id := p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{})
			for i, f := range tc.faults[1:] {
				eventually(t, "the fault was met", func() bool { return p.asked("posts") == i+1 && p.job(id).State == growth.JobRetrying })
				p.fails("posts", f, 1)
			}
			var pub growth.Publication
			eventually(t, "the publication is "+string(tc.want), func() bool {
				p.hurry()
				list, err := p.sc.Publications(t.Context(), tc.want, store.Page{})
				if err == nil && len(list) == 1 {
					pub = list[0]
				}
				return pub.State == tc.want
			})
			if tc.want == growth.PublicationRejected && !strings.Contains(pub.Error, "duplicate of urn:li:share:") {
				t.Errorf("error %q does not name the post", pub.Error)
			}
			if tc.faults[len(tc.faults)-1] == "duplicate" && tc.want == growth.PublicationPublished && pub.URN == "" {
				t.Error("the post that LinkedIn named was not adopted")
			}
		})
	}
}

func TestPublishArgsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	article := &growth.Article{URL: "https://example.com", Title: "T"}
	media := growth.NewID()
	for want, a := range map[string]tasks.PublishArgs{
		"images":        {Text: "x", Article: article, Images: []string{media}},
		"images[1]":     {Text: "x", Images: []string{media, "ftp://x/y"}},
		"alt_texts[0]":  {Text: "x", Images: []string{media}, AltTexts: []string{"own"}},
		"alt_texts":     {Text: "x", AltTexts: []string{"none"}},
		"article.url":   {Text: "x", Article: &growth.Article{URL: "https://u:p@example.com", Title: "T"}},
		"article.title": {Text: "x", Article: &growth.Article{URL: "https://example.com", Title: strings.Repeat("t", 401)}},
		"mentions[0]":   {Text: "x", Mentions: []growth.Mention{{Name: "Ada", URN: "urn:li:person:1"}}},
		"first_comment": {Text: "x", FirstComment: strings.Repeat("c", 1251)},
		"":              {Text: "Bonjour @Ada", Images: []string{media, "https://example.com/a.png"}, AltTexts: []string{"", "a"}, Mentions: []growth.Mention{{Name: "Ada", URN: "urn:li:person:1"}}},
	} {
		got := ""
		if err := a.Validate(); err != nil {
			got = asError(err).Field
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("field (-want +got):\n%s", diff)
		}
	}
}

// broken panics where the request would be made.
type broken struct{ tasks.Publisher }

func (broken) Publish(context.Context, string, growth.Post) (linkedin.Receipt, error) {
	panic("after the claim")
}

func TestProgramThatBreaksAfterTheClaimLeavesThePostToAPerson(t *testing.T) {
	t.Parallel()
	p := newPress(t, func(w *tasks.PublishWorker) { w.LinkedIn = broken{w.LinkedIn} }).runs()
	id := p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{MaxAttempts: 1})
	p.becomes(id, growth.JobFailed)
	p.exec(`UPDATE publications SET updated_at = now() - interval '2 minutes'`)
	p.must(p.recon.Unstick(t.Context()))
	p.waits(id, growth.WaitOutcomeUnknown)
	if pub := p.publication(); pub.State != growth.PublicationUnknown || p.events("post.unknown") != 1 {
		t.Errorf("publication %s, %d events", pub.State, p.events("post.unknown"))
	}
}

// LinkedIn calls a post a duplicate of another job's: that one is not this job's.
func TestDuplicateOfAnothersPostIsNotAdopted(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	p.becomes(p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{}), growth.JobSucceeded)
	p.w.fails("503", simulator.FaultParams{}, simulator.LinkedIn)
	id := p.enqueue(tasks.PublishArgs{Text: "Bonjour", AllowRepeat: true}, growth.JobOptions{})
	p.waits(id, growth.WaitOutcomeUnknown)
	p.w.sim.ClearFaults("")
	list, err := p.sc.Publications(t.Context(), growth.PublicationUnknown, store.Page{})
	p.must(err)
	_, err = p.sc.Settle(t.Context(), list[0].ID, store.SettleSendAgain, "", "")
	p.must(err)
	p.queue.Wake()
	if j := p.becomes(id, growth.JobFailed); j.Error.Code != growth.Conflict {
		t.Errorf("error %+v", j.Error)
	}
}

// The post that LinkedIn names may be that of another job whose outcome is unknown too: only a person can say whose it is.
func TestDuplicateOfWhatMayBeAnothersPostIsNotAdopted(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	args := tasks.PublishArgs{Text: "Bonjour", AllowRepeat: true}
	p.w.fails("500_after_accept", simulator.FaultParams{}, simulator.LinkedIn)
	p.waits(p.enqueue(args, growth.JobOptions{}), growth.WaitOutcomeUnknown) // it is on LinkedIn
	p.w.sim.ClearFaults("")
	p.w.fails("503", simulator.FaultParams{}, simulator.LinkedIn)
	second := p.enqueue(args, growth.JobOptions{})
	p.waits(second, growth.WaitOutcomeUnknown) // it is not
	p.w.sim.ClearFaults("")
	list, err := p.sc.Publications(t.Context(), growth.PublicationUnknown, store.Page{})
	p.must(err)
	_, err = p.sc.Settle(t.Context(), list[0].ID, store.SettleSendAgain, "", "") // the newest
	p.must(err)
	sent := p.asked("posts")
	p.queue.Wake()
	p.until(func() bool { return p.asked("posts") > sent && p.job(second).State != growth.JobRunning })
	p.waits(second, growth.WaitOutcomeUnknown)
	if n := len(p.w.posts()); n != 1 {
		t.Errorf("%d posts; want 1", n)
	}
}

func TestErrorsNameNoMember(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	p.must(p.sc.DisconnectAccount(t.Context(), p.account.ID))
	j := p.waits(p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{}), growth.WaitReconnect)
	if strings.Contains(j.Error.Message, p.account.Name) || !strings.Contains(j.Error.Message, string(p.account.ID)) {
		t.Errorf("error %q", j.Error.Message)
	}
}

func TestSimulatedTextsAndRealAccountsStayApart(t *testing.T) {
	t.Parallel()
	p := newPress(t, func(w *tasks.PublishWorker) { w.Simulated = false }).runs()
	p.exec(`UPDATE linkedin_accounts SET simulated = false`)
	c := p.content("Bonjour", growth.ContentApproved)
	p.exec(`UPDATE contents SET simulated = true`)
	if j := p.becomes(p.publish(c), growth.JobFailed); j.Error.Code != growth.Conflict || len(p.w.posts()) != 0 {
		t.Errorf("error %+v, %d posts", j.Error, len(p.w.posts()))
	}
}
