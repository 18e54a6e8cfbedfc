package linkedin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	opDelete  = "linkedin.Delete"
	opRead    = "linkedin.Read"
	opComment = "linkedin.Comment"

	// MaxComment is how long a comment can be, in UTF-16 units.
	MaxComment = 1250

	newestPosts = 50 // of an author, that a search looks at
)

// Delete takes a post off LinkedIn. A post that is not there is as good as deleted, so it may be tried again.
func (c *Client) Delete(ctx context.Context, token, author, urn string) error {
	a, err := c.call(ctx, opDelete, http.MethodDelete, "/rest/posts/"+inPath(urn), token, author)
	if err != nil {
		return err
	}
	switch a.status {
	case http.StatusNoContent, http.StatusOK, http.StatusNotFound:
		return nil
	}
	return c.fault(opDelete, a)
}

// Seen is a post as LinkedIn shows it to an application.
type Seen struct {
	URN       string
	Text      string // in the little text format, or plain when it was made through UGC Posts
	CreatedAt time.Time
}

// Is says whether the post says what was meant.
func (s Seen) Is(post growth.Post) bool {
	return s.Text == Commentary(post.Text, post.Mentions) || post.API == growth.UGCPosts && s.Text == post.Text
}

// Read gives one post. Only organisations' posts can be read, with the scope r_organization_social; others are Forbidden.
func (c *Client) Read(ctx context.Context, token, author, urn string) (Seen, error) {
	a, err := c.call(ctx, opRead, http.MethodGet, "/rest/posts/"+inPath(urn)+"?viewContext=AUTHOR", token, author)
	if err != nil {
		return Seen{}, err
	}
	if a.status == http.StatusNotFound {
		return Seen{}, growth.Errorf(growth.NotFound, opRead, "LinkedIn has no such post")
	}
	if a.status != http.StatusOK {
		return Seen{}, c.fault(opRead, a)
	}
	var p seenBody
	if err := json.Unmarshal(a.body, &p); err != nil {
		return Seen{}, growth.Errorf(growth.Malformed, opRead, "LinkedIn's answer is no post")
	}
	return p.seen(), nil
}

// Newest lists an author's newest posts, under the same conditions as Read.
func (c *Client) Newest(ctx context.Context, token, author string) ([]Seen, error) {
	q := url.Values{"q": {"author"}, "author": {author}, "count": {"50"}}
	a, err := c.call(ctx, opRead, http.MethodGet, "/rest/posts?"+q.Encode(), token, author)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, c.fault(opRead, a)
	}
	var list struct {
		Elements []seenBody `json:"elements"`
	}
	if err := json.Unmarshal(a.body, &list); err != nil {
		return nil, growth.Errorf(growth.Malformed, opRead, "LinkedIn's answer is no list of posts")
	}
	out := make([]Seen, 0, len(list.Elements))
	for _, p := range list.Elements[:min(len(list.Elements), newestPosts)] {
		out = append(out, p.seen())
	}
	return out, nil
}

type seenBody struct {
	ID         string `json:"id"`
	Commentary string `json:"commentary"`
	CreatedAt  int64  `json:"createdAt"` // epoch milliseconds
}

func (b seenBody) seen() Seen {
	return Seen{URN: b.ID, Text: b.Commentary, CreatedAt: time.UnixMilli(b.CreatedAt).UTC()}
}

// call makes a request without a body that changes nothing which could not be changed twice.
func (c *Client) call(ctx context.Context, op, method, path, token, author string) (answer, error) {
	if !usable(token) {
		return answer{}, growth.Errorf(growth.KeyRejected, op, "the account has no usable token: it must be connected again")
	}
	ctx, cancel := context.WithTimeout(ctx, maxDuration)
	defer cancel()
	if err := c.spend(ctx, author); err != nil {
		return answer{}, asGrowth(op, err)
	}
	req, err := c.versioned(ctx, method, path, token)
	if err != nil {
		return answer{}, unreachable(ctx, op, err)
	}
	switch {
	case method == http.MethodDelete:
		req.Header.Set("X-Restli-Method", "DELETE")
	case strings.HasPrefix(path, "/rest/posts?"):
		req.Header.Set("X-Restli-Method", "FINDER")
	}
	a, _, err := c.do(req, "")
	if err != nil {
		return answer{}, unreachable(ctx, op, err)
	}
	return a, nil
}

// Comment writes under a post, with exactly one request. Its text is plain: LinkedIn shows a backslash there. The error
// is a *PublishError, as that of Publish.
func (c *Client) Comment(ctx context.Context, token, actor, post, text string) (string, error) {
	switch n := Length(text); {
	case !usable(token):
		return "", notSent(growth.Errorf(growth.KeyRejected, opComment, "the account has no usable token: it must be connected again"))
	case strings.TrimSpace(text) == "" || n > MaxComment:
		return "", notSent(growth.InvalidField(opComment, "first_comment", "1 to %d characters are needed; this has %d", MaxComment, n))
	}
	body, err := encodeJSON(map[string]any{"actor": actor, "object": post, "message": map[string]string{"text": text}})
	if err != nil {
		return "", notSent(growth.Errorf(growth.Invalid, opComment, "the comment is not JSON"))
	}
	s := sending{opComment, "the comment", token, actor, "/rest/socialActions/" + inPath(post) + "/comments", body}
	a, err := c.sendOnce(ctx, s)
	if err != nil {
		return "", err
	}
	if a.status != http.StatusCreated && a.status != http.StatusOK {
		return "", c.refusal(s, a)
	}
	return strings.TrimSpace(a.header.Get("X-Restli-Id")), nil
}

// inPath writes a URN into a path as LinkedIn wants it: the colons escaped too.
func inPath(urn string) string { return url.QueryEscape(urn) }
