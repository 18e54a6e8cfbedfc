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
			if days > 0 {
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

func keysRotateCommand(s surroundings, f *apiFlags) *cobra.Command {
	revoke := false
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "Make a key with the name and the scopes of another, which holds until it is revoked",
		Args:  takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := f.client(s)
			if err != nil {
				return err
			}
			old, err := findKey(cmd, api, args[0])
			if err != nil {
				return err
			}
			var raw json.RawMessage
			in := map[string]any{"name": old.Name, "scopes": old.Scopes, "expires_at": old.ExpiresAt}
			if old.ExpiresAt == nil {
				delete(in, "expires_at")
			}
			if err := api.post(cmd.Context(), "/v1/keys", in, &raw); err != nil {
				return err
			}
			if err := printKey(cmd.OutOrStdout(), raw, f.json); err != nil || !revoke {
				return rotated(cmd, f, old, err)
			}
			return api.call(cmd.Context(), http.MethodDelete, "/v1/keys/"+old.ID, nil, nil)
		},
	}
	cmd.Flags().BoolVar(&revoke, "revoke", false, "revoke the other one at once")
	return cmd
}

func rotated(cmd *cobra.Command, f *apiFlags, old shownKey, err error) error {
	if err == nil && !f.json {
		say(cmd.OutOrStdout(), "The one before still holds. When nothing uses it any more: astrogrowth keys revoke %s", old.ID)
	}
	return err
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
