package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// Handover is a job that is due to be handed to Redis.
type Handover struct {
	ID          growth.JobID       `db:"id"`
	Workspace   growth.WorkspaceID `db:"workspace_id"`
	Type        growth.JobType     `db:"type"`
	Lane        string             `db:"lane"`
	Epoch       int                `db:"epoch"`
	Attempts    int                `db:"attempts"`
	MaxAttempts int                `db:"max_attempts"`
	TimeoutS    int                `db:"timeout_s"`
	TraceID     string             `db:"trace_id"`
}

// Share bounds what of one lane lies in Redis.
type Share struct {
	Pending   int // tasks that no worker has taken up, of all workspaces together; each gets a part, and at least one
	Active    int // tasks of one workspace that are pending or running
	Unsettled int // tasks of one workspace in any state that asynq holds, waits and retries too
}

// Round is what one hand-over did.
type Round struct {
	Marked int            // jobs that Redis took
	Failed bool           // Redis did not take all that it was given
	More   bool           // jobs are due for which there was no room
	Next   time.Time      // when the next job is due; zero: none within the hour
	Active map[string]int // by lane: pending and running tasks before this round
}

// HandOver locks jobs that are due and not in Redis, hands them to send, and marks those that send says it took. Each
// lane's room is divided between the workspaces that have something due, so one client's backlog does not stand before
// another's job. A crash between send and commit is harmless: the task id makes the second hand-over a conflict.
func (s *Store) HandOver(ctx context.Context, share func(lane string) Share, send func([]Handover) []bool) (Round, error) {
	loads, err := s.loads(ctx)
	if err != nil {
		return Round{}, err
	}
	round := Round{Active: map[string]int{}}
	for _, l := range loads {
		round.Active[l.Lane] += l.Pending + l.Running
		if l.Next.Valid && (round.Next.IsZero() || l.Next.Time.Before(round.Next)) {
			round.Next = l.Next.Time
		}
	}
	rooms := divide(loads, share)
	if len(rooms.limits) > 0 {
		if err := s.handOver(ctx, rooms, send, &round); err != nil {
			return Round{}, err
		}
	}
	round.More = round.More || rooms.crowded
	return round, nil
}

// load is what a workspace has in a lane.
type load struct {
	Lane      string             `db:"lane"`
	Workspace growth.WorkspaceID `db:"workspace_id"`
	Next      sql.NullTime       `db:"next"` // of what is not due yet
	Due       bool               `db:"due"`
	Pending   int                `db:"pending"`
	Running   int                `db:"running"`
	Unsettled int                `db:"unsettled"`
}

// loads finds the groups (lane, workspace) that have something in the outbox by skipping through the index instead of reading the
// backlog, and counts what every group has in Redis.
func (s *Store) loads(ctx context.Context) ([]load, error) {
	var out []load
	err := s.query(ctx, &out, `
		WITH RECURSIVE groups AS (
			(SELECT lane, workspace_id FROM jobs
			 WHERE dispatched_at IS NULL AND state IN ('scheduled', 'queued', 'retrying', 'waiting')
			 ORDER BY lane, workspace_id LIMIT 1)
			UNION ALL
			SELECT n.lane, n.workspace_id FROM groups g, LATERAL (
				SELECT lane, workspace_id FROM jobs
				WHERE dispatched_at IS NULL AND state IN ('scheduled', 'queued', 'retrying', 'waiting')
				  AND (lane, workspace_id) > (g.lane, g.workspace_id)
				ORDER BY lane, workspace_id LIMIT 1) n
		), outbox AS (
			SELECT lane, workspace_id, (
				SELECT run_at FROM jobs
				WHERE dispatched_at IS NULL AND state IN ('scheduled', 'queued', 'retrying', 'waiting')
				  AND lane = g.lane AND workspace_id = g.workspace_id AND run_at > now() AND run_at < now() + interval '1 hour'
				ORDER BY run_at LIMIT 1) AS next, (
				SELECT true FROM jobs
				WHERE dispatched_at IS NULL AND state IN ('scheduled', 'queued', 'retrying', 'waiting')
				  AND lane = g.lane AND workspace_id = g.workspace_id AND run_at <= now()
				LIMIT 1) AS due
			FROM groups g
			WHERE NOT EXISTS (SELECT 1 FROM pauses p
				WHERE p.queue = split_part(g.lane, ':', 1) AND (p.workspace_id IS NULL OR p.workspace_id = g.workspace_id))
		), held AS (
			SELECT lane, workspace_id, count(*) FILTER (WHERE state = 'queued' OR state <> 'running' AND run_at <= now() + interval '1 second') AS pending,
				count(*) FILTER (WHERE state = 'running') AS running, count(*) AS unsettled
			FROM jobs
			WHERE dispatched_at IS NOT NULL AND state IN ('queued', 'running', 'retrying', 'waiting')
			  AND EXISTS (SELECT 1 FROM outbox WHERE due)
			GROUP BY lane, workspace_id
		)
		SELECT lane, workspace_id, next, coalesce(due, false) AS due, coalesce(pending, 0) AS pending,
			coalesce(running, 0) AS running, coalesce(unsettled, 0) AS unsettled
		FROM outbox FULL JOIN held USING (lane, workspace_id)`)
	return out, wrap("hand over", err)
}

// rooms is how many jobs each group may hand over now.
type rooms struct {
	lanes, workspaces []string
	limits            []int64
	slots             map[owner]int // that a workspace has left in a queue, for all its lanes together
	crowded           bool          // a group has something due and no room
}

// owner is whose slots of a queue they are.
type owner struct {
	queue     string
	workspace growth.WorkspaceID
}

func ownerOf(lane string, ws growth.WorkspaceID) owner {
	queue, _ := growth.SplitLane(lane)
	return owner{queue, ws}
}

// fit leaves out what goes beyond a workspace's slots, from the lanes that go last.
func (r rooms) fit(due []Handover) []Handover {
	out := due[:0]
	for _, d := range due { // in the order of the groups, which is that of the lanes
		mine := ownerOf(d.Lane, d.Workspace)
		if r.slots[mine] > 0 {
			r.slots[mine]--
			out = append(out, d)
		}
	}
	return out
}

// divide gives each workspace with something due in a lane its part of the lane's room. The slots are the queue's, so
// what a workspace has in one of its lanes counts in the others; the lane that goes first is asked first.
func divide(loads []load, share func(lane string) Share) rooms {
	hungry, active := map[string]int{}, map[owner]int{}
	for _, l := range loads {
		active[ownerOf(l.Lane, l.Workspace)] += l.Pending + l.Running
		if l.Due {
			hungry[l.Lane]++
		}
	}
	slices.SortStableFunc(loads, func(a, b load) int { return laneOrder(a.Lane) - laneOrder(b.Lane) })
	out := rooms{slots: map[owner]int{}}
	for _, l := range loads {
		if !l.Due {
			continue
		}
		sh := share(l.Lane)
		part := max(sh.Pending/hungry[l.Lane], 1)
		mine := ownerOf(l.Lane, l.Workspace)
		n := min(part-l.Pending, sh.Active-active[mine], sh.Unsettled-l.Unsettled)
		if n <= 0 {
			out.crowded = true
			continue
		}
		out.slots[mine] = max(out.slots[mine], sh.Active-active[mine])
		out.lanes, out.workspaces, out.limits = append(out.lanes, l.Lane), append(out.workspaces, string(l.Workspace)), append(out.limits, int64(n))
	}
	return out
}

// laneOrder sorts a queue's lanes by priority.
func laneOrder(lane string) int {
	switch _, priority := growth.SplitLane(lane); priority {
	case growth.PriorityHigh:
		return 0
	case growth.PriorityLow:
		return 2
	case growth.PriorityNormal:
	}
	return 1
}

// handOver takes from each group as many as it has room for.
func (s *Store) handOver(ctx context.Context, r rooms, send func([]Handover) []bool, round *Round) error {
	for _, text := range []string{takeQuery, markQuery} {
		if _, err := s.statements.get(ctx, text); err != nil { //nolint:sqlclosecheck // kept
			return wrap("hand over", err)
		}
	}
	return s.InTx(ctx, func(tx *Tx) error {
		var due []Handover
		if err := tx.query(ctx, &due, takeQuery, pq.Array(r.lanes), pq.Array(r.workspaces), pq.Array(r.limits)); err != nil {
			return wrap("hand over", err)
		}
		slices.SortStableFunc(due, func(a, b Handover) int { return laneOrder(a.Lane) - laneOrder(b.Lane) })
		round.More = full(due, r)
		due = r.fit(due)
		if len(due) == 0 {
			return nil
		}
		taken := send(due)
		ids := make([]string, 0, len(due))
		for i, d := range due {
			if taken[i] {
				ids = append(ids, string(d.ID))
			}
		}
		round.Marked, round.Failed = len(ids), len(ids) < len(due)
		var none []struct{}
		return wrap("mark handed over", tx.query(ctx, &none, markQuery, pq.Array(ids)))
	})
}

const takeQuery = `
	SELECT j.id, j.workspace_id, j.type, j.lane, j.epoch, j.attempts, j.max_attempts, j.timeout_s, j.trace_id
	FROM unnest($1::text[], $2::uuid[], $3::bigint[]) AS g (lane, workspace_id, room), LATERAL (
		SELECT id, workspace_id, type, lane, epoch, attempts, max_attempts, timeout_s, trace_id FROM jobs
		WHERE dispatched_at IS NULL AND state IN ('scheduled', 'queued', 'retrying', 'waiting')
		  AND lane = g.lane AND workspace_id = g.workspace_id AND run_at <= now()
		ORDER BY run_at, id LIMIT g.room
		FOR NO KEY UPDATE SKIP LOCKED) j`

const markQuery = `
	UPDATE jobs SET dispatched_at = now(), state = CASE WHEN state = 'scheduled' THEN 'queued' ELSE state END
	WHERE id = ANY($1::uuid[])`

// full says whether a group took all its room: it may have more.
func full(due []Handover, r rooms) bool {
	type group struct{ lane, workspace string }
	got := map[group]int64{}
	for _, d := range due {
		got[group{d.Lane, string(d.Workspace)}]++
	}
	for i := range r.limits {
		if got[group{r.lanes[i], r.workspaces[i]}] >= r.limits[i] {
			return true
		}
	}
	return false
}
