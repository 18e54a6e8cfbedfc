package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/tasks"
)

func schedulesCommand(s surroundings) *cobra.Command {
	var f apiFlags
	cmd := &cobra.Command{
		Use:   "schedules",
		Short: "List, add, show, run, enable, disable and delete schedules",
		Long: "A schedule makes the same job again and again, at the times of a cron expression in a zone.\n" +
			"Every command takes a schedule by its name or its id.",
		Args: knownCommand,
		RunE: showHelp,

		SuggestionsMinimumDistance: 2,
	}
	f.add(cmd)
	cmd.AddCommand(
		schedulesListCommand(s, &f), schedulesAddCommand(s, &f), schedulesShowCommand(s, &f), schedulesRunCommand(s, &f),
		schedulesSwitchCommand(s, &f, "enable", "Let a schedule come due again, from now on"),
		schedulesSwitchCommand(s, &f, "disable", "Let a schedule rest"), schedulesDeleteCommand(s, &f),
	)
	return cmd
}

// schedulePage is a page of the list of schedules.
type schedulePage struct {
	Data []growth.Schedule `json:"data"`
	Next *string           `json:"next_cursor"`
}

// scheduleDetail is a schedule with its future and its past.
type scheduleDetail struct {
	growth.Schedule
	NextRuns []struct {
		At     time.Time `json:"at"`
		Local  time.Time `json:"local"`
		Change string    `json:"clock_change"`
	} `json:"next_runs"`
	Ticks []growth.Tick `json:"ticks"`
}

func schedulesListCommand(s surroundings, f *apiFlags) *cobra.Command {
	limit, cursor := 0, ""
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List schedules, newest first",
		Args:  takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			if cursor != "" {
				q.Set("cursor", cursor)
			}
			return listSchedules(cmd, s, f, q)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "how many, at most 200")
	cmd.Flags().StringVar(&cursor, "cursor", "", "go on behind the page that ended with this cursor")
	return cmd
}

func listSchedules(cmd *cobra.Command, s surroundings, f *apiFlags, q url.Values) error {
	return show(cmd, s, f, "/v1/schedules?"+q.Encode(), writeSchedules)
}

func writeSchedules(out io.Writer, page schedulePage) error {
	if len(page.Data) == 0 {
		say(out, "No schedules.")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	say(w, "NAME\tCRON\tZONE\tTYPE\tNEXT (UTC)\tLAST DUE (UTC)\tNOTE")
	for _, s := range page.Data {
		say(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s", s.Name, s.Cron, s.Zone, s.Type, whenever(s.NextTick), whenever(s.LastTick), shorten(scheduleNote(s), 80))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the schedules: %w", err)
	}
	if page.Next != nil {
		say(out, "There are more: add --cursor %s", *page.Next)
	}
	return nil
}

func whenever(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return when(*t)
}

// scheduleNote says in a few words why a schedule does not come due.
func scheduleNote(s growth.Schedule) string {
	switch {
	case s.Problem != "":
		return "stopped: " + s.Problem
	case !s.Enabled:
		return "disabled"
	case s.NextTick == nil:
		return "ended"
	}
	return ""
}

func schedulesAddCommand(s surroundings, f *apiFlags) *cobra.Command {
	var cron, zone, job, catchUp, overlap string
	var disabled bool
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Make a schedule",
		Example: "  astrogrowth schedules add 'monday posts' --cron '0 9 * * 1' --zone America/Toronto \\\n" +
			"    --job '{\"type\":\"content-generation\",\"topic\":\"Remplir sa terrasse\",\"variants\":2}'\n" +
			"  astrogrowth schedules add nightly --cron @daily --zone UTC --job @job.json",
		Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for flag, value := range map[string]string{"cron": cron, "zone": zone} {
				if value == "" {
					return wrongUsage("--%s is missing: %s", flag, cmd.Flag(flag).Usage)
				}
			}
			body, err := jobBody(cmd.InOrStdin(), job)
			if err != nil {
				return err
			}
			in := map[string]any{"name": args[0], "cron": cron, "zone": zone, "job": body, "enabled": !disabled}
			if catchUp != "" {
				in["catch_up"] = map[string]string{"policy": catchUp}
			}
			if overlap != "" {
				in["overlap"] = overlap
			}
			return withAnswer(cmd, s, f, func(api *client, out *json.RawMessage) error {
				return api.post(cmd.Context(), "/v1/schedules", in, out)
			}, printSchedule)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&cron, "cron", "", "minute hour day month weekday, or @hourly, @daily, @weekly, @monthly, @yearly")
	flags.StringVar(&zone, "zone", "", "IANA zone of the times, such as America/Toronto")
	flags.StringVar(&job, "job", "", "the job as JSON, with its type; @FILE reads a file, - the standard input")
	flags.StringVar(&catchUp, "catch-up", "", "times that nobody was there for: none, last or all (default last)")
	flags.StringVar(&overlap, "overlap", "", "while the job before has not ended: skip or allow (default skip)")
	flags.BoolVar(&disabled, "disabled", false, "make it, but let it rest")
	return cmd
}

// jobBody reads the job of a schedule from the command line, a file or the standard input.
func jobBody(in io.Reader, arg string) (json.RawMessage, error) {
	b, err := []byte(arg), error(nil)
	switch file, named := strings.CutPrefix(arg, "@"); {
	case arg == "":
		return nil, wrongUsage("--job is missing: the job as JSON, or @FILE")
	case arg == "-":
		b, err = io.ReadAll(io.LimitReader(in, maxAnswer))
	case named:
		b, err = os.ReadFile(file) //nolint:gosec // G304: the operator names the file
	}
	if err != nil {
		return nil, wrongUsage("--job: %v", err)
	}
	if !json.Valid(b) {
		return nil, wrongUsage("--job is no JSON; write it as '{\"type\":\"content-generation\",\"topic\":\"…\"}'")
	}
	return b, nil
}

func schedulesShowCommand(s surroundings, f *apiFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME|ID",
		Short: "Show a schedule: its next times, and what was made of the last ones",
		Args:  takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withSchedule(cmd, s, f, args[0], http.MethodGet, "", printSchedule)
		},
	}
}

func schedulesRunCommand(s surroundings, f *apiFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "run NAME|ID",
		Short: "Make the schedule's job now",
		Args:  takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withSchedule(cmd, s, f, args[0], http.MethodPost, "/run", printJob)
		},
	}
}

func schedulesSwitchCommand(s surroundings, f *apiFlags, verb, short string) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " NAME|ID",
		Short: short,
		Args:  takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withSchedule(cmd, s, f, args[0], http.MethodPost, "/"+verb, printSchedule)
		},
	}
}

func schedulesDeleteCommand(s surroundings, f *apiFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "delete NAME|ID",
		Short: "Delete a schedule; the jobs that it made stay",
		Args:  takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := f.client(s)
			if err != nil {
				return err
			}
			path, err := schedulePath(cmd, api, args[0])
			if err != nil {
				return err
			}
			if err := api.call(cmd.Context(), http.MethodDelete, path, nil, nil); err != nil {
				return err
			}
			if f.json {
				return nil
			}
			say(cmd.OutOrStdout(), "Deleted.")
			return nil
		},
	}
}

// withSchedule makes one call about a schedule and prints its answer.
func withSchedule(cmd *cobra.Command, s surroundings, f *apiFlags, ref, method, verb string, show func(io.Writer, json.RawMessage, bool) error) error {
	return withAnswer(cmd, s, f, func(api *client, out *json.RawMessage) error {
		path, err := schedulePath(cmd, api, ref)
		if err != nil {
			return err
		}
		return api.call(cmd.Context(), method, path+verb, nil, out)
	}, show)
}

func withAnswer(cmd *cobra.Command, s surroundings, f *apiFlags, ask func(*client, *json.RawMessage) error, show func(io.Writer, json.RawMessage, bool) error) error {
	api, err := f.client(s)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := ask(api, &raw); err != nil {
		return err
	}
	return show(cmd.OutOrStdout(), raw, f.json)
}

// schedulePath finds a schedule by its id or its name.
func schedulePath(cmd *cobra.Command, api *client, ref string) (string, error) {
	if growth.ValidID(ref) {
		return "/v1/schedules/" + strings.ToLower(ref), nil
	}
	var page schedulePage
	if err := api.get(cmd.Context(), "/v1/schedules?"+url.Values{"name": {ref}}.Encode(), &page); err != nil {
		return "", err
	}
	if len(page.Data) == 0 {
		return "", growth.Errorf(growth.NotFound, "", "there is no schedule %q; 'astrogrowth schedules list' lists them", ref)
	}
	return "/v1/schedules/" + string(page.Data[0].ID), nil
}

// printSchedule writes a schedule, for people or as the API gave it.
func printSchedule(out io.Writer, raw json.RawMessage, asJSON bool) error {
	if asJSON {
		return writeJSON(out, raw)
	}
	var s scheduleDetail
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("read the schedule: %w", err)
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	say(w, "id\t%s", s.ID)
	say(w, "name\t%s", s.Name)
	say(w, "when\t%s in %s", s.Cron, s.Zone)
	say(w, "makes\t%s %s", s.Type, s.Input)
	if with := jobOptions(s.Options); with != "" {
		say(w, "with\t%s", with)
	}
	say(w, "late\t%s", catchingUp(s.CatchUp))
	say(w, "overlap\t%s", s.Overlap)
	say(w, "state\t%s", cmp.Or(scheduleNote(s.Schedule), "enabled"))
	for i, r := range s.NextRuns {
		say(w, "%s\t%s UTC, %s there%s", label("next", i), when(r.At), r.Local.Format("2006-01-02 15:04 -07:00"), changed(r.Change))
	}
	for i, k := range s.Ticks {
		say(w, "%s\t%s UTC %s", label("last", i), when(k.At), tickNote(k))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the schedule: %w", err)
	}
	return nil
}

// jobOptions says what of a job's options is not as it is without a word about it.
func jobOptions(o growth.JobOptions) string {
	var out []string
	add := func(name string, value any) { out = append(out, fmt.Sprintf("%s %v", name, value)) }
	if o.CampaignID != "" {
		add("campaign", o.CampaignID)
	}
	if o.Priority != "" && o.Priority != growth.PriorityNormal {
		add("priority", o.Priority)
	}
	if o.TimeoutS != 0 && o.TimeoutS != tasks.DefaultTimeout {
		add("timeout", span(o.TimeoutS))
	}
	if o.MaxAttempts != 0 && o.MaxAttempts != tasks.DefaultMaxAttempts {
		add("max attempts", o.MaxAttempts)
	}
	if o.CallbackURL != "" {
		add("callback", o.CallbackURL)
	}
	if len(o.Metadata) > 0 && string(o.Metadata) != "null" {
		add("metadata", string(o.Metadata))
	}
	return strings.Join(out, ", ")
}

// span words seconds in the largest unit that fits.
func span(seconds int) string {
	for _, u := range []struct {
		in   int
		name string
	}{{24 * 3600, "day"}, {3600, "hour"}, {60, "minute"}} {
		if seconds >= u.in && seconds%u.in == 0 {
			return plural(seconds/u.in, u.name)
		}
	}
	return plural(seconds, "second")
}

// label stands before the first line of a group alone.
func label(name string, i int) string {
	if i > 0 {
		return ""
	}
	return name
}

func catchingUp(c growth.CatchUp) string {
	switch c.Policy {
	case growth.CatchUpAll:
		return fmt.Sprintf("each time that was missed within %s, at most %d", span(c.WithinS), c.Limit)
	case growth.CatchUpLast:
		return fmt.Sprintf("the newest time that was missed, if no older than %s", span(c.WithinS))
	case growth.CatchUpNone:
	}
	return "times that were missed are let go"
}

func changed(change string) string {
	switch change {
	case "skipped":
		return " (the clock skips the time itself)"
	case "repeated":
		return " (the first of two)"
	}
	return ""
}

func tickNote(k growth.Tick) string {
	note := string(k.State)
	if k.Until != nil {
		note += ", with all before " + when(*k.Until)
	}
	if k.Manual {
		note += " by hand"
	}
	if k.Detail != "" {
		note += " (" + k.Detail + ")"
	}
	if k.JobID != nil {
		note += " " + string(*k.JobID)
	}
	return note
}
