package linkedin

import (
	"bytes"
	"context"
	"encoding/json"
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
)

// Receipt is the proof of a post. URN and URL are empty when LinkedIn made the post and did not name it.
type Receipt struct {
	URN       string
	URL       string
	Simulated bool
}

type postBody struct {
	Author         string       `json:"author"`
	Commentary     string       `json:"commentary"`
	Visibility     string       `json:"visibility"`
	Distribution   distribution `json:"distribution"`
	LifecycleState string       `json:"lifecycleState"`
	NoReshare      bool         `json:"isReshareDisabledByAuthor"`
	Content        *postContent `json:"content,omitempty"`
}

type distribution struct {
	Feed     string   `json:"feedDistribution"`
	Targets  []string `json:"targetEntities"`
	Channels []string `json:"thirdPartyDistributionChannels"`
}

type postContent struct {
	Article articleBody `json:"article"`
}

type articleBody struct {
	Source      string `json:"source"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
}

// Publish makes one post with exactly one request. The error is a *PublishError; Outcome says of it whether the post
// may exist all the same. A nil error means that it does.
func (c *Client) Publish(ctx context.Context, token string, post growth.Post) (Receipt, error) {
	if err := check(token, post); err != nil {
		return Receipt{}, notSent(err)
	}
	body, err := encode(post)
	if err != nil {
		return Receipt{}, notSent(growth.Errorf(growth.Invalid, opPublish, "the post is not JSON"))
	}
	ctx, cancel := context.WithTimeout(ctx, maxDuration)
	defer cancel()
	req, err := c.request(ctx, http.MethodPost, "/rest/posts", token)
	if err != nil {
		return Receipt{}, notSent(unreachable(ctx, opPublish, err))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Linkedin-Version", c.version)
	req.Header.Set("X-Restli-Protocol-Version", "2.0.0")
	a, sent, err := c.do(req, body)
	switch {
	case err != nil && !sent:
		return Receipt{}, notSent(unreachable(ctx, opPublish, err))
	case err != nil && a.status == 0:
		return Receipt{}, unknown("LinkedIn did not answer", err)
	}
	return c.receipt(a)
}

// receipt reads an answer. Its status and headers are whole even when its body broke off, and they decide.
func (c *Client) receipt(a answer) (Receipt, error) {
	r := Receipt{Simulated: a.header.Get(simulatorHeader) != ""}
	urn := strings.TrimSpace(a.header.Get("X-Restli-Id"))
	if a.status == http.StatusCreated || (a.status >= 200 && a.status < 300 && urn != "") {
		r.URN, r.URL = urn, URLOf(c.base, urn)
		return r, nil
	}
	return r, c.refusal(a)
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
	if post.Article != nil {
		return checkArticle(*post.Article, invalid)
	}
	return nil
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

var authorURN = regexp.MustCompile(`^urn:li:(person|organization):[A-Za-z0-9_-]+$`)

func encode(post growth.Post) (string, error) {
	body := postBody{
		Author:         post.AuthorURN,
		Commentary:     Escape(post.Text),
		Visibility:     post.Visibility,
		Distribution:   distribution{Feed: "MAIN_FEED", Targets: []string{}, Channels: []string{}},
		LifecycleState: "PUBLISHED",
	}
	if body.Visibility == "" {
		body.Visibility = "PUBLIC"
	}
	if a := post.Article; a != nil {
		// LinkedIn reads nothing from the address and wants a title, so a nameless link is called by its address.
		article := articleBody{Source: a.URL, Title: a.Title, Description: a.Description}
		if article.Title == "" {
			article.Title = a.URL[:min(len(a.URL), maxTitle)]
		}
		body.Content = &postContent{Article: article}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(body)
	return b.String(), err
}

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
