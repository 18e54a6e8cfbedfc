package wiring

import (
	"net/http/httptest"
	"testing"

	"github.com/rs/zerolog"

	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/providers"
)

func configured(t *testing.T, vars map[string]string) config.Config {
	t.Helper()
	cfg, err := config.Load(vars, "")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// What OpenRouter allows is kept where its key is used, and what is tried out at the simulator has no limit of its own.
func TestFreeTierLimits(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name         string
		vars         map[string]string
		calls, daily int
	}{
		{"a key", map[string]string{"OPENROUTER_API_KEY": "k"}, 20, 50},
		{"a key and limits", map[string]string{"OPENROUTER_API_KEY": "k", "OPENROUTER_FREE_PER_MINUTE": "7", "OPENROUTER_FREE_PER_DAY": "0"}, 7, 0},
		{"the simulator", map[string]string{}, 0, 0},
		{"the simulator and limits", map[string]string{"OPENROUTER_FREE_PER_MINUTE": "5", "OPENROUTER_FREE_PER_DAY": "9"}, 5, 9},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := &Base{Config: configured(t, tc.vars), Redis: testenv.RedisClient(t), Log: zerolog.Nop()}
			o, err := b.pools().Outlook(t.Context(), freePool, 0)
			if err != nil || o.Calls != tc.calls || o.Daily != tc.daily {
				t.Errorf("%+v, %v; want %d calls and %d a day", o, err, tc.calls, tc.daily)
			}
			if p := b.pools(); p.Of("openrouter", "a/b:free") != freePool || p.Of("openrouter", "a/b") != "" || p.Of("huggingface", "a/b:free") != "" {
				t.Error("the pool does not hold exactly OpenRouter's free models")
			}
		})
	}
}

func TestFreeTierLearnsTheAccount(t *testing.T) {
	t.Parallel()
	sim := simulator.New(simulator.Config{Seed: 1})
	srv := httptest.NewServer(sim)
	t.Cleanup(func() { sim.Close(); srv.Close() })
	for key, daily := range map[string]int{"sim-free-account": 50, "sim-paid": 1000} {
		b := &Base{Config: configured(t, map[string]string{"OPENROUTER_API_KEY": key}), Redis: testenv.RedisClient(t), Log: zerolog.Nop()}
		c := &Chain{base: b, pools: b.pools(), account: providers.NewOpenRouter(providers.Settings{BaseURL: srv.URL + "/openrouter/api/v1", Key: key, HTTP: srv.Client()})}
		if err := c.askAccount(t.Context()); err != nil {
			t.Fatal(err)
		}
		if o, err := c.pools.Outlook(t.Context(), freePool, 0); err != nil || o.Daily != daily {
			t.Errorf("%s: %d a day, %v; want %d", key, o.Daily, err, daily)
		}
	}
}
