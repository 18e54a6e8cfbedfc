package router

import (
	"cmp"
	"maps"
	"slices"

	growth "github.com/zakibelm/astrogrowth"
)

// Served is a model that can be asked for by its name.
type Served struct {
	Provider string
	Slug     string
}

// String is the name by which callers ask for the model.
func (s Served) String() string { return s.Provider + "/" + s.Slug }

// Served lists the models of every configured provider: those of its catalogue, or, while that has not been read, those
// of the routes.
func (r *Router) Served() []Served {
	var out []Served
	for name, p := range r.providers {
		if !p.Configured() {
			continue
		}
		for _, slug := range r.slugs(name) {
			out = append(out, Served{Provider: name, Slug: slug})
		}
	}
	slices.SortFunc(out, func(a, b Served) int { return cmp.Compare(a.String(), b.String()) })
	return out
}

func (r *Router) slugs(provider string) []string {
	if list, read := r.listed(provider); read {
		return list
	}
	seen := map[string]bool{}
	for _, task := range growth.TaskTypes() {
		for _, c := range r.Routes()[task].Candidates {
			for _, slug := range c.Slugs {
				if c.Provider == provider {
					seen[slug] = true
				}
			}
		}
	}
	return slices.Collect(maps.Keys(seen))
}

// listed is a provider's catalogue, when it has been read.
func (r *Router) listed(provider string) (slugs []string, read bool) {
	r.catalogue.mu.RLock()
	defer r.catalogue.mu.RUnlock()
	list, read := r.catalogue.lists[provider]
	return slices.Collect(maps.Keys(list.models)), read
}

// Serves says whether a model can be asked for by name: its provider is configured and serves it as far as is known.
func (r *Router) Serves(provider, slug string) bool {
	p := r.providers[provider]
	return p != nil && p.Configured() && slug != "" && len(slug) <= 200 && r.catalogue.serves(provider, slug)
}
