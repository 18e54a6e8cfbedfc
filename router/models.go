package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
)

const (
	// CatalogueEvery is how often the providers' lists of models are read.
	CatalogueEvery = 4 * time.Hour
	catalogueRetry = 30 * time.Second // after a list that could not be read; doubled each time
	listTimeout    = 20 * time.Second
	noticeEvery    = 2 * time.Second // how soon a model that is gone here is out in every process
	noticeAhead    = 30 * 24 * time.Hour
)

// ModelBook keeps what is known of the providers' models beyond the life of a process, and carries what one process
// finds out to the others.
type ModelBook interface {
	Lists(ctx context.Context) ([]growth.ModelList, error)
	SaveList(ctx context.Context, l growth.ModelList) error
	Gone(ctx context.Context) ([]growth.ModelNotice, error)
	// Note records a notice and says whether it is the first of its kind.
	Note(ctx context.Context, n growth.ModelNotice) (first bool, err error)
}

// Recall takes over the lists that were kept and what other processes found gone, so that a start without a network
// knows what the last one knew. Without a book it does nothing.
func (r *Router) Recall(ctx context.Context) error {
	if r.cfg.Models == nil {
		return nil
	}
	lists, err := r.cfg.Models.Lists(ctx)
	if err != nil {
		return err
	}
	for _, l := range lists {
		var models []providers.Model
		if err := json.Unmarshal(l.Models, &models); err != nil {
			return fmt.Errorf("kept list of %s: %w", l.Provider, err)
		}
		r.catalogue.learn(l.Provider, listOf(models, l.ReadAt))
	}
	return r.adopt(ctx)
}

func (r *Router) adopt(ctx context.Context) error {
	asked := time.Now()
	gone, err := r.cfg.Models.Gone(ctx)
	if err != nil {
		return err
	}
	marks := make(map[modelName]time.Time, len(gone))
	for _, n := range gone {
		marks[modelName{n.Provider, n.Model}] = n.At
	}
	r.catalogue.adopt(marks, asked)
	return nil
}

func listOf(models []providers.Model, at time.Time) modelList {
	bySlug := make(map[string]providers.Model, len(models))
	for _, m := range models {
		bySlug[m.ID] = m
	}
	return modelList{models: bySlug, at: at}
}

// LearnCatalogues reads the list of models of every configured provider, all at once. A list that cannot be read leaves
// what was known; the fault is returned by provider.
func (r *Router) LearnCatalogues(ctx context.Context) map[string]error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	faults := map[string]error{}
	for name, p := range r.providers {
		if !p.Configured() {
			continue
		}
		wg.Go(func() {
			if err := r.learn(ctx, p); err != nil {
				mu.Lock()
				defer mu.Unlock()
				faults[name] = err
			}
		})
	}
	wg.Wait()
	return faults
}

// errNoModels is a list without an entry, of a provider that cannot have none.
var errNoModels = errors.New("the list of models is empty")

func (r *Router) learn(ctx context.Context, p Provider) error {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	at := time.Now() // before the question: what is found gone while it is answered stays out
	models, err := p.Models(ctx)
	if err != nil {
		return err
	}
	if len(models) == 0 && !p.Local() { // a machine of one's own may well have none
		return errNoModels
	}
	r.catalogue.learn(p.Name(), listOf(models, at))
	return r.keepList(ctx, p.Name(), models, at)
}

func (r *Router) keepList(ctx context.Context, provider string, models []providers.Model, at time.Time) error {
	if r.cfg.Models == nil {
		return nil
	}
	if models == nil {
		models = []providers.Model{}
	}
	b, err := json.Marshal(models)
	if err != nil {
		return fmt.Errorf("encode the list of %s: %w", provider, err)
	}
	return r.cfg.Models.SaveList(ctx, growth.ModelList{Provider: provider, ReadAt: at.UTC(), Models: b})
}

// Watch keeps the catalogues fresh and tells what was noticed about models, until ctx ends. What a process finds gone is
// out in every other one within seconds.
func (r *Router) Watch(ctx context.Context, log zerolog.Logger) {
	if err := r.Recall(ctx); err != nil && ctx.Err() == nil {
		log.Warn().Err(err).Msg("kept model lists not read")
	}
	var wg sync.WaitGroup
	for _, p := range r.providers {
		if p.Configured() {
			wg.Go(func() { r.watchList(ctx, log, p) })
		}
	}
	wg.Go(func() { r.watchModels(ctx, log) })
	wg.Wait()
}

func (r *Router) watchList(ctx context.Context, log zerolog.Logger, p Provider) {
	retry := catalogueRetry
	for {
		next := CatalogueEvery
		if age := time.Since(r.catalogue.read(p.Name())); age < time.Minute { // read at the start of this process
			next -= age
		} else if err := r.learn(ctx, p); err != nil {
			if ctx.Err() != nil {
				return
			}
			log.Warn().Err(err).Str("provider", p.Name()).Dur("again_in", retry).Msg("model list not read")
			next, retry = retry, min(2*retry, CatalogueEvery)
		} else {
			retry = catalogueRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
	}
}

func (r *Router) watchModels(ctx context.Context, log zerolog.Logger) {
	told := map[growth.ModelNotice]bool{}
	tick := time.NewTicker(noticeEvery)
	defer tick.Stop()
	for {
		if err := r.shareGone(ctx, log); err != nil && ctx.Err() == nil {
			log.Warn().Err(err).Msg("notices about models not shared")
		}
		r.tellExpiring(ctx, log, told)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// shareGone tells of the models that this process found gone, and takes over what others found.
func (r *Router) shareGone(ctx context.Context, log zerolog.Logger) error {
	for name, since := range r.catalogue.unnoted() {
		n := growth.ModelNotice{Kind: growth.NoticeGone, Provider: name.provider, Model: name.slug, At: since.UTC()}
		if err := r.tell(ctx, log, n); err != nil {
			return err
		}
		r.catalogue.noted(name)
	}
	if r.cfg.Models == nil {
		return nil
	}
	return r.adopt(ctx)
}

// tell records a notice, and logs it in the process that was first.
func (r *Router) tell(ctx context.Context, log zerolog.Logger, n growth.ModelNotice) error {
	if r.cfg.Models != nil {
		first, err := r.cfg.Models.Note(ctx, n)
		if err != nil || !first {
			return err
		}
	}
	e := log.Warn().Str("provider", n.Provider).Str("model", n.Model).Strs("families", r.familiesOf(n.Provider, n.Model))
	if n.Expires != nil {
		e.Time("expires", *n.Expires).Msg("a model of the routes will end")
		return nil
	}
	e.Msg("a model of the routes is gone; the next of its family is used")
	return nil
}

// tellExpiring tells of the models of the routes whose end is near. told holds what was told already; it is as bounded
// as the routes are.
func (r *Router) tellExpiring(ctx context.Context, log zerolog.Logger, told map[growth.ModelNotice]bool) {
	for _, n := range r.expiring(time.Now()) {
		key := growth.ModelNotice{Kind: n.Kind, Provider: n.Provider, Model: n.Model, At: *n.Expires}
		if told[key] {
			continue
		}
		if err := r.tell(ctx, log, n); err != nil {
			log.Warn().Err(err).Msg("notice about a model not kept")
			return
		}
		told[key] = true
	}
}

// expiring lists the models of the routes that end within noticeAhead.
func (r *Router) expiring(now time.Time) []growth.ModelNotice {
	var out []growth.ModelNotice
	for name := range r.routeModels() {
		m, _, ok := r.catalogue.model(name.provider, name.slug)
		if ok && !m.Expires.IsZero() && m.Expires.Before(now.Add(noticeAhead)) {
			out = append(out, growth.ModelNotice{
				Kind: growth.NoticeExpiring, Provider: name.provider, Model: name.slug, At: now.UTC(), Expires: &m.Expires,
			})
		}
	}
	return out
}

// routeModels lists every model of the routes with the families that it is in.
func (r *Router) routeModels() map[modelName][]string {
	out := map[modelName][]string{}
	for _, route := range r.Routes() {
		for _, c := range route.Candidates {
			for _, s := range c.all() {
				name := modelName{c.Provider, s}
				if !slices.Contains(out[name], c.Family) {
					out[name] = append(out[name], c.Family)
				}
			}
		}
	}
	return out
}

func (r *Router) familiesOf(provider, slug string) []string {
	return slices.Sorted(slices.Values(r.routeModels()[modelName{provider, slug}]))
}

// takeOut notes that a provider called a model gone. A model that no route names is not noted: a caller who forces
// made-up names must not fill the tables of every process.
func (r *Router) takeOut(provider, slug string) {
	if r.routeModels()[modelName{provider, slug}] != nil {
		r.catalogue.gone(provider, slug, time.Now())
	}
}
