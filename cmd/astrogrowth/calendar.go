package main

import (
	"fmt"
	"io"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func calendarCommand(s surroundings) *cobra.Command {
	var f apiFlags
	account, days := "", 0
	cmd := &cobra.Command{
		Use:   "calendar",
		Short: "Show what goes out when",
		Args:  takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if days < 1 || days > 100 {
				return wrongUsage("--days %d: use 1 to 100", days)
			}
			from := time.Now().UTC().Truncate(time.Second)
			q := url.Values{"from": {from.Format(time.RFC3339)}, "to": {from.AddDate(0, 0, days).Format(time.RFC3339)}}
			if account != "" {
				q.Set("account_id", account)
			}
			return show(cmd, s, &f, "/v1/calendar?"+q.Encode(), writeCalendar)
		},
	}
	f.add(cmd)
	cmd.Flags().IntVar(&days, "days", 14, "how many days from now, at most 100")
	cmd.Flags().StringVar(&account, "account", "", "only this LinkedIn account, by its id")
	return cmd
}

// calendarWeek is the calendar with the slots that are still free.
type calendarWeek struct {
	Data []plannedPost            `json:"data"`
	Free []struct{ At time.Time } `json:"free_slots"`
}

func writeCalendar(out io.Writer, c calendarWeek) error {
	if len(c.Data) == 0 {
		say(out, "Nothing is planned; %s free.", plural(len(c.Free), "slot"))
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	say(w, "AT (UTC)\tACCOUNT\tSTATE\tJOB\tTEXT")
	for _, p := range c.Data {
		state := string(p.State)
		if p.Waiting != nil {
			state += ": " + string(p.Waiting.Reason)
		}
		say(w, "%s\t%s\t%s\t%s\t%s", when(p.At), p.Account, state, p.JobID, shorten(p.Text, 60))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the calendar: %w", err)
	}
	say(out, "%s free.", plural(len(c.Free), "slot"))
	return nil
}
