package router

import (
	"cmp"
	"maps"
	"slices"
	"strings"

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
	list, read := r.catalogue.served[provider]
	return slices.Collect(maps.Keys(list)), read
}

// Serves says whether a model can be asked for by name: its provider is configured, and its catalogue names it, or has
// not been read. A suffix that chooses among a model's hosts is left to the provider.
func (r *Router) Serves(provider, slug string) bool {
	p := r.providers[provider]
	if p == nil || !p.Configured() || slug == "" || len(slug) > 200 {
		return false
	}
	base := slug
	if i := strings.LastIndexByte(slug, ':'); i > 0 {
		base = slug[:i]
	}
	list, read := r.listed(provider)
	return !read || slices.Contains(list, slug) || slices.Contains(list, base) || slices.Contains(list, slug+":latest")
}
