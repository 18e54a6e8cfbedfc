package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// Bounds of the calendar.
const (
	calendarDays = 14  // shown when no end is asked for
	maxCalendar  = 100 // days at once
	shownSlots   = 10  // of a posting plan
	maxOpenSlots = 500 // free slots in one answer
)

func (a *api) calendar(h huma.API) {
	list := op(http.MethodGet, "/v1/calendar", "calendar", "What goes out when", auth.ScopeRead, 200)
	list.Description = "Posts that are planned, held back or went out, in the order of their time, and the slots of the posting plans that are still free."
	register(h, list, a.getCalendar)
	move := op(http.MethodPatch, "/v1/calendar/{id}", "calendar", "Give a planned post another time, or let it go now", auth.ScopeApprove, 200)
	move.Description = "`id` is the publish job's. Also the way to decide about a post that was held back because its time had passed. To drop a post, cancel its job."
	register(h, move, a.movePost)
	report := op(http.MethodGet, "/v1/calendar/report", "calendar", "What was late, held back or moved", auth.ScopeRead, 200)
	report.Description = "After an outage: the posts whose time passed, and what became of each."
	register(h, report, a.calendarReport)
	register(h, op(http.MethodGet, "/v1/linkedin/accounts/{id}/plan", "calendar", "Read an account's posting plan", auth.ScopeRead, 200), a.getPlan)
	put := op(http.MethodPut, "/v1/linkedin/accounts/{id}/plan", "calendar", "Set an account's posting plan", auth.ScopeApprove, 200)
	put.Description = "The slots that `slot: next` fills, and what becomes of posts whose time has passed. Posts that have a time keep it."
	register(h, put, a.putPlan)
}

// planPost gives a publish job its time. The field at fault is named as it stands in the body.
func (a *api) planPost(ctx context.Context, sc store.Scoped, it item, s *tasks.Submission) error {
	args, ok := it.args.(tasks.PublishArgs)
	if !ok {
		return nil
	}
	args, err := tasks.PinAccount(ctx, sc, args, a.Simulated)
	if err != nil {
		return err
	}
	s.Args = args
	wish, wished, err := tasks.PlanPost(ctx, sc, it.post, args.AccountID, a.Simulated, time.Now())
	if err != nil || !wished {
		return err
	}
	s.Post = &wish
	if wish.Slot == nil {
		s.Options.RunAt = &wish.Time.At
	}
	return nil
}

// CalendarEntry is one post of the calendar.
type CalendarEntry struct {
	growth.PostTime
	Account     string                  `json:"account" doc:"Name of the LinkedIn account"`
	State       growth.JobState         `json:"state"`
	Waiting     *growth.Waiting         `json:"waiting"`
	ContentID   *growth.ContentID       `json:"content_id"`
	Content     growth.ContentStatus    `json:"content_status,omitempty"`
	Title       string                  `json:"title"`
	Text        string                  `json:"text" doc:"As LinkedIn will show it"`
	Publication growth.PublicationState `json:"publication,omitempty"`
	SentAt      *time.Time              `json:"sent_at"`
	MovedFrom   *time.Time              `json:"moved_from" doc:"The time that was missed"`
	URL         string                  `json:"url,omitempty"`
	Message     string                  `json:"message,omitempty" doc:"Why it did not go out"`
	Links       map[string]string       `json:"links"`
}

func entryOf(p store.Planned) CalendarEntry {
	e := CalendarEntry{
		PostTime: p.PostTime, Account: p.Account, State: p.State, Content: p.Content, Title: p.Title, Publication: p.Publication,
		Text: content.Text(content.Draft{Title: p.Title, Body: p.Text, Hashtags: p.Hashtags}), SentAt: p.SentAt, MovedFrom: p.MovedFrom, URL: p.URL,
		Links: map[string]string{"job": "/v1/jobs/" + string(p.JobID), "move": "/v1/calendar/" + string(p.JobID)},
	}
	if p.Waiting != "" {
		e.Waiting = &growth.Waiting{Reason: p.Waiting, Until: p.Until}
	}
	if p.ContentID != "" {
		e.ContentID = &p.ContentID
	}
	if p.State != growth.JobSucceeded {
		e.Message = p.Message
	}
	return e
}

// FreeSlot is a time of a posting plan that no post has taken.
type FreeSlot struct {
	AccountID growth.AccountID `json:"account_id"`
	Local     string           `json:"local"`
	Zone      string           `json:"zone"`
	At        time.Time        `json:"at"`
	Change    string           `json:"clock_change,omitempty" enum:"skipped,repeated"`
}

// Calendar is a stretch of time with its posts.
type Calendar struct {
	From      time.Time       `json:"from"`
	To        time.Time       `json:"to"`
	Data      []CalendarEntry `json:"data"`
	FreeSlots []FreeSlot      `json:"free_slots"`
}

type calendarInput struct {
	From    time.Time `query:"from" doc:"Default: now"`
	To      time.Time `query:"to" doc:"Default: 14 days after from; at most 100"`
	Account string    `query:"account_id" format:"uuid"`
}

func (in calendarInput) span() (from, to time.Time, err error) {
	from, to = in.From, in.To
	if from.IsZero() {
		from = time.Now()
	}
	if to.IsZero() {
		to = from.AddDate(0, 0, calendarDays)
	}
	if !to.After(from) || to.After(from.AddDate(0, 0, maxCalendar)) {
		return from, to, growth.InvalidField("api.calendar", "query.to", "use a time after from, at most %d days later", maxCalendar)
	}
	return from.UTC(), to.UTC(), nil
}

func (a *api) getCalendar(ctx context.Context, in *calendarInput) (*struct{ Body Calendar }, error) {
	from, to, err := in.span()
	if err != nil {
		return nil, err
	}
	sc := a.Store.In(who(ctx).Workspace)
	posts, err := sc.Calendar(ctx, from, to, growth.AccountID(in.Account))
	if err != nil {
		return nil, err
	}
	out := Calendar{From: from, To: to, Data: make([]CalendarEntry, 0, len(posts))}
	for _, p := range posts {
		out.Data = append(out.Data, entryOf(p))
	}
	out.FreeSlots, err = a.freeSlots(ctx, sc, posts, from, to, growth.AccountID(in.Account))
	return &struct{ Body Calendar }{out}, err
}

// freeSlots are the slots of the plans that lie ahead and that none of the posts has.
func (a *api) freeSlots(ctx context.Context, sc store.Scoped, posts []store.Planned, from, to time.Time, only growth.AccountID) ([]FreeSlot, error) {
	accounts, err := sc.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	out := []FreeSlot{}
	for _, acc := range tasks.CanPost(accounts, a.Simulated) {
		if only != "" && acc.ID != only {
			continue
		}
		plan, err := sc.PostingPlan(ctx, acc.ID)
		if err != nil {
			return nil, err
		}
		slots, err := upcomingSlots(plan, later(from, time.Now()), to, maxOpenSlots-len(out))
		if err != nil {
			return nil, err
		}
		for _, s := range slots {
			if !taken(posts, acc.ID, s.At) {
				out = append(out, FreeSlot{AccountID: acc.ID, Local: s.Local, Zone: s.Zone, At: s.At, Change: s.Change})
			}
		}
	}
	return out, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func upcomingSlots(plan growth.PostingPlan, after, end time.Time, n int) ([]growth.PostTime, error) {
	var out []growth.PostTime
	for len(out) < n {
		t, ok, err := tasks.NextSlot(plan, after)
		if err != nil || !ok || !t.At.Before(end) {
			return out, err
		}
		out = append(out, t)
		after = t.At
	}
	return out, nil
}

func taken(posts []store.Planned, id growth.AccountID, at time.Time) bool {
	for _, p := range posts {
		if p.AccountID == id && p.At.Equal(at) && p.State != growth.JobCanceled && p.State != growth.JobFailed {
			return true
		}
	}
	return false
}

type movePostInput struct {
	IDInput
	Body struct {
		tasks.PostWish
		Now bool `json:"now,omitempty" doc:"Let it go at once, within the account's limits"`
	}
}

func (a *api) movePost(ctx context.Context, in *movePostInput) (*struct{ Body JobView }, error) {
	const op = "api.movePost"
	sc, id := a.Store.In(who(ctx).Workspace), growth.JobID(in.ID)
	if in.Body.Now == (in.Body.PostWish != (tasks.PostWish{})) {
		return nil, growth.InvalidField(op, "body.publish_at", "give publish_at (with zone), or slot, or now: true")
	}
	j, err := sc.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	wish := store.PostWish{Time: growth.PostTime{Source: growth.PostAtInstant, Zone: "UTC", At: time.Now().UTC(), Verdict: growth.PostOnTime}}
	wish.Time.Local = wish.Time.At.Format(growth.LocalLayout)
	if !in.Body.Now {
		if wish, err = a.wishOf(ctx, sc, j, in.Body.PostWish); err != nil {
			return nil, err
		}
	}
	if _, err := sc.MovePost(ctx, id, wish); err != nil {
		return nil, err
	}
	a.Queue.Wake()
	j, err = sc.Job(ctx, id)
	return &struct{ Body JobView }{a.view(ctx, j)}, err
}

func (a *api) wishOf(ctx context.Context, sc store.Scoped, j growth.Job, w tasks.PostWish) (store.PostWish, error) {
	var account growth.AccountID
	if j.PostTime != nil {
		account = j.PostTime.AccountID
	}
	if account == "" {
		account = tasks.PublishAccount(j)
	}
	wish, _, err := tasks.PlanPost(ctx, sc, w, account, a.Simulated, time.Now())
	return wish, err
}

// CalendarReport is what became of posts whose time passed.
type CalendarReport struct {
	From   time.Time       `json:"from"`
	To     time.Time       `json:"to"`
	OnTime int             `json:"on_time" doc:"Posts that went out when they were meant to"`
	Late   []CalendarEntry `json:"late" doc:"Went out late, or will: so many an hour"`
	Held   []CalendarEntry `json:"held" doc:"A person decides about them"`
	Moved  []CalendarEntry `json:"moved" doc:"Missed their time and were given another"`
	Undone []CalendarEntry `json:"undone" doc:"Their time has passed and they have not begun: the worker or a store is down, or they wait for something"`
}

type reportInput struct {
	From time.Time `query:"from" doc:"Default: 24 hours ago"`
	To   time.Time `query:"to" doc:"Default: now"`
}

func (a *api) calendarReport(ctx context.Context, in *reportInput) (*struct{ Body CalendarReport }, error) {
	now := time.Now()
	if in.To.IsZero() {
		in.To = now
	}
	if in.From.IsZero() {
		in.From = in.To.AddDate(0, 0, -1)
	}
	from, to, err := calendarInput{From: in.From, To: in.To}.span()
	if err != nil {
		return nil, err
	}
	sc := a.Store.In(who(ctx).Workspace)
	posts, err := sc.Calendar(ctx, from, to, "")
	if err != nil {
		return nil, err
	}
	moved, err := sc.MovedPosts(ctx, from, to)
	if err != nil {
		return nil, err
	}
	out := CalendarReport{From: from, To: to, Late: []CalendarEntry{}, Held: []CalendarEntry{}, Moved: []CalendarEntry{}, Undone: []CalendarEntry{}}
	for _, p := range posts {
		out.add(p, now)
	}
	for _, p := range moved {
		out.Moved = append(out.Moved, entryOf(p))
	}
	return &struct{ Body CalendarReport }{out}, nil
}

func (r *CalendarReport) add(p store.Planned, now time.Time) {
	switch {
	case p.Verdict == growth.PostLate:
		r.Late = append(r.Late, entryOf(p))
	case p.Verdict == growth.PostHeld && !p.State.Final():
		r.Held = append(r.Held, entryOf(p))
	case p.State == growth.JobSucceeded:
		r.OnTime++
	case p.Verdict == "" && !p.State.Final() && p.At.Before(now.Add(-time.Minute)):
		r.Undone = append(r.Undone, entryOf(p))
	}
}

// PlanView is a posting plan with the slots that come next.
type PlanView struct {
	growth.PostingPlan
	Next []growth.PostTime `json:"next" doc:"The next 10 slots, taken or not"`
}

func (a *api) getPlan(ctx context.Context, in *IDInput) (*struct{ Body PlanView }, error) {
	sc := a.Store.In(who(ctx).Workspace)
	if _, _, err := sc.Account(ctx, growth.AccountID(in.ID)); err != nil {
		return nil, err
	}
	plan, err := sc.PostingPlan(ctx, growth.AccountID(in.ID))
	if err != nil {
		return nil, err
	}
	next, err := upcomingSlots(plan, time.Now(), time.Now().AddDate(1, 0, 0), shownSlots)
	if next == nil {
		next = []growth.PostTime{}
	}
	return &struct{ Body PlanView }{PlanView{plan, next}}, err
}

type putPlanInput struct {
	IDInput
	Body struct {
		Zone           string               `json:"zone" minLength:"1" maxLength:"64" example:"America/Toronto" doc:"IANA name"`
		Slots          []growth.PostingSlot `json:"slots" maxItems:"50"`
		Late           growth.LatePolicy    `json:"late,omitempty" enum:"ask,publish,next_slot" doc:"What becomes of a post that is later than late_minutes. Default: ask"`
		LateMinutes    *int                 `json:"late_minutes,omitempty" minimum:"0" maximum:"1440" doc:"Up to this late a post goes out without a question. Default: 30"`
		CatchUpPerHour int                  `json:"catch_up_per_hour,omitempty" minimum:"1" maximum:"60" doc:"At most this many late posts in an hour. Default: 4"`
	}
}

func (a *api) putPlan(ctx context.Context, in *putPlanInput) (*struct{ Body PlanView }, error) {
	plan := growth.DefaultPlan(growth.AccountID(in.ID))
	plan.Zone, plan.Slots = in.Body.Zone, in.Body.Slots
	if in.Body.Late != "" {
		plan.Late = in.Body.Late
	}
	if in.Body.LateMinutes != nil {
		plan.LateMinutes = *in.Body.LateMinutes
	}
	if in.Body.CatchUpPerHour != 0 {
		plan.CatchUpPerHour = in.Body.CatchUpPerHour
	}
	if err := tasks.CheckPlan(plan); err != nil {
		return nil, err
	}
	if err := a.Store.In(who(ctx).Workspace).SetPostingPlan(ctx, plan); err != nil {
		return nil, err
	}
	return a.getPlan(ctx, &in.IDInput)
}
