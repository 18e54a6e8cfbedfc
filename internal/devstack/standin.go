package devstack

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"sync"

	"github.com/alicebob/miniredis/v2"
)

// standIn is a Redis in this process, for a machine that has none: good enough to look at the product, an order of
// magnitude slower, and empty again after each start.
type standIn struct {
	mini     *miniredis.Miniredis
	password string
	died     chan struct{} // never closed: it lives as long as we do
	once     sync.Once
}

func startStandIn(cfg Config) (*Redis, error) {
	in := &standIn{mini: miniredis.NewMiniRedis(), password: rand.Text(), died: make(chan struct{})}
	// It listens where every user of the machine can connect, so it asks for a password.
	in.mini.RequireAuth(in.password)
	// Left alone its keys never expire, and a lock that never ends stops the queue for good.
	in.mini.ClockTTL(true)
	if err := in.mini.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("stand-in for redis: %w", err)
	}
	cfg.say("!! WARNING: there is no Redis on this machine. A stand-in inside this process takes its place:\n"+
		"!! it is slow, and it FORGETS THE QUEUE when the program ends. For real work %s.", cfg.host.advice(redisPackages))
	cfg.Log.Warn().Str("server", "redis").Msg("no redis: the queue lives in this process and is lost with it")
	return &Redis{in: in}, nil
}

func (in *standIn) url() string {
	u := url.URL{Scheme: "redis", User: url.UserPassword("", in.password), Host: in.mini.Addr(), Path: "/0"}
	return u.String()
}

func (in *standIn) stop() { in.once.Do(in.mini.Close) }
