package simulator

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Post is a live post of the simulated LinkedIn.
type Post struct {
	URN        string          `json:"urn"`
	Author     string          `json:"author"`
	Text       string          `json:"text"` // as people see it
	Commentary string          `json:"commentary"`
	Truncated  bool            `json:"truncated"` // an unescaped character has cut the text
	Hashtags   []string        `json:"hashtags"`
	Mentions   []string        `json:"mentions"`
	Content    json.RawMessage `json:"content,omitempty"`
	Visibility string          `json:"visibility"`
	Via        string          `json:"via"` // "posts" or "ugcPosts"
	At         time.Time       `json:"at"`
	Comments   []Comment       `json:"comments,omitempty"`
}

// Comment is a comment under a post.
type Comment struct {
	URN   string `json:"urn"`
	Actor string `json:"actor"`
	Text  string `json:"text"`
}

const maxPosts = 100_000

// feed holds the live posts.
type feed struct {
	mu    sync.Mutex
	order []string
	posts map[string]Post
	same  map[string]string // what an author said -> URN
}

func newFeed() *feed {
	f := &feed{}
	f.reset()
	return f
}

func (f *feed) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.order, f.posts, f.same = nil, map[string]Post{}, map[string]string{}
}

// sameness is equal for posts that LinkedIn takes for duplicates.
func (p Post) sameness() string {
	var content bytes.Buffer
	if len(p.Content) > 0 && json.Compact(&content, p.Content) != nil {
		content.Write(p.Content)
	}
	return p.Author + "\x00" + p.Commentary + "\x00" + content.String()
}

// add publishes p, unless its author has a live post that says the same: then it returns that one's URN.
func (f *feed) add(p Post) (duplicate string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := p.sameness()
	if urn, ok := f.same[key]; ok {
		return urn
	}
	if len(f.order) >= maxPosts {
		f.drop(f.order[0])
	}
	f.order = append(f.order, p.URN)
	f.posts[p.URN], f.same[key] = p, p.URN
	return ""
}

// drop removes a post; the caller holds the lock.
func (f *feed) drop(urn string) {
	p, ok := f.posts[urn]
	if !ok {
		return
	}
	delete(f.posts, urn)
	delete(f.same, p.sameness())
	if i := slices.Index(f.order, urn); i >= 0 {
		f.order = slices.Delete(f.order, i, i+1)
	}
}

func (f *feed) remove(urn string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(urn)
}

const maxComments = 100 // under one post

// comment adds a comment; it is false where the post does not exist.
func (f *feed) comment(urn string, c Comment) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.posts[urn]
	if !ok || len(p.Comments) >= maxComments {
		return false
	}
	p.Comments = append(slices.Clone(p.Comments), c) // a list that was handed out does not change
	f.posts[urn] = p
	return true
}

func (f *feed) find(urn string) (Post, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.posts[urn]
	return p, ok
}

func (f *feed) list() []Post {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Post, 0, len(f.order))
	for _, urn := range f.order {
		out = append(out, f.posts[urn])
	}
	return out
}

// Posts returns the live posts, oldest first.
func (s *Server) Posts() []Post { return s.feed.list() }

// view is what the page of a post shows of it.
type view struct {
	Post
	Paragraphs []string
	Content    struct {
		Article struct{ Source, Title, Description string } `json:"article"`
	}
}

// showPost is the page that a post's public address opens.
func (s *Server) showPost(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	p, ok := s.feed.find(r.PathValue("urn"))
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		_ = goneTemplate.Execute(w, nil)
		return
	}
	v := view{Post: p, Paragraphs: strings.Split(p.Text, "\n")}
	_ = json.Unmarshal(p.Content, &v.Content) // a post without an article, or without content, shows none
	_ = postTemplate.Execute(w, v)
}

const pageHead = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simulated post</title><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem;color:#1d2226;background:#f4f2ee}
article{background:#fff;border:1px solid #d9d6d0;border-radius:8px;padding:1rem 1.25rem}
p{margin:0;min-height:1.5em;overflow-wrap:anywhere}small{color:#5f6368}.note{background:#fff3c4;padding:.5rem 1rem;border-radius:8px}
</style></head><body><p class="note">Simulated LinkedIn: this post exists on this machine only.</p><br>
`

var goneTemplate = template.Must(template.New("gone").Parse(pageHead + `<article>This post does not exist.</article></body></html>`))

var postTemplate = template.Must(template.New("post").Parse(pageHead + `<article>
<small>{{.Author}} · <time datetime="{{.At.Format "2006-01-02T15:04:05Z07:00"}}">{{.At.Format "2 January 2006, 15:04 MST"}}</time> · {{.Visibility}}</small>
{{range .Paragraphs}}<p>{{.}}</p>{{end}}
{{if .Truncated}}<p class="note">The text was cut here by an unescaped reserved character.</p>{{end}}
{{if .Content.Article.Source}}<p><a rel="noopener nofollow" href="{{.Content.Article.Source}}">{{or .Content.Article.Title .Content.Article.Source}}</a></p><p><small>{{.Content.Article.Description}}</small></p>{{end}}
</article><p><small>{{.URN}}</small></p></body></html>`))
