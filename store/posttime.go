package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// PostWish is when the post of a publish job shall go out.
type PostWish struct {
	Time growth.PostTime // of a wish for a slot only the account is given
	Slot NextSlot        // not nil: the next free slot of the account's plan, which the same commit takes
}

// NextSlot gives the first slot of a plan after an instant; ok is false when the plan has none.
type NextSlot func(plan growth.PostingPlan, after time.Time) (t growth.PostTime, ok bool, err error)

// maxTaken bounds how far ahead a free slot is looked for.
const maxTaken = 5000

type postTimeRow struct {
	JobID      growth.JobID       `db:"job_id"`
	Workspace  growth.WorkspaceID `db:"workspace_id"`
	AccountID  sql.NullString     `db:"account_id"`
	Source     growth.PostSource  `db:"source"`
	Local      time.Time          `db:"local"`
	Zone       string             `db:"zone"`
	At         time.Time          `db:"at"`
	Change     string             `db:"clock_change"`
	Verdict    growth.PostVerdict `db:"verdict"`
	ReleasedAt sql.NullTime       `db:"released_at"`
}

const postTimeColumns = `t.job_id, t.workspace_id, t.account_id, t.source, t.local, t.zone, t.at, t.clock_change, t.verdict, t.released_at`

func (r postTimeRow) postTime() growth.PostTime {
	t := growth.PostTime{
		JobID: r.JobID, Workspace: r.Workspace, AccountID: growth.AccountID(r.AccountID.String), Source: r.Source,
		Local: r.Local.Format(growth.LocalLayout), Zone: r.Zone, At: r.At.UTC(), Change: r.Change, Verdict: r.Verdict,
	}
	if r.ReleasedAt.Valid {
		at := r.ReleasedAt.Time.UTC()
		t.ReleasedAt = &at
	}
	return t
}

// takeSlots gives the jobs that wish for a slot the next free one of their account, before they are inserted. The lock
// on the account's slots lasts until the commit, so that two requests cannot take the same.
func (tx *Tx) takeSlots(ctx context.Context, ws growth.WorkspaceID, jobs []NewJob) error {
	var names []string
	for _, j := range jobs {
		if j.Post != nil && j.Post.Slot != nil {
			names = append(names, "slots\x1f"+string(j.Post.Time.AccountID))
		}
	}
	if err := tx.lockNames(ctx, ws, names); err != nil || len(names) == 0 {
		return err
	}
	taken := map[growth.AccountID]map[int64]bool{}
	for i := range jobs {
		if jobs[i].Post == nil || jobs[i].Post.Slot == nil {
			continue
		}
		id := jobs[i].Post.Time.AccountID
		if taken[id] == nil {
			var err error
			if taken[id], err = tx.takenSlots(ctx, ws, id); err != nil {
				return err
			}
		}
		t, err := tx.freeSlot(ctx, ws, id, jobs[i].Post.Slot, taken[id])
		if err != nil {
			return err
		}
		taken[id][t.At.Unix()] = true
		jobs[i].Post = &PostWish{Time: t, Slot: jobs[i].Post.Slot}
		jobs[i].Options.RunAt = &t.At
	}
	return nil
}

// takenSlots are the instants at which an account's unfinished jobs post.
func (tx *Tx) takenSlots(ctx context.Context, ws growth.WorkspaceID, id growth.AccountID) (map[int64]bool, error) {
	var at []time.Time
	if err := tx.tx.SelectContext(ctx, &at, `
		SELECT t.at FROM post_times t JOIN jobs j ON j.id = t.job_id
		WHERE t.account_id = $1 AND t.workspace_id = $2 AND t.at > now() AND j.state NOT IN ('succeeded', 'failed', 'canceled')`, id, ws); err != nil {
		return nil, wrap("taken slots", err)
	}
	out := make(map[int64]bool, len(at))
	for _, t := range at {
		out[t.Unix()] = true
	}
	return out, nil
}

func (tx *Tx) freeSlot(ctx context.Context, ws growth.WorkspaceID, id growth.AccountID, next NextSlot, taken map[int64]bool) (growth.PostTime, error) {
	const op = "store.freeSlot"
	plan, err := postingPlan(ctx, tx.tx, ws, id)
	if err != nil {
		return growth.PostTime{}, err
	}
	after := time.Now()
	for range maxTaken {
		t, ok, err := next(plan, after)
		if err != nil {
			return t, err
		}
		if !ok {
			return t, growth.InvalidField(op, "slot", "the account has no posting plan with slots: set one at /v1/linkedin/accounts/%s/plan", id)
		}
		if !taken[t.At.Unix()] {
			t.AccountID, t.Source = id, growth.PostAtSlot
			return t, nil
		}
		after = t.At
	}
	return growth.PostTime{}, growth.InvalidField(op, "slot", "the next %d slots of the account are taken", maxTaken)
}

// postTimeRecord is a row of post_times as savePostTimes writes it.
type postTimeRecord struct {
	JobID   growth.JobID      `json:"job_id"`
	Account *growth.AccountID `json:"account_id"`
	Source  growth.PostSource `json:"source"`
	Local   string            `json:"local"`
	Zone    string            `json:"zone"`
	At      time.Time         `json:"at"`
	Change  string            `json:"clock_change"`
	Verdict string            `json:"verdict"`
}

func recordOf(id growth.JobID, t growth.PostTime) postTimeRecord {
	r := postTimeRecord{JobID: id, Source: t.Source, Local: t.Local, Zone: t.Zone, At: t.At, Change: t.Change, Verdict: string(t.Verdict)}
	if t.AccountID != "" {
		r.Account = &t.AccountID
	}
	return r
}

// savePostTimes writes the times of the jobs that were inserted, and shows the content of those as scheduled.
func (tx *Tx) savePostTimes(ctx context.Context, ws growth.WorkspaceID, jobs []NewJob, out []Accepted) error {
	var rows []postTimeRecord
	for i, j := range jobs {
		if j.Post != nil && !out[i].Existing {
			rows = append(rows, recordOf(out[i].ID, j.Post.Time))
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if err := tx.putPostTimes(ctx, ws, rows); err != nil {
		return err
	}
	for i, j := range jobs {
		if j.Post != nil && !out[i].Existing {
			if err := tx.contentPlanned(ctx, ws, "", out[i].ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// putPostTimes writes times, also over earlier ones. An account of another workspace is none.
func (tx *Tx) putPostTimes(ctx context.Context, ws growth.WorkspaceID, rows []postTimeRecord) error {
	b, err := json.Marshal(rows)
	if err != nil {
		return wrap("post times", err)
	}
	_, err = tx.tx.ExecContext(ctx, `
		INSERT INTO post_times AS t (job_id, workspace_id, account_id, source, local, zone, at, clock_change, verdict)
		SELECT r.job_id, $1, a.id, r.source, r.local, r.zone, r.at, r.clock_change, r.verdict
		FROM jsonb_to_recordset($2) AS r (job_id uuid, account_id uuid, source text, local timestamp, zone text, at timestamptz,
			clock_change text, verdict text)
		LEFT JOIN linkedin_accounts a ON a.id = r.account_id AND a.workspace_id = $1
		ON CONFLICT (job_id) DO UPDATE SET source = excluded.source, local = excluded.local, zone = excluded.zone,
			account_id = coalesce(excluded.account_id, t.account_id),
			moved_from = CASE WHEN t.verdict = 'held' OR t.at < now() THEN t.at ELSE t.moved_from END,
			at = excluded.at, clock_change = excluded.clock_change, verdict = excluded.verdict, judged_at = NULL, released_at = NULL
		WHERE t.workspace_id = $1`, ws, string(b))
	return wrap("post times", err)
}

// contentPlanned shows the approved content of a publish job as scheduled while a post of it is planned, and as approved
// when none is any more. It takes the content, or the job that names it.
func (tx *Tx) contentPlanned(ctx context.Context, ws growth.WorkspaceID, id growth.ContentID, job growth.JobID) error {
	_, err := tx.tx.ExecContext(ctx, `
		UPDATE contents c SET updated_at = now(), status = CASE WHEN EXISTS (
			SELECT 1 FROM post_times t JOIN jobs j ON j.id = t.job_id
			WHERE t.workspace_id = $1 AND t.at > now() AND j.state NOT IN ('succeeded', 'failed', 'canceled')
			  AND nullif(j.input->>'content_id', '')::uuid = c.id) THEN 'scheduled' ELSE 'approved' END
		WHERE c.workspace_id = $1 AND c.status IN ('approved', 'scheduled')
		  AND c.id = coalesce(nullif($2, '')::uuid, (SELECT nullif(input->>'content_id', '')::uuid FROM jobs
			WHERE id = nullif($3, '')::uuid AND workspace_id = $1 AND type = 'linkedin-publish'))`, ws, string(id), string(job))
	return wrap("content planned", err)
}

// PostTime returns when the post of a job is to go out. found is false for a post that goes out when its turn comes.
func (sc Scoped) PostTime(ctx context.Context, id growth.JobID) (t growth.PostTime, found bool, err error) {
	var r postTimeRow
	err = sc.s.db.GetContext(ctx, &r, `SELECT `+postTimeColumns+` FROM post_times t WHERE t.job_id = $1 AND t.workspace_id = $2`, id, sc.ws)
	if none(err) {
		return t, false, nil
	}
	return r.postTime(), err == nil, wrap("post time", err)
}

// JudgePost keeps what was decided when the time of a post came, with the events that tell of it. That a post is held
// stands until somebody moves it.
func (sc Scoped) JudgePost(ctx context.Context, id growth.JobID, fence int64, account growth.AccountID, v growth.PostVerdict, events ...NewEvent) error {
	return sc.s.InTx(ctx, func(tx *Tx) error {
		if err := tx.fenced(ctx, id, fence); err != nil {
			return err
		}
		_, err := tx.tx.ExecContext(ctx, `
			UPDATE post_times SET verdict = $3, judged_at = now(), account_id = $4, released_at = NULL
			WHERE job_id = $1 AND workspace_id = $2 AND verdict <> 'held'`, id, sc.ws, string(v), account)
		if err != nil {
			return wrap("judge post", err)
		}
		for _, e := range events {
			if err := tx.AddEvent(ctx, sc.ws, id, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// MissPost gives the post of a job that runs the next free slot, with the event that tells of it. The job itself is the
// caller's to put off.
func (sc Scoped) MissPost(ctx context.Context, id growth.JobID, fence int64, account growth.AccountID, next NextSlot, tell func(growth.PostTime) NewEvent) (growth.PostTime, error) {
	one := []NewJob{{ID: id, Post: &PostWish{Time: growth.PostTime{AccountID: account}, Slot: next}}}
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		if err := tx.fenced(ctx, id, fence); err != nil {
			return err
		}
		if err := tx.takeSlots(ctx, sc.ws, one); err != nil {
			return err
		}
		if err := tx.putPostTimes(ctx, sc.ws, []postTimeRecord{recordOf(id, one[0].Post.Time)}); err != nil {
			return err
		}
		return tx.AddEvent(ctx, sc.ws, id, tell(one[0].Post.Time))
	})
	return one[0].Post.Time, err
}

// ReleaseLate lets a late post go, at most so many of an account in an hour. wait is how long it has to stay otherwise.
func (sc Scoped) ReleaseLate(ctx context.Context, id growth.JobID, account growth.AccountID, perHour int) (wait time.Duration, err error) {
	err = sc.s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockNames(ctx, sc.ws, []string{"slots\x1f" + string(account)}); err != nil {
			return err
		}
		var r struct {
			Done  bool         `db:"done"`
			N     int          `db:"n"`
			First sql.NullTime `db:"first"`
			Now   time.Time    `db:"now"`
		}
		// first is the release that has to be an hour old before the next: the perHour-th newest.
		if err := tx.tx.GetContext(ctx, &r, `
			SELECT coalesce((SELECT released_at IS NOT NULL FROM post_times WHERE job_id = $1 AND workspace_id = $2), true) AS done, n, first, now() AS now
			FROM (SELECT count(*) AS n, min(released_at) AS first FROM (
				SELECT released_at FROM post_times
				WHERE account_id = $3 AND workspace_id = $2 AND released_at > now() - interval '1 hour'
				ORDER BY released_at DESC LIMIT $4) AS newest) AS counted`, id, sc.ws, account, perHour); err != nil {
			return wrap("release late post", err)
		}
		if r.Done {
			return nil
		}
		if r.N >= perHour {
			wait = max(r.First.Time.Add(time.Hour).Sub(r.Now), time.Second)
			return nil
		}
		_, err := tx.tx.ExecContext(ctx, `UPDATE post_times SET released_at = now() WHERE job_id = $1 AND workspace_id = $2`, id, sc.ws)
		return wrap("release late post", err)
	})
	return wait, err
}

// movable are the jobs whose time can be changed: nothing of them is under way.
const movable = `type = 'linkedin-publish' AND (state = 'scheduled' OR state = 'waiting' AND waiting_reason IN ('posting_window', 'approval', 'reconnect'))`

// MovePost gives the post of a job another time. A time that has come lets it go at once, on a person's word.
func (sc Scoped) MovePost(ctx context.Context, id growth.JobID, wish PostWish) (growth.PostTime, error) {
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		var state growth.JobState
		err := tx.tx.GetContext(ctx, &state, `SELECT state FROM jobs WHERE id = $1 AND workspace_id = $2 AND `+movable+` FOR UPDATE`, id, sc.ws)
		if err != nil {
			return err
		}
		return tx.movePost(ctx, sc.ws, id, wish)
	})
	if none(err) {
		return growth.PostTime{}, sc.immovable(ctx, id)
	}
	if err != nil {
		return growth.PostTime{}, wrap("move post", err)
	}
	t, _, err := sc.PostTime(ctx, id)
	return t, err
}

func (tx *Tx) movePost(ctx context.Context, ws growth.WorkspaceID, id growth.JobID, wish PostWish) error {
	one := []NewJob{{ID: id, Post: &wish}}
	if err := tx.takeSlots(ctx, ws, one); err != nil {
		return err
	}
	t := one[0].Post.Time
	if err := tx.putPostTimes(ctx, ws, []postTimeRecord{recordOf(id, t)}); err != nil {
		return err
	}
	if _, err := tx.tx.ExecContext(ctx, `
		UPDATE jobs SET state = CASE WHEN $2 > now() THEN 'scheduled' ELSE 'queued' END, run_at = greatest($2, now()),
			waiting_reason = NULL, waiting_until = NULL, epoch = epoch + 1, dispatched_at = NULL, updated_at = now()
		WHERE id = $1 AND workspace_id = $3`, id, t.At, ws); err != nil {
		return wrap("move post", err)
	}
	return tx.contentPlanned(ctx, ws, "", id)
}

func (sc Scoped) immovable(ctx context.Context, id growth.JobID) error {
	const op = "store.MovePost"
	j, err := sc.Job(ctx, id)
	switch {
	case err != nil:
		return err
	case j.Type != growth.JobLinkedInPublish:
		return growth.Errorf(growth.NotFound, op, "the job %s publishes nothing", id)
	case j.Waiting != nil:
		return growth.Errorf(growth.Conflict, op, "the job waits for something else: %s", j.Waiting.Reason)
	default:
		return growth.Errorf(growth.Conflict, op, "only a post that has not begun can be moved; its job is %s", j.State)
	}
}

// ClockTimes lists the posts of every workspace that are planned by the clock and have not come due, a page at a time.
func (s *Store) ClockTimes(ctx context.Context, after growth.JobID, limit int) ([]growth.PostTime, error) {
	var rows []postTimeRow
	if err := s.db.SelectContext(ctx, &rows, `
		SELECT `+postTimeColumns+` FROM post_times t JOIN jobs j ON j.id = t.job_id
		WHERE t.source <> 'instant' AND t.at > now() AND j.state = 'scheduled' AND ($1 = '' OR t.job_id > nullif($1, '')::uuid)
		ORDER BY t.job_id LIMIT $2`, string(after), limit); err != nil {
		return nil, wrap("clock times", err)
	}
	out := make([]growth.PostTime, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.postTime())
	}
	return out, nil
}

// Reclock moves a planned post to the instant that its clock time means by the rules of today.
func (sc Scoped) Reclock(ctx context.Context, t growth.PostTime) error {
	_, err := sc.s.db.ExecContext(ctx, `
		WITH held AS (
			SELECT id FROM jobs WHERE id = $1 AND workspace_id = $2 AND state = 'scheduled' FOR UPDATE
		), moved AS (
			UPDATE post_times SET at = $3, clock_change = $4 WHERE job_id IN (SELECT id FROM held) AND workspace_id = $2 AND at > now() RETURNING job_id)
		UPDATE jobs SET run_at = $3, dispatched_at = NULL, epoch = epoch + 1, updated_at = now()
		WHERE id IN (SELECT job_id FROM moved) AND workspace_id = $2 AND state = 'scheduled'`, t.JobID, sc.ws, t.At, t.Change)
	return wrap("reclock", err)
}
