package wiring

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

// routeFile is where the routes came from; an empty path is the built-in file.
type routeFile struct {
	path string
	text []byte
}

func (b *Base) routes() (routeFile, router.Routes, error) {
	f := routeFile{path: b.Config.RoutesFile, text: router.DefaultRoutes}
	if f.path != "" {
		var err error
		if f.text, err = router.ReadRouteFile(f.path); err != nil {
			return f, nil, fmt.Errorf("ROUTES_FILE: %w", err)
		}
	}
	routes, err := router.ParseRoutes(f.text)
	if err != nil {
		return f, nil, fmt.Errorf("ROUTES_FILE %s:\n%w", f.path, err)
	}
	return f, routes, nil
}

// Warm makes the chain know which models are served, what rests and what is barred before the first request asks: at
// once what the last process knew, then, within a time limit, what the providers say today.
func (c *Chain) Warm(ctx context.Context, limit time.Duration) {
	if err := c.Router.Recall(ctx); err != nil {
		c.base.Log.Warn().Err(err).Msg("kept model lists not read")
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c.rests.Learn(ctx, c.base.Redis)
	c.Router.Breakers().Learn(ctx, c.base.Redis)
	c.Router.LearnCatalogues(ctx) // a fault is logged by Watch, which tries again
}

// followRoutes takes changes of ROUTES_FILE over without a restart. A file that is broken changes nothing; the log and a
// metric say so.
func (c *Chain) followRoutes(ctx context.Context) {
	if c.file.path == "" {
		return
	}
	valid := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "astrogrowth_routes_file_valid", Help: "1: the routes of ROUTES_FILE are in force. 0: it is broken, and those before it still are.",
	})
	reloads := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "astrogrowth_routes_reloads_total", Help: "Changes of ROUTES_FILE, by result: applied or refused.",
	}, []string{"result"})
	valid.Set(1)
	c.base.Health.Registry().MustRegister(valid, reloads)
	c.Router.Follow(ctx, c.file.path, c.file.text, router.ReloadEvery, func(r router.Reload) {
		if r.Err == nil {
			valid.Set(1)
			reloads.WithLabelValues("applied").Inc()
			c.base.Log.Info().Str("file", r.Path).Msg("routes reloaded")
			return
		}
		valid.Set(0)
		reloads.WithLabelValues("refused").Inc()
		c.refusedRoutes(r)
	})
}

func (c *Chain) refusedRoutes(r router.Reload) {
	e := c.base.Log.Error().Str("file", r.Path)
	if bad, ok := errors.AsType[*router.RouteFileError](r.Err); ok {
		lines := make([]string, 0, len(bad.Problems))
		for _, p := range bad.Problems {
			lines = append(lines, p.String())
		}
		e.Strs("problems", lines).Msg("route file refused; the routes before it are in force")
		return
	}
	e.Err(r.Err).Msg("route file not read; the routes before it are in force")
}

// simulatorKey is the key that goes to the simulator, which takes any.
const simulatorKey = "sim-key"

// Providers makes the clients of the providers, or of the simulator. They open no connection before they are called.
func Providers(cfg config.Config) []router.Provider {
	or := providers.Settings{BaseURL: cfg.OpenRouterBaseURL, Key: cfg.OpenRouterAPIKey.Reveal(), AppURL: cfg.AppURL, AppName: "AstroGrowth"}
	hf := providers.Settings{BaseURL: cfg.HuggingFaceBaseURL, Key: cfg.HuggingFaceToken.Reveal()}
	ol := providers.Settings{BaseURL: cfg.OllamaURL, MaxInFlight: 2}
	if cfg.SimulatorWanted() {
		or.BaseURL, or.Key = cfg.SimulatorURL+"/openrouter/api/v1", simulatorKey
		hf.BaseURL, hf.Key = cfg.SimulatorURL+"/huggingface/v1", simulatorKey
		ol.BaseURL = cfg.SimulatorURL + "/ollama"
	}
	return []router.Provider{providers.NewOpenRouter(or), providers.NewHuggingFace(hf), providers.NewOllama(ol)}
}

// sources names the addresses behind the providers, so that what one address serves is never taken for another's. An
// address may hold a password, so its hash stands for it.
func sources(cfg config.Config) map[string]string {
	of := map[string]string{"openrouter": cfg.OpenRouterBaseURL, "huggingface": cfg.HuggingFaceBaseURL, "ollama": cfg.OllamaURL}
	out := make(map[string]string, len(of))
	for name, address := range of {
		if cfg.SimulatorWanted() {
			out[name] = "simulator"
			continue
		}
		sum := sha256.Sum256([]byte(address))
		out[name] = hex.EncodeToString(sum[:8])
	}
	return out
}
