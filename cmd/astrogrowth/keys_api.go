package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// shownKey is an API key; Secret only in the answer that made it.
type shownKey struct {
	store.Key
	Secret string `json:"key,omitempty"`
}

type keyList struct {
	Data []shownKey `json:"data"`
}

// apiKeysCommands look after the keys of the API.
func apiKeysCommands(s surroundings) []*cobra.Command {
	var f apiFlags
	cmds := []*cobra.Command{keysListCommand(s, &f), keysCreateCommand(s, &f), keysRotateCommand(s, &f), keysRevokeCommand(s, &f)}
	for _, c := range cmds {
		f.add(c)
	}
	return cmds
}

func keysListCommand(s surroundings, f *apiFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the API keys of the workspace; the keys themselves are kept nowhere",
		Args:  takes(),
		RunE:  func(cmd *cobra.Command, _ []string) error { return show(cmd, s, f, "/v1/keys", writeKeys) },
	}
}

func writeKeys(out io.Writer, l keyList) error {
	if len(l.Data) == 0 {
		say(out, "No keys.")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	say(w, "ID\tNAME\tBEGINS\tSCOPES\tEXPIRES\tLAST USED")
	for _, k := range l.Data {
		say(w, "%s\t%s\t%s\t%s\t%s\t%s", k.ID, k.Name, k.Prefix, strings.Join(k.Scopes, ","), whenever(k.ExpiresAt), whenever(k.LastUsed))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the keys: %w", err)
	}
	return nil
}

func keysCreateCommand(s surroundings, f *apiFlags) *cobra.Command {
	var scopes []string
	days := 0
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make an API key; it is shown once",
		Args:  takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := map[string]any{"name": args[0], "scopes": scopes}
			if cmd.Flags().Changed("days") {
				if days < 1 {
					return wrongUsage("--days %d: use 1 or more, or leave it out for a key that holds until it is revoked", days)
				}
				in["expires_at"] = time.Now().UTC().AddDate(0, 0, days)
			}
			return withAnswer(cmd, s, f, func(api *client, out *json.RawMessage) error {
				return api.post(cmd.Context(), "/v1/keys", in, out)
			}, printKey)
		},
	}
	cmd.Flags().StringSliceVar(&scopes, "scopes", []string{"enqueue", "read"}, "what it may do: enqueue, read, approve, admin")
	cmd.Flags().IntVar(&days, "days", 0, "how long it holds (default: until it is revoked)")
	return cmd
}

// printKey shows a new key alone on the first line, so that a program can take it.
func printKey(out io.Writer, raw json.RawMessage, asJSON bool) error {
	if asJSON {
		return writeJSON(out, raw)
	}
	var k shownKey
	if err := json.Unmarshal(raw, &k); err != nil {
		return fmt.Errorf("read the key: %w", err)
	}
	say(out, "%s", k.Secret)
	say(out, "\nThis is %q (%s), id %s. It is shown this once: keep it now.", k.Name, strings.Join(k.Scopes, ", "), k.ID)
	return nil
}

// maxGrace is how long a key that was rotated may go on; the API says so too.
const maxGrace = 30 * 24 * time.Hour

func keysRotateCommand(s surroundings, f *apiFlags) *cobra.Command {
	grace, revoke := 24*time.Hour, false
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "Make a key that takes the place of another, which ends when the grace is over",
		Args:  takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if revoke {
				grace = 0
			}
			if grace < 0 || grace > maxGrace {
				return wrongUsage("--grace %s: use 0s to %s", grace, maxGrace)
			}
			api, err := f.client(s)
			if err != nil {
				return err
			}
			old, err := findKey(cmd, api, args[0])
			if err != nil {
				return err
			}
			var raw json.RawMessage
			if err := api.post(cmd.Context(), "/v1/keys/"+old.ID+"/rotate", map[string]any{"grace_s": int(grace.Seconds())}, &raw); err != nil {
				return err
			}
			if err := printKey(cmd.OutOrStdout(), raw, f.json); err != nil || f.json {
				return err
			}
			say(cmd.OutOrStdout(), "%s", fateOf(old, grace))
			return nil
		},
	}
	cmd.Flags().DurationVar(&grace, "grace", grace, "how long the one before still works, such as 1h; 0s ends it at once")
	cmd.Flags().BoolVar(&revoke, "revoke", false, "end the one before at once, as --grace 0s does")
	cmd.MarkFlagsMutuallyExclusive("grace", "revoke")
	return cmd
}

func fateOf(old shownKey, grace time.Duration) string {
	if grace == 0 {
		return "The one before has ended."
	}
	return fmt.Sprintf("The one before works for %s more, at most. To end it sooner: astrogrowth keys revoke %s", grace, old.ID)
}

func findKey(cmd *cobra.Command, api *client, id string) (shownKey, error) {
	var l keyList
	if err := api.get(cmd.Context(), "/v1/keys", &l); err != nil {
		return shownKey{}, err
	}
	i := slices.IndexFunc(l.Data, func(k shownKey) bool { return strings.EqualFold(k.ID, id) })
	if i < 0 {
		return shownKey{}, growth.Errorf(growth.NotFound, "", "there is no key %q; 'astrogrowth keys list' lists them by their ids", id)
	}
	return l.Data[i], nil
}

func keysRevokeCommand(s surroundings, f *apiFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "End an API key; whoever uses it is refused from then on",
		Args:  takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := f.client(s)
			if err != nil {
				return err
			}
			k, err := findKey(cmd, api, args[0])
			if err != nil {
				return err
			}
			if err := api.call(cmd.Context(), http.MethodDelete, "/v1/keys/"+k.ID, nil, nil); err != nil {
				return err
			}
			if !f.json {
				say(cmd.OutOrStdout(), "Revoked: %q.", k.Name)
			}
			return nil
		},
	}
}
