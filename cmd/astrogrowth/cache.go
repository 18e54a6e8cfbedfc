package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/shopspring/decimal"
	"github.com/spf13/cobra"

	growth "github.com/zakibelm/astrogrowth"
)

func cacheCommand(s surroundings) *cobra.Command {
	var f apiFlags
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Show, warm and empty the cache of answers",
		Args:  knownCommand,
		RunE:  showHelp,

		SuggestionsMinimumDistance: 2,
	}
	f.add(cmd)
	cmd.AddCommand(cacheStatsCommand(s, &f), cacheInvalidateCommand(s, &f), cacheWarmCommand(s, &f))
	return cmd
}

// cacheUse is what the cache did over some time, as the API shows it.
type cacheUse struct {
	Date     string          `json:"date"`
	Hits     int64           `json:"hits"`
	Near     int64           `json:"near_hits"`
	Misses   int64           `json:"misses"`
	HitRate  float64         `json:"hit_rate"`
	Bytes    int64           `json:"bytes_served"`
	AvgAgeS  float64         `json:"avg_age_s"`
	Saved    decimal.Decimal `json:"saved"`
	Unknowns int64           `json:"unknown_savings"`
}

type cacheReport struct {
	Currency  string                       `json:"currency"`
	Total     cacheUse                     `json:"total"`
	TaskTypes map[growth.TaskType]cacheUse `json:"task_types"`
	Daily     []cacheUse                   `json:"daily"`
	Held      *struct {
		Entries int64 `json:"entries"`
		Bytes   int64 `json:"bytes"`
	} `json:"held"`
}

func cacheStatsCommand(s surroundings, f *apiFlags) *cobra.Command {
	days := 0
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show by day what the cache did and saved",
		Args:  takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd, s, f, "/v1/analytics/cache?"+url.Values{"days": {strconv.Itoa(days)}}.Encode(), writeCache)
		},
	}
	cmd.Flags().IntVar(&days, "days", 7, "how many days, today included")
	return cmd
}

func writeCache(out io.Writer, r cacheReport) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	say(w, "\tHITS\tOF THEM NEAR\tMISSES\tRATE\tSERVED\tAGE\tSAVED %s\tUNKNOWN", r.Currency)
	for _, d := range r.Daily {
		writeUse(w, d.Date, d)
	}
	for _, task := range growth.TaskTypes() {
		if u, ok := r.TaskTypes[task]; ok {
			writeUse(w, string(task), u)
		}
	}
	writeUse(w, "all", r.Total)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the statistics: %w", err)
	}
	if r.Held == nil {
		say(out, "What it holds is not known: Redis cannot be reached.")
		return nil
	}
	say(out, "It holds %s in %s.", plural(int(r.Held.Entries), "answer"), size(r.Held.Bytes))
	return nil
}

func writeUse(w io.Writer, name string, u cacheUse) {
	age := (time.Duration(u.AvgAgeS) * time.Second).String()
	say(w, "%s\t%d\t%d\t%d\t%.0f %%\t%s\t%s\t%s\t%d", name, u.Hits, u.Near, u.Misses, 100*u.HitRate, size(u.Bytes), age, u.Saved.StringFixed(4), u.Unknowns)
}

func size(bytes int64) string {
	if bytes < 10_000 {
		return strconv.FormatInt(bytes, 10) + " B"
	}
	return strconv.FormatInt(bytes/1000, 10) + " kB"
}

func cacheInvalidateCommand(s surroundings, f *apiFlags) *cobra.Command {
	filters := map[string]*string{}
	everywhere := false
	cmd := &cobra.Command{
		Use:   "invalidate [PATTERN]",
		Short: "Forget cached answers: all of the workspace, or those that are named",
		Example: "  astrogrowth cache invalidate\n  astrogrowth cache invalidate 'llm:cache:simple:*'\n" +
			"  astrogrowth cache invalidate --model openai/gpt-4o-mini",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return wrongUsage("%q is one argument too many", args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]any{}
			for name, value := range filters {
				if *value != "" {
					body[name] = *value
				}
			}
			if len(args) == 1 {
				body["pattern"] = args[0]
			}
			if everywhere {
				body["all_workspaces"] = true
			}
			return invalidate(cmd, s, f, body)
		},
	}
	filter := func(name, flag, usage string) { filters[name] = cmd.Flags().String(flag, "", usage) }
	filter("task_type", "task", "only this task type")
	filter("model", "model", "only answers of this model, as provider/model or the model alone")
	filter("call_id", "call", "only the answer that this call made")
	filter("job_id", "job", "only the answers that this job made or was given")
	filter("lead_id", "lead", "only the answers that rest on this lead")
	cmd.Flags().BoolVar(&everywhere, "all-workspaces", false, "in every workspace; for keys of the whole agency")
	return cmd
}

func invalidate(cmd *cobra.Command, s surroundings, f *apiFlags, body map[string]any) error {
	api, err := f.client(s)
	if err != nil {
		return err
	}
	var out struct {
		Invalidated int `json:"invalidated"`
	}
	if err := api.post(cmd.Context(), "/v1/cache/invalidate", body, &out); err != nil {
		return err
	}
	if f.json {
		return writeJSON(cmd.OutOrStdout(), out)
	}
	say(cmd.OutOrStdout(), "%s forgotten.", plural(out.Invalidated, "answer"))
	return nil
}

// The bounds of a file of requests.
const (
	maxRequest    = 10 << 20 // bytes of one line, as the API takes them
	warmProgress  = 2 * time.Second
	namedFailures = 20 // of those that fail, so many are named
	maxSilent     = 5  // after so many in a row without an answer there is nobody to ask
)

func cacheWarmCommand(s surroundings, f *apiFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "warm FILE",
		Short: "Ask the requests of a file, so that their answers are there when they are asked again",
		Long: "FILE holds one body of POST /v1/llm/complete a line (JSON Lines); '-' is standard input. Requests whose answers are\n" +
			"kept already cost nothing. They are asked one after the other.\n\n" +
			"Exit codes: 0 all asked, 1 some failed, 2 none could be asked.",
		Example: "  astrogrowth cache warm requests.jsonl",
		Args:    takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := f.client(s)
			if err != nil {
				return err
			}
			in, name := cmd.InOrStdin(), "standard input"
			if args[0] != "-" {
				name = args[0]
				file, err := os.Open(name) //nolint:gosec // G304: the person at the terminal names the file
				if err != nil {
					return wrongUsage("%s: %s", name, pathReason(err))
				}
				defer func() { _ = file.Close() }() // it was only read
				in = file
			}
			w := &warming{api: api, report: cmd.ErrOrStderr(), name: name, said: time.Now()}
			return w.finish(cmd, f.json, w.all(cmd.Context(), in))
		},
	}
}

// warming is a file of requests on its way through the chain.
type warming struct {
	api    *client
	report io.Writer
	name   string
	said   time.Time
	silent int // requests in a row without an answer of the chain's

	Asked  int `json:"asked"`
	New    int `json:"new"`    // that were not in the cache
	Cached int `json:"cached"` // that were
	Failed int `json:"failed"`
}

// all asks line by line. Only what would stop every later request too ends it early.
func (w *warming) all(ctx context.Context, in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxRequest)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		w.Asked++
		if err := w.one(ctx, line); err != nil {
			w.Failed++
			if w.Failed <= namedFailures {
				say(w.report, "%s:%d: %s", w.name, n, explain(err))
			}
			if w.hopeless(err) {
				return err
			}
		}
		w.progress()
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the requests: %w", err)
	}
	return nil
}

// hopeless says whether the requests to come would fail alike.
func (w *warming) hopeless(err error) bool {
	switch growth.CodeOf(err) {
	case growth.Unauthorized, growth.Forbidden, growth.Canceled:
		return true
	case growth.Unavailable, growth.NotFound:
		w.silent++
	default:
		w.silent = 0
	}
	return w.silent >= maxSilent
}

func (w *warming) one(ctx context.Context, line []byte) error {
	if !json.Valid(line) {
		return growth.Errorf(growth.Invalid, "", "the line is not JSON")
	}
	var out struct {
		Cached growth.CachedAs `json:"cached"`
	}
	if err := w.api.post(ctx, "/v1/llm/complete", json.RawMessage(line), &out); err != nil {
		return err
	}
	w.silent = 0
	if out.Cached == growth.CachedNo {
		w.New++
	} else {
		w.Cached++
	}
	return nil
}

func (w *warming) progress() {
	if time.Since(w.said) < warmProgress {
		return
	}
	w.said = time.Now()
	say(w.report, "%s asked: %d new, %d kept already, %d failed", plural(w.Asked, "request"), w.New, w.Cached, w.Failed)
}

func (w *warming) finish(cmd *cobra.Command, asJSON bool, err error) error {
	if asJSON {
		if err := writeJSON(cmd.OutOrStdout(), w); err != nil {
			return err
		}
	} else {
		say(cmd.OutOrStdout(), "%s asked: %d new, %d kept already, %d failed.", plural(w.Asked, "request"), w.New, w.Cached, w.Failed)
	}
	code := exitPartial
	if w.New+w.Cached == 0 {
		code = exitNothing
	}
	switch {
	case err != nil:
		return &codedError{code, err}
	case w.Failed > 0:
		return &codedError{code: code}
	case w.Asked == 0:
		return growth.Errorf(growth.Invalid, "", "%s holds no request", w.name)
	}
	return nil
}
