package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/tasks"
)

func (a *api) contentHistory(h huma.API) {
	register(h, op(http.MethodGet, "/v1/contents/{id}/versions", "contents", "List the versions of a content, newest first", auth.ScopeRead, 200), a.listVersions)
	register(h, op(http.MethodGet, "/v1/contents/{id}/versions/{version}", "contents", "Read one version of a content", auth.ScopeRead, 200), a.getVersion)
	restore := op(http.MethodPost, "/v1/contents/{id}/versions/{version}/restore", "contents", "Make an earlier version the present one", auth.ScopeApprove, 200)
	restore.Description = "It becomes a new version, which has to be approved."
	register(h, restore, a.restoreVersion)
	register(h, op(http.MethodGet, "/v1/contents/{id}/decisions", "contents", "List who approved or rejected which text, and why", auth.ScopeRead, 200), a.listDecisions)
	bulk := op(http.MethodPost, "/v1/contents/approve", "contents", "Approve up to 200 texts", auth.ScopeApprove, 200)
	bulk.Description = "Each with the hash of the text that was read. The results come in the order of the items; one that fails takes no other along. " +
		"`late` holds for all of them; `held` names the posts of a text that wait all the same, because their time has passed."
	register(h, bulk, a.approveContents)
}

type versionsInput struct {
	IDInput
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Cursor string `query:"cursor"`
}

func (a *api) listVersions(ctx context.Context, in *versionsInput) (*struct{ Body List[growth.ContentVersion] }, error) {
	below := 0
	if in.Cursor != "" {
		var err error
		if below, err = strconv.Atoi(in.Cursor); err != nil || below < 1 {
			return nil, growth.InvalidField("api.listVersions", "cursor", "use the next_cursor of the page before")
		}
	}
	vs, err := a.Store.In(who(ctx).Workspace).ContentVersions(ctx, growth.ContentID(in.ID), below, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &struct{ Body List[growth.ContentVersion] }{listOf(vs, in.Limit, func(v growth.ContentVersion) string { return strconv.Itoa(v.Version) })}, nil
}

type versionInput struct {
	IDInput
	Version int `path:"version" minimum:"1"`
}

func (a *api) getVersion(ctx context.Context, in *versionInput) (*struct{ Body growth.ContentVersion }, error) {
	v, err := a.Store.In(who(ctx).Workspace).ContentVersion(ctx, growth.ContentID(in.ID), in.Version)
	return &struct{ Body growth.ContentVersion }{v}, err
}

func (a *api) restoreVersion(ctx context.Context, in *versionInput) (*contentOutput, error) {
	sc := a.Store.In(who(ctx).Workspace)
	c, err := sc.Content(ctx, growth.ContentID(in.ID))
	if err != nil {
		return nil, err
	}
	v, err := sc.ContentVersion(ctx, c.ID, in.Version)
	if err != nil {
		return nil, err
	}
	c.Title, c.Body, c.Hashtags, c.ImagePrompt, c.Media, c.AccountID = v.Title, v.Body, v.Hashtags, v.ImagePrompt, v.Media, v.AccountID
	if c, err = checked(ctx, sc, c); err != nil {
		return nil, err
	}
	return shown(sc.RestoreContent(ctx, c, v.Version, who(ctx).Name))
}

func (a *api) listDecisions(ctx context.Context, in *PageOfInput) (*struct {
	Body List[growth.ContentDecision]
}, error,
) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	ds, err := a.Store.In(who(ctx).Workspace).ContentDecisions(ctx, growth.ContentID(in.ID), p)
	return &struct{ Body List[growth.ContentDecision] }{listOf(ds, in.Limit, func(d growth.ContentDecision) string { return d.ID })}, err
}

// ApprovalItem is one text of a bulk approval.
type ApprovalItem struct {
	ID   string `json:"id" format:"uuid"`
	Hash string `json:"hash" minLength:"1" maxLength:"100" doc:"Of the text that was read"`
}

// ApprovalResult is what became of one text of a bulk approval.
type ApprovalResult struct {
	Index  int                  `json:"index"`
	ID     growth.ContentID     `json:"id"`
	Status growth.ContentStatus `json:"status,omitempty"`
	Held   []growth.HeldPost    `json:"held,omitempty" doc:"Posts whose time had passed, and that a person has to let go"`
	Error  *Problem             `json:"error,omitempty"`
}

// BulkApproval is what became of a bulk approval.
type BulkApproval struct {
	Approved int              `json:"approved"`
	Refused  int              `json:"refused"`
	Data     []ApprovalResult `json:"data"`
}

type approveManyInput struct {
	Body struct {
		Items []ApprovalItem    `json:"items" minItems:"1" maxItems:"200"`
		Late  growth.LatePolicy `json:"late,omitempty" enum:"ask,publish,next_slot" doc:"What becomes of posts of these texts whose time has passed: ask (they wait as held), publish, or next_slot. Default: what each account's posting plan says"`
	}
}

func (a *api) approveContents(ctx context.Context, in *approveManyInput) (*struct{ Body BulkApproval }, error) {
	sc := a.Store.In(who(ctx).Workspace)
	out := BulkApproval{Data: make([]ApprovalResult, len(in.Body.Items))}
	for i, it := range in.Body.Items {
		c, err := tasks.Approve(ctx, sc, growth.ContentID(it.ID), it.Hash, who(ctx).Name, in.Body.Late)
		out.Data[i] = ApprovalResult{Index: i, ID: growth.ContentID(it.ID)}
		if err != nil {
			out.Data[i].Error = problemOf(err)
			out.Refused++
			continue
		}
		out.Data[i].Status, out.Data[i].Held = c.Status, c.Held
		out.Approved++
	}
	a.Queue.Wake()
	return &struct{ Body BulkApproval }{out}, nil
}
