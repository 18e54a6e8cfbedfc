package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rs/zerolog"

	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/store"
)

// terminal is where a person reads and nothing is kept; nil when there is none.
func terminal() io.Writer {
	for _, f := range []*os.File{os.Stderr, os.Stdout} {
		if daemon.Terminal(f) && f.Name() != os.DevNull {
			return f
		}
	}
	return nil
}

// firstKey sees to it that somebody can call: with the key of the configuration, or, where keys are required and there is
// none at all, with one that is made and shown this once. It is shown to a terminal alone, since logs are kept.
func firstKey(ctx context.Context, s *store.Store, log zerolog.Logger, configured string, required bool, screen io.Writer) error {
	if configured != "" {
		ended, ok, err := s.SetAdminKey(ctx, store.Key{Prefix: auth.Prefix(configured), Scopes: []string{string(auth.ScopeAdmin)}}, auth.Hash(configured))
		if ended > 0 {
			log.Info().Int64("keys", ended).Msg("ADMIN_API_KEY is another than before: the one before has ended")
		}
		if err == nil && !ok {
			log.Warn().Msg("ADMIN_API_KEY was revoked and does not work: set another")
		}
		return err
	}
	if !required {
		return nil
	}
	there, err := s.AnyKey(ctx)
	if err != nil || there {
		return err
	}
	if screen == nil {
		return errors.New("there is no API key yet, so that nobody could call: set ADMIN_API_KEY (openssl rand -hex 24), " +
			"or start the enqueuer once at a terminal, which shows a first key")
	}
	key := auth.NewKey()
	made, err := s.AddFirstKey(ctx, store.Key{Name: "first", Prefix: auth.Prefix(key), Scopes: []string{string(auth.ScopeAdmin)}}, auth.Hash(key))
	if err != nil || !made {
		return err
	}
	_, err = fmt.Fprintf(screen, "\nThe first API key of this installation, for every workspace, with the scope admin:\n\n    %s\n\n"+
		"It is shown this once: keep it now. With it, `astrogrowth keys create` makes others.\n\n", key)
	return err
}
