package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/content"
)

type contentOutput struct{ Body growth.Content }

func (a *api) contents(h huma.API) {
	register(h, op(http.MethodGet, "/v1/contents", "contents", "List content, newest first", auth.ScopeRead, 200), a.listContents)
	register(h, op(http.MethodGet, "/v1/contents/{id}", "contents", "Read a piece of content", auth.ScopeRead, 200), a.getContent)
	register(h, op(http.MethodPatch, "/v1/contents/{id}", "contents", "Edit a piece of content; it has to be approved again", auth.ScopeApprove, 200), a.editContent)
	register(h, op(http.MethodPost, "/v1/contents/{id}/approve", "contents", "Approve the text as it stands", auth.ScopeApprove, 200), a.approveContent)
	register(h, op(http.MethodPost, "/v1/contents/{id}/reject", "contents", "Turn the text down", auth.ScopeApprove, 200), a.rejectContent)
}

type listContentsInput struct {
	PageParams
	Status string `query:"status" enum:"draft,in_review,approved,rejected,scheduled,publishing,published,unknown,failed"`
}

func (a *api) listContents(ctx context.Context, in *listContentsInput) (*struct{ Body List[growth.Content] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	cs, err := a.Store.In(who(ctx).Workspace).Contents(ctx, growth.ContentStatus(in.Status), p)
	return &struct{ Body List[growth.Content] }{listOf(cs, in.Limit, func(c growth.Content) string { return string(c.ID) })}, err
}

func (a *api) getContent(ctx context.Context, in *IDInput) (*contentOutput, error) {
	c, err := a.Store.In(who(ctx).Workspace).Content(ctx, growth.ContentID(in.ID))
	return &contentOutput{c}, err
}

type editInput struct {
	IDInput
	Body struct {
		Title    *string  `json:"title,omitempty" maxLength:"300"`
		Body     *string  `json:"body,omitempty" maxLength:"12000"`
		Hashtags []string `json:"hashtags,omitempty" maxItems:"10"`
	}
}

func (a *api) editContent(ctx context.Context, in *editInput) (*contentOutput, error) {
	sc := a.Store.In(who(ctx).Workspace)
	c, err := sc.Content(ctx, growth.ContentID(in.ID))
	if err != nil {
		return nil, err
	}
	if in.Body.Title != nil {
		c.Title = *in.Body.Title
	}
	if in.Body.Body != nil {
		c.Body = *in.Body.Body
	}
	if in.Body.Hashtags != nil {
		c.Hashtags = in.Body.Hashtags
	}
	ws, err := sc.Workspace(ctx)
	if err != nil {
		return nil, err
	}
	brand := growth.Brand{}
	if ws.Settings.Brand != nil {
		brand = *ws.Settings.Brand
	}
	// A person writes from knowledge that no brief holds: the rules about the text itself are checked, and shown.
	draft := content.Draft{Title: c.Title, Body: c.Body, Hashtags: c.Hashtags, ImagePrompt: c.ImagePrompt}
	c.Checks = content.Check(draft, content.Brief{Language: c.Language, Brief: c.Body}, brand, nil)
	c.Score = content.Score(c.Checks, nil)
	c.Hash = content.Hash(c.Body, c.Title, c.Hashtags, "", nil)
	c, err = sc.EditContent(ctx, c, who(ctx).Name)
	return &contentOutput{c}, err
}

type approveInput struct {
	IDInput
	Body *struct {
		Hash string `json:"hash,omitempty" doc:"The hash of the text that was read; a text that was edited since is not approved"`
	} `required:"false"`
}

func (a *api) approveContent(ctx context.Context, in *approveInput) (*contentOutput, error) {
	hash := ""
	if in.Body != nil {
		hash = in.Body.Hash
	}
	c, err := a.Store.In(who(ctx).Workspace).ApproveContent(ctx, growth.ContentID(in.ID), hash, who(ctx).Name)
	a.Queue.Wake() // publish jobs may have waited for this
	return &contentOutput{c}, err
}

type rejectInput struct {
	IDInput
	Body struct {
		Hash   string `json:"hash,omitempty"`
		Reason string `json:"reason" minLength:"1" maxLength:"1000"`
	}
}

func (a *api) rejectContent(ctx context.Context, in *rejectInput) (*contentOutput, error) {
	c, err := a.Store.In(who(ctx).Workspace).RejectContent(ctx, growth.ContentID(in.ID), in.Body.Hash, in.Body.Reason)
	a.Queue.Wake()
	return &contentOutput{c}, err
}
