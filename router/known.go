package router

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
)

// nearModels is how many models are named that one was probably meant to be.
const nearModels = 3

// Unknown says what is wrong with a model that somebody names, "" when nothing is known to be: its provider is there,
// and the model stands in a route, in its provider's list or in a list of prices. While the provider's own list has not been
// read, a price for whatever it serves is enough.
func (r *Router) Unknown(provider, slug string) string {
	if r.providers[provider] == nil {
		names := slices.Sorted(maps.Keys(r.providers))
		return fmt.Sprintf("there is no provider %q; use %s", provider, strings.Join(names, ", "))
	}
	known, read := r.listed(provider)
	for name := range r.routeModels() {
		if name.provider == provider {
			known = append(known, name.slug)
		}
	}
	_, _, listed := r.catalogue.model(provider, slug)
	if listed || slices.Contains(known, slug) || r.cfg.Prices.Override.Names(provider, slug) || r.cfg.Prices.Kept.Names(provider, slug) || providers.NamesPrice(provider, slug) {
		return ""
	}
	if _, _, priced := r.price(provider, slug); priced && !read {
		return ""
	}
	slices.Sort(known)
	says := fmt.Sprintf("%s has no model %q: no route, no list of its models and no list of prices has it", provider, slug)
	if near := growth.Nearest(slug, slices.Compact(known), nearModels); len(near) > 0 {
		return says + "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return says + "; see /v1/routes"
}
