package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/store"
)

// keyGrace is how long a key that was rotated still works: long enough to bring the new one to every client.
const keyGrace = 24 * time.Hour

func (a *api) keys(h huma.API) {
	list := op(http.MethodGet, "/v1/keys", "admin", "List API keys", auth.ScopeAdmin, 200)
	list.Description = "Those of the workspace, and for a key of the agency those of the agency too. The one that is named `ADMIN_API_KEY` is that of the " +
		"setting: it ends when another is set there, and one that ended so is shown as expired."
	register(h, list, a.listKeys)
	register(h, op(http.MethodPost, "/v1/keys", "admin", "Make an API key; it is shown once", auth.ScopeAdmin, 201), a.postKey)
	rotate := op(http.MethodPost, "/v1/keys/{id}/rotate", "admin", "Make a key that takes the place of another; it is shown once", auth.ScopeAdmin, 201)
	rotate.Description = "The new key has the name and the scopes of the old one, which ends after `grace_s`: 24 hours, when nothing is said. " +
		"Revoke the old one to end it at once."
	register(h, rotate, a.rotateKey)
	register(h, op(http.MethodDelete, "/v1/keys/{id}", "admin", "Revoke an API key", auth.ScopeAdmin, 204), a.deleteKey)
}

// keyReach is whose keys the caller may see and end.
func keyReach(ctx context.Context) store.Reach {
	if who(ctx).Agency {
		return store.ReachAgency
	}
	return store.ReachWorkspace
}

func (a *api) listKeys(ctx context.Context, in *PageParams) (*struct{ Body List[store.Key] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	ks, err := a.Store.In(who(ctx).Workspace).Keys(ctx, keyReach(ctx), p)
	return &struct{ Body List[store.Key] }{listOf(ks, in.Limit, func(k store.Key) string { return k.ID })}, err
}

type keyInput struct {
	Body struct {
		Name      string     `json:"name" minLength:"1" maxLength:"100"`
		Scopes    []string   `json:"scopes" minItems:"1" maxItems:"4" enum:"enqueue,read,approve,admin"`
		ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"Default: never"`
		Agency    bool       `json:"agency,omitempty" doc:"Works in every workspace; takes a key of the agency"`
	}
}

// NewKey is a key that was just made: the only time that it is shown.
type NewKey struct {
	store.Key

	Secret string `json:"key" example:"ag_live_abcdefghijklmnopqrstuvwxyz234567"`
}

func (a *api) postKey(ctx context.Context, in *keyInput) (*struct{ Body NewKey }, error) {
	if at := in.Body.ExpiresAt; at != nil && !at.After(time.Now()) {
		return nil, growth.InvalidField("api.postKey", "body.expires_at", "use a time that is still to come, or leave it out")
	}
	ws, err := keyHome(ctx, in)
	if err != nil {
		return nil, err
	}
	secret := auth.NewKey()
	k, err := a.Store.AddKey(ctx, store.Key{
		Workspace: ws, Name: in.Body.Name, Scopes: in.Body.Scopes, ExpiresAt: in.Body.ExpiresAt, Prefix: auth.Prefix(secret),
	}, auth.Hash(secret))
	return &struct{ Body NewKey }{NewKey{Key: k, Secret: secret}}, err
}

// keyHome is the workspace of a key to be made; a key of the agency has none.
func keyHome(ctx context.Context, in *keyInput) (growth.WorkspaceID, error) {
	const op = "api.keyHome"
	switch {
	case !in.Body.Agency:
		return who(ctx).Workspace, nil
	case !who(ctx).Agency:
		return "", growth.Errorf(growth.Forbidden, op, "a key of the whole agency is made with a key of the agency")
	case in.Body.Name == store.AdminKeyName:
		return "", growth.InvalidField(op, "body.name", "use another name: this is that of the key in the setting ADMIN_API_KEY")
	}
	return "", nil
}

type rotateKeyInput struct {
	IDInput

	Body *struct {
		GraceS *int `json:"grace_s,omitempty" minimum:"0" maximum:"2592000" doc:"How long the old key still works; default 86400"`
	}
}

func (a *api) rotateKey(ctx context.Context, in *rotateKeyInput) (*struct{ Body NewKey }, error) {
	grace := keyGrace
	if in.Body != nil && in.Body.GraceS != nil {
		grace = time.Duration(*in.Body.GraceS) * time.Second
	}
	secret := auth.NewKey()
	k, err := a.Store.In(who(ctx).Workspace).RotateKey(ctx, keyReach(ctx), in.ID, grace, auth.Prefix(secret), auth.Hash(secret))
	return &struct{ Body NewKey }{NewKey{Key: k, Secret: secret}}, err
}

func (a *api) deleteKey(ctx context.Context, in *IDInput) (*struct{}, error) {
	return nil, a.Store.In(who(ctx).Workspace).RevokeKey(ctx, keyReach(ctx), in.ID)
}
