package router

import (
	"maps"
	"sync"
	"time"

	"github.com/zakibelm/astrogrowth/providers"
)

// ModelState is what is known about a model at its provider.
type ModelState string

// The states of a model. An assumed one is tried: its provider's list has never been read.
const (
	ModelServed   ModelState = "served"
	ModelAssumed  ModelState = "assumed"
	ModelUnlisted ModelState = "not_listed"
	ModelGone     ModelState = "gone"
)

// catalogue knows which models the providers serve today. A model that the provider called gone is out until a list that
// was read later names it again.
type catalogue struct {
	mu    sync.RWMutex
	lists map[string]modelList // by provider
	out   map[modelName]mark
}

type modelName struct{ provider, slug string }

// modelList is a provider's list, by slug.
type modelList struct {
	models map[string]providers.Model
	at     time.Time
}

// mark says since when a model is out, and whether the book has it.
type mark struct {
	since time.Time
	noted bool
}

// state says how a model stands, and since when that is known.
func (c *catalogue) state(provider, slug string) (ModelState, time.Time) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if m, ok := c.out[modelName{provider, slug}]; ok {
		return ModelGone, m.since
	}
	list, ok := c.lists[provider]
	if !ok {
		return ModelAssumed, time.Time{}
	}
	if _, ok := list.find(slug); ok {
		return ModelServed, list.at
	}
	return ModelUnlisted, list.at
}

func (c *catalogue) serves(provider, slug string) bool {
	s, _ := c.state(provider, slug)
	return s == ModelServed || s == ModelAssumed
}

// find looks a slug up as its provider writes it in the list: there an Ollama model has a tag, and a model of the routers
// has no word for the choice among its hosts.
func (l modelList) find(slug string) (providers.Model, bool) {
	if m, ok := l.models[slug]; ok {
		return m, true
	}
	for _, name := range providers.ListedAs(slug) {
		if m, ok := l.models[name]; ok {
			return m, true
		}
	}
	return providers.Model{}, false
}

// structured says whether a model's hosts enforce a schema. What nobody knows is tried.
func (c *catalogue) structured(provider, slug string) bool {
	m, _, ok := c.model(provider, slug)
	return m.Structured || !ok
}

// model is a model's entry in its provider's list, and when that was read.
func (c *catalogue) model(provider, slug string) (providers.Model, time.Time, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := c.lists[provider]
	m, ok := list.find(slug)
	return m, list.at, ok
}

// read says when a provider's list was read; zero: never.
func (c *catalogue) read(provider string) time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.lists[provider].at
}

// gone takes a model out.
func (c *catalogue) gone(provider, slug string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out == nil {
		c.out = map[modelName]mark{}
	}
	name := modelName{provider, slug}
	if _, known := c.out[name]; !known {
		c.out[name] = mark{since: at}
	}
}

// learn takes a list over, unless a newer one is known.
func (c *catalogue) learn(provider string, list modelList) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !list.at.After(c.lists[provider].at) {
		return
	}
	if c.lists == nil {
		c.lists = map[string]modelList{}
	}
	c.lists[provider] = list
	maps.DeleteFunc(c.out, func(n modelName, m mark) bool {
		_, listed := list.find(n.slug)
		return n.provider == provider && listed && m.since.Before(list.at)
	})
}

// unnoted lists the models that are out and that the book has not heard of.
func (c *catalogue) unnoted() map[modelName]time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := map[modelName]time.Time{}
	for n, m := range c.out {
		if !m.noted {
			out[n] = m.since
		}
	}
	return out
}

// noted says that the book has a mark.
func (c *catalogue) noted(n modelName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m, ok := c.out[n]; ok {
		m.noted = true
		c.out[n] = m
	}
}

// adopt makes the marks those of the book, which was asked at a moment. Marks that it has not heard of, or that are newer
// than the question, stay.
func (c *catalogue) adopt(book map[modelName]time.Time, asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.out, func(n modelName, m mark) bool {
		_, there := book[n]
		return m.noted && !there && m.since.Before(asked)
	})
	if c.out == nil {
		c.out = map[modelName]mark{}
	}
	for n, since := range book {
		if _, listed := c.lists[n.provider].find(n.slug); listed && since.Before(c.lists[n.provider].at) {
			continue // this process's list is the later word
		}
		c.out[n] = mark{since: since, noted: true}
	}
}
