package api

import (
	"net/http"
	"slices"

	growth "github.com/zakibelm/astrogrowth"
)

// ModelEntry is a model that can be named in a request.
type ModelEntry struct {
	ID      string `json:"id" example:"astro/simple"`
	Object  string `json:"object" enum:"model"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by" doc:"astrogrowth for a route, else the provider"`
}

// ModelEntries is the list of them.
type ModelEntries struct {
	Object string       `json:"object" enum:"list"`
	Data   []ModelEntry `json:"data"`
}

// modelsSince stands where that API tells a model's birthday, which the providers' lists do not all tell.
const modelsSince = 1_767_225_600 // 2026-01-01

// models lists the routes first: they are what most callers should ask.
func (a *api) models() []ModelEntry {
	var out []ModelEntry
	add := func(id, owner string) {
		out = append(out, ModelEntry{ID: id, Object: "model", Created: modelsSince, OwnedBy: owner})
	}
	for _, t := range growth.TaskTypes() {
		add(routePrefix+string(t), "astrogrowth")
	}
	if a.EmbedModel != "" {
		add(embedModelName, "astrogrowth")
	}
	for _, m := range a.Router.Served() {
		add(m.String(), m.Provider)
	}
	return out
}

func (a *api) getModels(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	writeJSON(w, ModelEntries{Object: "list", Data: a.models()})
	return nil
}

func (a *api) getModel(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	list := a.models()
	i := slices.IndexFunc(list, func(m ModelEntry) bool { return m.ID == id })
	if i < 0 {
		return noSuchModel(id)
	}
	w.Header().Set("Content-Type", "application/json")
	writeJSON(w, list[i])
	return nil
}
