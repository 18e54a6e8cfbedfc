package tasks_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func (p *press) aftercare() *tasks.Aftercare {
	return &tasks.Aftercare{
		Store: p.s, Open: p.keys.Open, Simulated: true, Wake: p.queue.Wake, Log: zerolog.Nop(),
		LinkedIn: linkedin.New(linkedin.Settings{APIURL: p.w.url + "/linkedin", HTTP: &http.Client{Timeout: 2 * time.Second}}),
	}
}

func TestFirstCommentOfAPage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fault string
		want  growth.CommentState
		live  int
	}{
		{"", growth.CommentPosted, 1},
		{"403", growth.CommentFailed, 0},
		{"429", growth.CommentReady, 0},
		{"500_after_accept", growth.CommentUnknown, 1},
		{simulator.KindReset, growth.CommentUnknown, 0},
	} {
		t.Run("after "+tc.fault, func(t *testing.T) {
			t.Parallel()
			p := newPress(t).page("sim-page-token").runs()
			id := p.enqueue(tasks.PublishArgs{Text: "Bonjour", FirstComment: "Le lien (en commentaire)"}, growth.JobOptions{})
			p.becomes(id, growth.JobSucceeded)
			if tc.fault != "" {
				p.fails("comments", tc.fault, 0)
			}
			care := p.aftercare()
			for range 3 { // what may be there is not sent again
				p.must(care.Pass(t.Context()))
			}
			pub := p.publication()
			comments := p.w.posts()[0].Comments
			if pub.State != growth.PublicationPublished || pub.Comment.State != tc.want || len(comments) != tc.live || p.asked("comments") != 1 {
				t.Errorf("publication %+v, comments %+v, %d requests", pub, comments, p.asked("comments"))
			}
			if tc.live == 1 && comments[0].Text != "Le lien (en commentaire)" {
				t.Errorf("comment = %q; want it plain", comments[0].Text)
			}
		})
	}
}

func TestMembersHaveNoFirstComment(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	j := p.becomes(p.enqueue(tasks.PublishArgs{Text: "Bonjour", FirstComment: "x"}, growth.JobOptions{}), growth.JobFailed)
	if !strings.Contains(j.Error.Message, "first_comment") || len(p.w.posts()) != 0 {
		t.Errorf("error %+v, %d posts", j.Error, len(p.w.posts()))
	}
}

func TestReadBackSettlesWhatItFinds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, fault, token string
		found              bool
	}{
		{"the post is there", "500_after_accept", "sim-page-token", true},
		{"the post is not there", simulator.KindReset, "sim-page-token", false},
		{"the scope is missing", "500_after_accept", "sim-page-blind", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := newPress(t).page(tc.token)
			p.fails("posts", tc.fault, 1)
			p.runs()
			id := p.enqueue(tasks.PublishArgs{Text: "Bonjour (à tous) #terrasse"}, growth.JobOptions{})
			p.waits(id, growth.WaitOutcomeUnknown)
			p.exec(`UPDATE publications SET read_due = now()`)
			p.must(p.aftercare().Pass(t.Context()))
			pub := p.publication()
			if !tc.found {
				if pub.State != growth.PublicationUnknown || p.asked("posts") != 1 {
					t.Errorf("publication %+v; not finding is no proof", pub)
				}
				p.neverAgain(id, len(p.w.posts()))
				return
			}
			out := result[struct {
				URN       string
				SettledBy string `json:"settled_by"`
			}](t, p.becomes(id, growth.JobSucceeded))
			if posts := p.w.posts(); out.URN != posts[0].URN || out.SettledBy != "read_back" || pub.VerifiedAt == nil || pub.SettledBy != "read_back" {
				t.Errorf("result %+v, publication %+v", out, pub)
			}
			p.neverAgain(id, 1)
		})
	}
}

// A second unknown publication with the same text does not take the first one's post for its own.
func TestReadBackDoesNotGiveOnePostToTwo(t *testing.T) {
	t.Parallel()
	p := newPress(t).page("sim-page-token").runs()
	args := tasks.PublishArgs{Text: "Bonjour", AllowRepeat: true}
	p.becomes(p.enqueue(args, growth.JobOptions{}), growth.JobSucceeded)
	p.fails("posts", simulator.KindReset, 1)
	id := p.enqueue(args, growth.JobOptions{})
	p.waits(id, growth.WaitOutcomeUnknown)
	p.exec(`UPDATE publications SET read_due = now()`)
	p.must(p.aftercare().Pass(t.Context()))
	p.waits(id, growth.WaitOutcomeUnknown)
}

func TestPublishedPostIsReadBack(t *testing.T) {
	t.Parallel()
	p := newPress(t).page("sim-page-token").runs()
	p.becomes(p.enqueue(tasks.PublishArgs{Text: "Bonjour (à tous)"}, growth.JobOptions{}), growth.JobSucceeded)
	p.exec(`UPDATE publications SET read_due = now()`)
	p.must(p.aftercare().Pass(t.Context()))
	if pub := p.publication(); pub.VerifiedAt == nil {
		t.Errorf("publication = %+v", pub)
	}
	if n := p.count(`SELECT count(*) FROM publications WHERE read_due IS NOT NULL`); n != 0 {
		t.Error("it is looked for again")
	}
}

func TestPostIsTakenOffLinkedIn(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	id := p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{})
	p.becomes(id, growth.JobSucceeded)
	li := linkedin.New(linkedin.Settings{APIURL: p.w.url + "/linkedin"})
	p.fails("delete", "503", 1)
	if _, err := tasks.Unpublish(t.Context(), p.sc, li, p.keys.Open, true, p.publication().ID); growth.CodeOf(err) != growth.Unavailable {
		t.Errorf("LinkedIn is down: %v", err)
	}
	for range 2 {
		got, err := tasks.Unpublish(t.Context(), p.sc, li, p.keys.Open, true, p.publication().ID)
		p.must(err)
		if got.State != growth.PublicationDeleted || got.DeletedAt == nil || len(p.w.posts()) != 0 {
			t.Errorf("publication %+v, %d posts", got, len(p.w.posts()))
		}
	}
	if n := p.asked("delete"); n != 2 {
		t.Errorf("%d requests; want none for what is deleted already", n)
	}
	p.neverAgain(id, 0)
}

func TestUnknownPublicationIsAnnounced(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	p.fails("posts", simulator.KindResetAfterPost, 1)
	p.runs()
	id := p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{})
	p.waits(id, growth.WaitOutcomeUnknown)
	if n := p.count(`SELECT count(*) FROM events WHERE type = 'post.unknown' AND job_id = $1`, id); n != 1 {
		t.Errorf("%d events post.unknown", n)
	}
	_, err := p.sc.Settle(t.Context(), p.publication().ID, store.SettleDrop, "", "")
	p.must(err)
	if pub := p.publication(); pub.State != growth.PublicationRejected || pub.SettledBy != "person" {
		t.Errorf("publication = %+v", pub)
	}
}

// Asked about a real post, the simulator would say that it is gone.
func TestRealPostIsNotDeletedAtTheSimulator(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	p.becomes(p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{}), growth.JobSucceeded)
	p.exec(`UPDATE linkedin_accounts SET simulated = false`)
	p.exec(`UPDATE publications SET simulated = false, urn = 'urn:li:share:42'`)
	li := linkedin.New(linkedin.Settings{APIURL: p.w.url + "/linkedin"})
	got, err := tasks.Unpublish(t.Context(), p.sc, li, p.keys.Open, true, p.publication().ID)
	if growth.CodeOf(err) != growth.Conflict || got.State == growth.PublicationDeleted {
		t.Errorf("%s, %v", got.State, err)
	}
}
