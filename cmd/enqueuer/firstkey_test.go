package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestFirstKeyIsShownOnceAndToATerminalAlone(t *testing.T) {
	t.Parallel()
	s, ctx := testenv.Store(t), t.Context()
	var log, screen bytes.Buffer
	logger := zerolog.New(&log)
	if err := firstKey(ctx, s, logger, "", true, nil); err == nil || !strings.Contains(err.Error(), "ADMIN_API_KEY") {
		t.Errorf("without a terminal: %v", err)
	}
	if err := firstKey(ctx, s, logger, "", false, &screen); err != nil || screen.Len() > 0 {
		t.Errorf("where no key is required: %v, %q", err, &screen)
	}
	if err := firstKey(ctx, s, logger, "", true, &screen); err != nil {
		t.Fatal(err)
	}
	key := regexp.MustCompile(`ag_live_[a-z2-7]+`).FindString(screen.String())
	if k, err := s.KeyByHash(ctx, auth.Hash(key)); err != nil || k.Workspace != "" || len(k.Scopes) != 1 || k.Scopes[0] != "admin" {
		t.Errorf("key %+v, %v", k, err)
	}
	screen.Reset()
	if err := firstKey(ctx, s, logger, "", true, &screen); err != nil || screen.Len() > 0 {
		t.Errorf("the second start: %v, %q", err, &screen)
	}
	if err := firstKey(ctx, s, logger, "", true, nil); err != nil {
		t.Errorf("the second start, without a terminal: %v", err)
	}
	if strings.Contains(log.String(), "ag_live") {
		t.Errorf("the log holds the key: %s", &log)
	}
}

func TestConfiguredKeyThatIsExchangedEnds(t *testing.T) {
	t.Parallel()
	s, ctx := testenv.Store(t), t.Context()
	var log bytes.Buffer
	for _, key := range []string{"the-admin-key-of-before", "the-admin-key-of-today"} {
		if err := firstKey(ctx, s, zerolog.New(&log), key, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.KeyByHash(ctx, auth.Hash("the-admin-key-of-before")); err == nil {
		t.Error("the key that was configured before still works")
	}
	if _, err := s.KeyByHash(ctx, auth.Hash("the-admin-key-of-today")); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "has ended") || strings.Contains(log.String(), "the-admin-key") {
		t.Errorf("log: %s", &log)
	}
}
