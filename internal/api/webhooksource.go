package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/webhook"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// Grace of secrets that are replaced.
const (
	defaultGrace = 24 * 3600 // seconds
	maxGrace     = 30 * 24 * 3600
)

func (a *api) webhookSources(h huma.API) {
	const tag = "webhooks"
	create := op(http.MethodPost, "/v1/webhook-sources", tag, "Let somebody send leads by webhook", auth.ScopeAdmin, 201)
	create.Description = "Gives the address that the sender calls. The secret is the sender's, or is made and shown once; without one nothing is taken in."
	register(h, create, a.postSource)
	register(h, op(http.MethodGet, "/v1/webhook-sources", tag, "List webhook sources, newest first", auth.ScopeAdmin, 200), a.listSources)
	register(h, op(http.MethodGet, "/v1/webhook-sources/{id}", tag, "Read a webhook source", auth.ScopeAdmin, 200), a.getSource)
	patch := op(http.MethodPatch, "/v1/webhook-sources/{id}", tag, "Change a webhook source", auth.ScopeAdmin, 200)
	patch.Description = "What is left out stays; `mapping` and `events` are replaced as a whole."
	register(h, patch, a.patchSource)
	register(h, op(http.MethodDelete, "/v1/webhook-sources/{id}", tag, "Delete a webhook source and what it sent; its leads stay", auth.ScopeAdmin, 204), a.deleteSource)
	rotate := op(http.MethodPost, "/v1/webhook-sources/{id}/rotate-secret", tag, "Give a webhook source a new secret", auth.ScopeAdmin, 200)
	rotate.Description = "The secret before stays valid for `grace_s` seconds, older ones as long as an earlier call gave them; with 0 all end at once. At most 5 are valid: beyond that it is a conflict."
	register(h, rotate, a.rotateSource)
	test := op(http.MethodPost, "/v1/webhook-sources/{id}/test", tag, "Show the lead that a message would make", auth.ScopeAdmin, 200)
	test.Description = "Writes nothing and asks for no signature. With `mapping`, as if the source had that one."
	register(h, test, a.testSource)
	register(h, op(http.MethodGet, "/v1/webhook-deliveries", tag, "List what came in, newest first", auth.ScopeAdmin, 200), a.listDeliveries)
	register(h, op(http.MethodGet, "/v1/webhook-deliveries/{id}", tag, "Read what came in, with its body", auth.ScopeAdmin, 200), a.getDelivery)
	replay := op(http.MethodPost, "/v1/webhook-deliveries/{id}/replay", tag, "Make a lead of a message once more", auth.ScopeAdmin, 202)
	replay.Description = "As the source maps it now. Bodies are held for 14 days."
	register(h, replay, a.replayDelivery)
}

// SourceView is a webhook source with the address that its sender calls.
type SourceView struct {
	growth.WebhookSource
	URL    string `json:"url" doc:"The sender posts here"`
	Secret string `json:"secret,omitempty" doc:"Shown once, when it was made here"`
}

type sourceOutput struct{ Body SourceView }

func (a *api) sourceView(s growth.WebhookSource) SourceView {
	return SourceView{WebhookSource: s, URL: a.PublicURL + "/v1/webhooks/" + string(s.ID)}
}

// SourceBody is a webhook source as it is made.
type SourceBody struct {
	Name       string            `json:"name" minLength:"1" maxLength:"100" doc:"Unique in the workspace"`
	Kind       string            `json:"kind" enum:"hmac,hmac_body,standard_webhooks,hubspot,typeform,calendly,token"`
	Secret     string            `json:"secret,omitempty" maxLength:"512" doc:"The sender's; default: one is made, except for HubSpot, whose secret is the app's"`
	Header     string            `json:"header,omitempty" maxLength:"100" doc:"Of hmac (X-Signature), hmac_body (X-Hub-Signature-256), token (Authorization)"`
	ToleranceS int               `json:"tolerance_s,omitempty" minimum:"0" maximum:"900"`
	DedupPath  string            `json:"dedup_path,omitempty" maxLength:"300" example:"id"`
	EventPath  string            `json:"event_path,omitempty" maxLength:"300" example:"type"`
	Events     []string          `json:"events,omitempty" maxItems:"50"`
	Mapping    map[string]string `json:"mapping,omitempty" doc:"Field of the lead: path in the body" example:"{\"email\":\"answer(mail)\",\"business_name\":\"form_response.hidden.company\"}"`
	CampaignID growth.CampaignID `json:"campaign_id,omitempty" format:"uuid"`
	Qualify    *bool             `json:"qualify,omitempty" doc:"Default: true"`
	Enabled    *bool             `json:"enabled,omitempty" doc:"Default: true"`
}

func (a *api) postSource(ctx context.Context, in *struct{ Body SourceBody }) (*sourceOutput, error) {
	b := in.Body
	s := growth.WebhookSource{
		Name: b.Name, Kind: b.Kind, Header: b.Header, ToleranceS: b.ToleranceS, DedupPath: b.DedupPath, EventPath: b.EventPath,
		Events: b.Events, Mapping: b.Mapping, CampaignID: b.CampaignID, Qualify: b.Qualify == nil || *b.Qualify, Enabled: b.Enabled == nil || *b.Enabled,
	}
	if err := tasks.CheckSource(s); err != nil {
		return nil, err
	}
	secret, made, err := sourceSecret(webhook.Kind(s.Kind), b.Secret)
	if err != nil {
		return nil, err
	}
	s, err = a.Store.In(who(ctx).Workspace).AddSource(ctx, s, func(id growth.SourceID) string { return a.sealed(secret, string(id)) })
	if err != nil {
		return nil, err
	}
	v := a.sourceView(s)
	v.Secret = made
	return &sourceOutput{v}, nil
}

func (a *api) sealed(secret, owner string) string {
	if secret == "" {
		return ""
	}
	return a.Seal([]byte(secret), owner)
}

// sourceSecret is the secret that was given, or a new one, which is to be shown. Of HubSpot none can be made up.
func sourceSecret(k webhook.Kind, given string) (secret, made string, err error) {
	switch {
	case given != "":
		return given, "", k.CheckSecret(given)
	case k == webhook.KindHubSpot:
		return "", "", nil
	case k == webhook.KindStandard:
		made = webhook.Secret(webhook.NewSecret())
	default:
		made = base64.RawURLEncoding.EncodeToString(webhook.NewSecret())
	}
	return made, made, nil
}

func (a *api) listSources(ctx context.Context, in *PageParams) (*struct{ Body List[SourceView] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	all, err := a.Store.In(who(ctx).Workspace).Sources(ctx, p)
	if err != nil {
		return nil, err
	}
	views := make([]SourceView, 0, len(all))
	for _, s := range all {
		views = append(views, a.sourceView(s))
	}
	return &struct{ Body List[SourceView] }{listOf(views, in.Limit, func(v SourceView) string { return string(v.ID) })}, nil
}

func (a *api) sourceAnswer(s growth.WebhookSource, err error) (*sourceOutput, error) {
	if err != nil {
		return nil, err
	}
	return &sourceOutput{a.sourceView(s)}, nil
}

func (a *api) getSource(ctx context.Context, in *IDInput) (*sourceOutput, error) {
	return a.sourceAnswer(a.Store.In(who(ctx).Workspace).Source(ctx, growth.SourceID(in.ID)))
}

// SourcePatch is what of a webhook source changes.
type SourcePatch struct {
	Name       *string            `json:"name,omitempty" minLength:"1" maxLength:"100"`
	Header     *string            `json:"header,omitempty" maxLength:"100"`
	ToleranceS *int               `json:"tolerance_s,omitempty" minimum:"0" maximum:"900"`
	DedupPath  *string            `json:"dedup_path,omitempty" maxLength:"300"`
	EventPath  *string            `json:"event_path,omitempty" maxLength:"300"`
	Events     *[]string          `json:"events,omitempty" maxItems:"50"`
	Mapping    *map[string]string `json:"mapping,omitempty"`
	CampaignID *growth.CampaignID `json:"campaign_id,omitempty"`
	Qualify    *bool              `json:"qualify,omitempty"`
	Enabled    *bool              `json:"enabled,omitempty"`
}

type patchSourceInput struct {
	IDInput
	Body SourcePatch
}

func (a *api) patchSource(ctx context.Context, in *patchSourceInput) (*sourceOutput, error) {
	p := in.Body
	return a.sourceAnswer(a.Store.In(who(ctx).Workspace).ChangeSource(ctx, growth.SourceID(in.ID), func(s *growth.WebhookSource) error {
		set(&s.Name, p.Name)
		set(&s.Header, p.Header)
		set(&s.ToleranceS, p.ToleranceS)
		set(&s.DedupPath, p.DedupPath)
		set(&s.EventPath, p.EventPath)
		set(&s.Events, p.Events)
		set(&s.Mapping, p.Mapping)
		set(&s.CampaignID, p.CampaignID)
		set(&s.Qualify, p.Qualify)
		set(&s.Enabled, p.Enabled)
		return tasks.CheckSource(*s)
	}))
}

func (a *api) deleteSource(ctx context.Context, in *IDInput) (*struct{}, error) {
	return nil, a.Store.In(who(ctx).Workspace).DeleteSource(ctx, growth.SourceID(in.ID))
}

// RotateBody says how a secret is replaced.
type RotateBody struct {
	GraceS *int `json:"grace_s,omitempty" minimum:"0" maximum:"2592000" doc:"For how many seconds the secret before is good; default 86400"`
}

func (b *RotateBody) until() time.Time {
	grace := defaultGrace
	if b != nil && b.GraceS != nil {
		grace = min(*b.GraceS, maxGrace)
	}
	return time.Now().Add(time.Duration(grace) * time.Second)
}

type rotateSourceInput struct {
	IDInput
	Body *struct {
		RotateBody
		Secret string `json:"secret,omitempty" maxLength:"512" doc:"The sender's; default: one is made"`
	}
}

func (a *api) rotateSource(ctx context.Context, in *rotateSourceInput) (*sourceOutput, error) {
	sc := a.Store.In(who(ctx).Workspace)
	s, err := sc.Source(ctx, growth.SourceID(in.ID))
	if err != nil {
		return nil, err
	}
	var given string
	var body *RotateBody
	if in.Body != nil {
		given, body = in.Body.Secret, &in.Body.RotateBody
	}
	secret, made, err := sourceSecret(webhook.Kind(s.Kind), given)
	if err != nil {
		return nil, err
	}
	if secret == "" {
		return nil, growth.InvalidField("api.rotateSource", "secret", "give the client secret of the HubSpot app")
	}
	s, err = sc.RotateSource(ctx, s.ID, a.sealed(secret, string(s.ID)), body.until())
	if err != nil {
		return nil, err
	}
	v := a.sourceView(s)
	v.Secret = made
	return &sourceOutput{v}, nil
}

type testSourceInput struct {
	IDInput
	Body struct {
		Body    json.RawMessage    `json:"body" doc:"What the sender would send"`
		Mapping *map[string]string `json:"mapping,omitempty" doc:"Default: the source's"`
	}
}

// SourceTest is what a source would make of a body.
type SourceTest struct {
	Data []tasks.MessagePreview `json:"data" doc:"One for each message in the body"`
}

func (a *api) testSource(ctx context.Context, in *testSourceInput) (*struct{ Body SourceTest }, error) {
	s, err := a.Store.In(who(ctx).Workspace).Source(ctx, growth.SourceID(in.ID))
	if err != nil {
		return nil, err
	}
	if in.Body.Mapping != nil {
		s.Mapping = *in.Body.Mapping
		if err := tasks.CheckSource(s); err != nil {
			return nil, err
		}
	}
	out, err := tasks.PreviewMessages(s, in.Body.Body)
	return &struct{ Body SourceTest }{SourceTest{out}}, err
}

type listDeliveriesInput struct {
	PageParams
	Source string `query:"source_id" format:"uuid"`
	State  string `query:"state" enum:"received,processed,failed,dropped,refused,erased"`
}

func (a *api) listDeliveries(ctx context.Context, in *listDeliveriesInput) (*struct {
	Body List[growth.WebhookDelivery]
}, error,
) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	all, err := a.Store.In(who(ctx).Workspace).Deliveries(ctx, store.DeliveryFilter{Source: growth.SourceID(in.Source), State: growth.DeliveryState(in.State)}, p)
	return &struct {
		Body List[growth.WebhookDelivery]
	}{listOf(all, in.Limit, func(d growth.WebhookDelivery) string { return string(d.ID) })}, err
}

type deliveryOutput struct{ Body growth.WebhookDelivery }

func (a *api) getDelivery(ctx context.Context, in *IDInput) (*deliveryOutput, error) {
	d, err := a.Store.In(who(ctx).Workspace).Delivery(ctx, growth.DeliveryID(in.ID))
	return &deliveryOutput{d}, err
}

func (a *api) replayDelivery(ctx context.Context, in *IDInput) (*deliveryOutput, error) {
	d, err := a.Store.In(who(ctx).Workspace).ReplayDelivery(ctx, growth.DeliveryID(in.ID))
	if err == nil {
		a.arrived()
	}
	return &deliveryOutput{d}, err
}
