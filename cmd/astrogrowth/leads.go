package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

func leadsCommand(s surroundings) *cobra.Command {
	var f apiFlags
	cmd := &cobra.Command{
		Use:   "leads",
		Short: "List leads, and show one with its score",
		Args:  knownCommand,
		RunE:  showHelp,

		SuggestionsMinimumDistance: 2,
	}
	f.add(cmd)
	cmd.AddCommand(leadsListCommand(s, &f), leadsShowCommand(s, &f))
	return cmd
}

type leadPage struct {
	Data []store.SavedLead `json:"data"`
	Next *string           `json:"next_cursor"`
}

func leadsListCommand(s surroundings, f *apiFlags) *cobra.Command {
	filters := map[string]*string{}
	limit := 0
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List leads, newest first",
		Args:  takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd, s, f, "/v1/leads?"+query(limit, filters), writeLeads)
		},
	}
	filter := func(name, flag, usage string) { filters[name] = cmd.Flags().String(flag, "", usage) }
	filter("priority", "priority", "only this priority: high, medium, low, unscored")
	filter("grade", "grade", "only this grade: A1 to C3, or A to C")
	filter("min_score", "min-score", "only leads with at least this score")
	filter("campaign_id", "campaign", "only this campaign, by its id")
	filter("q", "query", "only leads with these words in them")
	filter("cursor", "cursor", "go on behind the page that ended with this cursor")
	cmd.Flags().IntVar(&limit, "limit", 50, "how many, at most 200")
	return cmd
}

// query puts a limit and the filters that are set into the form of an address.
func query(limit int, filters map[string]*string) string {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	for name, value := range filters {
		if *value != "" {
			q.Set(name, *value)
		}
	}
	return q.Encode()
}

func writeLeads(out io.Writer, page leadPage) error {
	if len(page.Data) == 0 {
		say(out, "No leads.")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	say(w, "ID\tBUSINESS\tCITY\tSCORE\tGRADE\tPRIORITY")
	for _, l := range page.Data {
		say(w, "%s\t%s\t%s\t%s\t%s\t%s", l.Lead.ID, shorten(l.Lead.BusinessName, 40), cmp.Or(l.Lead.City, "-"), scoreOf(l), cmp.Or(l.Grade, "-"), cmp.Or(l.Priority, "-"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the leads: %w", err)
	}
	if page.Next != nil {
		say(out, "There are more: add --cursor %s", *page.Next)
	}
	return nil
}

func scoreOf(l store.SavedLead) string {
	switch {
	case l.Score == nil:
		return "-"
	case l.Overridden:
		return strconv.Itoa(*l.Score) + " (by a person)"
	}
	return strconv.Itoa(*l.Score)
}

func leadsShowCommand(s surroundings, f *apiFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show a lead as it is kept",
		Args:  takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !growth.ValidID(args[0]) {
				return wrongUsage("%q is no id of a lead; ids are UUIDs, as 'astrogrowth leads list' prints them", args[0])
			}
			return show(cmd, s, f, "/v1/leads/"+strings.ToLower(args[0]), writeLead)
		},
	}
}

func writeLead(out io.Writer, l store.SavedLead) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	say(w, "id\t%s", l.Lead.ID)
	say(w, "score\t%s", strings.TrimSpace(scoreOf(l)+" "+l.Grade+" "+l.Priority))
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the lead: %w", err)
	}
	return writeJSON(out, l.Lead)
}
