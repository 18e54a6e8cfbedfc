package tasks_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/internal/limit"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// page connects an organisation in the place of the member.
func (p *press) page(token string) *press {
	p.t.Helper()
	var err error
	p.account, err = p.sc.PutAccount(p.t.Context(), growth.Account{URN: "urn:li:organization:77", Name: "A. Page", Simulated: true},
		func(id growth.AccountID) (string, error) { return p.keys.Seal([]byte(token), string(id)), nil })
	p.must(err)
	p.exec(`DELETE FROM linkedin_accounts WHERE urn LIKE 'urn:li:person:%'`)
	return p
}

func (p *press) aftercare() *tasks.Aftercare {
	return &tasks.Aftercare{
		Store: p.s, Open: p.keys.Open, Simulated: true, Wake: p.queue.Wake, Log: zerolog.Nop(),
		LinkedIn: linkedin.New(linkedin.Settings{APIURL: p.w.url + "/linkedin", HTTP: &http.Client{Timeout: 2 * time.Second}}),
	}
}

func picture(t testing.TB, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, size, size))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (p *press) fails(endpoint, kind string, count int) {
	p.t.Helper()
	if _, err := p.w.sim.SetFault(simulator.Fault{Provider: simulator.LinkedIn, Endpoint: endpoint, Kind: kind, Count: count}); err != nil {
		p.t.Fatal(err)
	}
}

// asked counts what an endpoint of LinkedIn was sent.
func (p *press) asked(endpoint string) int {
	n := 0
	for _, e := range p.w.sim.Entries(0) {
		if e.Provider == simulator.LinkedIn && e.Endpoint == endpoint {
			n++
		}
	}
	return n
}

// hurry lets every wait of the workspace's jobs be over.
func (p *press) hurry() {
	p.t.Helper()
	p.exec(`UPDATE jobs SET run_at = now() WHERE state IN ('waiting', 'retrying') AND dispatched_at IS NULL`)
	p.queue.Wake()
}

func TestPostWithImages(t *testing.T) {
	t.Parallel()
	for _, api := range []growth.PostAPI{growth.PostsAPI, growth.UGCPosts} {
		t.Run(string(api), func(t *testing.T) {
			t.Parallel()
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(picture(t, 3)) }))
			t.Cleanup(web.Close)
			p := newPress(t, func(w *tasks.PublishWorker) { w.API, w.Fetch = api, tasks.FetchClient([]string{"127.0.0.1"}) })
			m, err := tasks.SavePicture(t.Context(), p.sc, picture(t, 2), "a square")
			p.must(err)
			p.fails("posts", "429", 1)
			p.runs()
			id := p.enqueue(tasks.PublishArgs{
				Text: "Deux images (vraiment)", Images: []string{string(m.ID), web.URL + "/x.png"}, AltTexts: []string{"", "another"},
			}, growth.JobOptions{})
			p.waits(id, growth.WaitRateLimited)
			uploads := p.asked("uploads")
			p.hurry()
			p.becomes(id, growth.JobSucceeded)
			posts := p.w.posts()
			if len(posts) != 1 || posts[0].Text != "Deux images (vraiment)" || posts[0].Truncated || strings.Count(string(posts[0].Content), "urn:li:") != 2 {
				t.Fatalf("posts = %+v", posts)
			}
			if !strings.Contains(string(posts[0].Content), "a square") || !strings.Contains(string(posts[0].Content), "another") {
				t.Errorf("content %s has not both alternative texts", posts[0].Content)
			}
			if uploads != 2 || p.asked("uploads") != 2 {
				t.Errorf("%d uploads before and %d after the wait; want 2 and no more", uploads, p.asked("uploads"))
			}
		})
	}
}

func TestPlainTextThroughUGC(t *testing.T) {
	t.Parallel()
	p := newPress(t, func(w *tasks.PublishWorker) { w.API = growth.UGCPosts }).runs()
	p.becomes(p.enqueue(tasks.PublishArgs{Text: `a (b) \ #c`, Article: &growth.Article{URL: "https://example.com/a", Title: "T"}}, growth.JobOptions{}), growth.JobSucceeded)
	if posts := p.w.posts(); len(posts) != 1 || posts[0].Text != `a (b) \ #c` || posts[0].Via != "ugcPosts" || !strings.Contains(string(posts[0].Content), "example.com/a") {
		t.Errorf("posts = %+v", posts)
	}
}

// What lies in a private network is not fetched, by whatever way it is named.
func TestPicturesOfPrivateNetworksAreNotFetched(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://127.0.0.2:1/x.png", http.StatusFound)
			return
		}
		_, _ = w.Write(picture(t, 2))
	}))
	t.Cleanup(web.Close)
	for name, tc := range map[string]struct {
		allow   []string
		address string
		want    growth.Code
	}{
		"by address":          {nil, web.URL + "/x.png", growth.Forbidden},
		"by a name":           {nil, strings.Replace(web.URL, "127.0.0.1", "localhost", 1), growth.Forbidden},
		"by a redirect":       {[]string{"127.0.0.1"}, web.URL + "/away", growth.Forbidden},
		"another scheme":      {nil, "file:///etc/passwd", growth.Invalid},
		"metadata of a cloud": {nil, "http://169.254.169.254/latest", growth.Forbidden},
	} {
		if _, err := tasks.KeepPicture(t.Context(), p.sc, tasks.FetchClient(tc.allow), tc.address, ""); growth.CodeOf(err) != tc.want {
			t.Errorf("%s: %v; want %v", name, err, tc.want)
		}
	}
	if _, err := tasks.KeepPicture(t.Context(), p.sc, tasks.FetchClient([]string{"127.0.0.1"}), web.URL+"/x.png", ""); err != nil {
		t.Errorf("an allowed host: %v", err)
	}
}

// meddler changes rows between the preparation of a post and its claim.
type meddler struct{ meddle func() }

func (m meddler) AllowOnce(context.Context, string, string, ...limit.Window) (limit.Decision, error) {
	m.meddle()
	return limit.Decision{Allowed: true}, nil
}
func (m meddler) Forget(context.Context, string, string) error { return nil }

// After an approval one changed byte makes the post impossible, wherever it is changed and whatever stored digest is
// changed with it.
func TestOneChangedByteAndNothingIsPosted(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{
		"text":                          `UPDATE contents SET body = body || '!'`,
		"text and its hash":             `UPDATE contents SET body = body || '!', hash = repeat('0', 64)`,
		"text and both hashes":          `UPDATE contents SET body = body || '!', hash = repeat('0', 64), approved_hash = repeat('0', 64)`,
		"text and the claim's hash too": `WITH c AS (UPDATE contents SET body = body || '!', hash = repeat('0', 64), approved_hash = repeat('0', 64)) UPDATE publications SET content_hash = repeat('0', 64)`,
		"a hashtag":                     `UPDATE contents SET hashtags = hashtags || '{#x}'`,
		"the title":                     `UPDATE contents SET title = 'x'`,
		"the post that lies ready":      `UPDATE publications SET post = jsonb_set(post, '{text}', '"other"')`,
		"its visibility":                `UPDATE publications SET post = jsonb_set(post, '{visibility}', '"CONNECTIONS"')`,
		"its author":                    `UPDATE publications SET post = jsonb_set(post, '{author}', '"urn:li:person:other"')`,
		"the account":                   `UPDATE linkedin_accounts SET urn = 'urn:li:person:other'`,
		"the approval":                  `UPDATE contents SET approved_hash = NULL`,
		"the status":                    `UPDATE contents SET status = 'in_review'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPress(t)
			w := tasks.PublishWorker{
				Store: p.s, Open: p.keys.Open, PerDay: 100, Simulated: true, Windows: meddler{func() { p.exec(query) }},
				LinkedIn: linkedin.New(linkedin.Settings{APIURL: p.w.url + "/linkedin"}),
			}
			tasks.AddWorker(p.runner, w)
			p.runs()
			j := p.becomes(p.publish(p.content("Bonjour", growth.ContentApproved)), growth.JobFailed)
			if n := p.w.requests(simulator.LinkedIn); n != 0 || j.Error.Code != growth.Conflict {
				t.Errorf("%d requests, error %+v", n, j.Error)
			}
		})
	}
}

// A worker died between its place in the window and its claim: nothing was posted, and nobody waits for it.
func TestPlaceOfADeadWorkerClosesNoWindow(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	l := limit.New(p.rdb, "linkedin")
	_, err := l.AllowOnce(t.Context(), p.account.URN, growth.NewID(), limit.Window{Max: 1, Per: 15 * time.Minute})
	p.must(err)
	tasks.AddWorker(p.runner, tasks.PublishWorker{
		Store: p.s, Open: p.keys.Open, PerDay: 100, Spacing: 15 * time.Minute, Simulated: true, Windows: l,
		LinkedIn: linkedin.New(linkedin.Settings{APIURL: p.w.url + "/linkedin"}),
	})
	p.runs()
	p.becomes(p.enqueue(tasks.PublishArgs{Text: "Bonjour"}, growth.JobOptions{}), growth.JobSucceeded)
	j := p.waits(p.enqueue(tasks.PublishArgs{Text: "Bonsoir"}, growth.JobOptions{}), growth.WaitPostingWindow)
	if left := time.Until(*j.Waiting.Until); left < 14*time.Minute || left > 15*time.Minute {
		t.Errorf("the window is closed for %v after a post", left)
	}
}

// A person edits a text and approves it again while its post is being prepared: the new text goes out.
func TestTextThatIsEditedUnderTheWorkersHandsGoesOutOnceApproved(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []bool{true, false} {
		t.Run(fmt.Sprintf("approved at once: %v", atOnce), func(t *testing.T) {
			t.Parallel()
			p := newPress(t)
			c := p.content("Bonjour", growth.ContentApproved)
			approve := func() {
				_, err := p.sc.ApproveContent(context.Background(), c.ID, c.Hash, "reviewer")
				p.must(err)
			}
			edit := sync.OnceFunc(func() {
				c.Body = "Bonsoir"
				c.Hash = content.HashOf(c)
				_, err := p.sc.EditContent(context.Background(), c, "editor")
				p.must(err)
				if atOnce {
					approve()
				}
			})
			tasks.AddWorker(p.runner, tasks.PublishWorker{
				Store: p.s, Open: p.keys.Open, PerDay: 100, Simulated: true, Windows: meddler{edit},
				LinkedIn: linkedin.New(linkedin.Settings{APIURL: p.w.url + "/linkedin"}),
			})
			p.runs()
			id := p.publish(c)
			p.waits(id, growth.WaitApproval)
			if !atOnce {
				approve()
			}
			p.must(p.recon.Unstick(t.Context()))
			p.queue.Wake()
			p.becomes(id, growth.JobSucceeded)
			if posts := p.w.posts(); len(posts) != 1 || !strings.HasPrefix(posts[0].Text, "Bonsoir") {
				t.Errorf("posts = %+v", posts)
			}
		})
	}
}

func TestChangedPictureIsNotPosted(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	m, err := tasks.SavePicture(t.Context(), p.sc, picture(t, 2), "a")
	p.must(err)
	for _, query := range []string{`UPDATE media SET data = set_byte(data, 20, 7)`, `UPDATE media SET alt_text = 'b'`} {
		p.exec(query)
		id := p.enqueue(tasks.PublishArgs{Text: "Bonjour " + query, Images: []string{string(m.ID)}}, growth.JobOptions{})
		if j := p.becomes(id, growth.JobFailed); j.Error.Code != growth.Conflict || len(p.w.posts()) != 0 {
			t.Errorf("%s: %+v", query, j.Error)
		}
		p.exec(`DELETE FROM media`)
		m, err = tasks.SavePicture(t.Context(), p.sc, picture(t, 2), "a")
		p.must(err)
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

func TestWindowsHoldWithAndWithoutRedis(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	w := tasks.PublishWorker{
		Store: p.s, Open: p.keys.Open, PerDay: 2, Spacing: 15 * time.Minute, Simulated: true, Windows: limit.New(p.rdb, "linkedin"),
		LinkedIn: linkedin.New(linkedin.Settings{APIURL: p.w.url + "/linkedin"}),
	}
	tasks.AddWorker(p.runner, w)
	p.runs()
	p.becomes(p.enqueue(tasks.PublishArgs{Text: "Un"}, growth.JobOptions{}), growth.JobSucceeded)
	second := p.enqueue(tasks.PublishArgs{Text: "Deux"}, growth.JobOptions{})
	waits := func(id growth.JobID, low, high time.Duration) {
		t.Helper()
		if d := time.Until(*p.waits(id, growth.WaitPostingWindow).Waiting.Until); d < low || d > high {
			t.Errorf("wait of %v; want %v to %v", d, low, high)
		}
	}
	waits(second, 14*time.Minute, 15*time.Minute)
	p.must(p.rdb.FlushDB(t.Context()).Err()) // Redis has lost everything: the rows hold the limit
	p.hurry()
	eventually(t, "it was tried and waits again", func() bool {
		return p.job(second).State == growth.JobWaiting && time.Until(*p.job(second).Waiting.Until) > time.Minute
	})
	if n := len(p.w.posts()); n != 1 {
		t.Fatalf("%d posts within 15 minutes", n)
	}
	p.exec(`UPDATE publications SET sent_at = sent_at - interval '15 minutes' WHERE sent_at IS NOT NULL`)
	p.hurry()
	p.becomes(second, growth.JobSucceeded)
	p.must(p.rdb.FlushDB(t.Context()).Err())
	p.exec(`UPDATE publications SET sent_at = sent_at - interval '15 minutes' WHERE sent_at IS NOT NULL`)
	third := p.enqueue(tasks.PublishArgs{Text: "Trois"}, growth.JobOptions{})
	waits(third, 23*time.Hour, 24*time.Hour) // two a day
}

func TestCallsOfAMembersDayAreCounted(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	const perDay = 3
	w := tasks.PublishWorker{
		Store: p.s, Open: p.keys.Open, PerDay: 100, Simulated: true,
		LinkedIn: linkedin.New(linkedin.Settings{APIURL: p.w.url + "/linkedin", Spend: func(ctx context.Context, author string) error {
			return p.s.SpendLinkedInCall(ctx, author, perDay)
		}}),
	}
	tasks.AddWorker(p.runner, w)
	m, err := tasks.SavePicture(t.Context(), p.sc, picture(t, 2), "")
	p.must(err)
	p.runs()
	p.becomes(p.enqueue(tasks.PublishArgs{Text: "Un", Images: []string{string(m.ID)}}, growth.JobOptions{}), growth.JobSucceeded) // three calls
	id := p.enqueue(tasks.PublishArgs{Text: "Deux"}, growth.JobOptions{})
	j := p.waits(id, growth.WaitRateLimited)
	midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	if late := j.Waiting.Until.Sub(midnight); late < -time.Second || late > 6*time.Minute {
		t.Errorf("until %v; want the next midnight in UTC, %v, or a little later", j.Waiting.Until, midnight)
	}
	if calls, err := p.s.LinkedInCalls(t.Context(), p.account.URN); err != nil || calls != perDay || len(p.w.posts()) != 1 {
		t.Errorf("%d calls, %d posts, %v", calls, len(p.w.posts()), err)
	}
	p.exec(`UPDATE linkedin_calls SET day = day - 1`)
	p.hurry()
	p.becomes(id, growth.JobSucceeded)
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

// A content's media and account were approved with it: they are what goes out, and no other pictures with them.
func TestContentGoesOutWithItsOwnMediaAndAccount(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	kept, err := tasks.SavePicture(t.Context(), p.sc, picture(t, 40), "Une terrasse")
	p.must(err)
	other := growth.Account{URN: "urn:li:person:other", Name: "Another", Simulated: true}
	_, err = p.sc.PutAccount(t.Context(), other, func(id growth.AccountID) (string, error) { return p.keys.Seal([]byte(token), string(id)), nil })
	p.must(err)
	c := p.content("Une terrasse", growth.ContentInReview)
	c.Media, c.AccountID = []string{string(kept.ID)}, &p.account.ID
	c.Hash = content.HashOf(c)
	c, err = p.sc.EditContent(t.Context(), c, "tester")
	p.must(err)
	_, err = p.sc.ApproveContent(t.Context(), c.ID, c.Hash, "tester")
	p.must(err)
	// Two accounts, and the job names none: the content does.
	p.becomes(p.publish(c), growth.JobSucceeded)
	posts := p.w.posts()
	if len(posts) != 1 || posts[0].Author != p.account.URN || !strings.Contains(string(posts[0].Content), "urn:li:image:") {
		t.Fatalf("posts %+v; want one with a picture by %s", posts, p.account.URN)
	}
	d := p.content("Une autre", growth.ContentInReview)
	d.Media = []string{string(kept.ID)}
	d.Hash = content.HashOf(d)
	d, err = p.sc.EditContent(t.Context(), d, "tester")
	p.must(err)
	_, err = p.sc.ApproveContent(t.Context(), d.ID, d.Hash, "tester")
	p.must(err)
	id := p.enqueue(tasks.PublishArgs{ContentID: d.ID, AccountID: p.account.ID, Images: []string{string(kept.ID)}}, growth.JobOptions{})
	if j := p.becomes(id, growth.JobFailed); j.Error.Code != growth.Invalid || len(p.w.posts()) != 1 {
		t.Errorf("pictures beside a content's own: %+v", j.Error)
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
