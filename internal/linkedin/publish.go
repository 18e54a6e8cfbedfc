package linkedin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	opPublish = "linkedin.Publish"

	maxText  = 3000 // UTF-16 units of a post, before escaping
	maxTitle = 400  // of an article's title

	// MaxAltText is how long an image's alternative text can be, in UTF-16 units.
	MaxAltText = 4086
	// MaxImages is how many images a post can have.
	MaxImages = 20
)

// Receipt is the proof of a post. URN and URL are empty when LinkedIn made the post and did not name it.
type Receipt struct {
	URN       string
	URL       string
	Simulated bool
}

// Publish makes one post with exactly one request. The error is a *PublishError; Outcome says of it whether the post
// may exist all the same. A nil error means that it does. Images have to be uploaded already.
func (c *Client) Publish(ctx context.Context, token string, post growth.Post) (Receipt, error) {
	if err := check(token, post); err != nil {
		return Receipt{}, notSent(err)
	}
	path, encode := "/rest/posts", encodePost
	if post.API == growth.UGCPosts {
		path, encode = "/v2/ugcPosts", encodeUGC
	}
	body, err := encode(post)
	if err != nil {
		return Receipt{}, notSent(growth.Errorf(growth.Invalid, opPublish, "the post is not JSON"))
	}
	a, err := c.sendOnce(ctx, sending{opPublish, "the post", token, post.AuthorURN, path, body})
	if err != nil {
		return Receipt{}, err
	}
	return c.receipt(a)
}

// sending is one request that makes something and must not be made twice.
type sending struct {
	op, what, token, author, path, body string
}

// sendOnce makes one request and gives its answer, or an error that says what is certain.
func (c *Client) sendOnce(ctx context.Context, s sending) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, maxDuration)
	defer cancel()
	if err := c.spend(ctx, s.author); err != nil {
		return answer{}, notSent(asGrowth(s.op, err))
	}
	req, err := c.versioned(ctx, http.MethodPost, s.path, s.token)
	if err != nil {
		return answer{}, notSent(unreachable(ctx, s.op, err))
	}
	a, sent, err := c.do(req, s.body)
	switch {
	case err != nil && !sent:
		return answer{}, notSent(unreachable(ctx, s.op, err))
	case err != nil && a.status == 0:
		return answer{}, unknown(s, "LinkedIn did not answer", err)
	}
	return a, nil
}

func asGrowth(op string, err error) *growth.Error {
	if e, ok := errors.AsType[*growth.Error](err); ok {
		return e
	}
	return &growth.Error{Code: growth.Internal, Op: op, Message: "the calls of this account cannot be counted", Err: err}
}

// receipt reads an answer. Its status and headers are whole even when its body broke off, and they decide.
func (c *Client) receipt(a answer) (Receipt, error) {
	r := Receipt{Simulated: a.header.Get(simulatorHeader) != ""}
	urn := strings.TrimSpace(a.header.Get("X-Restli-Id"))
	if a.status == http.StatusCreated || (a.status >= 200 && a.status < 300 && urn != "") {
		r.URN, r.URL = urn, URLOf(c.base, urn)
		return r, nil
	}
	return r, c.refusal(sending{op: opPublish, what: "the post"}, a)
}

// check refuses what LinkedIn would refuse, and what it would cut or misread without a word.
func check(token string, post growth.Post) *growth.Error {
	invalid := func(field, format string, args ...any) *growth.Error {
		return growth.InvalidField(opPublish, field, format, args...)
	}
	if !usable(token) {
		return growth.Errorf(growth.KeyRejected, opPublish, "the account has no usable token: it must be connected again")
	}
	if !authorURN.MatchString(post.AuthorURN) {
		return invalid("author", "urn:li:person:… or urn:li:organization:… is needed")
	}
	if strings.TrimSpace(post.Text) == "" {
		return invalid("text", "the post has no text")
	}
	if n := Length(post.Text); n > maxText {
		return invalid("text", "the text has %d characters as LinkedIn counts, at most %d are allowed", n, maxText)
	}
	switch post.Visibility {
	case "", "PUBLIC", "CONNECTIONS":
	default:
		return invalid("visibility", "PUBLIC or CONNECTIONS is needed")
	}
	if post.Article != nil && len(post.Images) > 0 {
		return invalid("images", "a post has either an article or images, not both")
	}
	if err := checkMentions(post, invalid); err != nil {
		return err
	}
	if post.Article != nil {
		return checkArticle(*post.Article, invalid)
	}
	return checkImages(post, invalid)
}

func checkArticle(article growth.Article, invalid func(field, format string, args ...any) *growth.Error) *growth.Error {
	u, err := url.Parse(article.URL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return invalid("article.url", "an absolute http or https address is needed")
	}
	if n := Length(article.Title); n > maxTitle {
		return invalid("article.title", "the title has %d characters, at most %d are allowed", n, maxTitle)
	}
	return nil
}

func checkMentions(post growth.Post, invalid func(field, format string, args ...any) *growth.Error) *growth.Error {
	for _, m := range post.Mentions {
		switch {
		case post.API == growth.UGCPosts:
			return invalid("mentions", "mentions need the Posts API; UGC Posts take plain text")
		case !authorURN.MatchString(m.URN):
			return invalid("mentions", "urn:li:person:… or urn:li:organization:… is needed")
		case strings.TrimSpace(m.Name) == "" || strings.ContainsAny(m.Name, "\r\n"):
			return invalid("mentions", "the name has to be one line, as LinkedIn has it")
		case !strings.Contains(post.Text, "@"+m.Name):
			return invalid("mentions", "the text has to contain @ and the name of each mention")
		}
	}
	return nil
}

func checkImages(post growth.Post, invalid func(field, format string, args ...any) *growth.Error) *growth.Error {
	if len(post.Images) > MaxImages {
		return invalid("images", "at most %d images are allowed", MaxImages)
	}
	prefix := imagePrefix(post.API)
	for _, i := range post.Images {
		if !strings.HasPrefix(i.URN, prefix) {
			return invalid("images", "an image has to be uploaded before it is posted: %s… is needed", prefix)
		}
		if n := Length(i.AltText); n > MaxAltText {
			return invalid("images", "an alternative text has %d characters, at most %d are allowed", n, MaxAltText)
		}
	}
	return nil
}

// imagePrefix is how the URN of an image begins: the two ways to post know different pictures.
func imagePrefix(api growth.PostAPI) string {
	if api == growth.UGCPosts {
		return "urn:li:digitalmediaAsset:"
	}
	return "urn:li:image:"
}

var authorURN = regexp.MustCompile(`^urn:li:(person|organization):[A-Za-z0-9_-]+$`)

// PageOf is the page of a post.
func (c *Client) PageOf(urn string) string { return URLOf(c.base, urn) }

// URLOf is the page of a post: on LinkedIn's site for LinkedIn's API, else under the base that stands in for it. An
// empty URN has no page.
func URLOf(base, urn string) string {
	if urn == "" {
		return ""
	}
	site := strings.TrimRight(base, "/")
	if u, err := url.Parse(base); base == "" || (err == nil && strings.EqualFold(u.Hostname(), "api.linkedin.com")) {
		site = publicSite
	}
	return site + "/feed/update/" + url.PathEscape(urn) + "/"
}
