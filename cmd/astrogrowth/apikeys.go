package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// addAPIKeys adds the commands that look after API keys.
func addAPIKeys(cmd *cobra.Command, s surroundings) {
	var f apiFlags
	f.add(cmd)
	cmd.AddCommand(keysListCommand(s, &f), keysCreateCommand(s, &f), keysRotateCommand(s, &f), keysRevokeCommand(s, &f))
}

// apiKey is a key as the API shows it; Secret only when it was just made.
type apiKey struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Prefix    string     `json:"prefix"`
	Scopes    []string   `json:"scopes"`
	ExpiresAt *time.Time `json:"expires_at"`
	LastUsed  *time.Time `json:"last_used_at"`
	Secret    string     `json:"key"`
}

type keyPage struct {
	Data []apiKey `json:"data"`
	Next *string  `json:"next_cursor"`
}

func keysListCommand(s surroundings, f *apiFlags) *cobra.Command {
	limit, cursor := 0, ""
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys of the workspace, newest first",
		Args:  takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			if cursor != "" {
				q.Set("cursor", cursor)
			}
			return show(cmd, s, f, "/v1/keys?"+q.Encode(), writeKeys)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "how many, at most 200")
	cmd.Flags().StringVar(&cursor, "cursor", "", "go on behind the page that ended with this cursor")
	return cmd
}

func writeKeys(out io.Writer, page keyPage) error {
	if len(page.Data) == 0 {
		say(out, "No keys.")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	say(w, "ID\tNAME\tKEY\tSCOPES\tEXPIRES (UTC)\tLAST USE (UTC)")
	for _, k := range page.Data {
		say(w, "%s\t%s\t%s…\t%s\t%s\t%s", k.ID, shorten(k.Name, 40), k.Prefix, strings.Join(k.Scopes, ","), whenever(k.ExpiresAt), whenever(k.LastUsed))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the keys: %w", err)
	}
	if page.Next != nil {
		say(out, "There are more: add --cursor %s", *page.Next)
	}
	return nil
}

func keysCreateCommand(s surroundings, f *apiFlags) *cobra.Command {
	var scopes []string
	var expires time.Duration
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Make a key and print it, once",
		Example: "  astrogrowth keys create n8n --scopes enqueue,read\n  astrogrowth keys create audit --scopes read --expires 720h",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(scopes) == 0 {
				return wrongUsage("--scopes is missing: one or more of enqueue, read, approve and admin")
			}
			in := map[string]any{"name": args[0], "scopes": scopes}
			if expires != 0 {
				in["expires_at"] = time.Now().Add(expires).UTC().Format(time.RFC3339)
			}
			return withAnswer(cmd, s, f, func(api *client, out *json.RawMessage) error {
				return api.post(cmd.Context(), "/v1/keys", in, out)
			}, writeNewKey)
		},
	}
	cmd.Flags().StringSliceVar(&scopes, "scopes", nil, "what it may do: enqueue, read, approve, admin, with commas between")
	cmd.Flags().DurationVar(&expires, "expires", 0, "after how long it ends, as 720h (default never)")
	return cmd
}

func keysRotateCommand(s surroundings, f *apiFlags) *cobra.Command {
	grace := 24 * time.Hour
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "Make a key that takes the place of another, and print it, once",
		Args:  takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := map[string]int{"grace_s": int(grace / time.Second)}
			return withAnswer(cmd, s, f, func(api *client, out *json.RawMessage) error {
				return api.post(cmd.Context(), "/v1/keys/"+url.PathEscape(args[0])+"/rotate", in, out)
			}, func(out io.Writer, raw json.RawMessage, asJSON bool) error {
				if err := writeNewKey(out, raw, asJSON); err != nil || asJSON {
					return err
				}
				say(out, "The old key works for %s more.", grace)
				return nil
			})
		},
	}
	cmd.Flags().DurationVar(&grace, "grace", grace, "how long the old key still works, at most 720h")
	return cmd
}

func writeNewKey(out io.Writer, raw json.RawMessage, asJSON bool) error {
	if asJSON {
		return writeJSON(out, raw)
	}
	var k apiKey
	if err := json.Unmarshal(raw, &k); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	say(out, "%s", k.Secret)
	say(out, "This is the only time that it is shown. Its id is %s.", k.ID)
	return nil
}

func keysRevokeCommand(s surroundings, f *apiFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "End a key at once",
		Args:  takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := f.client(s)
			if err != nil {
				return err
			}
			if err := api.call(cmd.Context(), http.MethodDelete, "/v1/keys/"+url.PathEscape(args[0]), nil, nil); err != nil {
				return err
			}
			say(cmd.OutOrStdout(), "revoked")
			return nil
		},
	}
}
