package tasks_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/internal/simulator"
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

func TestPlainTextThroughUGC(t *testing.T) {
	t.Parallel()
	p := newPress(t, func(w *tasks.PublishWorker) { w.API = growth.UGCPosts }).runs()
	p.becomes(p.enqueue(tasks.PublishArgs{Text: `a (b) \ #c`, Article: &growth.Article{URL: "https://example.com/a", Title: "T"}}, growth.JobOptions{}), growth.JobSucceeded)
	if posts := p.w.posts(); len(posts) != 1 || posts[0].Text != `a (b) \ #c` || posts[0].Via != "ugcPosts" || !strings.Contains(string(posts[0].Content), "example.com/a") {
		t.Errorf("posts = %+v", posts)
	}
}

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
