package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func (a *api) brands(h huma.API) {
	register(h, op(http.MethodGet, "/v1/brands", "brands", "List brands, newest first", auth.ScopeRead, 200), a.listBrands)
	post := op(http.MethodPost, "/v1/brands", "brands", "Make a brand", auth.ScopeApprove, 201)
	post.Description = "The first brand of a workspace is its default: jobs that name none write in its voice."
	register(h, post, a.postBrand)
	register(h, op(http.MethodGet, "/v1/brands/{id}", "brands", "Read a brand", auth.ScopeRead, 200), a.getBrand)
	patch := op(http.MethodPatch, "/v1/brands/{id}", "brands", "Change a brand", auth.ScopeApprove, 200)
	patch.Description = "What is left out stays; a list is replaced as a whole."
	register(h, patch, a.patchBrand)
	register(h, op(http.MethodDelete, "/v1/brands/{id}", "brands", "Delete a brand; its contents stay", auth.ScopeApprove, 204), a.deleteBrand)
}

// BrandBody is a brand as a caller writes it.
type BrandBody struct {
	Name       *string         `json:"name,omitempty" doc:"Unique in the workspace"`
	Voice      *string         `json:"voice,omitempty" doc:"How the brand speaks, in plain words"`
	Samples    *[]string       `json:"samples,omitempty" doc:"Texts in its voice, at most 10"`
	Use        *[]string       `json:"use,omitempty" doc:"Words to use"`
	Avoid      *[]string       `json:"avoid,omitempty" doc:"Words to avoid; one that is used costs points"`
	Claims     *[]growth.Claim `json:"claims,omitempty" doc:"What may be said beside the brief, each with its source"`
	Banned     *[]string       `json:"banned,omitempty" doc:"What must never be said, in any inflection; a text that says it goes to a person"`
	Language   *string         `json:"language,omitempty" example:"fr-CA"`
	TrustAfter *int            `json:"trust_after,omitempty" doc:"How many of its posts a person has to approve before the machine may; default 5"`
	Default    *bool           `json:"default,omitempty" doc:"true: jobs that name no brand write in its voice"`
}

func (b BrandBody) apply(to *growth.Brand) error {
	set(&to.Name, b.Name)
	set(&to.Voice, b.Voice)
	set(&to.Samples, b.Samples)
	set(&to.Use, b.Use)
	set(&to.Avoid, b.Avoid)
	set(&to.Claims, b.Claims)
	set(&to.Banned, b.Banned)
	set(&to.Language, b.Language)
	set(&to.Default, b.Default)
	if b.TrustAfter != nil {
		to.TrustAfter = b.TrustAfter
	}
	if b.Default != nil && !*b.Default {
		to.Default = false // the store keeps it when it was the default: another one has to take over
	}
	return content.CheckBrand(*to, "body.")
}

type brandOutput struct{ Body growth.Brand }

type brandInput struct{ Body BrandBody }

func (a *api) postBrand(ctx context.Context, in *brandInput) (*brandOutput, error) {
	var b growth.Brand
	if err := in.Body.apply(&b); err != nil {
		return nil, err
	}
	b, err := a.Store.In(who(ctx).Workspace).CreateBrand(ctx, b)
	return &brandOutput{b}, err
}

func (a *api) getBrand(ctx context.Context, in *IDInput) (*brandOutput, error) {
	b, err := a.Store.In(who(ctx).Workspace).Brand(ctx, growth.BrandID(in.ID))
	return &brandOutput{b}, err
}

func (a *api) listBrands(ctx context.Context, in *struct{ PageParams }) (*struct{ Body List[growth.Brand] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	bs, err := a.Store.In(who(ctx).Workspace).Brands(ctx, p)
	return &struct{ Body List[growth.Brand] }{listOf(bs, in.Limit, func(b growth.Brand) string { return string(b.ID) })}, err
}

type patchBrandInput struct {
	IDInput
	Body BrandBody
}

func (a *api) patchBrand(ctx context.Context, in *patchBrandInput) (*brandOutput, error) {
	b, err := a.Store.In(who(ctx).Workspace).UpdateBrand(ctx, growth.BrandID(in.ID), in.Body.apply)
	return &brandOutput{b}, err
}

func (a *api) deleteBrand(ctx context.Context, in *IDInput) (*struct{}, error) {
	return nil, a.Store.In(who(ctx).Workspace).DeleteBrand(ctx, growth.BrandID(in.ID))
}

// knownBrands refuses jobs that name a brand which the workspace does not have.
func knownBrands(ctx context.Context, sc store.Scoped, items []item) error {
	seen := map[growth.BrandID]bool{"": true}
	for _, it := range items {
		c, ok := it.args.(tasks.ContentArgs)
		if !ok || seen[c.BrandID] {
			continue
		}
		if _, err := sc.Brand(ctx, c.BrandID); err != nil {
			if growth.CodeOf(err) != growth.NotFound {
				return err
			}
			return growth.InvalidField("api.knownBrands", "brand_id", "there is no such brand in this workspace; see /v1/brands")
		}
		seen[c.BrandID] = true
	}
	return nil
}
