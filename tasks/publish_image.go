package tasks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/store"
)

// validateContent checks what a post carries beside its text.
func (a PublishArgs) validateContent() error {
	const op = "tasks.PublishArgs"
	if a.Article != nil {
		if len(a.Images) > 0 {
			return growth.InvalidField(op, "images", "a post has either an article or images, not both")
		}
		if err := checkArticle(*a.Article); err != nil {
			return err
		}
	}
	if len(a.Images) > linkedin.MaxImages {
		return growth.InvalidField(op, "images", "at most %d images are allowed; these are %d", linkedin.MaxImages, len(a.Images))
	}
	if len(a.AltTexts) > len(a.Images) {
		return growth.InvalidField(op, "alt_texts", "there are more of them than images")
	}
	for i, ref := range a.Images {
		field := fmt.Sprintf("images[%d]", i)
		switch {
		case growth.ValidID(ref) && a.altText(i) != "":
			return growth.InvalidField(op, fmt.Sprintf("alt_texts[%d]", i), "a picture of /v1/media has its own; leave it empty")
		case growth.ValidID(ref):
		case !webAddress(ref):
			return growth.InvalidField(op, field, "use the id of a picture of /v1/media, or an http or https address without user name")
		}
	}
	for i, m := range a.Mentions {
		if m.Name == "" || !strings.HasPrefix(m.URN, "urn:li:") || a.Text != "" && !strings.Contains(a.Text, "@"+m.Name) {
			return growth.InvalidField(op, fmt.Sprintf("mentions[%d]", i), "a mention needs a urn (urn:li:person:… or urn:li:organization:…) and a name that stands in the text after an @")
		}
	}
	return nil
}

// Unapproved says whether the post holds more than an approved content: whoever asks for it vouches for that.
func (a PublishArgs) Unapproved() bool {
	return a.Text != "" || a.Article != nil || len(a.Images) > 0 || a.FirstComment != "" || len(a.Mentions) > 0 || a.AllowRepeat
}

func (a PublishArgs) altText(i int) string {
	if i < len(a.AltTexts) {
		return a.AltTexts[i]
	}
	return ""
}

func checkArticle(a growth.Article) error {
	const op = "tasks.PublishArgs"
	switch {
	case a.URL == "" || a.Title == "":
		return growth.InvalidField(op, "article", "an article needs a url and a title: LinkedIn fetches neither")
	case !webAddress(a.URL):
		return growth.InvalidField(op, "article.url", "use an http or https address without user name, at most 2000 characters")
	case linkedin.Length(a.Title) > 400:
		return growth.InvalidField(op, "article.title", "LinkedIn takes at most 400 characters; this has %d", linkedin.Length(a.Title))
	}
	return nil
}

func webAddress(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && len(raw) <= 2000 && u.Host != "" && u.User == nil && (u.Scheme == "http" || u.Scheme == "https")
}

// upload has every image of the post at LinkedIn. What was fetched and what was uploaded is kept with the job, so that
// an attempt after a wait, or after a worker's death, does neither again.
func (w PublishWorker) upload(ctx context.Context, job *Job[PublishArgs], d *draft, token string) error {
	fresh := false
	d.post.Images = nil
	for i, ref := range d.images {
		id, err := w.picture(ctx, job, i, ref)
		if err != nil {
			return err
		}
		m, data, err := w.Store.In(job.Job.Workspace).MediaData(ctx, id)
		if err != nil {
			return err
		}
		urn, err := Step(ctx, job.Claim, fmt.Sprintf("upload %d %s %s %s", i, id, d.account.ID, w.API), func(ctx context.Context) (string, error) {
			fresh = true
			return w.LinkedIn.UploadImage(ctx, token, d.account.URN, w.API, data)
		})
		if err != nil {
			return err
		}
		d.post.Images = append(d.post.Images, growth.Image{MediaID: id, URN: urn, AltText: m.AltText})
	}
	if !fresh || w.Settle <= 0 {
		return nil
	}
	t := time.NewTimer(w.Settle) // members' tokens cannot ask whether LinkedIn is done with the image
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// picture finds the media of an image; one that is an address is fetched once and kept.
func (w PublishWorker) picture(ctx context.Context, job *Job[PublishArgs], i int, ref string) (growth.MediaID, error) {
	if growth.ValidID(ref) {
		return growth.MediaID(strings.ToLower(ref)), nil
	}
	return Step(ctx, job.Claim, fmt.Sprintf("fetch %d", i), func(ctx context.Context) (growth.MediaID, error) {
		m, err := KeepPicture(ctx, w.Store.In(job.Job.Workspace), w.Fetch, ref, job.Args.altText(i))
		return m.ID, err
	})
}

// uploadFault is what a failure before the claim means. Nothing was posted, whatever it was.
func (w PublishWorker) uploadFault(ctx context.Context, a growth.Account, err error) error {
	if e, ok := errors.AsType[*growth.Error](err); !ok || !strings.HasPrefix(e.Op, "linkedin.") {
		return err
	}
	return w.refused(ctx, a, err)
}

// FetchClient makes the HTTP client that fetches pictures from strangers' addresses. It shares the guard of callbacks:
// the address that is really dialled decides, for the first request and for each redirect.
func FetchClient(allowHosts []string) *http.Client {
	c := CallbackClient(allowHosts)
	c.Timeout = 30 * time.Second
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) > 5 || !webAddress(req.URL.String()) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return c
}

// KeepPicture fetches a picture, looks at it and keeps it in the workspace's media.
func KeepPicture(ctx context.Context, sc store.Scoped, web *http.Client, address, altText string) (growth.Media, error) {
	data, err := fetchPicture(ctx, web, address)
	if err != nil {
		return growth.Media{}, err
	}
	return SavePicture(ctx, sc, data, altText)
}

// SavePicture looks at a picture and keeps it in the workspace's media.
func SavePicture(ctx context.Context, sc store.Scoped, data []byte, altText string) (growth.Media, error) {
	p, err := linkedin.Inspect(data)
	if err != nil {
		return growth.Media{}, err
	}
	if n := linkedin.Length(altText); n > linkedin.MaxAltText {
		return growth.Media{}, growth.InvalidField("tasks.SavePicture", "alt_text", "LinkedIn takes at most %d characters; this has %d", linkedin.MaxAltText, n)
	}
	return sc.PutMedia(ctx, growth.Media{Type: p.Type, Width: p.Width, Height: p.Height, Frames: p.Frames, AltText: altText}, data)
}

func fetchPicture(ctx context.Context, web *http.Client, address string) ([]byte, error) {
	const op = "tasks.fetchPicture"
	if !webAddress(address) {
		return nil, growth.InvalidField(op, "url", "use an http or https address without user name, at most 2000 characters")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, growth.InvalidField(op, "url", "the address of the picture cannot be called")
	}
	req.Header.Set("Accept", "image/jpeg, image/png, image/gif")
	req.Header.Set("User-Agent", "AstroGrowth-Media/1")
	resp, err := web.Do(req)
	if errors.Is(err, ErrPrivateAddress) {
		return nil, growth.Errorf(growth.Forbidden, op, "the address of the picture lies in a private network that is not allowed by CALLBACK_ALLOW_HOSTS")
	}
	if err != nil {
		return nil, growth.Errorf(growth.Unavailable, op, "the address of the picture did not answer")
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= 500:
		return nil, growth.Errorf(growth.Unavailable, op, "the address of the picture answered %d", resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return nil, growth.InvalidField(op, "url", "the address of the picture answered %d; a picture is needed", resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, linkedin.MaxImageBytes+1))
	if err != nil {
		return nil, growth.Errorf(growth.Unavailable, op, "the address of the picture broke off")
	}
	return data, nil
}
