package router

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// CatalogueEvery is how often the providers' lists of models are read.
const CatalogueEvery = 4 * time.Hour

// catalogue knows which models the providers serve today. A provider whose list could not be read is taken to serve
// everything; a model that the provider called gone is out until its list names it again.
type catalogue struct {
	mu     sync.RWMutex
	served map[string]map[string]bool // provider, slug
	out    map[string]bool            // provider/slug
}

func (c *catalogue) serves(provider, slug string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.out[provider+"/"+slug] {
		return false
	}
	list, ok := c.served[provider]
	return !ok || list[slug]
}

func (c *catalogue) gone(provider, slug string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out == nil {
		c.out = map[string]bool{}
	}
	c.out[provider+"/"+slug] = true
}

func (c *catalogue) learn(provider string, slugs map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.served == nil {
		c.served = map[string]map[string]bool{}
	}
	c.served[provider] = slugs
	for s := range slugs {
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
		slugs := make(map[string]bool, len(models))
		for _, m := range models {
			slugs[m.ID] = true
		}
		r.catalogue.learn(name, slugs)
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
