package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

// importReport is what an import has to say, in the order in which it comes to know it. --json prints it as it is.
type importReport struct {
	File       string         `json:"file"`
	Encoding   lead.Encoding  `json:"encoding"`
	Delimiter  string         `json:"delimiter"`
	Header     bool           `json:"header"`
	HeaderLine int            `json:"header_line"` // 0: there is none
	Dates      lead.DateOrder `json:"dates,omitempty"`
	Columns    []columnInfo   `json:"columns"`
	Doubts     []string       `json:"doubts"`

	Rows        int             `json:"rows"`
	Leads       int             `json:"leads"`
	BadRows     int             `json:"bad_rows"`
	BadExamples []string        `json:"bad_examples"`
	BadRowsFile string          `json:"bad_rows_file,omitempty"`
	NoIdentity  int             `json:"without_identity"` // they are not recognised when they come again
	Repeated    int             `json:"duplicates"`
	Folded      int             `json:"duplicates_by_folding"`
	Duplicates  []duplicateInfo `json:"duplicate_rows"`
	Gated       int             `json:"closed"` // leads that the default rubric puts out of the question
	Gates       map[string]int  `json:"closed_why"`

	DryRun   bool     `json:"dry_run"`
	Campaign campaign `json:"campaign"`
	sent
	Finished     bool           `json:"finished"` // every job was seen to end
	Failed       int            `json:"failed"`
	Canceled     int            `json:"canceled"`
	ByPriority   map[string]int `json:"by_priority"` // of all leads of the campaign
	Disqualified int            `json:"disqualified"`
	Cost         *growth.Money  `json:"cost,omitempty"` // of this run, without the calls whose cost is unknown
	UnknownCosts int            `json:"unknown_costs"`
	Seconds      float64        `json:"seconds,omitempty"`
	Rate         float64        `json:"leads_per_second,omitempty"`
	Simulated    bool           `json:"simulated"`

	explained []string // the columns in sentences
	moved     int
	moves     []string
	all       bool // list every duplicate
}

type columnInfo struct {
	Heading string `json:"heading"`
	Field   string `json:"field"` // empty: left out
	Why     string `json:"why"`
}

type duplicateInfo struct {
	Line   int          `json:"line"`
	OfLine int          `json:"of_line"`
	Key    lead.KeyKind `json:"key"`
	Name   string       `json:"name"`
	OfName string       `json:"of_name"`
	At     string       `json:"address,omitempty"`
	Folded bool         `json:"by_folding"`
}

func newImportReport(l *leadFile, f importFlags) importReport {
	name := []rune(cmp.Or(f.campaign, filepath.Base(l.path)))
	r := importReport{
		File: filepath.Base(l.path), Encoding: l.format.Encoding, Delimiter: lead.DelimiterText(l.format.Delimiter), Header: l.format.Header,
		Doubts: l.doubts(), DryRun: f.dryRun, Campaign: campaign{Name: string(name[:min(len(name), 200)])},
		Columns: []columnInfo{}, BadExamples: []string{}, Duplicates: []duplicateInfo{}, Gates: map[string]int{}, ByPriority: map[string]int{},
		explained: l.plan().Explain(), Dates: l.mapping.Dates, HeaderLine: max(0, int(l.format.Heading())),
	}
	if r.Doubts == nil {
		r.Doubts = []string{}
	}
	for _, c := range l.mapping.Columns {
		field := c.Field
		if c.Junk != "" {
			field = ""
		}
		r.Columns = append(r.Columns, columnInfo{Heading: c.Heading, Field: field, Why: c.Why})
	}
	return r
}

// continuedReport is about an import that is there already.
func continuedReport(v importView) importReport {
	r := importReport{
		File: v.FileName, Encoding: lead.Encoding(v.Encoding), Delimiter: v.Delimiter, Doubts: v.Doubts, Campaign: campaign{Name: v.FileName},
		Rows: v.Counts.Rows, Leads: v.Counts.Leads, BadRows: v.Counts.Bad, NoIdentity: v.Counts.NoIdentity, Repeated: v.Counts.Duplicates, Gated: v.Counts.Closed, sent: sentOf(v),
		Columns: []columnInfo{}, BadExamples: []string{}, Duplicates: []duplicateInfo{}, Gates: map[string]int{}, ByPriority: map[string]int{},
	}
	if v.CampaignID != nil {
		r.Campaign.ID = *v.CampaignID
	}
	return r
}

func (r *importReport) gate(gates []string) {
	if len(gates) == 0 {
		return
	}
	r.Gated++
	for _, g := range gates {
		r.Gates[g]++
	}
}

func (r *importReport) bad(row lead.Row) {
	if len(r.BadExamples) < someLines {
		r.BadExamples = append(r.BadExamples, fmt.Sprintf("line %d: %s", row.Line, row.Bad))
	}
}

// tallied takes in what the file holds. Duplicates that only folding joins are always listed: somebody should look at
// each of them.
func (r *importReport) tallied(t lead.Tally, all bool) {
	r.Rows, r.Leads, r.BadRows, r.Repeated, r.Folded, r.moved, r.moves, r.all = t.Rows, t.Leads, t.Bad, t.Repeated, t.Folded, t.Moved, t.Moves, all
	ordinary := 0
	for _, d := range t.Duplicates {
		if !d.ByFoldingOnly {
			ordinary++
			if !all && ordinary > someLines {
				continue
			}
		}
		r.Duplicates = append(r.Duplicates, duplicateInfo{
			Line: d.Line, OfLine: d.OfLine, Key: d.Key, Name: d.Name, OfName: d.OfName, At: d.Address, Folded: d.ByFoldingOnly,
		})
	}
}

// plan says what the file was taken to be.
func (r *importReport) plan(w io.Writer) {
	say(w, "%s: %s", r.File, r.explained[0])
	for _, line := range r.explained[1:] {
		say(w, "  %s", line)
	}
	list(w, "Doubts:", r.Doubts)
	say(w, "")
}

// counts says what is in the file.
func (r *importReport) counts(w io.Writer) {
	say(w, "%s: %s, %s, %s", plural(r.Rows, "row"), plural(r.Leads, "lead"), plural(r.Repeated, "duplicate row"), plural(r.BadRows, "bad row"))
	list(w, fmt.Sprintf("%s that only case, accents, punctuation or forms of writing keep apart; look at each:", plural(r.Folded, "duplicate")),
		r.duplicateLines(true))
	ordinary := r.Repeated - r.Folded
	heading := fmt.Sprintf("%s:", plural(ordinary, "other duplicate"))
	lines := r.duplicateLines(false)
	if len(lines) < ordinary && !r.all {
		heading = fmt.Sprintf("%s (-v lists all), the first ones:", plural(ordinary, "other duplicate"))
	}
	list(w, heading, lines)
	list(w, "Bad rows, the first ones:", r.BadExamples)
	if r.NoIdentity > 0 {
		say(w, "%s cannot be recognised when the file comes again: no external_id, email, linkedin_url, website or address", plural(r.NoIdentity, "lead"))
	}
	if r.moved > 0 {
		list(w, fmt.Sprintf("%s with a value kept in another field, the first ones:", plural(r.moved, "row")), r.moves)
	}
	for _, why := range slices.Sorted(maps.Keys(r.Gates)) {
		say(w, "%s will be disqualified: %s", plural(r.Gates[why], "lead"), why)
	}
	if r.DryRun && r.BadRowsFile != "" {
		r.badFile(w)
	}
	say(w, "")
}

func (r *importReport) duplicateLines(folded bool) []string {
	var out []string
	for _, d := range r.Duplicates {
		if d.Folded != folded {
			continue
		}
		line := fmt.Sprintf("line %d %q = line %d", d.Line, d.Name, d.OfLine)
		if d.OfName != "" {
			line += fmt.Sprintf(" %q", d.OfName)
		}
		if d.At != "" {
			line += " at " + d.At
		}
		out = append(out, line+" (same "+strings.ReplaceAll(string(d.Key), "_", " and ")+")")
	}
	return out
}

func list(w io.Writer, heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	say(w, "%s", heading)
	for _, line := range lines {
		say(w, "  - %s", line)
	}
}

func (r *importReport) badFile(w io.Writer) {
	if r.BadRowsFile != "" {
		say(w, "%s set aside in %s", plural(r.BadRows, "bad row"), r.BadRowsFile)
	}
}

// sending says what the API made of the leads.
func (r *importReport) sending(w io.Writer) {
	r.badFile(w)
	if r.Rejected > 0 {
		say(w, "%s turned down: erased once, they do not come back", plural(r.Rejected, "lead"))
	}
	if r.Accepted == 0 && r.Rejected == 0 {
		say(w, "Nothing new: %s unchanged.", areUnchanged(r.Unchanged))
		return
	}
	say(w, "Import %s: %s created, %s updated", r.ImportID, count(r.Created), count(r.Updated))
	say(w, "Campaign %q: %s accepted, %s unchanged", r.Campaign.Name, count(r.Accepted), count(r.Unchanged))
}

func areUnchanged(n int) string {
	if n == 1 {
		return "1 lead is"
	}
	return plural(n, "lead") + " are"
}

// goesOn says how to look again at what is still being done.
func (r *importReport) goesOn(w io.Writer, jobs int) {
	say(w, "%s under way. To follow them: astrogrowth import --watch %s, or astrogrowth jobs list --campaign %s.", plural(jobs, "job"), r.ImportID, r.Campaign.ID)
}

// followed takes in what the jobs came to; from of them had ended when the time began to count.
func (r *importReport) followed(before, now progress, from int, took time.Duration) {
	r.Finished = now.ended() >= now.Total
	r.Failed = max(0, now.ByState[growth.JobFailed]-before.ByState[growth.JobFailed])
	r.Canceled = max(0, now.ByState[growth.JobCanceled]-before.ByState[growth.JobCanceled])
	r.ByPriority, r.Disqualified = now.ByPriority, now.Disqualified
	r.UnknownCosts = max(0, now.UnknownCosts-before.UnknownCosts)
	cost := difference(now.Cost, before.Cost)
	r.Cost = &cost
	r.Seconds = took.Seconds()
	if done := now.ended() - from; done > 0 && r.Seconds > 0 {
		r.Rate = float64(done) / r.Seconds
	}
}

// difference is what was spent between two looks.
func difference(now, before growth.Money) growth.Money {
	if now.USD != nil && before.USD != nil {
		d := now.USD.Sub(*before.USD)
		now.USD = &d
	}
	if now.Amount != nil && before.Amount != nil && now.Currency == before.Currency {
		d := now.Amount.Sub(*before.Amount)
		now.Amount = &d
	}
	return now
}

func (r *importReport) summary(w io.Writer) {
	by := func(p string) string { return count(r.ByPriority[p]) }
	say(w, "The campaign's leads by priority: %s high, %s medium, %s low; %s disqualified (closed)", by("high"), by("medium"), by("low"), count(r.Disqualified))
	if n := r.ByPriority["unscored"]; n > 0 {
		say(w, "%s without a score", plural(n, "lead"))
	}
	if r.Failed > 0 || r.Canceled > 0 {
		say(w, "%s failed, %s canceled; see: astrogrowth jobs list --campaign %s --state failed", plural(r.Failed, "job"), count(r.Canceled), r.Campaign.ID)
	}
	cost := "Cost: " + amount(*r.Cost)
	if r.UnknownCosts > 0 {
		cost += fmt.Sprintf(", and %s whose cost is unknown", plural(r.UnknownCosts, "call"))
	}
	if r.Simulated {
		cost += " (simulated: a built-in simulator answered for the providers)"
	}
	say(w, "%s", cost)
	if r.Rate == 0 { // all had ended before somebody looked
		say(w, "Done")
		return
	}
	say(w, "Done in %.1f s, %.1f leads/s", r.Seconds, r.Rate)
}

// amount writes money for people.
func amount(m growth.Money) string {
	switch {
	case m.Amount != nil:
		return m.Amount.Round(6).String() + " " + m.Currency
	case m.USD != nil:
		return m.USD.Round(6).String() + " USD"
	}
	return "unknown"
}

// count writes a number with its thousands parted.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural writes a number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
