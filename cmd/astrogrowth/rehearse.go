package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/internal/simulator"
)

func rehearseCommand(s surroundings) *cobra.Command {
	var f apiFlags
	day, zone := "", ""
	cmd := &cobra.Command{
		Use:   "rehearse",
		Short: "Try a day's posts against the simulator, and say what the day would cost",
		Long: "Reads what is planned for a day, sends each post to a simulated LinkedIn that runs only for this, and says what would\n" +
			"go out, when, and what would not and why. Nothing leaves this machine, and no job is touched. The rest of the day's\n" +
			"work is counted and priced at what such jobs have cost lately.\n\n" +
			"Exit codes: 0 everything would go out, 1 something would not, 2 nothing could be read.",
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error { return rehearse(cmd, s, &f, day, zone) },
	}
	f.add(cmd)
	cmd.Flags().StringVar(&day, "day", "", "the day, as 2026-12-01 (default tomorrow)")
	cmd.Flags().StringVar(&zone, "zone", "", "whose day it is, as America/Toronto (default this machine's)")
	return cmd
}

// plannedPost is an entry of the calendar.
type plannedPost struct {
	growth.PostTime
	Account   string               `json:"account"`
	State     growth.JobState      `json:"state"`
	Waiting   *growth.Waiting      `json:"waiting"`
	ContentID *growth.ContentID    `json:"content_id"`
	Content   growth.ContentStatus `json:"content_status"`
	Title     string               `json:"title"`
	Text      string               `json:"text"`
	Message   string               `json:"message"`
}

type calendarAnswer struct {
	Data []plannedPost `json:"data"`
}

// outlookAnswer is the day's other work.
type outlookAnswer struct {
	Data []struct {
		Type      growth.JobType `json:"type"`
		Due       int            `json:"due"`
		Scheduled int            `json:"scheduled"`
		UnitCost  growth.Money   `json:"unit_cost"`
		Cost      growth.Money   `json:"cost"`
	} `json:"data"`
	Cost growth.Money `json:"cost"`
}

// rehearsed is what would become of one post.
type rehearsed struct {
	JobID   growth.JobID `json:"job_id"`
	Account string       `json:"account"`
	At      time.Time    `json:"at"`       // when it is planned
	GoesOut *time.Time   `json:"goes_out"` // when it would go out; null: it would not
	Text    string       `json:"text"`
	Why     string       `json:"why,omitempty"`
}

// rehearsal is the whole answer.
type rehearsal struct {
	Day   string        `json:"day"`
	Zone  string        `json:"zone"`
	Posts []rehearsed   `json:"posts"`
	Work  outlookAnswer `json:"work"`
}

func rehearse(cmd *cobra.Command, s surroundings, f *apiFlags, day, zone string) error {
	from, to, loc, err := dayOf(day, zone)
	if err != nil {
		return err
	}
	cfg, err := s.config()
	if err != nil {
		return err
	}
	api, err := f.client(s)
	if err != nil {
		return err
	}
	span := url.Values{"from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}}.Encode()
	var planned calendarAnswer
	if err := api.get(cmd.Context(), "/v1/calendar?"+span, &planned); err != nil {
		return err
	}
	var accounts struct {
		Data []growth.Account `json:"data"`
	}
	if err := api.get(cmd.Context(), "/v1/linkedin/accounts", &accounts); err != nil {
		return err
	}
	out := rehearsal{Day: from.In(loc).Format(time.DateOnly), Zone: s.zoneName(loc, from), Posts: []rehearsed{}}
	if err := api.get(cmd.Context(), "/v1/outlook?"+span, &out.Work); err != nil {
		return err
	}
	stage, err := newStage(cmd.Context(), accounts.Data, cfg.LinkedInMinInterval.Duration(), cfg.LinkedInMaxPosts)
	if err != nil {
		return err
	}
	defer stage.close()
	for _, p := range planned.Data {
		if !p.State.Final() {
			out.Posts = append(out.Posts, stage.try(cmd.Context(), p))
		}
	}
	if f.json {
		if err := writeJSON(cmd.OutOrStdout(), out); err != nil {
			return err
		}
	} else if err := out.write(cmd.OutOrStdout(), loc); err != nil {
		return err
	}
	if slices.ContainsFunc(out.Posts, func(r rehearsed) bool { return r.GoesOut == nil }) {
		return &codedError{code: exitPartial}
	}
	return nil
}

// zoneName is the IANA name of a zone. That of the machine's own is nowhere in the program: the environment has it, or what
// /etc/localtime points to; else the offset of that day stands for it.
func (s surroundings) zoneName(loc *time.Location, at time.Time) string {
	if loc != time.Local {
		return loc.String()
	}
	named := strings.TrimPrefix(s.environ["TZ"], ":")
	if named == "" {
		target, _ := filepath.EvalSymlinks("/etc/localtime") // a machine without one keeps UTC
		_, named, _ = strings.Cut(target, "zoneinfo/")
	}
	if zone, err := time.LoadLocation(named); err == nil && named != "" && at.In(zone).Format("-0700") == at.In(loc).Format("-0700") {
		return zone.String()
	}
	if _, offset := at.In(loc).Zone(); offset == 0 {
		return "UTC"
	}
	return at.In(loc).Format("UTC-07:00")
}

// dayOf is the span of a day in a zone: 23, 24 or 25 hours.
func dayOf(day, zone string) (from, to time.Time, loc *time.Location, err error) {
	loc = time.Local
	if zone != "" {
		if loc, err = time.LoadLocation(zone); err != nil {
			return from, to, loc, wrongUsage("--zone: there is no zone %q; use an IANA name such as America/Toronto", zone)
		}
	}
	at := time.Now().In(loc).AddDate(0, 0, 1)
	if day != "" {
		if at, err = time.ParseInLocation(time.DateOnly, day, loc); err != nil {
			return from, to, loc, wrongUsage("--day %q is no day; write it as 2026-12-01", day)
		}
	}
	from = time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, loc)
	return from.UTC(), from.AddDate(0, 0, 1).UTC(), loc, nil
}

// stage is a simulated LinkedIn of its own, and what has gone out on it.
type stage struct {
	server   *http.Server
	sim      *simulator.Server
	linkedin *linkedin.Client
	accounts map[growth.AccountID]growth.Account
	spacing  time.Duration
	perDay   int
	sent     map[growth.AccountID][]time.Time
}

func newStage(ctx context.Context, accounts []growth.Account, spacing time.Duration, perDay int) (*stage, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("rehearse: %w", err)
	}
	sim := simulator.New(simulator.Config{Log: zerolog.Nop()})
	st := &stage{
		server: &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second}, sim: sim, spacing: spacing, perDay: perDay,
		linkedin: linkedin.New(linkedin.Settings{APIURL: "http://" + l.Addr().String() + "/linkedin"}),
		accounts: map[growth.AccountID]growth.Account{}, sent: map[growth.AccountID][]time.Time{},
	}
	for _, a := range accounts {
		st.accounts[a.ID] = a
	}
	go func() { _ = st.server.Serve(l) }() // ends with close
	return st, nil
}

func (st *stage) close() {
	st.sim.Close()
	_ = st.server.Close()
}

// try says what would become of a post, and sends it to the simulator when nothing else stands against it.
func (st *stage) try(ctx context.Context, p plannedPost) rehearsed {
	r := rehearsed{JobID: p.JobID, Account: p.Account, At: p.At, Text: p.Text}
	account, known := st.accounts[p.AccountID]
	switch {
	case p.Waiting != nil && p.Waiting.Until == nil:
		r.Why = "it waits for a person: " + string(p.Waiting.Reason)
		if p.Message != "" {
			r.Why += " (" + p.Message + ")"
		}
		return r
	case p.ContentID != nil && p.Content != growth.ContentApproved && p.Content != growth.ContentScheduled:
		r.Why = "its content is " + string(p.Content) + ": it has to be approved before"
		return r
	case !known:
		r.Why = "it has no LinkedIn account"
		return r
	case account.Status != "active":
		r.Why = "the account has to be connected again"
		return r
	case account.ExpiresAt != nil && account.ExpiresAt.Before(p.At):
		r.Why = "the account's token expires before, " + account.ExpiresAt.Format(time.RFC3339)
		return r
	}
	at := st.turn(p.AccountID, p.At)
	_, err := st.linkedin.Publish(ctx, "sim-rehearsal", growth.Post{AuthorURN: account.URN, Text: p.Text, Visibility: "PUBLIC"})
	if _, ok := errors.AsType[*linkedin.DuplicateError](err); ok {
		r.Why = "LinkedIn would refuse it: the same text goes out before it"
		return r
	}
	if err != nil {
		r.Why = "LinkedIn would refuse it: " + explain(err)
		return r
	}
	st.sent[p.AccountID] = append(st.sent[p.AccountID], at)
	r.GoesOut = &at
	return r
}

// turn is when the account's limits let a post go that is planned for an instant.
func (st *stage) turn(id growth.AccountID, at time.Time) time.Time {
	sent := st.sent[id]
	if n := len(sent); n > 0 && st.spacing > 0 {
		if next := sent[n-1].Add(st.spacing); next.After(at) {
			at = next
		}
	}
	if n := len(sent); st.perDay > 0 && n >= st.perDay {
		if next := sent[n-st.perDay].Add(24 * time.Hour); next.After(at) {
			at = next
		}
	}
	return at
}

func (r rehearsal) write(out io.Writer, loc *time.Location) error {
	say(out, "%s in %s, tried on a simulated LinkedIn. Nothing was published.", r.Day, r.Zone)
	if len(r.Posts) == 0 {
		say(out, "No post is planned.")
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range r.Posts {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.At.In(loc).Format("15:04"), p.Account, excerpt(p.Text), p.fate(loc))
	}
	for _, l := range r.Work.Data {
		if l.Type == growth.JobLinkedInPublish {
			continue
		}
		_, _ = fmt.Fprintf(w, "%s\t%d due, %d by schedules\tat %s each\t%s\n", l.Type, l.Due, l.Scheduled, moneyText(l.UnitCost), moneyText(l.Cost))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the rehearsal: %w", err)
	}
	say(out, "Cost of the day's work: %s", moneyText(r.Work.Cost))
	return nil
}

func (p rehearsed) fate(loc *time.Location) string {
	switch {
	case p.GoesOut == nil:
		return "would not go out: " + p.Why
	case p.GoesOut.Equal(p.At):
		return "would go out"
	default:
		return "would go out at " + p.GoesOut.In(loc).Format("2 Jan 15:04") + ", when the account's limits let it"
	}
}

// excerpt is the beginning of a text on one line.
func excerpt(text string) string {
	const most = 40
	line := []rune(strings.Join(strings.Fields(text), " "))
	if len(line) > most {
		return string(line[:most]) + "…"
	}
	return string(line)
}

func moneyText(m growth.Money) string {
	if m.Amount == nil {
		return "unknown"
	}
	return m.Amount.Round(4).String() + " " + m.Currency
}
