package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

type publicationRow struct {
	ID          growth.PublicationID    `db:"id"`
	Workspace   growth.WorkspaceID      `db:"workspace_id"`
	JobID       growth.JobID            `db:"job_id"`
	ContentID   sql.NullString          `db:"content_id"`
	AccountID   growth.AccountID        `db:"account_id"`
	State       growth.PublicationState `db:"state"`
	Post        []byte                  `db:"post"`
	ContentHash string                  `db:"content_hash"`
	URN         string                  `db:"urn"`
	URL         string                  `db:"url"`
	Error       string                  `db:"error"`
	Simulated   bool                    `db:"simulated"`
	PublishedAt sql.NullTime            `db:"published_at"`
	CreatedAt   time.Time               `db:"created_at"`
}

const publicationColumns = `id, workspace_id, job_id, content_id, account_id, state, post, content_hash, urn, url, error,
	simulated, published_at, created_at`

func (r publicationRow) publication() growth.Publication {
	p := growth.Publication{
		ID: r.ID, Workspace: r.Workspace, JobID: r.JobID, AccountID: r.AccountID, State: r.State, ContentHash: r.ContentHash,
		URN: r.URN, URL: r.URL, Error: r.Error, Simulated: r.Simulated, CreatedAt: r.CreatedAt.UTC(),
	}
	if r.ContentID.Valid {
		id := growth.ContentID(r.ContentID.String)
		p.ContentID = &id
	}
	if r.PublishedAt.Valid {
		at := r.PublishedAt.Time.UTC()
		p.PublishedAt = &at
	}
	return p
}

// PreparePublication makes the publication of a publish job, or returns the one that the job has already. One that has
// not been sent takes the text as it is now: it may have been edited and approved again while the job waited.
func (s *Store) PreparePublication(ctx context.Context, p growth.Publication, post growth.Post, postHash string, allowRepeat bool) (growth.Publication, error) {
	b, err := json.Marshal(post)
	if err != nil {
		return p, wrap("prepare publication", err)
	}
	var r publicationRow
	err = s.db.GetContext(ctx, &r, `
		INSERT INTO publications (id, workspace_id, job_id, content_id, account_id, state, post, content_hash, post_hash, allow_repeat)
		VALUES ($1, $2, $3, $4, $5, 'ready', $6, $7, $8, $9)
		ON CONFLICT (job_id) DO UPDATE SET updated_at = now(),
			post         = CASE WHEN publications.state = 'ready' THEN excluded.post ELSE publications.post END,
			account_id   = CASE WHEN publications.state = 'ready' THEN excluded.account_id ELSE publications.account_id END,
			content_hash = CASE WHEN publications.state = 'ready' THEN excluded.content_hash ELSE publications.content_hash END,
			post_hash    = CASE WHEN publications.state = 'ready' THEN excluded.post_hash ELSE publications.post_hash END
		RETURNING `+publicationColumns,
		growth.NewID(), p.Workspace, p.JobID, p.ContentID, p.AccountID, b, p.ContentHash, postHash, allowRepeat)
	return r.publication(), wrap("prepare publication", err)
}

// ClaimPublication commits, before any connection is opened, that this worker is about to send the post. Only a ready
// publication can be claimed, only by the worker that owns the job, only when the content is approved in exactly the
// version that would be sent, and only when no other publication has the same content on the same account.
// resent says that a person had the post sent again after an unknown outcome.
func (s *Store) ClaimPublication(ctx context.Context, job growth.Job, fence int64, spacing time.Duration, perDay int) (post growth.Post, resent bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if err := tx.fenced(ctx, job.ID, fence); err != nil {
			return err
		}
		var p struct {
			publicationRow
			Resent       bool           `db:"resent"`
			ApprovedHash sql.NullString `db:"approved_hash"`
			PresentHash  sql.NullString `db:"present_hash"`
			Status       sql.NullString `db:"content_status"`
		}
		if err := tx.tx.GetContext(ctx, &p, `
			SELECT p.id, p.workspace_id, p.job_id, p.content_id, p.account_id, p.state, p.post, p.content_hash, p.urn, p.url,
				p.error, p.simulated, p.published_at, p.created_at, p.resent, c.approved_hash, c.hash AS present_hash, c.status AS content_status
			FROM publications p LEFT JOIN contents c ON c.id = p.content_id
			WHERE p.job_id = $1 FOR UPDATE OF p`, job.ID); err != nil {
			return wrap("claim publication", err)
		}
		if p.State != growth.PublicationReady {
			return growth.Errorf(growth.Conflict, "store.ClaimPublication", "the publication is %s", p.State)
		}
		approved := p.Status.String == string(growth.ContentApproved) || p.Status.String == string(growth.ContentScheduled)
		if p.ContentHash != "" && (!approved || p.ApprovedHash.String != p.ContentHash || p.PresentHash.String != p.ContentHash) {
			return growth.Errorf(growth.Conflict, "store.ClaimPublication", "the content was changed or is not approved")
		}
		_, err := tx.tx.ExecContext(ctx, `
			UPDATE publications SET state = 'publishing', fence = $2, sent_at = now(), updated_at = now() WHERE id = $1`, p.ID, fence)
		if violates(err, "publications_once") {
			return growth.Errorf(growth.Conflict, "store.ClaimPublication", "the same post was made, or is being made, by another job on this account")
		}
		if err != nil {
			return wrap("claim publication", err)
		}
		if err := tx.postingWindow(ctx, p.publication(), spacing, perDay); err != nil {
			return err // and the claim is rolled back
		}
		if err := tx.contentStatus(ctx, p.publication(), growth.ContentPublishing); err != nil {
			return err
		}
		resent = p.Resent
		return wrap("read post", json.Unmarshal(p.Post, &post))
	})
	return post, resent, err
}

// postingWindow keeps the account's limits: a pause between two posts and a number of posts in 24 hours. The advisory
// lock serialises the claims of one account, so that two workers cannot both find the window open.
func (tx *Tx) postingWindow(ctx context.Context, p growth.Publication, spacing time.Duration, perDay int) error {
	if _, err := tx.tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 2))`, string(p.AccountID)); err != nil {
		return wrap("lock account", err)
	}
	var w struct {
		Last  sql.NullTime `db:"last"`
		First sql.NullTime `db:"first"`
		N     int          `db:"n"`
		Now   time.Time    `db:"now"`
	}
	if err := tx.tx.GetContext(ctx, &w, `
		SELECT max(sent_at) AS last, min(sent_at) AS first, count(*) AS n, now() AS now FROM publications
		WHERE account_id = $1 AND id <> $2 AND sent_at > now() - interval '24 hours' AND state <> 'ready'`, p.AccountID, p.ID); err != nil {
		return wrap("posting window", err)
	}
	var wait time.Duration
	if w.Last.Valid {
		wait = spacing - w.Now.Sub(w.Last.Time)
	}
	if w.N >= perDay && w.First.Valid {
		wait = max(wait, 24*time.Hour-w.Now.Sub(w.First.Time))
	}
	if wait <= 0 {
		return nil
	}
	return &growth.Error{Code: growth.Throttled, Op: "store.postingWindow", Message: "the account's posting window is closed", RetryAfter: wait}
}

// SettlePublication commits how the one send ended. Only a publication in flight or an unknown one can be settled.
func (tx *Tx) SettlePublication(ctx context.Context, job growth.JobID, p growth.Publication) error {
	var r publicationRow
	err := tx.tx.GetContext(ctx, &r, `
		UPDATE publications SET state = $2, urn = $3, url = $4, error = $5, simulated = simulated OR $6, published_at = $7,
			sent_at = CASE WHEN $2 = 'ready' THEN NULL ELSE sent_at END, updated_at = now()
		WHERE job_id = $1 AND state IN ('publishing', 'unknown', 'ready')
		RETURNING `+publicationColumns, job, string(p.State), p.URN, p.URL, p.Error, p.Simulated, p.PublishedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return growth.Errorf(growth.Conflict, "store.SettlePublication", "the publication is settled already")
	}
	if err != nil {
		return wrap("settle publication", err)
	}
	status := map[growth.PublicationState]growth.ContentStatus{
		growth.PublicationReady: growth.ContentApproved, growth.PublicationPublished: growth.ContentPublished,
		growth.PublicationRejected: growth.ContentFailed, growth.PublicationUnknown: growth.ContentUnknown,
	}[p.State]
	return tx.contentStatus(ctx, r.publication(), status)
}

func (tx *Tx) contentStatus(ctx context.Context, p growth.Publication, status growth.ContentStatus) error {
	if p.ContentID == nil || status == "" {
		return nil
	}
	_, err := tx.tx.ExecContext(ctx, `
		UPDATE contents SET status = $3, updated_at = now() WHERE id = $1 AND workspace_id = $2`, *p.ContentID, p.Workspace, string(status))
	return wrap("content status", err)
}

// publicationLost settles what a dead worker left in flight: nobody can know whether the post was made.
func (tx *Tx) publicationLost(ctx context.Context, job growth.Job) error {
	const why = "the worker died while the post was being sent; look on LinkedIn whether it is there"
	if err := tx.SettlePublication(ctx, job.ID, growth.Publication{State: growth.PublicationUnknown, Error: why}); err != nil {
		return err
	}
	fault := &growth.JobError{Code: growth.Uncertain, Message: why}
	if _, err := tx.finishJob(ctx, ending{job: job, Outcome: Outcome{State: growth.JobWaiting, Waiting: growth.WaitOutcomeUnknown, Err: fault, Redeliver: true}}); err != nil {
		return err
	}
	data, err := json.Marshal(map[string]any{"job_id": job.ID})
	if err != nil {
		return wrap("publication lost", err)
	}
	return tx.AddEvent(ctx, job.Workspace, job.ID, NewEvent{Type: "post.unknown", Data: data})
}

// Publication returns one publication.
func (sc Scoped) Publication(ctx context.Context, id growth.PublicationID) (growth.Publication, error) {
	var r publicationRow
	err := sc.s.db.GetContext(ctx, &r, `SELECT `+publicationColumns+` FROM publications WHERE id = $1 AND workspace_id = $2`, id, sc.ws)
	if errors.Is(err, sql.ErrNoRows) {
		return growth.Publication{}, growth.Errorf(growth.NotFound, "store.Publication", "there is no publication %s in this workspace", id)
	}
	return r.publication(), wrap("publication", err)
}

// Publications lists publications, newest first; an empty state lists all.
func (sc Scoped) Publications(ctx context.Context, state growth.PublicationState, p Page) ([]growth.Publication, error) {
	var rows []publicationRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+publicationColumns+` FROM publications WHERE workspace_id = $1 AND id < $2 AND ($3 = '' OR state = $3)
		ORDER BY id DESC LIMIT $4`, sc.ws, p.before(), string(state), p.limit()); err != nil {
		return nil, wrap("publications", err)
	}
	out := make([]growth.Publication, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.publication())
	}
	return out, nil
}

// Settlement is what a person found out about a publication whose outcome was unknown.
type Settlement string

// The ways to settle an unknown publication.
const (
	SettlePublished Settlement = "published"  // it is on LinkedIn
	SettleSendAgain Settlement = "send_again" // it is not; send it
	SettleDrop      Settlement = "drop"       // it is not, and shall not be
)

// Settle carries out a person's verdict on an unknown publication.
func (sc Scoped) Settle(ctx context.Context, id growth.PublicationID, verdict Settlement, urn, url string) (growth.Publication, error) {
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		var r publicationRow
		err := tx.tx.GetContext(ctx, &r, `SELECT `+publicationColumns+` FROM publications WHERE id = $1 AND workspace_id = $2 FOR UPDATE`, id, sc.ws)
		if errors.Is(err, sql.ErrNoRows) {
			return growth.Errorf(growth.NotFound, "store.Settle", "there is no publication %s in this workspace", id)
		}
		if err != nil {
			return wrap("settle", err)
		}
		if r.State != growth.PublicationUnknown {
			return growth.Errorf(growth.Conflict, "store.Settle", "only an unknown publication needs settling; this one is %s", r.State)
		}
		return tx.carryOut(ctx, growth.Job{ID: r.JobID, Workspace: sc.ws}, verdict, urn, url)
	})
	if err != nil {
		return growth.Publication{}, err
	}
	return sc.Publication(ctx, id)
}

func (tx *Tx) carryOut(ctx context.Context, job growth.Job, verdict Settlement, urn, url string) error {
	var (
		p growth.Publication
		o Outcome
	)
	switch verdict {
	case SettlePublished:
		now := time.Now().UTC()
		p = growth.Publication{State: growth.PublicationPublished, URN: urn, URL: url, PublishedAt: &now}
		result, err := json.Marshal(map[string]any{"urn": urn, "url": url, "published_at": now, "settled_by": "person"})
		if err != nil {
			return wrap("settle", err)
		}
		o = Outcome{State: growth.JobSucceeded, Result: result}
	case SettleSendAgain:
		if _, err := tx.tx.ExecContext(ctx, `UPDATE publications SET resent = true WHERE job_id = $1`, job.ID); err != nil {
			return wrap("settle", err)
		}
		p = growth.Publication{State: growth.PublicationReady}
		o = Outcome{State: growth.JobQueued, RunAt: time.Now().Add(-time.Second), Redeliver: true}
	case SettleDrop:
		p = growth.Publication{State: growth.PublicationRejected, Error: "dropped by a person"}
		o = Outcome{State: growth.JobFailed, Err: &growth.JobError{Code: growth.Canceled, Message: "dropped by a person"}}
	default:
		return growth.InvalidField("store.Settle", "verdict", "use published, send_again or drop")
	}
	if err := tx.SettlePublication(ctx, job.ID, p); err != nil {
		return err
	}
	if verdict == SettleSendAgain { // the person's newer word: an earlier wish to cancel is void
		if _, err := tx.tx.ExecContext(ctx, `UPDATE jobs SET cancel_requested = false WHERE id = $1`, job.ID); err != nil {
			return wrap("settle", err)
		}
	}
	state, err := tx.finishJob(ctx, ending{job: job, Outcome: o})
	if err != nil || !state.Final() {
		return err
	}
	return tx.callBack(ctx, job.Workspace, job.ID)
}
