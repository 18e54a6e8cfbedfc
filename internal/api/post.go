package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/store"
)

func (a *api) publications(h huma.API) {
	register(h, op(http.MethodGet, "/v1/publications", "publications", "List publications, newest first", auth.ScopeRead, 200), a.listPublications)
	register(h, op(http.MethodGet, "/v1/publications/{id}", "publications", "Read a publication", auth.ScopeRead, 200), a.getPublication)
	del := op(http.MethodDelete, "/v1/publications/{id}", "publications", "Take a published post off LinkedIn", auth.ScopeApprove, 200)
	del.Description = "The publication stays, as `deleted`. Asking again is harmless. LinkedIn refuses the same text for a day or two after that."
	register(h, del, a.deletePublication)
	settle := op(http.MethodPost, "/v1/publications/{id}/settle", "publications", "Say how an unknown publication ended", auth.ScopeApprove, 200)
	settle.Description = "After a time-out nobody but a person can know whether the post is on LinkedIn. `published`: it is there (give its urn). `send_again`: it is not, send it. `drop`: it is not, and shall not be."
	register(h, settle, a.settlePublication)
}

type listPublicationsInput struct {
	PageParams
	State string `query:"state" enum:"ready,publishing,published,rejected,unknown,deleted"`
}

func (a *api) listPublications(ctx context.Context, in *listPublicationsInput) (*struct{ Body List[growth.Publication] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	ps, err := a.Store.In(who(ctx).Workspace).Publications(ctx, growth.PublicationState(in.State), p)
	return &struct{ Body List[growth.Publication] }{listOf(ps, in.Limit, func(p growth.Publication) string { return string(p.ID) })}, err
}

func (a *api) getPublication(ctx context.Context, in *IDInput) (*struct{ Body growth.Publication }, error) {
	p, err := a.Store.In(who(ctx).Workspace).Publication(ctx, growth.PublicationID(in.ID))
	return &struct{ Body growth.Publication }{p}, err
}

func (a *api) deletePublication(ctx context.Context, in *IDInput) (*struct{ Body growth.Publication }, error) {
	p, err := a.Unpublish(ctx, a.Store.In(who(ctx).Workspace), growth.PublicationID(in.ID))
	return &struct{ Body growth.Publication }{p}, err
}

type settleInput struct {
	IDInput
	Body struct {
		Verdict string `json:"verdict" enum:"published,send_again,drop"`
		URN     string `json:"urn,omitempty" pattern:"^urn:li:(share|ugcPost|activity):[0-9]+$" doc:"With published: the post's URN"`
		URL     string `json:"url,omitempty" format:"uri"`
	}
}

func (a *api) settlePublication(ctx context.Context, in *settleInput) (*struct{ Body growth.Publication }, error) {
	if in.Body.Verdict == string(store.SettlePublished) && in.Body.URN == "" {
		return nil, growth.InvalidField("api.settle", "body.urn", "say which post it is: urn:li:share:…")
	}
	url := in.Body.URL
	if url == "" && in.Body.URN != "" {
		url = "https://www.linkedin.com/feed/update/" + in.Body.URN + "/"
	}
	p, err := a.Store.In(who(ctx).Workspace).Settle(ctx, growth.PublicationID(in.ID), store.Settlement(in.Body.Verdict), in.Body.URN, url)
	a.Queue.Wake()
	return &struct{ Body growth.Publication }{p}, err
}
