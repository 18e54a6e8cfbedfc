package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/router/breaker"
	"github.com/zakibelm/astrogrowth/tasks"
)

// connection lets asynqmon connect to any form of REDIS_URL.
type connection struct{ url config.Secret }

// MakeRedisClient makes a client of its own for each caller, who closes it. The URL was read before, so it cannot fail.
func (c connection) MakeRedisClient() any {
	client, err := tasks.Redis(c.url.Reveal())
	if err != nil {
		return nil
	}
	return client
}

// idsOnly shows of a task what our own tasks hold, a job's id, and nothing of what anybody else put there.
type idsOnly struct{}

// FormatPayload writes the job's id.
func (idsOnly) FormatPayload(_ string, payload []byte) string {
	var p struct {
		JobID growth.JobID `json:"job_id"`
	}
	if json.Unmarshal(payload, &p) != nil || !growth.ValidID(string(p.JobID)) {
		return fmt.Sprintf("%d bytes, not shown", len(payload))
	}
	return `{"job_id": "` + string(p.JobID) + `"}`
}

// FormatResult says where the result is: our tasks keep none in Redis.
func (idsOnly) FormatResult(_ string, result []byte) string {
	if len(result) == 0 {
		return ""
	}
	return fmt.Sprintf("%d bytes, not shown", len(result))
}

// breakersKey is where the programs share which breakers are open: a hash of name to breaker.Change.
const breakersKey = "astrogrowth:breakers"

// sharedBreakers reads what package breaker shares.
type sharedBreakers struct{ rdb redis.UniversalClient }

// OpenBreakers lists the breakers that some process has opened.
func (s sharedBreakers) OpenBreakers(ctx context.Context) ([]breaker.Change, error) {
	all, err := s.rdb.HGetAll(ctx, breakersKey).Result()
	if err != nil {
		return nil, fmt.Errorf("read breakers: %w", err)
	}
	out := make([]breaker.Change, 0, len(all))
	for name, v := range all {
		var c breaker.Change
		if err := json.Unmarshal([]byte(v), &c); err != nil {
			return nil, fmt.Errorf("read breaker %q: %w", name, err)
		}
		if c.State == breaker.Open {
			out = append(out, c)
		}
	}
	return out, nil
}
