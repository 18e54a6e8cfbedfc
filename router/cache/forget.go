package cache

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	invalidations = "astrogrowth:cache-invalidations" // the channel on which processes hear of one
	epochName     = prefix + "epoch"                  // counts those of all workspaces, for who missed the message

	confirmEvery = 300 * time.Millisecond
	sureFor      = 900 * time.Millisecond // after a process has made sure that it missed none
	forgetBatch  = 500
)

// Selection says which entries of a workspace to forget: those that match every field that is set, or, with Call, Job
// or Lead, those that it has made or was served. The zero value selects all.
type Selection struct {
	Task  growth.TaskType
	Model string // "provider/model", or the model alone
	Call  growth.CallID
	Job   growth.JobID
	Lead  growth.LeadID
}

// Invalidate forgets the entries of a workspace that match pattern, and returns how many. The pattern is "" or "*" for
// all, a task type, or as older clients write it "llm:cache:<task type>:*".
func (c *Cache) Invalidate(ctx context.Context, ws growth.WorkspaceID, pattern string) (int, error) {
	s, err := ParsePattern(pattern)
	if err != nil {
		return 0, err
	}
	return c.Forget(ctx, ws, s)
}

// ParsePattern reads a pattern as Invalidate takes it.
func ParsePattern(pattern string) (Selection, error) {
	task := strings.TrimSuffix(strings.TrimPrefix(pattern, "llm:cache:"), ":*")
	if task == "" || task == "*" || task == "llm:cache" {
		return Selection{}, nil
	}
	if !growth.TaskType(task).Valid() {
		return Selection{}, growth.InvalidField("cache.Invalidate", "pattern", "use *, a task type, or llm:cache:<task type>:*")
	}
	return Selection{Task: growth.TaskType(task)}, nil
}

// Forget takes the selected entries out, and returns how many there were. Every process has forgotten them within a
// second, even one that misses the message. Answers of this workspace that are under way now are not kept: nobody can
// say what they rest on.
func (c *Cache) Forget(ctx context.Context, ws growth.WorkspaceID, s Selection) (int, error) {
	if err := c.rdb.Incr(ctx, redisName(ws, "generation")).Err(); err != nil {
		return 0, unavailable("cache.Forget", err)
	}
	var n int
	var err error
	if named := owners(ws, s.Call, s.Job, s.Lead); len(named) > 0 {
		n, err = c.forgetOwned(ctx, ws, named)
	} else {
		n, err = c.forgetMatching(ctx, ws, s)
	}
	if err != nil {
		return n, unavailable("cache.Forget", err)
	}
	c.forgetLocal()
	if err := c.rdb.Incr(ctx, epochName).Err(); err != nil {
		return n, unavailable("cache.Forget", err)
	}
	if err := c.rdb.Publish(ctx, invalidations, string(ws)).Err(); err != nil {
		return n, unavailable("cache.Forget", err)
	}
	return n, nil
}

func (c *Cache) forgetOwned(ctx context.Context, ws growth.WorkspaceID, sets []string) (int, error) {
	total := 0
	for _, set := range sets {
		members, err := c.rdb.SMembers(ctx, set).Result()
		if err != nil {
			return total, err
		}
		n, err := c.drop(ctx, ws, members)
		total += n
		if err != nil {
			return total, err
		}
		if err := c.rdb.Del(ctx, set).Err(); err != nil {
			return total, err
		}
	}
	return total, nil
}

// forgetMatching walks the workspace's own index, never the keys of the whole Redis.
func (c *Cache) forgetMatching(ctx context.Context, ws growth.WorkspaceID, s Selection) (int, error) {
	total := 0
	for cursor := uint64(0); ; {
		pairs, next, err := c.rdb.HScan(ctx, redisName(ws, "about"), cursor, "", forgetBatch).Result()
		if err != nil {
			return total, err
		}
		var members []string
		for i := 0; i+1 < len(pairs); i += 2 {
			if s.matches(pairs[i], pairs[i+1]) {
				members = append(members, pairs[i])
			}
		}
		n, err := c.drop(ctx, ws, members)
		total += n
		if err != nil || next == 0 {
			return total, err
		}
		cursor = next
	}
}

// matches reads a member, "<task>:<digest>", and what is known about it, "<bytes> <provider>/<model>".
func (s Selection) matches(member, about string) bool {
	if s.Task != "" && !strings.HasPrefix(member, string(s.Task)+":") {
		return false
	}
	if s.Model == "" {
		return true
	}
	_, full, _ := strings.Cut(about, " ")
	_, model, _ := strings.Cut(full, "/")
	return s.Model == full || s.Model == model
}

func (c *Cache) drop(ctx context.Context, ws growth.WorkspaceID, members []string) (int, error) {
	total := 0
	keys := []string{redisName(ws, "index"), redisName(ws, "about"), redisName(ws, "bytes")}
	for len(members) > 0 {
		batch := members[:min(forgetBatch, len(members))]
		members = members[len(batch):]
		args := make([]any, 0, len(batch)+1)
		args = append(args, redisName(ws, "e")+":")
		for _, m := range batch {
			args = append(args, m)
		}
		n, err := dropScript.Run(ctx, c.rdb, keys, args...).Int()
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// Listen keeps the process's level in step with the others until ctx ends: it forgets when another process invalidates,
// at once by message, and at the latest within a second by asking. The level serves only while no invalidation can have
// been missed, so a process that is cut off from Redis stops serving from it by itself.
func (c *Cache) Listen(ctx context.Context) {
	sub := c.rdb.Subscribe(ctx, invalidations)
	defer func() { _ = sub.Close() }()
	c.listens.Store(true)
	defer func() { c.listens.Store(false); c.sure.Store(0) }()
	messages := sub.Channel()
	t := time.NewTicker(confirmEvery)
	defer t.Stop()
	for {
		c.confirm(ctx)
		select {
		case <-ctx.Done():
			return
		case _, ok := <-messages:
			if !ok {
				return
			}
			c.forgetLocal()
		case <-t.C:
		}
	}
}

// confirm asks how many invalidations there have been.
func (c *Cache) confirm(ctx context.Context) {
	asked := time.Since(c.began)
	ctx, cancel := context.WithTimeout(ctx, c.settings.Patience)
	defer cancel()
	n, err := c.rdb.Get(ctx, epochName).Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return // what was sure ends by itself
	}
	if c.known.Swap(n) != n {
		c.forgetLocal()
	}
	c.sure.Store(int64(asked + sureFor))
}

// forgetLocal empties the process's level. The count comes first: see remember.
func (c *Cache) forgetLocal() {
	c.epoch.Add(1)
	c.local.InvalidateAll()
}
