package wiring

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// Sparing lets a few lines through in a while and drops the rest: for what says the same again and again while a store
// is down, so that the log still shows what else happens.
func Sparing(log zerolog.Logger) zerolog.Logger {
	return log.Sample(&zerolog.BurstSampler{Burst: 3, Period: 10 * time.Second})
}

// QuietRedis takes what the Redis client has to say into log, sparingly. By itself it writes to standard error, in a form
// of its own, a line for each connection that it cannot make. It holds for the whole process.
func QuietRedis(log zerolog.Logger) { redis.SetLogger(redisLog{Sparing(log)}) }

type redisLog struct{ log zerolog.Logger }

// Printf is what the client calls.
func (l redisLog) Printf(_ context.Context, format string, v ...any) {
	l.log.Warn().Str("variable", "REDIS_URL").Str("said", fmt.Sprintf(format, v...)).Msg("redis client complains")
}
