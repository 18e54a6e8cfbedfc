package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/webhook"
	"github.com/zakibelm/astrogrowth/tasks"
)

func (a *api) subscriptions(h huma.API) {
	const tag = "webhooks"
	create := op(http.MethodPost, "/v1/subscriptions", tag, "Tell an address of what happens", auth.ScopeAdmin, 201)
	create.Description = "Every event of these types from now on, at least once, signed as Standard Webhooks with a secret of its own, which is shown once. " +
		"`slack` sends `{\"text\": …}` instead, as Slack, Mattermost and others take it."
	register(h, create, a.postSubscription)
	register(h, op(http.MethodGet, "/v1/subscriptions", tag, "List subscriptions, newest first", auth.ScopeAdmin, 200), a.listSubscriptions)
	register(h, op(http.MethodGet, "/v1/subscriptions/{id}", tag, "Read a subscription", auth.ScopeAdmin, 200), a.getSubscription)
	patch := op(http.MethodPatch, "/v1/subscriptions/{id}", tag, "Change a subscription", auth.ScopeAdmin, 200)
	patch.Description = "What is left out stays. One that is made active again is told of what happens from then on; what it missed stands in `GET /v1/events`."
	register(h, patch, a.patchSubscription)
	register(h, op(http.MethodDelete, "/v1/subscriptions/{id}", tag, "Delete a subscription", auth.ScopeAdmin, 204), a.deleteSubscription)
	register(h, op(http.MethodPost, "/v1/subscriptions/{id}/rotate-secret", tag, "Give a subscription a new secret; both sign for a while", auth.ScopeAdmin, 200), a.rotateSubscription)
	register(h, op(http.MethodGet, "/v1/subscriptions/{id}/deliveries", tag, "What a subscription was sent, newest first", auth.ScopeAdmin, 200), a.listSubscriptionDeliveries)
	register(h, op(http.MethodPost, "/v1/subscription-deliveries/{id}/redeliver", tag, "Send an event again, under the same id", auth.ScopeAdmin, 202), a.redeliver)
	register(h, op(http.MethodPost, "/v1/workspace/rotate-secret", tag, "Sign callbacks with a new secret; both sign for a while", auth.ScopeAdmin, 200), a.rotateCallbackSecret)
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// SubscriptionView is a subscription; its secret is there when it was just made.
type SubscriptionView struct {
	growth.Subscription
	Secret string `json:"secret,omitempty" doc:"Shown once: whsec_ and its base64"`
}

type subscriptionOutput struct{ Body SubscriptionView }

func subscriptionAnswer(s growth.Subscription, err error) (*subscriptionOutput, error) {
	return &subscriptionOutput{SubscriptionView{Subscription: s}}, err
}

type postSubscriptionInput struct {
	Body struct {
		URL    string   `json:"url" minLength:"1" maxLength:"2000"`
		Types  []string `json:"types,omitempty" maxItems:"50" example:"[\"post.published\",\"job.*\"]" doc:"Default: all"`
		Form   string   `json:"form,omitempty" enum:"standard,slack" doc:"Default: standard"`
		Active *bool    `json:"active,omitempty" doc:"Default: true"`
	}
}

func (a *api) postSubscription(ctx context.Context, in *postSubscriptionInput) (*subscriptionOutput, error) {
	b := in.Body
	s, err := tasks.FillSubscription(growth.Subscription{URL: b.URL, Types: b.Types, Form: b.Form, Active: b.Active == nil || *b.Active}, a.AllowHosts)
	if err != nil {
		return nil, err
	}
	secret := webhook.NewSecret()
	s, err = a.Store.In(who(ctx).Workspace).AddSubscription(ctx, s, func(id growth.SubscriptionID) string { return a.Seal(secret, string(id)) })
	return &subscriptionOutput{SubscriptionView{Subscription: s, Secret: webhook.Secret(secret)}}, err
}

func (a *api) listSubscriptions(ctx context.Context, in *PageParams) (*struct {
	Body List[growth.Subscription]
}, error,
) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	all, err := a.Store.In(who(ctx).Workspace).Subscriptions(ctx, p)
	return &struct {
		Body List[growth.Subscription]
	}{listOf(all, in.Limit, func(s growth.Subscription) string { return string(s.ID) })}, err
}

func (a *api) getSubscription(ctx context.Context, in *IDInput) (*subscriptionOutput, error) {
	return subscriptionAnswer(a.Store.In(who(ctx).Workspace).Subscription(ctx, growth.SubscriptionID(in.ID)))
}

type patchSubscriptionInput struct {
	IDInput
	Body struct {
		URL    *string   `json:"url,omitempty" minLength:"1" maxLength:"2000"`
		Types  *[]string `json:"types,omitempty" maxItems:"50"`
		Form   *string   `json:"form,omitempty" enum:"standard,slack"`
		Active *bool     `json:"active,omitempty"`
	}
}

func (a *api) patchSubscription(ctx context.Context, in *patchSubscriptionInput) (*subscriptionOutput, error) {
	return subscriptionAnswer(a.Store.In(who(ctx).Workspace).ChangeSubscription(ctx, growth.SubscriptionID(in.ID), func(s *growth.Subscription) error {
		set(&s.URL, in.Body.URL)
		set(&s.Types, in.Body.Types)
		set(&s.Form, in.Body.Form)
		set(&s.Active, in.Body.Active)
		var err error
		*s, err = tasks.FillSubscription(*s, a.AllowHosts)
		return err
	}))
}

func (a *api) deleteSubscription(ctx context.Context, in *IDInput) (*struct{}, error) {
	return nil, a.Store.In(who(ctx).Workspace).DeleteSubscription(ctx, growth.SubscriptionID(in.ID))
}

type rotateInput struct {
	IDInput
	Body *RotateBody
}

func (a *api) rotateSubscription(ctx context.Context, in *rotateInput) (*subscriptionOutput, error) {
	secret := webhook.NewSecret()
	s, err := a.Store.In(who(ctx).Workspace).RotateSubscription(ctx, growth.SubscriptionID(in.ID), a.Seal(secret, in.ID), in.Body.until())
	return &subscriptionOutput{SubscriptionView{Subscription: s, Secret: webhook.Secret(secret)}}, err
}

type listSubscriptionDeliveriesInput struct {
	IDInput
	PageParams
	State string `query:"state" enum:"pending,delivered,failed"`
}

func (a *api) listSubscriptionDeliveries(ctx context.Context, in *listSubscriptionDeliveriesInput) (*struct {
	Body List[growth.SubscriptionDelivery]
}, error,
) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	sc := a.Store.In(who(ctx).Workspace)
	if _, err := sc.Subscription(ctx, growth.SubscriptionID(in.ID)); err != nil {
		return nil, err
	}
	all, err := sc.SubscriptionDeliveries(ctx, growth.SubscriptionID(in.ID), in.State, p)
	return &struct {
		Body List[growth.SubscriptionDelivery]
	}{listOf(all, in.Limit, func(d growth.SubscriptionDelivery) string { return string(d.ID) })}, err
}

func (a *api) redeliver(ctx context.Context, in *IDInput) (*struct{ Body growth.SubscriptionDelivery }, error) {
	d, err := a.Store.In(who(ctx).Workspace).Redeliver(ctx, growth.DeliveryID(in.ID))
	if err == nil {
		a.Queue.Wake()
	}
	return &struct{ Body growth.SubscriptionDelivery }{d}, err
}

// NewCallbackSecret is what signs callbacks from now on: the only time that it is shown.
type NewCallbackSecret struct {
	Secret   string    `json:"secret" doc:"whsec_ and its base64"`
	OldUntil time.Time `json:"old_secret_until" doc:"Until when the secret before signs too"`
}

func (a *api) rotateCallbackSecret(ctx context.Context, in *struct{ Body *RotateBody }) (*struct{ Body NewCallbackSecret }, error) {
	secret, until := webhook.NewSecret(), in.Body.until().UTC()
	err := a.Store.In(who(ctx).Workspace).RotateCallbackSecret(ctx, secret, until)
	return &struct{ Body NewCallbackSecret }{NewCallbackSecret{Secret: webhook.Secret(secret), OldUntil: until}}, err
}
