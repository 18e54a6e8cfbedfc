package growth

import (
	"encoding/json"
	"time"
)

// ScheduleID names a schedule.
type ScheduleID string

// Schedule enqueues the same job again and again, at the times of a cron expression in a zone.
type Schedule struct {
	ID        ScheduleID      `json:"id"`
	Workspace WorkspaceID     `json:"-"`
	Name      string          `json:"name"` // unique in its workspace
	Cron      string          `json:"cron"`
	Zone      string          `json:"zone"` // IANA
	Type      JobType         `json:"type"`
	Input     json.RawMessage `json:"input"`   // of each job, as its worker reads it
	Options   JobOptions      `json:"options"` // of each job, every default filled in
	LeadID    LeadID          `json:"-"`       // the lead that the input names; the schedule goes when it goes
	Enabled   bool            `json:"enabled"`
	Overlap   Overlap         `json:"overlap"`
	CatchUp   CatchUp         `json:"catch_up"`
	StartsAt  *time.Time      `json:"starts_at"` // nothing comes due before
	EndsAt    *time.Time      `json:"ends_at"`   // nor after
	LastTick  *time.Time      `json:"last_tick"` // the newest that was dealt with
	NextTick  *time.Time      `json:"next_tick"` // nil: nothing will come due
	Problem   string          `json:"problem"`   // why the schedule was stopped by the program; empty: it was not
	CreatedBy string          `json:"created_by"`
	CreatedAt time.Time       `json:"created_at"`
	UpdatedAt time.Time       `json:"updated_at"`
}

// Overlap says what a tick does while the schedule's job before it has not ended.
type Overlap string

// The choices. OverlapSkip keeps a queue that is paused, or slower than its schedule, from filling up.
const (
	OverlapSkip  Overlap = "skip"
	OverlapAllow Overlap = "allow"
)

// CatchUp says what becomes of ticks that nobody was there for.
type CatchUp struct {
	Policy  CatchUpPolicy `json:"policy" enum:"none,last,all" doc:"none: let them go; last: do the newest; all: do each"`
	WithinS int           `json:"within_s" doc:"Ticks that are later than this many seconds are let go"`
	Limit   int           `json:"limit" doc:"No more than this many, the newest"`
}

// CatchUpPolicy is the kind of catching up.
type CatchUpPolicy string

// The policies.
const (
	CatchUpNone CatchUpPolicy = "none"
	CatchUpLast CatchUpPolicy = "last"
	CatchUpAll  CatchUpPolicy = "all"
)

// TickGrace is how late a tick may be and still be on time: a restart of the programs takes less.
const TickGrace = time.Minute

// Window is how late a tick may be to be done all the same, and how many late ones are done.
func (c CatchUp) Window() (within time.Duration, limit int) {
	switch c.Policy {
	case CatchUpLast:
		return max(time.Duration(c.WithinS)*time.Second, TickGrace), 1
	case CatchUpAll:
		return max(time.Duration(c.WithinS)*time.Second, TickGrace), max(c.Limit, 1)
	case CatchUpNone:
	}
	return TickGrace, 1
}

// Tick is one time of a schedule and what was made of it.
type Tick struct {
	At        time.Time  `json:"at"`
	State     TickState  `json:"state"`
	Manual    bool       `json:"manual"` // a person asked for it
	JobID     *JobID     `json:"job_id"` // the job that it made, or that made it skip
	Until     *time.Time `json:"until"`  // of missed ones: all from At up to, and without, this time; nil: that was the last
	Detail    string     `json:"detail"`
	CreatedAt time.Time  `json:"created_at"` // when it was dealt with
}

// TickState is what was made of a tick.
type TickState string

// The states of a tick.
const (
	TickEnqueued TickState = "enqueued"
	TickSkipped  TickState = "skipped" // the job before had not ended
	TickMissed   TickState = "missed"  // nobody was there, and it is not caught up
)
