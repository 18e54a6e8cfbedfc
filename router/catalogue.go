package router

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/zakibelm/astrogrowth/providers"
)

// CatalogueEvery is how often the providers' lists of models are read.
const CatalogueEvery = 4 * time.Hour

// catalogue knows which models the providers serve today. A provider whose list could not be read is taken to serve
// everything; a model that the provider called gone is out until its list names it again.
type catalogue struct {
	mu     sync.RWMutex
	served map[string]map[string]providers.Model // provider, slug
	at     map[string]time.Time                  // when a provider's list was read
	out    map[string]bool                       // provider/slug
}

func (c *catalogue) serves(provider, slug string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.out[provider+"/"+slug] {
		return false
	}
	list, ok := c.served[provider]
	if !ok {
		return true
	}
	_, ok = list[slug]
	return ok
}

// structured says whether a model's hosts enforce a schema. What nobody knows is tried.
func (c *catalogue) structured(provider, slug string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	m, ok := c.served[provider][slug]
	return m.Structured || !ok
}

// model is a model's entry in its provider's list, and when that was read.
func (c *catalogue) model(provider, slug string) (providers.Model, time.Time, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	m, ok := c.served[provider][slug]
	return m, c.at[provider], ok
}

func (c *catalogue) gone(provider, slug string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out == nil {
		c.out = map[string]bool{}
	}
	c.out[provider+"/"+slug] = true
}

func (c *catalogue) learn(provider string, models map[string]providers.Model) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.served == nil {
		c.served, c.at = map[string]map[string]providers.Model{}, map[string]time.Time{}
	}
	c.served[provider], c.at[provider] = models, time.Now()
	for s := range models {
		delete(c.out, provider+"/"+s)
	}
}

// Resolve returns the slug that a candidate means today; ok is false when its provider serves none of the family.
func (r *Router) Resolve(c Candidate) (slug string, ok bool) {
	for _, s := range c.Slugs {
		if r.catalogue.serves(c.Provider, s) {
			return s, true
		}
	}
	return "", false
}

// LearnCatalogues reads the list of models of every configured provider. A list that cannot be read leaves what was
// known; the fault is returned by provider.
func (r *Router) LearnCatalogues(ctx context.Context) map[string]error {
	faults := map[string]error{}
	for name, p := range r.providers {
		if !p.Configured() {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		models, err := p.Models(ctx)
		cancel()
		if err != nil || len(models) == 0 {
			faults[name] = err
			continue
		}
		bySlug := make(map[string]providers.Model, len(models))
		for _, m := range models {
			bySlug[m.ID] = m
		}
		r.catalogue.learn(name, bySlug)
	}
	return faults
}

// Watch keeps the catalogues fresh until ctx ends.
func (r *Router) Watch(ctx context.Context, log zerolog.Logger) {
	for {
		for name, err := range r.LearnCatalogues(ctx) {
			if err != nil && ctx.Err() == nil {
				log.Warn().Err(err).Str("provider", name).Msg("model list not read")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(CatalogueEvery):
		}
	}
}
