package growth

import "time"

// LocalLayout is how a reading of a clock is written.
const LocalLayout = "2006-01-02T15:04:05"

// PostSource says where the time of a post comes from.
type PostSource string

// The sources of a post's time.
const (
	PostAtInstant PostSource = "instant" // the caller gave an instant
	PostAtWall    PostSource = "wall"    // the caller gave what the clock of a zone shows
	PostAtSlot    PostSource = "slot"    // the next free slot of the account's posting plan
)

// PostVerdict is what was decided when the time of a post came.
type PostVerdict string

// The verdicts. A post without one has not come due.
const (
	PostOnTime PostVerdict = "on_time"
	PostLate   PostVerdict = "late" // its time had passed; it goes out all the same, a few an hour
	PostHeld   PostVerdict = "held" // its time had passed; a person decides
)

// PostTime is when a post is to go out: what the clock shows, where, and which instant that is. The instant follows from
// the other two, and is worked out anew when the rules of the zone change.
type PostTime struct {
	JobID      JobID       `json:"job_id,omitempty"`
	Workspace  WorkspaceID `json:"-"`
	AccountID  AccountID   `json:"account_id,omitempty"`
	Source     PostSource  `json:"source" enum:"instant,wall,slot"`
	Local      string      `json:"local" doc:"What the clock of the zone shows" example:"2026-11-28T09:00:00"`
	Zone       string      `json:"zone" example:"America/Toronto"`
	At         time.Time   `json:"at"`
	Change     string      `json:"clock_change,omitempty" enum:"skipped,repeated" doc:"skipped: the clock jumps over the time, so it means the first instant after the gap; repeated: the clock shows it twice, and the first counts"`
	Verdict    PostVerdict `json:"verdict,omitempty" enum:"on_time,late,held" doc:"What was decided when its time came"`
	ReleasedAt *time.Time  `json:"-"`
}

// LatePolicy says what becomes of a post whose time has passed by more than the plan's tolerance.
type LatePolicy string

// The policies.
const (
	LateAsk      LatePolicy = "ask"       // a person decides
	LatePublish  LatePolicy = "publish"   // it goes out all the same
	LateNextSlot LatePolicy = "next_slot" // it takes the next free slot
)

// HeldPost is a post whose time had passed when its text was approved: a person decides whether it still goes out.
type HeldPost struct {
	JobID      JobID     `json:"job_id" doc:"Of the publish job, as /v1/calendar/{id} takes it"`
	ContentID  ContentID `json:"content_id"`
	AccountID  AccountID `json:"account_id,omitempty"`
	Account    string    `json:"account" doc:"The account's name"`
	PlannedFor time.Time `json:"planned_for"`
	Reason     string    `json:"reason" doc:"Why it waits, and what lets it go"`
}

// Approval is a text that was approved, with the posts of it that wait all the same.
type Approval struct {
	Content
	Held []HeldPost `json:"held"`
}

// PostingPlan is when an account posts, and what it does about posts that were missed.
type PostingPlan struct {
	AccountID      AccountID     `json:"account_id"`
	Zone           string        `json:"zone" example:"America/Toronto" doc:"IANA name"`
	Slots          []PostingSlot `json:"slots"`
	Late           LatePolicy    `json:"late" enum:"ask,publish,next_slot" doc:"A post that is later than late_minutes: ask a person, publish it all the same, or give it the next free slot"`
	LateMinutes    int           `json:"late_minutes" doc:"Up to this late a post goes out without a question"`
	CatchUpPerHour int           `json:"catch_up_per_hour" doc:"At most this many late posts in an hour"`
}

// PostingSlot is one time of the day on some days of the week.
type PostingSlot struct {
	Days []string `json:"days" doc:"mon, tue, wed, thu, fri, sat, sun"`
	Time string   `json:"time" example:"09:00" doc:"What the clock of the plan's zone shows"`
}

// DefaultPlan is what holds for an account without a plan: no slots, and the usual care about what was missed.
func DefaultPlan(id AccountID) PostingPlan {
	return PostingPlan{AccountID: id, Slots: []PostingSlot{}, Late: LateAsk, LateMinutes: 30, CatchUpPerHour: 4}
}
