package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	growth "github.com/zakibelm/astrogrowth"
)

func contentsCommand(s surroundings) *cobra.Command {
	var f apiFlags
	cmd := &cobra.Command{
		Use:   "contents",
		Short: "List texts, show one, approve or reject it",
		Args:  knownCommand,
		RunE:  showHelp,

		SuggestionsMinimumDistance: 2,
	}
	f.add(cmd)
	cmd.AddCommand(contentsListCommand(s, &f), contentsShowCommand(s, &f), contentsApproveCommand(s, &f), contentsRejectCommand(s, &f))
	return cmd
}

// shownContent is a text with the post that it would make.
type shownContent struct {
	growth.Approval
	Preview struct {
		Text string `json:"text"`
	} `json:"preview"`
}

type contentPage struct {
	Data []shownContent `json:"data"`
	Next *string        `json:"next_cursor"`
}

func contentsListCommand(s surroundings, f *apiFlags) *cobra.Command {
	filters := map[string]*string{}
	limit := 0
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List texts, newest first",
		Args:  takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd, s, f, "/v1/contents?"+query(limit, filters), writeContents)
		},
	}
	filter := func(name, flag, usage string) { filters[name] = cmd.Flags().String(flag, "", usage) }
	filter("status", "status", "only this status: draft, in_review, approved, rejected, scheduled, publishing, published, unknown, failed")
	filter("campaign_id", "campaign", "only this campaign, by its id")
	filter("job_id", "job", "only what this job wrote")
	filter("cursor", "cursor", "go on behind the page that ended with this cursor")
	cmd.Flags().IntVar(&limit, "limit", 50, "how many, at most 200")
	return cmd
}

func writeContents(out io.Writer, page contentPage) error {
	if len(page.Data) == 0 {
		say(out, "No texts.")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	say(w, "ID\tSTATUS\tSCORE\tCREATED\tTITLE")
	for _, c := range page.Data {
		say(w, "%s\t%s\t%d\t%s\t%s", c.ID, c.Status, c.Score, when(c.CreatedAt), shorten(c.Title, 60))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the texts: %w", err)
	}
	if page.Next != nil {
		say(out, "There are more: add --cursor %s", *page.Next)
	}
	return nil
}

func contentsShowCommand(s surroundings, f *apiFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show the post that a text would make, its checks, and the hash to approve it by",
		Args:  takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return aboutContent(cmd, s, f, args[0], http.MethodGet, "", nil)
		},
	}
}

func contentsApproveCommand(s surroundings, f *apiFlags) *cobra.Command {
	hash, late := "", ""
	cmd := &cobra.Command{
		Use:   "approve ID",
		Short: "Approve a text as it was read",
		Long: "The hash stands for the text that was read: 'astrogrowth contents show' prints it. A text that was edited since is\n" +
			"not approved. Posts of it whose time has passed wait, or follow --late.",
		Args: takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if hash == "" {
				return wrongUsage("--hash is missing: of the text that you have read, as 'astrogrowth contents show' prints it")
			}
			in := map[string]string{"hash": hash}
			switch growth.LatePolicy(late) {
			case "":
			case growth.LateAsk, growth.LatePublish, growth.LateNextSlot:
				in["late"] = late
			default:
				return wrongUsage("--late is %q; use ask, publish or next_slot", late)
			}
			return aboutContent(cmd, s, f, args[0], http.MethodPost, "/approve", in)
		},
	}
	cmd.Flags().StringVar(&hash, "hash", "", "hash of the text that was read")
	cmd.Flags().StringVar(&late, "late", "", "what becomes of posts of it whose time has passed: ask, publish or next_slot (default: what the account's posting plan says)")
	return cmd
}

func contentsRejectCommand(s surroundings, f *apiFlags) *cobra.Command {
	reason := ""
	cmd := &cobra.Command{
		Use:   "reject ID",
		Short: "Turn a text down; the reason is told to whoever writes the brand's next ones",
		Args:  takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return wrongUsage("--reason is missing: what is wrong with the text")
			}
			return aboutContent(cmd, s, f, args[0], http.MethodPost, "/reject", map[string]string{"reason": reason})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what is wrong with the text")
	return cmd
}

// aboutContent makes one call about a text and prints the text as it is then.
func aboutContent(cmd *cobra.Command, s surroundings, f *apiFlags, id, method, verb string, in any) error {
	if !growth.ValidID(id) {
		return wrongUsage("%q is no id of a text; ids are UUIDs, as 'astrogrowth contents list' prints them", id)
	}
	return withAnswer(cmd, s, f, func(api *client, out *json.RawMessage) error {
		path := "/v1/contents/" + strings.ToLower(id) + verb
		if method == http.MethodGet {
			return api.get(cmd.Context(), path, out)
		}
		return api.post(cmd.Context(), path, in, out)
	}, printContent)
}

func printContent(out io.Writer, raw json.RawMessage, asJSON bool) error {
	if asJSON {
		return writeJSON(out, raw)
	}
	var c shownContent
	if err := json.Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("read the text: %w", err)
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	say(w, "id\t%s", c.ID)
	say(w, "status\t%s", c.Status)
	say(w, "hash\t%s", c.Hash)
	say(w, "score\t%d", c.Score)
	if c.RejectReason != "" {
		say(w, "rejected\t%s", c.RejectReason)
	}
	for _, check := range c.Checks {
		if !check.OK {
			say(w, "check\t%s: %s", check.Rule, check.Detail)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the text: %w", err)
	}
	for _, h := range c.Held {
		say(out, "\nIts post of %s by %s waits (job %s): %s.", when(h.PlannedFor), h.Account, h.JobID, h.Reason)
	}
	say(out, "\n%s", c.Preview.Text)
	return nil
}
