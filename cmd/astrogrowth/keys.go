package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/zakibelm/astrogrowth/internal/seal"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func keysCommand(s surroundings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Look after API keys and ENCRYPTION_KEY",
		Long:  "An API key's text is shown once, when it is made. Its commands take a key with the scope admin.",
		Args:  knownCommand,
		RunE:  showHelp,

		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(apiKeysCommands(s)...)
	cmd.AddCommand(resealCommand(s))
	return cmd
}

func resealCommand(s surroundings) *cobra.Command {
	return &cobra.Command{
		Use:   "reseal",
		Short: "Seal with ENCRYPTION_KEY what is still sealed with one of ENCRYPTION_KEYS_OLD",
		Long: `Workers do the same by themselves each minute; this does it now, while they run, and says whether the old keys can be
dropped. Exit code 1: there are accounts that no key opens.`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.config()
			if err != nil {
				return err
			}
			if cfg.DatabaseURL.Empty() || cfg.EncryptionKey.Empty() {
				return errors.New("DATABASE_URL and ENCRYPTION_KEY must be those that the programs have; what `astrogrowth up` brings up seals anew by itself")
			}
			ring, err := seal.NewRaw(cfg.SealingKeys()...)
			if err != nil {
				return err
			}
			db, err := store.Open(cmd.Context(), cfg.DatabaseURL.Reveal(), store.Options{})
			if err != nil {
				return err
			}
			defer func() { _ = db.Close() }()
			if err := db.CheckSchema(cmd.Context()); err != nil {
				return err
			}
			done, err := (&tasks.Accounts{Store: db, Keys: ring}).Reseal(cmd.Context())
			if err != nil {
				return err
			}
			say(cmd.OutOrStdout(), "%d accounts sealed anew", done.Resealed)
			if done.Unreadable > 0 {
				say(cmd.OutOrStdout(), "%d accounts open with no key that is set: add the key that sealed them to ENCRYPTION_KEYS_OLD, or connect them again", done.Unreadable)
				return &codedError{code: exitPartial}
			}
			say(cmd.OutOrStdout(), "nothing needs ENCRYPTION_KEYS_OLD any more")
			return nil
		},
	}
}
