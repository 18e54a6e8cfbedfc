package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/zakibelm/astrogrowth/internal/seal"
	"github.com/zakibelm/astrogrowth/store"
)

// maxSkew is how far this machine's clock and the database's may differ before it is worth a word.
const maxSkew = 2 * time.Second

// encryption says whether the key that seals LinkedIn tokens is there and good.
func (d doctor) encryption() finding {
	const name = "ENCRYPTION_KEY"
	if d.cfg.EncryptionKey.Empty() {
		if d.cfg.Embedded() {
			return found(name, "not set; 'astrogrowth up' makes one and keeps it in "+filepath.Join(d.cfg.DataDir, "encryption.key"))
		}
		return doubtful(name, "not set: each start on an empty DATA_DIR would make another, and LinkedIn tokens could not be opened any more",
			"set it to what 'openssl rand -base64 32' prints, the same for every program")
	}
	if _, err := seal.NewRaw(d.cfg.SealingKeys()...); err != nil {
		return failing(name, explain(err), "set it to what 'openssl rand -base64 32' prints, the same for every program")
	}
	if n := len(d.cfg.SealingKeys()) - 1; n > 0 {
		return doubtful(name, fmt.Sprintf("set, with %s in ENCRYPTION_KEYS_OLD", plural(n, "earlier key")),
			"run 'astrogrowth keys reseal'; it says when they can be dropped")
	}
	return found(name, "set")
}

// clock compares this machine's clock with the database's, which schedules go by.
func (d doctor) clock(ctx context.Context, db *store.Store, now func() time.Time) finding {
	before := now()
	theirs, err := db.Clock(ctx)
	if err != nil {
		return doubtful("clock", "the database's clock could not be read", "check that Postgres answers")
	}
	after := now()
	// The database read its clock at some moment between the two: only what lies outside is skew.
	skew := time.Duration(0)
	switch {
	case theirs.Before(before):
		skew = before.Sub(theirs)
	case theirs.After(after):
		skew = theirs.Sub(after)
	}
	if skew > maxSkew {
		return doubtful("clock", fmt.Sprintf("this machine and Postgres differ by %s: times planned here come due by the database's clock", skew.Round(100*time.Millisecond)),
			"let both follow a time server: 'timedatectl set-ntp true', or chrony")
	}
	return found("clock", fmt.Sprintf("agrees with Postgres to %s", maxSkew))
}

// redisKeeps says whether Redis keeps what it is given: through a restart, and when its memory is full.
func redisKeeps(ctx context.Context, rdb redis.UniversalClient) []finding {
	return []finding{
		redisSetting(ctx, rdb, "redis eviction", "maxmemory-policy", "noeviction",
			"Redis throws entries away when its memory is full: queued jobs would come late, budgets be counted anew",
			"CONFIG SET maxmemory-policy noeviction, and the same line in redis.conf"),
		redisSetting(ctx, rdb, "redis persistence", "appendonly", "yes",
			"what Redis holds is gone after its restart: jobs are handed over again from Postgres, but rests, quotas and the cache begin anew",
			"CONFIG SET appendonly yes, and the same line in redis.conf"),
	}
}

func redisSetting(ctx context.Context, rdb redis.UniversalClient, name, setting, want, otherwise, mend string) finding {
	have, err := rdb.ConfigGet(ctx, setting).Result()
	switch got, known := have[setting]; {
	case err != nil || !known:
		return doubtful(name, setting+" may not be read", "ask whoever runs Redis for "+setting+" "+want)
	case got != want:
		return doubtful(name, fmt.Sprintf("%s is %s: %s", setting, got, otherwise), mend)
	}
	return found(name, setting+" "+want)
}
