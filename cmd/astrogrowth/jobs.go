package main

import (
	"cmp"
	"context"
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

	growth "github.com/zakibelm/astrogrowth"
)

func jobsCommand(s surroundings) *cobra.Command {
	var f apiFlags
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "List, show, follow, cancel and retry jobs",
		Args:  knownCommand,
		RunE:  showHelp,

		SuggestionsMinimumDistance: 2,
	}
	f.add(cmd)
	cmd.AddCommand(jobsListCommand(s, &f), jobsShowCommand(s, &f), jobsTailCommand(s, &f), jobsCancelCommand(s, &f), jobsRetryCommand(s, &f))
	return cmd
}

// jobPage is a page of the list of jobs.
type jobPage struct {
	Data []growth.Job `json:"data"`
	Next *string      `json:"next_cursor"`
}

func jobsListCommand(s surroundings, f *apiFlags) *cobra.Command {
	filters := map[string]*string{}
	limit := 0
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List jobs, newest first",
		Example: "  astrogrowth jobs list --state failed\n  astrogrowth jobs list --type lead-qualification --limit 200 --json",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			for name, value := range filters {
				if *value != "" {
					q.Set(name, *value)
				}
			}
			return listJobs(cmd, s, f, q)
		},
	}
	filter := func(name, flag, usage string) { filters[name] = cmd.Flags().String(flag, "", usage) }
	filter("type", "type", "only this type: "+strings.Join(jobTypes(), ", "))
	filter("state", "state", "only this state: scheduled, queued, running, retrying, waiting, succeeded, failed, canceled")
	filter("campaign_id", "campaign", "only this campaign, by its id")
	filter("q", "query", "only jobs with this in their input, or whose id begins with it")
	filter("cursor", "cursor", "go on behind the page that ended with this cursor")
	cmd.Flags().IntVar(&limit, "limit", 50, "how many, at most 200")
	return cmd
}

// jobTypes are the kinds of jobs that a list may be narrowed to.
func jobTypes() []string {
	var out []string
	for _, t := range []growth.JobType{
		growth.JobLeadQualification, growth.JobContentGeneration, growth.JobLinkedInPublish, growth.JobCallback, growth.JobMaintenance, growth.JobLeadAgreement,
	} {
		out = append(out, string(t))
	}
	return out
}

func listJobs(cmd *cobra.Command, s surroundings, f *apiFlags, q url.Values) error {
	return show(cmd, s, f, "/v1/jobs?"+q.Encode(), writeJobs)
}

func writeJobs(out io.Writer, page jobPage) error {
	if len(page.Data) == 0 {
		say(out, "No jobs.")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	say(w, "ID\tTYPE\tSTATE\tATTEMPTS\tCREATED\tNOTE")
	for _, j := range page.Data {
		say(w, "%s\t%s\t%s\t%d of %d\t%s\t%s", j.ID, j.Type, j.State, j.Attempts, j.MaxAttempts, when(j.CreatedAt), shorten(note(j), 80))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the jobs: %w", err)
	}
	if page.Next != nil {
		say(out, "There are more: add --cursor %s", *page.Next)
	}
	return nil
}

// note says in a few words how a job stands.
func note(j growth.Job) string {
	switch {
	case j.Waiting != nil && j.Waiting.Until != nil:
		return fmt.Sprintf("waits for %s until %s", j.Waiting.Reason, when(*j.Waiting.Until))
	case j.Waiting != nil:
		return fmt.Sprintf("waits for a person: %s", j.Waiting.Reason)
	case j.Error != nil:
		return fmt.Sprintf("%s: %s", j.Error.Code, j.Error.Message)
	case j.State != growth.JobSucceeded:
		return ""
	}
	var result struct {
		Score         *int              `json:"score"`
		Priority      string            `json:"priority"`
		Disqualifiers []string          `json:"disqualifiers"`
		Variants      []json.RawMessage `json:"variants"`
		URL           string            `json:"url"`
	}
	_ = json.Unmarshal(j.Result, &result) // a result of another form has no note
	switch {
	case len(result.Disqualifiers) > 0:
		return "disqualified: " + result.Disqualifiers[0]
	case result.Score != nil:
		return strings.TrimSuffix(fmt.Sprintf("score %d, %s", *result.Score, result.Priority), ", ")
	case len(result.Variants) > 0:
		return plural(len(result.Variants), "variant")
	}
	return result.URL
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

func shorten(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

func jobsShowCommand(s surroundings, f *apiFlags) *cobra.Command {
	wait := false
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a job: its result, its cost, and what every candidate of the chain did and why",
		Args:  takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withJob(s, f, args[0], func(api *client, path string) error {
				raw, err := readJob(cmd.Context(), api, path, wait)
				if err != nil {
					return err
				}
				return printJob(cmd.OutOrStdout(), raw, f.json)
			})
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the job ends")
	return cmd
}

// withJob checks the id before anything is asked for.
func withJob(s surroundings, f *apiFlags, id string, do func(api *client, path string) error) error {
	if !growth.ValidID(id) {
		return wrongUsage("%q is no id of a job; ids are UUIDs, as 'astrogrowth jobs list' prints them", id)
	}
	api, err := f.client(s)
	if err != nil {
		return err
	}
	return do(api, "/v1/jobs/"+strings.ToLower(id))
}

// readJob reads a job, or its end.
func readJob(ctx context.Context, api *client, path string, wait bool) (json.RawMessage, error) {
	if wait {
		path += "?wait=30s"
	}
	for {
		var raw json.RawMessage
		if err := api.get(ctx, path, &raw); err != nil {
			return nil, err
		}
		j, err := decodeJob(raw)
		if err != nil || !wait || j.State.Final() {
			return raw, err
		}
	}
}

func decodeJob(raw json.RawMessage) (growth.Job, error) {
	var j growth.Job
	if err := json.Unmarshal(raw, &j); err != nil {
		return j, fmt.Errorf("read the job: %w", err)
	}
	return j, nil
}

// printJob writes a job, for people or as the API gave it.
func printJob(out io.Writer, raw json.RawMessage, asJSON bool) error {
	if asJSON {
		return writeJSON(out, raw)
	}
	j, err := decodeJob(raw)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	say(w, "id\t%s", j.ID)
	say(w, "type\t%s", j.Type)
	say(w, "state\t%s", j.State)
	say(w, "attempts\t%d of %d", j.Attempts, j.MaxAttempts)
	say(w, "created\t%s", when(j.CreatedAt))
	say(w, "updated\t%s", when(j.UpdatedAt))
	if j.CampaignID != nil {
		say(w, "campaign\t%s", *j.CampaignID)
	}
	if n := note(j); n != "" {
		say(w, "note\t%s", n)
	}
	say(w, "cost\t%s", amount(j.Cost))
	if j.Simulated {
		say(w, "simulated\tyes: the built-in simulator had a hand in it")
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the job: %w", err)
	}
	if err := printCalls(out, j.Calls); err != nil {
		return err
	}
	if len(j.Result) == 0 || string(j.Result) == "null" {
		return nil
	}
	say(out, "\nresult")
	return writeJSON(out, j.Result)
}

// printCalls writes what became of every candidate, in order.
func printCalls(out io.Writer, calls []growth.Call) error {
	if len(calls) == 0 {
		return nil
	}
	say(out, "\ncalls")
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	say(w, "STEP\tPROVIDER\tMODEL\tDECISION\tWHY\tTOOK\tCOST")
	for _, c := range calls {
		why := cmp.Or(strings.Trim(c.Code+": "+c.Detail, ": "), "-")
		cost, took := "-", "-"
		if c.Decision != growth.DecisionSkipped {
			cost, took = amount(c.Cost), (time.Duration(c.LatencyMS) * time.Millisecond).String()
		}
		say(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s", cmp.Or(c.Step, "-"), c.Provider, cmp.Or(c.Model, "-"), c.Decision, shorten(why, 100), took, cost)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the calls: %w", err)
	}
	return nil
}

func jobsCancelCommand(s surroundings, f *apiFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "cancel ID",
		Short: "Cancel a job that has not ended",
		Args:  takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withJob(s, f, args[0], func(api *client, path string) error {
				var raw json.RawMessage
				if err := api.call(cmd.Context(), http.MethodPost, path+"/cancel", nil, &raw); err != nil {
					return err
				}
				return printJob(cmd.OutOrStdout(), raw, f.json)
			})
		},
	}
}

func jobsRetryCommand(s surroundings, f *apiFlags) *cobra.Command {
	wait := false
	cmd := &cobra.Command{
		Use:   "retry ID",
		Short: "Try a failed or canceled job again",
		Args:  takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withJob(s, f, args[0], func(api *client, path string) error {
				return retryJob(cmd, api, path, wait, f.json)
			})
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the job ends; the exit code is 1 when it does not succeed")
	return cmd
}

func retryJob(cmd *cobra.Command, api *client, path string, wait, asJSON bool) error {
	var raw json.RawMessage
	err := api.call(cmd.Context(), http.MethodPost, path+"/retry", nil, &raw)
	if err == nil && wait {
		raw, err = readJob(cmd.Context(), api, path, true)
	}
	if err != nil {
		return err
	}
	if err = printJob(cmd.OutOrStdout(), raw, asJSON); err != nil {
		return err
	}
	j, err := decodeJob(raw)
	if err == nil && wait && j.State != growth.JobSucceeded {
		return &codedError{code: exitPartial}
	}
	return err
}
