package wiring

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/rs/zerolog"
)

func TestTheRedisClientWritesIntoTheLogAndSparingly(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := redisLog{Sparing(zerolog.New(&out))}
	for range 50 {
		l.Printf(t.Context(), "connection pool: failed to dial after %d attempts", 5)
	}
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	if len(lines) != 3 {
		t.Errorf("%d lines of 50; want 3", len(lines))
	}
	var line struct{ Message, Said string }
	if err := json.Unmarshal(lines[0], &line); err != nil || line.Said != "connection pool: failed to dial after 5 attempts" {
		t.Errorf("%s: %v", lines[0], err)
	}
}
