package api

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/tasks"
)

func (a *api) media(h huma.API) {
	upload := op(http.MethodPost, "/v1/media", "media", "Keep a picture for posts", auth.ScopeEnqueue, 201)
	upload.Description = "The body is the picture itself: JPG, PNG or GIF, told by its own bytes. Its id stands for its bytes and its alternative " +
		"text: the same picture with the same text is the same id, anything else another. A picture that no post used for RETENTION_DAYS is forgotten."
	upload.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
	for _, t := range []string{"image/jpeg", "image/png", "image/gif", "application/octet-stream"} {
		upload.RequestBody.Content[t] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	register(h, upload, a.postMedia)
	fetch := op(http.MethodPost, "/v1/media/fetch", "media", "Keep a picture that stands at an address", auth.ScopeEnqueue, 201)
	fetch.Description = "Addresses in private networks are refused unless CALLBACK_ALLOW_HOSTS names them, redirects and what their names resolve to included."
	register(h, fetch, a.fetchMedia)
	register(h, op(http.MethodGet, "/v1/media", "media", "List pictures", auth.ScopeRead, 200), a.listMedia)
	register(h, op(http.MethodGet, "/v1/media/{id}", "media", "Read what is known of a picture", auth.ScopeRead, 200), a.getMedia)
	register(h, op(http.MethodGet, "/v1/media/{id}/content", "media", "Read the picture itself", auth.ScopeRead, 200), a.getMediaContent)
	register(h, op(http.MethodDelete, "/v1/media/{id}", "media", "Forget a picture that no post waits for", auth.ScopeEnqueue, 204), a.deleteMedia)
}

type mediaOutput struct{ Body growth.Media }

// mediaInput reads its body itself, up to what a picture may measure.
type mediaInput struct {
	AltText string `query:"alt_text" doc:"What the picture shows, for people who do not see it; at most 4086 characters"`
	data    []byte
	err     error
}

// Resolve takes the body over from the framework, which would want JSON.
func (in *mediaInput) Resolve(ctx huma.Context) []error {
	in.data, in.err = io.ReadAll(io.LimitReader(ctx.BodyReader(), linkedin.MaxImageBytes+1))
	return nil
}

func (a *api) postMedia(ctx context.Context, in *mediaInput) (*mediaOutput, error) {
	if in.err != nil {
		return nil, growth.Errorf(growth.Invalid, "api.postMedia", "the picture broke off on its way")
	}
	m, err := tasks.SavePicture(ctx, a.Store.In(who(ctx).Workspace), in.data, in.AltText)
	return &mediaOutput{m}, err
}

type fetchMediaInput struct {
	Body struct {
		URL     string `json:"url" maxLength:"2000"`
		AltText string `json:"alt_text,omitempty"`
	}
}

func (a *api) fetchMedia(ctx context.Context, in *fetchMediaInput) (*mediaOutput, error) {
	m, err := tasks.KeepPicture(ctx, a.Store.In(who(ctx).Workspace), a.Fetch, in.Body.URL, in.Body.AltText)
	return &mediaOutput{m}, err
}

func (a *api) listMedia(ctx context.Context, in *PageParams) (*struct{ Body List[growth.Media] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	ms, err := a.Store.In(who(ctx).Workspace).MediaList(ctx, p)
	return &struct{ Body List[growth.Media] }{listOf(ms, in.Limit, func(m growth.Media) string { return string(m.ID) })}, err
}

func (a *api) getMedia(ctx context.Context, in *IDInput) (*mediaOutput, error) {
	m, err := a.Store.In(who(ctx).Workspace).Media(ctx, growth.MediaID(in.ID))
	return &mediaOutput{m}, err
}

type mediaContentOutput struct {
	ContentType string `header:"Content-Type"`
	NoSniff     string `header:"X-Content-Type-Options"`
	Policy      string `header:"Content-Security-Policy"`
	Body        []byte
}

func (a *api) getMediaContent(ctx context.Context, in *IDInput) (*mediaContentOutput, error) {
	m, data, err := a.Store.In(who(ctx).Workspace).MediaData(ctx, growth.MediaID(in.ID))
	return &mediaContentOutput{ContentType: m.Type, NoSniff: "nosniff", Policy: "default-src 'none'; sandbox", Body: data}, err
}

func (a *api) deleteMedia(ctx context.Context, in *IDInput) (*struct{}, error) {
	return nil, a.Store.In(who(ctx).Workspace).DeleteMedia(ctx, growth.MediaID(in.ID))
}
