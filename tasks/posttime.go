package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/timetable"
	"github.com/zakibelm/astrogrowth/store"
)

// PostWish is when a post shall go out, as a caller says it. The zero value means: when its turn comes.
type PostWish struct {
	PublishAt string `json:"publish_at,omitempty" example:"2026-12-01T09:00" doc:"An instant (2026-12-01T14:00:00Z), or what the clock of the zone shows"`
	Zone      string `json:"zone,omitempty" example:"America/Toronto" doc:"IANA name; default: the zone of the account's posting plan"`
	Slot      string `json:"slot,omitempty" enum:"next" doc:"next: the next free slot of the account's posting plan"`
}

// clockTolerance is how far in the past an instant may lie and still mean now: clocks differ.
const clockTolerance = 5 * time.Minute

// PlanPost turns a wish into a time, or into a claim on the next free slot. wished is false for the zero wish. simulated
// says that LinkedIn is the simulator.
func PlanPost(ctx context.Context, sc store.Scoped, w PostWish, account growth.AccountID, simulated bool, now time.Time) (wish store.PostWish, wished bool, err error) {
	const op = "tasks.PlanPost"
	if w == (PostWish{}) {
		return wish, false, nil
	}
	if w.Slot != "" && (w.PublishAt != "" || w.Zone != "") {
		return wish, false, growth.InvalidField(op, "slot", "give either slot or publish_at")
	}
	if w.Slot != "" && w.Slot != "next" {
		return wish, false, growth.InvalidField(op, "slot", "use next")
	}
	if w.Slot == "" && w.PublishAt == "" {
		return wish, false, growth.InvalidField(op, "publish_at", "a zone needs a time: give publish_at")
	}
	account, err = postingAccount(ctx, sc, account, simulated)
	if err != nil {
		return wish, false, err
	}
	if w.Slot != "" {
		if account == "" {
			return wish, false, growth.InvalidField(op, "account_id", "say whose posting plan: the workspace has no LinkedIn account, or several")
		}
		return store.PostWish{Time: growth.PostTime{AccountID: account}, Slot: NextSlot}, true, nil
	}
	t, err := readTime(ctx, sc, w, account)
	if err == nil && t.At.Before(now.Add(-clockTolerance)) {
		err = growth.InvalidField(op, "publish_at", "%s has passed; leave it out to publish as soon as the limits allow", t.At.Format(time.RFC3339))
	}
	t.AccountID = account
	return store.PostWish{Time: t}, err == nil, err
}

// postingAccount is the account that a publish job means: the only one when it names none. Empty: nobody can say yet.
func postingAccount(ctx context.Context, sc store.Scoped, id growth.AccountID, simulated bool) (growth.AccountID, error) {
	if id != "" {
		_, _, err := sc.Account(ctx, id)
		if growth.CodeOf(err) == growth.NotFound {
			return "", growth.InvalidField("tasks.PlanPost", "account_id", "there is no such LinkedIn account in this workspace")
		}
		return id, err
	}
	all, err := sc.Accounts(ctx)
	if err != nil {
		return "", err
	}
	if all = CanPost(all, simulated); len(all) != 1 {
		return "", nil
	}
	return all[0].ID, nil
}

// PinAccount names the account of a publish job while it is accepted, where there is only one: another that is connected
// before the post's time does not make the job one of which nobody knows whose it is. With several it has to be said.
// A content that was approved for an account goes out as that one.
func PinAccount(ctx context.Context, sc store.Scoped, a PublishArgs, simulated bool) (PublishArgs, error) {
	const op = "tasks.PinAccount"
	if a.ContentID != "" {
		c, err := sc.Content(ctx, a.ContentID)
		if growth.CodeOf(err) == growth.NotFound && err != nil {
			return a, growth.InvalidField(op, "content_id", "there is no such content in this workspace")
		}
		if err != nil {
			return a, err
		}
		if err := fits(op, c); err != nil {
			return a, err
		}
		if a.AccountID == "" && c.AccountID != nil {
			a.AccountID = *c.AccountID
		}
	}
	if a.AccountID != "" {
		return a, nil
	}
	all, err := sc.Accounts(ctx)
	if err != nil {
		return a, err
	}
	if all = CanPost(all, simulated); len(all) > 1 {
		return a, growth.InvalidField(op, "account_id", "say as which account: the workspace has %d that can post", len(all))
	}
	if len(all) == 1 {
		a.AccountID = all[0].ID
	}
	return a, nil
}

// CanPost picks the accounts that posts may go out as: those that nobody has given up, of the simulated LinkedIn or of
// the real one. The account that an installation had before it got a real one is not in the way of that.
func CanPost(all []growth.Account, simulated bool) []growth.Account {
	return slices.DeleteFunc(slices.Clone(all), func(a growth.Account) bool {
		return a.Simulated != simulated || a.Status == growth.AccountDisconnected
	})
}

func readTime(ctx context.Context, sc store.Scoped, w PostWish, account growth.AccountID) (growth.PostTime, error) {
	if at, err := time.Parse(time.RFC3339, w.PublishAt); err == nil {
		return readInstant(at, w.Zone)
	}
	zone := w.Zone
	if zone == "" && account != "" {
		plan, err := sc.PostingPlan(ctx, account)
		if err != nil {
			return growth.PostTime{}, err
		}
		zone = plan.Zone
	}
	if zone == "" {
		return growth.PostTime{}, growth.InvalidField("tasks.PlanPost", "zone", "say where the clock shows publish_at, such as America/Toronto, or give an instant with its offset")
	}
	return WallTime(w.PublishAt, zone)
}

// readInstant shows an instant on the clock of a zone; without one it is kept in UTC.
func readInstant(at time.Time, zone string) (growth.PostTime, error) {
	if zone == "" {
		zone = "UTC"
	}
	if _, err := timetable.At("2026-01-01T00:00", zone); err != nil {
		return growth.PostTime{}, err
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return growth.PostTime{}, fmt.Errorf("zone: %w", err)
	}
	return growth.PostTime{Source: growth.PostAtInstant, Local: at.In(loc).Format(growth.LocalLayout), Zone: zone, At: at.UTC()}, nil
}

// WallTime is the time at which the clock of a zone shows a reading.
func WallTime(reading, zone string) (growth.PostTime, error) {
	o, err := timetable.At(reading, zone)
	if err != nil {
		return growth.PostTime{}, err
	}
	t := postTime(o, zone)
	t.Source = growth.PostAtWall
	if o.Change == timetable.Skipped { // what was asked for, not where it landed: another year's rules may know the hour
		t.Local = reading
	}
	return t, nil
}

func postTime(o timetable.Occurrence, zone string) growth.PostTime {
	return growth.PostTime{Local: o.At.Format(growth.LocalLayout), Zone: zone, At: o.At.UTC(), Change: string(o.Change)}
}

// NextSlot is the first slot of a plan after an instant.
func NextSlot(plan growth.PostingPlan, after time.Time) (growth.PostTime, bool, error) {
	if len(plan.Slots) == 0 {
		return growth.PostTime{}, false, nil
	}
	week, err := timetable.ParseWeek(plan.Zone, plan.Slots)
	if err != nil {
		return growth.PostTime{}, false, err
	}
	o, ok := week.Next(after)
	if !ok {
		return growth.PostTime{}, false, nil
	}
	t := postTime(o, plan.Zone)
	t.Source = growth.PostAtSlot
	return t, true, nil
}

// CheckPlan refuses a posting plan that could not be kept.
func CheckPlan(p growth.PostingPlan) error {
	const op = "tasks.CheckPlan"
	if _, err := timetable.ParseWeek(p.Zone, p.Slots); err != nil {
		return err
	}
	switch {
	case p.Late != growth.LateAsk && p.Late != growth.LatePublish && p.Late != growth.LateNextSlot:
		return growth.InvalidField(op, "late", "use ask, publish or next_slot")
	case p.Late == growth.LateNextSlot && len(p.Slots) == 0:
		return growth.InvalidField(op, "late", "next_slot needs slots")
	case p.LateMinutes < 0 || p.LateMinutes > 1440:
		return growth.InvalidField(op, "late_minutes", "use 0 to 1440")
	case p.CatchUpPerHour < 1 || p.CatchUpPerHour > 60:
		return growth.InvalidField(op, "catch_up_per_hour", "use 1 to 60")
	}
	return nil
}

// punctual is how late a post may be and still count as on time.
const punctual = time.Minute

// tolerance is how late a post may be and still go out without a question.
func tolerance(plan growth.PostingPlan) time.Duration {
	return max(punctual, time.Duration(plan.LateMinutes)*time.Minute)
}

// judgePost says what becomes of a post whose time has come.
func judgePost(t growth.PostTime, plan growth.PostingPlan, now time.Time) growth.PostVerdict {
	switch late := now.Sub(t.At); {
	case late <= punctual:
		return growth.PostOnTime
	case late <= tolerance(plan), plan.Late == growth.LatePublish:
		return growth.PostLate
	default:
		return growth.PostHeld
	}
}

// inTime lets the post of a job go when its time has come, and holds it back when the time has not come, has passed, or
// when too many late ones go out already. A post without a time goes when its turn comes. What was decided stands while
// the post waits for the account's own windows; it is decided anew when the attempt itself comes late, after an outage.
func (w PublishWorker) inTime(ctx context.Context, job *Job[PublishArgs], account growth.AccountID) error {
	sc := w.Store.In(job.Job.Workspace)
	t, found, err := sc.PostTime(ctx, job.Job.ID)
	if err != nil || !found {
		return err
	}
	now := w.clock()
	if early := t.At.Sub(now); early > time.Second { // another's hand made the job due, such as a retry of a canceled one
		return heldBack(t.At, "the post is planned for %s", t.At.Format(time.RFC3339))
	}
	plan, err := sc.PostingPlan(ctx, account)
	if err != nil {
		return err
	}
	if t.Verdict == "" || t.Verdict != growth.PostHeld && now.Sub(job.Job.RunAt) > tolerance(plan) {
		if t.Verdict, err = w.judge(ctx, job, t, plan, account, now); err != nil {
			return err
		}
	}
	switch t.Verdict {
	case growth.PostHeld:
		return &WaitError{Reason: growth.WaitApproval, Err: growth.Errorf(growth.Conflict, "tasks.Publish", "the time of this post, %s, has passed: give it a new one, let it go now, or cancel the job", t.At.Format(time.RFC3339))}
	case growth.PostLate:
		wait, err := sc.ReleaseLate(ctx, job.Job.ID, account, plan.CatchUpPerHour)
		if err != nil || wait == 0 {
			return err
		}
		return heldBack(now.Add(wait), "the post is late, and %d late ones of this account go out in an hour", plan.CatchUpPerHour)
	case growth.PostOnTime:
	}
	return nil
}

// judge decides, and keeps it.
func (w PublishWorker) judge(ctx context.Context, job *Job[PublishArgs], t growth.PostTime, plan growth.PostingPlan, account growth.AccountID, now time.Time) (growth.PostVerdict, error) {
	v := judgePost(t, plan, now)
	if v == growth.PostHeld && plan.Late == growth.LateNextSlot {
		return "", w.missed(ctx, job, t, account)
	}
	var tell []store.NewEvent
	if v == growth.PostHeld {
		tell = append(tell, event("post.held", map[string]any{"job_id": job.Job.ID, "planned_for": t.At, "account_id": account}))
	}
	return v, w.Store.In(job.Job.Workspace).JudgePost(ctx, job.Job.ID, job.Fence, account, v, tell...)
}

// missed gives a missed post the next free slot and puts the job off until then.
func (w PublishWorker) missed(ctx context.Context, job *Job[PublishArgs], t growth.PostTime, account growth.AccountID) error {
	next, err := w.Store.In(job.Job.Workspace).MissPost(ctx, job.Job.ID, job.Fence, account, NextSlot, func(next growth.PostTime) store.NewEvent {
		return event("post.moved", map[string]any{"job_id": job.Job.ID, "planned_for": t.At, "moved_to": next.At, "account_id": account})
	})
	if err != nil {
		return err
	}
	return heldBack(next.At, "the time of this post had passed: it takes the slot %s", next.At.Format(time.RFC3339))
}

func heldBack(until time.Time, format string, args ...any) error {
	return &WaitError{Reason: growth.WaitPostingWindow, Until: until, Err: growth.Errorf(growth.Throttled, "tasks.Publish", format, args...)}
}

// reclockBatch is how many planned posts are looked at in one query.
const reclockBatch = 500

// ReclockPosts works the instants of planned posts out anew from what the clock shall show. The rules of zones change,
// and come with a new program: a post planned for nine o'clock stays at nine o'clock. It returns how many moved.
func ReclockPosts(ctx context.Context, s *store.Store) (int, error) {
	var after growth.JobID
	moved := 0
	for {
		page, err := s.ClockTimes(ctx, after, reclockBatch)
		if err != nil || len(page) == 0 {
			return moved, err
		}
		for _, t := range page {
			after = t.JobID
			o, err := timetable.At(t.Local, t.Zone)
			if err != nil || o.At.Equal(t.At) { // a zone that this program does not know keeps the instant it had
				continue
			}
			t.At, t.Change = o.At.UTC(), string(o.Change)
			if err := s.In(t.Workspace).Reclock(ctx, t); err != nil {
				return moved, err
			}
			moved++
		}
	}
}

// PublishAccount is the account that a publish job names; empty: the only one of the workspace.
func PublishAccount(j growth.Job) growth.AccountID {
	var a PublishArgs
	if j.Type != growth.JobLinkedInPublish || json.Unmarshal(j.Input, &a) != nil {
		return ""
	}
	return a.AccountID
}
