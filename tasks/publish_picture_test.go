package tasks_test

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/tasks"
)

func picture(t testing.TB, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, size, size))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
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
