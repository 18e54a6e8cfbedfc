package devstack

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
)

func TestRedisKeepsDataOverKillAndRestart(t *testing.T) {
	t.Parallel()
	needRedis(t)
	cfg := Config{DataDir: filepath.Join(dataDir(t), "a + path \"with\" 'signs'")}
	r := startRedis(t, cfg)
	if r.InProcess() || r.Version() == "" {
		t.Fatalf("in process %v, version %q", r.InProcess(), r.Version())
	}
	if err := connect(t, r.URL()).Set(t.Context(), "a", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.srv.proc.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	within(t, "Done after kill", r.Done())
	if err := r.Stop(t.Context()); err != nil {
		t.Errorf("Stop after death: %v", err)
	}

	r = startRedis(t, cfg)
	if err := connect(t, r.URL()).Set(t.Context(), "b", "2", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.Stop(t.Context()); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if left := r.srv.find(); len(left) > 0 {
		t.Errorf("processes %v are left after Stop", left)
	}

	r = startRedis(t, cfg)
	got, err := connect(t, r.URL()).MGet(t.Context(), "a", "b").Result()
	if err != nil || got[0] != "1" || got[1] != "2" {
		t.Errorf("a, b = %v, %v; want 1, 2", got, err)
	}
}

func TestRedisIsMadeForAQueue(t *testing.T) {
	t.Parallel()
	needRedis(t)
	client := connect(t, startRedis(t, Config{DataDir: dataDir(t), RedisDatabases: 40}).URL())
	for setting, want := range map[string]string{
		"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "port": "0", "databases": "40", "save": "",
	} {
		got, err := client.ConfigGet(t.Context(), setting).Result()
		if err != nil || got[setting] != want {
			t.Errorf("%s = %q, %v; want %q", setting, got[setting], err, want)
		}
	}
}

func TestRedisDirectoryInUse(t *testing.T) {
	t.Parallel()
	needRedis(t)
	dir := dataDir(t)
	startRedis(t, Config{DataDir: dir})
	_, err := StartRedis(t.Context(), Config{DataDir: dir})
	if growth.CodeOf(err) != growth.Conflict {
		t.Fatalf("second start: %v, want a conflict", err)
	}
	wantWords(t, err.Error(), dir)
}

func TestRedisUnderDebiansOtherName(t *testing.T) {
	t.Parallel()
	needRedis(t)
	h := thisHost()
	find := h.lookPath
	h.lookPath = func(file string) (string, error) {
		if file != "redis-check-rdb" {
			return "", errors.New("hidden")
		}
		return find(file)
	}
	h.redisDirs = nil
	bin, ok := h.installedRedis(t.Context())
	if !ok {
		t.Skip("the server is not part of redis-check-rdb here")
	}
	r := startRedis(t, Config{DataDir: dataDir(t), host: h})
	if !strings.HasSuffix(bin.path, "redis-check-rdb") || r.InProcess() {
		t.Errorf("started %q, in process %v", bin.path, r.InProcess())
	}
	if len(r.srv.find()) == 0 {
		t.Error("its process is not recognised")
	}
}

func TestRedisStandIn(t *testing.T) {
	t.Parallel()
	var out output
	r := startRedis(t, Config{DataDir: dataDir(t), Out: &out, host: bareHost()})
	if !r.InProcess() || r.Version() != "" {
		t.Fatalf("in process %v, version %q", r.InProcess(), r.Version())
	}
	wantWords(t, out.String(), "WARNING", "FORGETS THE QUEUE", "REDIS_URL")
	client := connect(t, r.URL())
	if err := client.Set(t.Context(), "lock", "1", 50*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "end of the key's time", func() bool {
		return errors.Is(client.Get(t.Context(), "lock").Err(), redis.Nil)
	})

	u, err := url.Parse(r.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = nil
	if err := connect(t, u.String()).Ping(t.Context()).Err(); err == nil {
		t.Error("it lets in who has no password")
	}
	select {
	case <-r.Done():
		t.Error("Done is closed while it runs")
	default:
	}
}
