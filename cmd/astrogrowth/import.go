package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/store"
)

type importFlags struct {
	api      apiFlags
	reading  reading
	campaign string
	badRows  string
	dryRun   bool
	yes      bool
	again    bool
	detach   bool
	verbose  bool
	watch    string
	resume   string
}

func importCommand(s surroundings) *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import FILE.csv",
		Short: "Import a CSV file of leads and have them qualified",
		Long: "Reads a CSV file in whatever encoding and with whatever delimiter and headings it has, says what it takes them to\n" +
			"be and what it doubts, and only then uploads it. The leads are taken in and qualified in a campaign. Going on after\n" +
			"an interruption is safe, and a whole import can be undone.\n\n" +
			"A lead is recognised when it comes again by its external_id, e-mail address or LinkedIn address, by its website and\n" +
			"name, or by its name and street address; one that has not changed makes no job. A lead with none of these comes in\n" +
			"anew each time: a file that holds such leads and was imported before is refused without --again.",
		Example: "  astrogrowth import leads.csv --dry-run\n" +
			"  astrogrowth import leads.csv --map \"Nom=business_name,#3=phone,Interne=-\"\n" +
			"  astrogrowth import leads.csv --campaign \"Spring 2027\" --yes --detach\n" +
			"  astrogrowth import --resume 0199…\n" +
			"  astrogrowth import undo 0199…",
		Args: f.takes,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.watch != "" || f.resume != "" {
				api, err := f.api.client(s)
				if err != nil {
					return err
				}
				return newImporter(cmd, f, s).goOn(cmd.Context(), api)
			}
			return newImporter(cmd, f, s).run(cmd.Context(), args[0])
		},
	}
	cmd.AddCommand(importUndoCommand(s, &f.api))
	f.api.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.reading.mapping, "map", "", "where columns go: heading=field,… (a heading, #3 for the third column, - to leave out)")
	flags.StringVar(&f.reading.encoding, "encoding", "", "encoding of the file: utf-8, utf-16le, utf-16be, windows-1252, iso-8859-15, macintosh (default: found out)")
	flags.StringVar(&f.reading.delimiter, "delimiter", "", "what parts the fields: comma, semicolon, tab, bar, or none for a list of one column (default: found out)")
	flags.StringVar(&f.reading.header, "header", "", "whether a line names the columns: yes, no, or the number of that line (default: found out)")
	flags.StringVar(&f.reading.dates, "dates", "", "what comes first in dates such as 03/04/2026: dmy for the day, mdy for the month (default: found out)")
	flags.StringVar(&f.campaign, "campaign", "", "name of the campaign (default: the name of the file)")
	flags.StringVar(&f.badRows, "bad-rows", "", "file for the rows that cannot be read (default: FILE.bad-rows.csv)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be imported and stop")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask, whatever the doubts")
	flags.BoolVar(&f.again, "again", false, "import a file once more although it makes leads that are there already")
	flags.BoolVar(&f.detach, "detach", false, "do not wait until the leads are qualified")
	flags.StringVar(&f.watch, "watch", "", "follow the import with this ID")
	flags.StringVar(&f.resume, "resume", "", "go on with the import with this ID")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "list every duplicate")
	return cmd
}

// takes wants a file, or an import that is there already.
func (f *importFlags) takes(cmd *cobra.Command, args []string) error {
	switch {
	case f.watch != "" && f.resume != "":
		return wrongUsage("--watch and --resume do not go together: --resume follows too")
	case f.watch != "" || f.resume != "":
		return takes()(cmd, args)
	}
	return takes("FILE.csv")(cmd, args)
}

// importer is one run of the command.
type importer struct {
	flags   importFlags
	setup   surroundings
	in      io.Reader
	out     io.Writer // for the report
	err     io.Writer // for progress and what goes wrong on the way
	asks    bool      // somebody is there to answer
	answers *bufio.Reader
	poll    time.Duration
	pauses  []time.Duration

	file   *leadFile
	bad    *badRows
	report importReport
}

func newImporter(cmd *cobra.Command, f importFlags, s surroundings) *importer {
	return &importer{
		flags: f, setup: s, in: cmd.InOrStdin(), out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(),
		asks: terminal(cmd.InOrStdin()) && !f.api.json, poll: 500 * time.Millisecond,
		pauses: []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second, 30 * time.Second},
	}
}

// text is where the report for people goes; with --json nobody reads it.
func (i *importer) text() io.Writer {
	if i.flags.api.json {
		return io.Discard
	}
	return i.out
}

func (i *importer) run(ctx context.Context, path string) error {
	api, err := i.flags.api.client(i.setup)
	if err != nil {
		return err
	}
	if i.file, err = openLeadFile(path, i.flags.reading); err != nil {
		return err
	}
	defer func() { _ = i.file.Close() }() // it was only read
	i.prepareBadRows()
	i.report = newImportReport(i.file, i.flags)
	i.report.plan(i.text())
	if err := i.inspect(ctx); err != nil {
		return nothingDone(err)
	}
	i.report.counts(i.text())
	if i.flags.dryRun {
		say(i.text(), "Dry run: nothing was sent.")
		return i.finish(nil)
	}
	if err := i.undecided(); err != nil {
		return err
	}
	return i.importInto(ctx, api)
}

// undecided refuses what only a person can decide: a yes to every doubt does not make it known.
func (i *importer) undecided() error {
	err := i.file.plan().Decided()
	if err == nil {
		return nil
	}
	flag := "--encoding"
	if i.file.format.Decided() == nil {
		flag = "--dates"
	}
	return fmt.Errorf("%s (%s); nothing was imported", explain(err), flag)
}

func (i *importer) prepareBadRows() {
	i.bad = &badRows{path: i.flags.badRows, delimiter: i.file.format.Delimiter, headers: i.file.format.Headers}
	if i.bad.delimiter == lead.NoDelimiter {
		i.bad.delimiter = ','
	}
	if i.bad.path == "" {
		i.bad.path = badRowsPath(i.file.path)
	}
}

// inspect reads the file to count what is in it. A dry run writes the bad rows only where it was told to.
func (i *importer) inspect(ctx context.Context) error {
	rubric, err := lead.Load(lead.DefaultRubric)
	if err != nil {
		return err
	}
	rubric = rubric.In("en-CA")
	t, err := i.file.scan(ctx, lead.Sinks{
		Leads: func(leads []growth.Lead) error {
			for _, l := range leads {
				i.report.gate(lead.Gates(rubric, l))
				if len(lead.Keys(l)) == 0 {
					i.report.NoIdentity++
				}
			}
			return nil
		},
		Bad: func(row lead.Row) error {
			i.report.bad(row)
			if i.flags.dryRun && i.flags.badRows != "" {
				return i.bad.add(row)
			}
			return nil
		},
	})
	if err = errors.Join(err, i.closeBadRows()); err != nil {
		return err
	}
	i.report.tallied(t, i.flags.verbose || i.flags.api.json)
	if t.Leads == 0 {
		return i.noLead(ctx, t)
	}
	return nil
}

func (i *importer) closeBadRows() error {
	if i.bad.n > 0 {
		i.report.BadRowsFile = i.bad.path
	}
	return i.bad.close()
}

// noLead says why a file with rows holds no lead, and sets these aside: nobody else will.
func (i *importer) noLead(ctx context.Context, t lead.Tally) error {
	if t.Bad == 0 {
		return fmt.Errorf("%s holds no rows below its first line", filepath.Base(i.file.path))
	}
	if err := i.undecided(); err != nil {
		return err
	}
	where := ""
	if !i.flags.dryRun {
		if _, err := i.file.scan(ctx, lead.Sinks{Bad: i.bad.add}); err != nil {
			return err
		}
		if err := i.closeBadRows(); err != nil {
			return err
		}
		where = "; all are in " + i.bad.path
	}
	return fmt.Errorf("%s holds no lead that could be read: %s set aside, as %s%s", filepath.Base(i.file.path),
		plural(t.Bad, "row"), i.report.BadExamples[0], where)
}

// importInto does the second half: ask, send, follow.
func (i *importer) importInto(ctx context.Context, api *client) error {
	who, err := api.me(ctx)
	if err != nil {
		return nothingDone(err)
	}
	i.report.Simulated = who.Simulated
	if err = i.confirm(ctx); err != nil {
		return err
	}
	if i.report.Campaign, err = api.campaign(ctx, i.report.Campaign.Name); err != nil {
		return nothingDone(err)
	}
	before, err := api.progress(ctx, i.report.Campaign.ID)
	if err != nil {
		return nothingDone(err)
	}
	began := time.Now()
	v, err := i.upload(ctx, api)
	if err != nil {
		return nothingDone(err)
	}
	if err = i.confirmAgain(ctx, v); err != nil {
		return err
	}
	if v, err = i.takeIn(ctx, api, v, true, began); err != nil { // the doubts were said, and nobody minded
		return i.stopped(v, err)
	}
	if err := i.setBadRowsAside(ctx, api, v, i.bad.path); err != nil {
		return i.finish(&codedError{exitPartial, err})
	}
	i.report.sending(i.text())
	if i.report.Accepted == 0 {
		i.report.followed(before, before, before.ended(), time.Since(began))
		return i.finish(nil)
	}
	if i.flags.detach {
		i.report.goesOn(i.text(), i.report.Accepted)
		return i.finish(nil)
	}
	return i.follow(ctx, api, before, before.ended(), began)
}

// confirm asks the person, or, where nobody is there to answer, goes on only when there is nothing to decide.
func (i *importer) confirm(ctx context.Context) error {
	switch {
	case i.flags.yes:
		return nil
	case !i.asks && len(i.report.Doubts) > 0:
		return fmt.Errorf("%s to be decided and nobody is here to ask: read %s, then say --yes, or state --encoding, --delimiter, --header, --dates or --map",
			plural(len(i.report.Doubts), "doubt"), map[bool]string{true: "them with --dry-run", false: "them above"}[i.flags.api.json])
	case !i.asks:
		return nil
	}
	return i.ask(ctx, fmt.Sprintf("Import %s into the campaign %q?", plural(i.report.Leads, "lead"), i.report.Campaign.Name))
}

// confirmAgain asks about what only the API can know of a file: that it was imported before. That is no harm as long as
// each of its leads is recognised.
func (i *importer) confirmAgain(ctx context.Context, v importView) error {
	if v.State != store.ImportPreviewed {
		return nil // it goes on where it was
	}
	before := slices.DeleteFunc(slices.Clone(v.Doubts), func(d string) bool { return slices.Contains(i.report.Doubts, d) })
	list(i.text(), "The API doubts:", before)
	i.report.Doubts = append(i.report.Doubts, before...)
	switch {
	case len(before) == 0 || v.Counts.NoIdentity == 0 || i.flags.again:
		return nil
	case i.asks && !i.flags.yes:
		return i.ask(ctx, "Import it once more?")
	}
	return fmt.Errorf("%s; nothing was imported. To import it all the same, say --again", strings.Join(before, "; "))
}

func (i *importer) ask(ctx context.Context, question string) error {
	_, _ = fmt.Fprintf(i.out, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // it ends with the program when nobody answers: a read from a terminal cannot be called back
		line, _ := i.lines().ReadString('\n')
		answer <- line
	}()
	select {
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes", "o", "oui":
			return nil
		}
		return errors.New("nothing was imported, as you said")
	case <-ctx.Done():
		return errors.New("interrupted; nothing was imported")
	}
}

// lines reads the person's answers, all of them from one buffer.
func (i *importer) lines() *bufio.Reader {
	if i.answers == nil {
		i.answers = bufio.NewReader(i.in)
	}
	return i.answers
}

// follow watches the jobs. before is what the report leaves out, from how many of its jobs had ended at the instant began:
// who looks on later did not see how long they took.
func (i *importer) follow(ctx context.Context, api *client, before progress, from int, began time.Time) error {
	f := &follower{
		progress: func(ctx context.Context) (progress, error) { return api.progress(ctx, i.report.Campaign.ID) },
		before:   before, poll: i.poll, patience: 2 * time.Minute, meter: newMeter(i.err, "qualified", began, from-before.ended()), err: i.err,
	}
	seen, err := f.follow(ctx)
	f.meter.end()
	i.report.followed(before, seen, from, time.Since(began))
	left := seen.Total - seen.ended()
	switch {
	case err == nil:
		i.report.summary(i.text())
		return i.finish(nil)
	case growth.CodeOf(err) == growth.Canceled:
		say(i.text(), "Interrupted: the jobs go on without you.")
		i.report.goesOn(i.text(), left)
		return i.finish(nil)
	}
	i.report.goesOn(i.text(), left)
	return i.finish(&codedError{exitPartial, fmt.Errorf("stopped following: %w", err)})
}

// finish writes the JSON and turns what happened into the exit code.
func (i *importer) finish(err error) error {
	if i.flags.api.json {
		if werr := writeJSON(i.out, i.report); werr != nil {
			return werr
		}
	}
	r := i.report
	switch {
	case err != nil:
		return err
	case r.Rejected > 0 && r.Rejected == r.Taken:
		return errors.New("nothing was imported: every lead was erased once, and does not come back")
	case r.BadRows > 0 || r.Rejected > 0 || r.Failed > 0:
		return &codedError{code: exitPartial}
	}
	return nil
}

// nothingDone reassures whoever interrupted.
func nothingDone(err error) error {
	if errors.Is(err, context.Canceled) || growth.CodeOf(err) == growth.Canceled {
		return errors.New("interrupted; nothing was imported")
	}
	return err
}
