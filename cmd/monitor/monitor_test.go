package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/internal/wiring"
	"github.com/zakibelm/astrogrowth/router/breaker"
	"github.com/zakibelm/astrogrowth/tasks"
)

func TestMain(m *testing.M) { os.Exit(testenv.Around(m).Run()) }

// base is what the program stands on, over real stores.
func base(t *testing.T, change func(*config.Config)) *wiring.Base {
	t.Helper()
	cfg := config.Config{
		BindAddr: "127.0.0.1", OwnStores: true, Currency: "CAD", FXUSDCAD: decimal.RequireFromString("1.40"),
		RedisURL: config.NewSecret(testenv.Redis(t)), DatabaseURL: config.NewSecret("postgres://h/d"), AppURL: "http://localhost:3000",
	}
	if change != nil {
		change(&cfg)
	}
	db := testenv.Store(t)
	if _, err := db.EnsureWorkspace(t.Context(), growth.DefaultWorkspace, "Default"); err != nil {
		t.Fatal(err)
	}
	rdb, err := tasks.Redis(cfg.RedisURL.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	health := daemon.NewHealth(program, "test", zerolog.Nop())
	health.Check("postgres", 0, db.Ping)
	return &wiring.Base{Program: program, Config: cfg, Log: zerolog.Nop(), Health: health, Store: db, Redis: rdb}
}

// start serves until the test ends and returns the address.
func start(t *testing.T, b *wiring.Base) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	addr, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- serve(ctx, b, func(a net.Addr) { addr <- a.String() }) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	select {
	case a := <-addr:
		return "http://" + a
	case err := <-ended:
		ended <- err
		t.Fatalf("serve: %v", err)
	}
	return ""
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// enqueue puts a task of ours and one of somebody else's into a queue.
func enqueue(t *testing.T, b *wiring.Base) growth.JobID {
	t.Helper()
	client := asynq.NewClientFromRedisClient(b.Redis)
	id := growth.JobID(growth.NewID())
	for name, payload := range map[string]string{
		string(growth.JobLeadQualification): `{"job_id":"` + string(id) + `"}`, "foreign": `{"email":"marie@example.com"}`,
	} {
		if _, err := client.EnqueueContext(t.Context(), asynq.NewTask(name, []byte(payload)), asynq.Queue("qualification")); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

func TestMonitorServesPagesQueuesAndHealth(t *testing.T) {
	t.Parallel()
	b := base(t, nil)
	id := enqueue(t, b)
	at := start(t, b)

	status, body := get(t, at+"/readyz")
	if status != http.StatusOK || !strings.Contains(body, `"redis"`) || !strings.Contains(body, `"postgres"`) {
		t.Errorf("/readyz = %d %s", status, body)
	}
	if status, body := get(t, at+"/"); status != http.StatusOK || !strings.Contains(body, "The five targets") {
		t.Errorf("/ = %d", status)
	}
	status, body = get(t, at+"/queues/")
	if status != http.StatusOK || strings.Contains(body, "googleapis") || !strings.Contains(body, `FLAG_ROOT_PATH="\/queues"`) {
		t.Errorf("/queues/ = %d %s", status, body)
	}
	status, body = get(t, at+"/queues/api/queues/qualification/pending_tasks")
	if status != http.StatusOK || !strings.Contains(body, string(id)) || strings.Contains(body, "marie@example.com") {
		t.Errorf("pending tasks = %d %s", status, body)
	}
}

func TestMonitorShowsTheBreakersThatOthersOpened(t *testing.T) {
	t.Parallel()
	b := base(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	set := breaker.New(breaker.Settings{Failures: 1}, "another process", "openrouter")
	shared := make(chan struct{})
	go func() { defer close(shared); set.Share(ctx, b.Redis, nil) }()
	t.Cleanup(func() { stop(); <-shared })
	done, _, _ := set.Allow("openrouter")
	done("openrouter", false)

	at := start(t, b)
	deadline := time.Now().Add(time.Minute)
	for {
		_, body := get(t, at+"/data/overview.json")
		var o struct {
			Breakers []struct {
				Name string `json:"name"`
				Open bool   `json:"open"`
			} `json:"breakers"`
		}
		if err := json.Unmarshal([]byte(body), &o); err != nil {
			t.Fatal(err)
		}
		if len(o.Breakers) > 1 && o.Breakers[0].Name == "openrouter" && o.Breakers[0].Open && !o.Breakers[1].Open {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("breakers = %+v", o.Breakers)
		}
	}
}

func TestMonitorAsksForALogin(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*config.Config)
		login  bool
	}{
		{"embedded, on loopback", func(*config.Config) {}, false},
		{"with an admin key", func(c *config.Config) { c.AdminAPIKey = config.NewSecret("sixteen-characters") }, true},
		{"on every address", func(c *config.Config) { c.BindAddr = "0.0.0.0" }, true},
		{"with stores elsewhere", func(c *config.Config) { c.OwnStores = false }, true},
		{"in production", func(c *config.Config) { c.AppEnv = config.Production }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cfg := config.Config{BindAddr: "127.0.0.1", OwnStores: true, DatabaseURL: config.NewSecret("postgres://h/d")}
			tc.change(&cfg)
			if got := loginRequired(cfg); got != tc.login {
				t.Errorf("login required: %v, want %v", got, tc.login)
			}
		})
	}
	at := start(t, base(t, func(c *config.Config) { c.AdminAPIKey = config.NewSecret("sixteen-characters") }))
	for path, want := range map[string]int{"/": 303, "/queues/": 303, "/queues/api/queues": 401, "/healthz": 200, "/readyz": 200, "/login": 200} {
		if status, _ := get(t, at+path); status != want {
			t.Errorf("%s = %d, want %d", path, status, want)
		}
	}
}

func TestRateOfTheStoreGoesFirst(t *testing.T) {
	t.Parallel()
	b := base(t, nil)
	check := func(currency, want string) {
		t.Helper()
		rate, known := newRates(b.Config, b.Store).rate(t.Context(), currency)
		if known != (want != "") || known && !rate.Equal(decimal.RequireFromString(want)) {
			t.Errorf("%s = %v, %v; want %q", currency, rate, known, want)
		}
	}
	check("CAD", "1.40")
	check("USD", "1")
	check("EUR", "")
	if err := b.Store.SetRate(t.Context(), "CAD", decimal.RequireFromString("1.37"), "test"); err != nil {
		t.Fatal(err)
	}
	check("CAD", "1.37")
}
