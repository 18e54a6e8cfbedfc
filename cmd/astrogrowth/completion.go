package main

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	growth "github.com/zakibelm/astrogrowth"
)

// completions are the values that a shell offers for flags which take one of a closed list, by the command's path. What
// is not here is offered the names of files.
func completions() map[string]map[string][]string {
	tasks := make([]string, 0, len(growth.TaskTypes()))
	for _, t := range growth.TaskTypes() {
		tasks = append(tasks, string(t))
	}
	return map[string]map[string][]string{
		"jobs list":     {"type": jobTypes(), "state": {"scheduled", "queued", "running", "retrying", "waiting", "succeeded", "failed", "canceled"}},
		"jobs tail":     {"types": growth.EventTypes},
		"contents list": {"status": {"draft", "in_review", "approved", "rejected", "scheduled", "publishing", "published", "unknown", "failed"}},
		"leads list":    {"priority": {"high", "medium", "low", "unscored"}, "grade": {"A", "A1", "A2", "A3", "B", "B1", "B2", "B3", "C", "C1", "C2", "C3"}},
		"schedules add": {
			"catch-up": {"none", "last", "all"}, "overlap": {"skip", "allow"}, "cron": {"@hourly", "@daily", "@weekly", "@monthly", "@yearly"},
		},
		"keys create": {"scopes": {"enqueue", "read", "approve", "admin"}},
		"import": {
			"encoding":  {"utf-8", "utf-16le", "utf-16be", "windows-1252", "iso-8859-15", "macintosh"},
			"delimiter": {"comma", "semicolon", "tab", "bar"},
		},
		"cache invalidate": {"task": tasks},
	}
}

func withCompletions(root *cobra.Command, s surroundings) {
	for path, flags := range completions() {
		cmd, _, err := root.Find(strings.Fields(path))
		if err != nil {
			continue
		}
		for flag, values := range flags {
			completes(cmd, flag, values...)
		}
	}
	for _, verb := range []string{"show", "run", "enable", "disable", "delete"} {
		if cmd, _, err := root.Find([]string{"schedules", verb}); err == nil {
			cmd.ValidArgsFunction = scheduleNames(s)
		}
	}
}

// completes lets a shell complete the values of a flag.
func completes(cmd *cobra.Command, flag string, values ...string) {
	// It fails for a flag that does not exist or has values already: both are seen when the command is tried once.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// scheduleNames offers the schedules that the API knows, if it says so quickly.
func scheduleNames(s surroundings) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		var page schedulePage
		f := apiFlags{}
		f.url, _ = cmd.Flags().GetString("url")
		f.workspace, _ = cmd.Flags().GetString("workspace")
		api, err := f.client(s)
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), 2*time.Second)
		defer cancel()
		_ = api.get(ctx, "/v1/schedules?"+url.Values{"limit": {"200"}}.Encode(), &page) // without an answer there is nothing to offer
		var names []string
		for _, sc := range page.Data {
			if strings.HasPrefix(sc.Name, begun) {
				names = append(names, sc.Name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
