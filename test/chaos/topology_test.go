//go:build e2e

package chaos

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisServer starts a Redis on a TCP port with some configuration lines.
func redisServer(t *testing.T, args ...string) (addr string, cmd *exec.Cmd) {
	t.Helper()
	path := ""
	for _, name := range []string{"redis-server", "redis-check-rdb"} { // Debian's redis-tools holds it under the second
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Fatal("there is no redis-server; .ci/need redis installs one")
	}
	p := clusterPort(t)
	cmd = &exec.Cmd{Path: path, Args: append([]string{"redis-server", "--port", p, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", ""}, args...)}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return "127.0.0.1:" + p, cmd
}

// clusterPort is a free port whose bus port, 10,000 above it, exists.
func clusterPort(t *testing.T) string {
	t.Helper()
	for range 200 {
		p := port(t)
		if len(p) == 5 && p < "55000" {
			return p
		}
	}
	t.Fatal("no port below 55000 is free")
	return ""
}

func (w *world) up(addr string) {
	w.t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = rdb.Close() }()
	w.await(10*time.Second, "Redis at "+addr, func() bool { return rdb.Ping(w.t.Context()).Err() == nil })
}

// twenty accepts and awaits twenty jobs.
func (w *world) twenty(round int) {
	w.t.Helper()
	for i := range 20 {
		body := map[string]any{"topic": fmt.Sprintf("Conseil %d-%d", round, i), "brief": "Des idées simples."}
		if code, err := w.try(http.MethodPost, w.apis[i%len(w.apis)]+"/v1/jobs/content-generation", body, nil); err != nil || code != http.StatusAccepted {
			w.t.Fatalf("accept: %d %v", code, err)
		}
	}
	w.await(2*time.Minute, "the jobs of the round to be done", func() bool {
		return w.count(`SELECT count(*) FROM jobs WHERE state = 'succeeded'`) == 20*(round+1)
	})
}

// TestRedisCluster runs the product on three masters.
func TestRedisCluster(t *testing.T) {
	bin := build(t)
	w := newStores(t, bin, 5)
	var addrs []string
	for range 3 {
		a, _ := redisServer(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
		addrs = append(addrs, a)
		w.up(a)
	}
	ctx := t.Context()
	for i, a := range addrs {
		rdb := redis.NewClient(&redis.Options{Addr: a})
		if err := rdb.ClusterAddSlotsRange(ctx, i*16384/3, (i+1)*16384/3-1).Err(); err != nil {
			t.Fatal(err)
		}
		host, p, err := net.SplitHostPort(addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := rdb.ClusterMeet(ctx, host, p).Err(); err != nil {
			t.Fatal(err)
		}
		_ = rdb.Close()
	}
	rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	defer func() { _ = rdb.Close() }()
	w.await(20*time.Second, "the cluster to be whole", func() bool {
		info, err := rdb.ClusterInfo(ctx).Result()
		return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
	})
	w.redisURL = "redis-cluster://" + strings.Join(addrs, ",")
	w.startPrograms()
	w.twenty(0)
}

// TestRedisSentinel runs the product behind three sentinels and kills the master under it.
func TestRedisSentinel(t *testing.T) {
	bin := build(t)
	w := newStores(t, bin, 6)
	master, masterCmd := redisServer(t)
	host, p, err := net.SplitHostPort(master)
	if err != nil {
		t.Fatal(err)
	}
	replica, _ := redisServer(t, "--replicaof", host, p)
	w.up(master)
	w.up(replica)
	var sentinels []string
	for range 3 {
		sentinels = append(sentinels, sentinel(t, host, p))
	}
	for _, s := range sentinels {
		w.up(s)
		sc := redis.NewSentinelClient(&redis.Options{Addr: s})
		w.await(20*time.Second, "the sentinels to know each other and the replica", func() bool {
			others, err := sc.Sentinels(t.Context(), "growth").Result()
			replicas, err2 := sc.Replicas(t.Context(), "growth").Result()
			return err == nil && err2 == nil && len(others) == 2 && len(replicas) == 1
		})
		_ = sc.Close()
	}
	w.redisURL = "redis-sentinel://" + strings.Join(sentinels, ",") + "/0?master=growth"
	w.startPrograms()
	w.twenty(0)
	_ = masterCmd.Process.Kill()
	w.twenty(1) // accepted at once, done after the failover
}

func sentinel(t *testing.T, host, masterPort string) string {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	lines := fmt.Sprintf("sentinel monitor growth %s %s 2\nsentinel down-after-milliseconds growth 1000\nsentinel failover-timeout growth 3000\n", host, masterPort)
	if err := os.WriteFile(conf, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if path, err = exec.LookPath("redis-check-rdb"); err != nil {
			t.Fatal(err)
		}
	}
	p := clusterPort(t)
	cmd := &exec.Cmd{Path: path, Args: []string{"redis-server", conf, "--sentinel", "--port", p, "--bind", "127.0.0.1"}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return "127.0.0.1:" + p
}
