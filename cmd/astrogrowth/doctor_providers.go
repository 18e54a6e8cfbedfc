package main

import (
	"context"
	"sync"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/wiring"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

// providers asks each provider that is configured whether it takes the key, all of them at the same time.
func (d doctor) providers(ctx context.Context) []finding {
	if d.cfg.SimulatorWanted() {
		return []finding{doubtful("providers", "the built-in simulator stands in for all of them: its answers are not real",
			"set OPENROUTER_API_KEY, HUGGINGFACE_TOKEN or OLLAMA_URL, and SIMULATOR=auto")}
	}
	if !d.cfg.ProvidersConfigured() {
		return []finding{failing("providers", "none is configured and SIMULATOR is off", "set OPENROUTER_API_KEY, HUGGINGFACE_TOKEN or OLLAMA_URL")}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	all := wiring.Providers(d.cfg)
	out := make([]finding, len(all))
	var wg sync.WaitGroup
	for i, p := range all {
		wg.Go(func() { out[i] = providerFinding(ctx, p) })
	}
	wg.Wait()
	return out
}

// providerFinding asks one provider.
func providerFinding(ctx context.Context, p router.Provider) finding {
	switch p := p.(type) {
	case *providers.OpenRouter:
		return openRouterFinding(ctx, p)
	case *providers.HuggingFace:
		return huggingFaceFinding(ctx, p)
	case *providers.Ollama:
		return ollamaFinding(ctx, p)
	}
	return found(p.Name(), "configured")
}

func openRouterFinding(ctx context.Context, p *providers.OpenRouter) finding {
	const variable, address = "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL"
	if !p.Configured() {
		return unconfigured(p.Name(), variable)
	}
	account, err := p.Account(ctx)
	switch {
	case err != nil:
		return silentProvider(p.Name(), err, "put a key that works into "+variable+": https://openrouter.ai/keys", address)
	case account.Remaining != nil && !account.Remaining.IsPositive():
		return doubtful(p.Name(), "takes the key, which may spend nothing more", "raise the limit of the key: https://openrouter.ai/keys")
	case account.FreeTier:
		return found(p.Name(), "takes the key; its account has no credit, so only free models answer")
	}
	return found(p.Name(), "takes the key")
}

func huggingFaceFinding(ctx context.Context, p *providers.HuggingFace) finding {
	const variable, address = "HUGGINGFACE_TOKEN", "HUGGINGFACE_BASE_URL"
	if !p.Configured() {
		return unconfigured(p.Name(), variable)
	}
	known, err := p.Whoami(ctx)
	switch {
	case err != nil:
		return silentProvider(p.Name(), err, "put a token that works into "+variable+": https://huggingface.co/settings/tokens", address)
	case !known:
		return found(p.Name(), "configured; this address does not say whether it takes the token")
	}
	return found(p.Name(), "takes the token")
}

func ollamaFinding(ctx context.Context, p *providers.Ollama) finding {
	const variable = "OLLAMA_URL"
	if !p.Configured() {
		return unconfigured(p.Name(), variable)
	}
	models, err := p.Models(ctx)
	switch {
	case err != nil:
		return silentProvider(p.Name(), err, "ask whoever runs the server for the way in", variable)
	case len(models) == 0:
		return failing(p.Name(), "answers, and has no model", "load one that 'astrogrowth routes' names, as 'ollama pull llama3.2:3b'")
	}
	return found(p.Name(), "answers, with "+plural(len(models), "model"))
}

func unconfigured(name, variable string) finding {
	return doubtful(name, "not configured; its candidates are skipped", "set "+variable)
}

// silentProvider is a provider that is configured and does not take our calls; address is the variable that leads to it.
func silentProvider(name string, err error, key, address string) finding {
	switch growth.CodeOf(err) {
	case growth.KeyRejected:
		return failing(name, "turns the key down: its candidates cannot answer", key)
	case growth.Throttled:
		return doubtful(name, "was asked too often to say whether it takes the key", "run the doctor again in a minute")
	default:
		return failing(name, "does not answer as it should: "+explain(err), "check "+address+", and that it can be reached from here")
	}
}
