package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// Member finds out whose a LinkedIn token is.
type Member interface {
	Userinfo(ctx context.Context, token string) (linkedin.Member, error)
}

func (a *api) accounts(h huma.API, mux *http.ServeMux) {
	connect := op(http.MethodPost, "/v1/linkedin/connect", "linkedin", "Make a one-time link that connects an account", auth.ScopeApprove, 201)
	connect.Description = "Give the link to the member: they open it in their browser, allow access at LinkedIn, and come back to a page that says so. " +
		"It lives for ten minutes and works once. Connecting a member or page again keeps its id and history, and lets jobs go on that wait with the reason `reconnect`. " +
		"LinkedIn ends a member's earlier tokens when other scopes are asked for: `warnings` says so."
	register(h, connect, a.postConnect)
	register(h, op(http.MethodGet, "/v1/linkedin/accounts", "linkedin", "List LinkedIn accounts with their health", auth.ScopeRead, 200), a.listAccounts)
	register(h, op(http.MethodPost, "/v1/linkedin/accounts", "linkedin", "Connect an account by an access token", auth.ScopeAdmin, 200), a.postAccount)
	register(h, op(http.MethodGet, "/v1/linkedin/accounts/{id}", "linkedin", "Read an account, with the posts at stake", auth.ScopeRead, 200), a.getAccount)
	register(h, op(http.MethodPatch, "/v1/linkedin/accounts/{id}", "linkedin", "Change an account's label or settings", auth.ScopeApprove, 200), a.patchAccount)
	disconnect := op(http.MethodPost, "/v1/linkedin/accounts/{id}/disconnect", "linkedin", "Give an account up and keep its history", auth.ScopeAdmin, 200)
	disconnect.Description = "The token is forgotten here, and made worthless at LinkedIn unless another account of the workspace lives on the same consent. Posts of the account wait with the reason `reconnect`."
	register(h, disconnect, a.disconnectAccount)
	a.consentPages(mux)
}

type connectInput struct {
	Body struct {
		AccountID        growth.AccountID `json:"account_id,omitempty" format:"uuid" doc:"To connect this account again"`
		OrganizationURN  string           `json:"organization_urn,omitempty" pattern:"^urn:li:organization:[0-9]{1,20}$" example:"urn:li:organization:2414183" doc:"The page to connect, by a member who may post as it; left out: the member's own account"`
		OrganizationName string           `json:"organization_name,omitempty" maxLength:"200"`
	} `required:"false"`
}

// ConnectLink is a one-time link.
type ConnectLink struct {
	URL       string    `json:"url" doc:"For the member's browser"`
	ExpiresAt time.Time `json:"expires_at"`
	Scopes    []string  `json:"scopes"`
	Warnings  []string  `json:"warnings" doc:"What using the link does to other accounts"`
}

func (a *api) postConnect(ctx context.Context, in *connectInput) (*struct{ Body ConnectLink }, error) {
	if a.Accounts == nil {
		return nil, growth.Errorf(growth.Conflict, "api.connect", "this server connects accounts by their tokens only")
	}
	l, err := a.Accounts.Link(ctx, who(ctx).Workspace, tasks.ConnectRequest{
		Account: in.Body.AccountID, OrganizationURN: in.Body.OrganizationURN, OrganizationName: in.Body.OrganizationName, By: who(ctx).Name,
	})
	if err != nil {
		return nil, err
	}
	link := a.connectStart() + "?link=" + url.QueryEscape(l.Secret)
	return &struct{ Body ConnectLink }{ConnectLink{URL: link, ExpiresAt: l.ExpiresAt, Scopes: l.Scopes, Warnings: l.Warnings}}, nil
}

// connectStart is the address of links. It has the host of the one that LinkedIn sends browsers back to: the cookie that
// is set at the first has to come along to the second.
func (a *api) connectStart() string {
	if base, ok := strings.CutSuffix(a.ConnectURL, "/callback"); ok {
		return base + "/start"
	}
	return strings.TrimRight(a.PublicURL, "/") + "/oauth/linkedin/start"
}

// AccountHealth is an account with how long it will work.
type AccountHealth struct {
	growth.Account
	EndsAt       *time.Time          `json:"ends_at" doc:"When it stops working unless somebody connects it again; null: unknown, or its token is refreshed by itself"`
	DaysLeft     *int                `json:"days_left"`
	PostsAtStake int                 `json:"posts_at_stake" doc:"Publish jobs that will not go out unless it is connected again"`
	Posts        []growth.StakedPost `json:"posts,omitempty" doc:"The first 200 of them, where one account is read"`
}

func (a *api) health(ctx context.Context, acc growth.Account, limit int) (AccountHealth, error) {
	h := AccountHealth{Account: acc, EndsAt: acc.EndsAt()}
	if h.EndsAt != nil {
		days := max(int(time.Until(*h.EndsAt)/(24*time.Hour)), 0)
		h.DaysLeft = &days
	}
	var from time.Time
	switch {
	case acc.Status != growth.AccountActive:
	case h.EndsAt == nil:
		return h, nil
	default:
		from = *h.EndsAt
	}
	posts, n, err := a.Store.In(acc.Workspace).PostsAtStake(ctx, acc.ID, from, max(limit, 1))
	h.PostsAtStake = n
	if limit > 0 {
		h.Posts = posts
	}
	return h, err
}

func (a *api) listAccounts(ctx context.Context, in *PageParams) (*struct{ Body List[AccountHealth] }, error) {
	all, err := a.Store.In(who(ctx).Workspace).Accounts(ctx)
	if err != nil {
		return nil, err
	}
	page, err := pageOf(all, *in, func(acc growth.Account) string { return string(acc.ID) })
	if err != nil {
		return nil, err
	}
	out := List[AccountHealth]{Data: make([]AccountHealth, len(page.Data)), NextCursor: page.NextCursor}
	for i, acc := range page.Data {
		if out.Data[i], err = a.health(ctx, acc, 0); err != nil {
			return nil, err
		}
	}
	return &struct{ Body List[AccountHealth] }{out}, nil
}

func (a *api) getAccount(ctx context.Context, in *IDInput) (*struct{ Body AccountHealth }, error) {
	acc, _, err := a.Store.In(who(ctx).Workspace).Account(ctx, growth.AccountID(in.ID))
	if err != nil {
		return nil, err
	}
	h, err := a.health(ctx, acc, 200)
	return &struct{ Body AccountHealth }{h}, err
}

type patchAccountInput struct {
	IDInput
	Body struct {
		Label    *string `json:"label,omitempty" maxLength:"100" doc:"The workspace's own name for the account"`
		Settings *struct {
			NoticeDays []int `json:"notice_days,omitempty" maxItems:"10" doc:"Days ahead, 1 to 60, at which the end of access is told; empty: 14, 7, 3, 1"`
		} `json:"settings,omitempty"`
	}
}

func (a *api) patchAccount(ctx context.Context, in *patchAccountInput) (*struct{ Body AccountHealth }, error) {
	c := store.AccountChange{Label: in.Body.Label}
	if in.Body.Settings != nil {
		for _, d := range in.Body.Settings.NoticeDays {
			if d < 1 || d > tasks.MaxNoticeDays {
				return nil, growth.InvalidField("api.patchAccount", "body.settings.notice_days", "use whole days from 1 to %d", tasks.MaxNoticeDays)
			}
		}
		c.Settings = &growth.AccountSettings{NoticeDays: in.Body.Settings.NoticeDays}
	}
	acc, err := a.Store.In(who(ctx).Workspace).ChangeAccount(ctx, growth.AccountID(in.ID), c)
	if err != nil {
		return nil, err
	}
	h, err := a.health(ctx, acc, 0)
	return &struct{ Body AccountHealth }{h}, err
}

// Disconnected is an account that was given up.
type Disconnected struct {
	growth.Account
	Revoked bool `json:"revoked" doc:"LinkedIn was told; false: another account lives on the same consent, or LinkedIn could not be told, and the token ends by itself"`
}

func (a *api) disconnectAccount(ctx context.Context, in *IDInput) (*struct{ Body Disconnected }, error) {
	if _, _, err := a.Store.In(who(ctx).Workspace).Account(ctx, growth.AccountID(in.ID)); err != nil {
		return nil, err
	}
	if a.Accounts == nil {
		return nil, growth.Errorf(growth.Conflict, "api.disconnect", "this server connects accounts by their tokens only")
	}
	acc, revoked, err := a.Accounts.Disconnect(ctx, who(ctx).Workspace, growth.AccountID(in.ID))
	return &struct{ Body Disconnected }{Disconnected{Account: acc, Revoked: revoked}}, err
}

type accountInput struct {
	Body struct {
		Token     string     `json:"token" minLength:"10" maxLength:"4000" doc:"A LinkedIn access token with the scopes openid, profile and w_member_social"`
		ExpiresAt *time.Time `json:"expires_at,omitempty"`
	}
}

func (a *api) postAccount(ctx context.Context, in *accountInput) (*struct{ Body growth.Account }, error) {
	acc, err := ConnectAccount(ctx, a.Store.In(who(ctx).Workspace), a.LinkedIn, a.Seal, in.Body.Token, in.Body.ExpiresAt, a.Simulated)
	a.Queue.Wake()
	return &struct{ Body growth.Account }{acc}, err
}

// ConnectAccount asks LinkedIn whose a token is and stores it sealed.
func ConnectAccount(ctx context.Context, sc store.Scoped, li Member, seal func([]byte, string) string, token string, expires *time.Time, simulated bool) (growth.Account, error) {
	m, err := li.Userinfo(ctx, token)
	if growth.CodeOf(err) == growth.KeyRejected {
		return growth.Account{}, growth.InvalidField("api.ConnectAccount", "body.token", "LinkedIn does not accept this token")
	}
	if err != nil {
		return growth.Account{}, err
	}
	acc := growth.Account{URN: m.URN(), Name: m.Name, ExpiresAt: expires, Simulated: simulated}
	return sc.PutAccount(ctx, acc, func(id growth.AccountID) (string, error) { return seal([]byte(token), string(id)), nil })
}
