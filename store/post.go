package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

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
	SettledBy   string                  `db:"settled_by"`
	Comment     string                  `db:"comment"`
	CommentAt   growth.CommentState     `db:"comment_state"`
	CommentURN  string                  `db:"comment_urn"`
	CommentErr  string                  `db:"comment_error"`
	VerifiedAt  sql.NullTime            `db:"verified_at"`
	DeletedAt   sql.NullTime            `db:"deleted_at"`
	PublishedAt sql.NullTime            `db:"published_at"`
	CreatedAt   time.Time               `db:"created_at"`
}

const publicationColumns = `id, workspace_id, job_id, content_id, account_id, state, post, content_hash, urn, url, error,
	simulated, settled_by, comment, comment_state, comment_urn, comment_error, verified_at, deleted_at, published_at, created_at`

func (r publicationRow) publication() growth.Publication {
	p := growth.Publication{
		ID: r.ID, Workspace: r.Workspace, JobID: r.JobID, AccountID: r.AccountID, State: r.State, ContentHash: r.ContentHash,
		URN: r.URN, URL: r.URL, Error: r.Error, Simulated: r.Simulated, SettledBy: r.SettledBy, CreatedAt: r.CreatedAt.UTC(),
		Comment:    growth.Comment{Text: r.Comment, State: r.CommentAt, URN: r.CommentURN, Error: r.CommentErr},
		VerifiedAt: instant(r.VerifiedAt), DeletedAt: instant(r.DeletedAt), PublishedAt: instant(r.PublishedAt),
	}
	if r.ContentID.Valid {
		id := growth.ContentID(r.ContentID.String)
		p.ContentID = &id
	}
	return p
}

func instant(t sql.NullTime) *time.Time {
	if !t.Valid {
		return nil
	}
	at := t.Time.UTC()
	return &at
}

// PreparePublication makes the publication of a publish job, or returns the one that the job has already. One that has
// not been sent takes the text as it is now: it may have been edited and approved again while the job waited. Only the
// worker that owns the job prepares: one that lost its lease would put its older text in the place of the owner's.
func (s *Store) PreparePublication(ctx context.Context, p growth.Publication, fence int64, post growth.Post, postHash string, allowRepeat bool) (growth.Publication, error) {
	b, err := json.Marshal(post)
	if err != nil {
		return p, wrap("prepare publication", err)
	}
	var r publicationRow
	err = s.db.GetContext(ctx, &r, `
		INSERT INTO publications (id, workspace_id, job_id, content_id, account_id, state, post, content_hash, post_hash, allow_repeat, comment)
		SELECT $1::uuid, $2::uuid, id, $4::uuid, $5::uuid, 'ready', $6::jsonb, $7, $8, $9::boolean, $10 FROM jobs
		WHERE id = $3 AND fence = $11 AND state = 'running' FOR UPDATE
		ON CONFLICT (job_id) DO UPDATE SET updated_at = now(),
			post         = CASE WHEN publications.state = 'ready' THEN excluded.post ELSE publications.post END,
			account_id   = CASE WHEN publications.state = 'ready' THEN excluded.account_id ELSE publications.account_id END,
			content_hash = CASE WHEN publications.state = 'ready' THEN excluded.content_hash ELSE publications.content_hash END,
			post_hash    = CASE WHEN publications.state = 'ready' THEN excluded.post_hash ELSE publications.post_hash END
		RETURNING `+publicationColumns,
		growth.NewID(), p.Workspace, p.JobID, p.ContentID, p.AccountID, b, p.ContentHash, postHash, allowRepeat, p.Comment.Text, fence)
	if errors.Is(err, sql.ErrNoRows) {
		return p, ErrLeaseLost
	}
	return r.publication(), wrap("prepare publication", err)
}

// Sendable is a post that was claimed and has to be sent.
type Sendable struct {
	Post      growth.Post
	Resent    bool // a person had it sent again after an unknown outcome
	Conflicts int  // write conflicts that LinkedIn answered with so far
}

// Verify looks, inside the claim, whether the post that lies ready is what was approved: c is the content as it stands
// in its row at this moment, nil where the post has none. It has to judge by the text itself and not by stored digests.
type Verify func(post growth.Post, c *growth.Content) error

// ClaimPublication commits, before any connection is opened, that this worker is about to send the post. Only a ready
// publication can be claimed, only by the worker that owns the job, only when the content is approved in exactly the
// version that would be sent, and only when no other publication of the author, in whichever workspace, has the same content.
func (s *Store) ClaimPublication(ctx context.Context, job growth.Job, fence int64, spacing time.Duration, perDay int, verify Verify) (Sendable, error) {
	var send Sendable
	err := s.InTx(ctx, func(tx *Tx) error {
		if err := tx.holdForSend(ctx, job.ID, fence); err != nil {
			return err
		}
		if err := tx.wanted(ctx, job.ID); err != nil {
			return err
		}
		var p struct {
			publicationRow
			Resent    bool           `db:"resent"`
			Conflicts int            `db:"conflicts"`
			AuthorURN sql.NullString `db:"author_urn"`
		}
		if err := tx.tx.GetContext(ctx, &p, `
			SELECT `+publicationColumns+`, resent, conflicts,
				(SELECT a.urn FROM linkedin_accounts a WHERE a.id = account_id AND a.status = 'active' FOR SHARE) AS author_urn
			FROM publications WHERE job_id = $1 FOR UPDATE`, job.ID); err != nil {
			return wrap("claim publication", err)
		}
		if p.State != growth.PublicationReady {
			return growth.Errorf(growth.Conflict, "store.ClaimPublication", "the publication is %s", p.State)
		}
		if err := json.Unmarshal(p.Post, &send.Post); err != nil {
			return wrap("read post", err)
		}
		if !p.AuthorURN.Valid {
			return growth.Errorf(growth.KeyRejected, "store.ClaimPublication", "the LinkedIn account was given up, or has to be connected again")
		}
		if send.Post.AuthorURN != p.AuthorURN.String {
			return growth.Errorf(growth.Conflict, "store.ClaimPublication", "the post's author is not the account's")
		}
		if err := tx.approved(ctx, p.publication(), send.Post, verify); err != nil {
			return err
		}
		_, err := tx.tx.ExecContext(ctx, `
			UPDATE publications SET state = 'publishing', fence = $2, sent_at = now(), updated_at = now() WHERE id = $1`, p.ID, fence)
		if violates(err, "publications_once") {
			return growth.Errorf(growth.Conflict, "store.ClaimPublication", "the same post was made, or is being made, on this account")
		}
		if err != nil {
			return wrap("claim publication", err)
		}
		if err := tx.postingWindow(ctx, job.ID, send.Post.AuthorURN, spacing, perDay); err != nil {
			return err // and the claim is rolled back
		}
		send.Resent, send.Conflicts = p.Resent, p.Conflicts
		return tx.contentStatus(ctx, p.publication(), growth.ContentPublishing)
	})
	return send, err
}

// sendLease is how long a job surely belongs to the worker that has just claimed its post; heartbeats go on from there.
const sendLease = 10 * time.Second

// holdForSend is fenced that also renews the lease, and refuses one that has ended. Only a change of the row is seen by a
// claim or a sweep that looked at it before and waits for it now.
func (tx *Tx) holdForSend(ctx context.Context, id growth.JobID, fence int64) error {
	var one int
	err := tx.tx.GetContext(ctx, &one, `
		UPDATE jobs SET lease_until = greatest(lease_until, clock_timestamp() + $3 * interval '1 millisecond')
		WHERE id = $1 AND fence = $2 AND state = 'running' AND lease_until > clock_timestamp() RETURNING 1`, id, fence, sendLease.Milliseconds())
	if errors.Is(err, sql.ErrNoRows) {
		return ErrLeaseLost
	}
	return wrap("check fence", err)
}

// wanted refuses a claim after somebody has canceled the job: from the answer to the cancel on, no post goes out.
func (tx *Tx) wanted(ctx context.Context, job growth.JobID) error {
	var canceled bool
	if err := tx.tx.GetContext(ctx, &canceled, `SELECT cancel_requested FROM jobs WHERE id = $1`, job); err != nil {
		return wrap("claim publication", err)
	}
	if canceled {
		return growth.Errorf(growth.Canceled, "store.ClaimPublication", "the job was canceled")
	}
	return nil
}

// approved reads the content as it stands and locks it: nobody edits it between this look and the claim's commit.
func (tx *Tx) approved(ctx context.Context, p growth.Publication, post growth.Post, verify Verify) error {
	if p.ContentID == nil {
		if p.ContentHash != "" {
			return growth.Errorf(growth.Conflict, "store.ClaimPublication", "the content was deleted")
		}
		return verify(post, nil)
	}
	var r struct {
		contentRow
		ApprovedHash sql.NullString `db:"approved_hash"`
	}
	if err := tx.tx.GetContext(ctx, &r, `
		SELECT `+contentColumns+`, approved_hash FROM contents WHERE id = $1 AND workspace_id = $2 FOR UPDATE`, *p.ContentID, p.Workspace); err != nil {
		return wrap("claim publication", err)
	}
	c, err := r.content()
	if err != nil {
		return err
	}
	if err := verify(post, &c); err != nil { // first: it tells an edit from what is not to be trusted
		return err
	}
	// A content that was posted, or whose post failed, may be posted again, or on another account: the unique index stops
	// what nobody asked for.
	switch c.Status {
	case growth.ContentDraft, growth.ContentInReview, growth.ContentRejected:
		return growth.Errorf(growth.Conflict, "store.ClaimPublication", "the content is %s: it has to be approved", c.Status)
	default:
	}
	if r.ApprovedHash.String != p.ContentHash || c.Hash != p.ContentHash {
		return growth.Errorf(growth.Conflict, "store.ClaimPublication", "the content is not as it was approved")
	}
	return nil
}

// postingWindow keeps the limits of an author: a pause between two posts and a number of posts in 24 hours. They are
// LinkedIn's, so a page that is connected in several workspaces has them once. The advisory lock serialises the claims of
// one author, so that two workers cannot both find the window open.
func (tx *Tx) postingWindow(ctx context.Context, job growth.JobID, author string, spacing time.Duration, perDay int) error {
	if _, err := tx.tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 2))`, author); err != nil {
		return wrap("lock author", err)
	}
	wait, err := postingWait(ctx, tx.tx, job, author, spacing, perDay)
	if err != nil || wait <= 0 {
		return err
	}
	return &growth.Error{Code: growth.Throttled, Op: "store.postingWindow", Message: "the account's posting window is closed", RetryAfter: wait}
}

// PostingWait says how long the posts that were made keep the windows of a job's author closed, and whether another job
// is at work on a post of that author. Only the claim decides: this is a look.
func (s *Store) PostingWait(ctx context.Context, job growth.JobID, author string, spacing time.Duration, perDay int) (wait time.Duration, busy bool, err error) {
	if wait, err = postingWait(ctx, s.db, job, author, spacing, perDay); err != nil {
		return 0, false, err
	}
	err = s.db.GetContext(ctx, &busy, `
		SELECT EXISTS (SELECT 1 FROM publications p JOIN jobs j ON j.id = p.job_id
			WHERE p.author_urn = $1 AND p.job_id <> $2 AND p.state = 'ready' AND j.state = 'running')`, author, job)
	return max(wait, 0), busy, wrap("posting wait", err)
}

func postingWait(ctx context.Context, q sqlx.QueryerContext, job growth.JobID, author string, spacing time.Duration, perDay int) (time.Duration, error) {
	// In a claim the clock is read behind the lock: the transaction may have waited for another's post, which is then not
	// ahead of it. The day is open again once the perDay-th newest post has left it. What LinkedIn refused was no post.
	var w struct {
		Last sql.NullTime `db:"last"`
		Nth  sql.NullTime `db:"nth"`
		Now  time.Time    `db:"now"`
	}
	if err := sqlx.GetContext(ctx, q, &w, `
		WITH sent AS (
			SELECT sent_at FROM publications
			WHERE author_urn = $1 AND job_id <> $2 AND sent_at > now() - greatest(interval '24 hours', $4 * interval '1 millisecond')
			  AND state NOT IN ('ready', 'rejected')
		)
		SELECT (SELECT max(sent_at) FROM sent) AS last,
			(SELECT sent_at FROM sent WHERE sent_at > now() - interval '24 hours' ORDER BY sent_at DESC OFFSET $3 - 1 LIMIT 1) AS nth,
			clock_timestamp() AS now`, author, job, perDay, spacing.Milliseconds()); err != nil {
		return 0, wrap("posting window", err)
	}
	var wait time.Duration
	if w.Last.Valid {
		wait = spacing - w.Now.Sub(w.Last.Time)
	}
	if w.Nth.Valid {
		wait = max(wait, 24*time.Hour-w.Now.Sub(w.Nth.Time))
	}
	return wait, nil
}

// NoteConflict counts a write conflict that LinkedIn answered with.
func (tx *Tx) NoteConflict(ctx context.Context, job growth.JobID) error {
	_, err := tx.tx.ExecContext(ctx, `UPDATE publications SET conflicts = conflicts + 1 WHERE job_id = $1`, job)
	return wrap("note conflict", err)
}

// SettlePublication commits how the one send ended. Only a publication in flight or an unknown one can be settled.
func (tx *Tx) SettlePublication(ctx context.Context, job growth.JobID, p growth.Publication) error {
	var r publicationRow
	err := tx.tx.GetContext(ctx, &r, `
		UPDATE publications SET state = $2, urn = $3, url = $4, error = $5, simulated = simulated OR $6, published_at = $7,
			sent_at = CASE WHEN $2 = 'ready' THEN NULL ELSE sent_at END, settled_by = $8, updated_at = now(),
			comment_state = CASE WHEN $2 = 'published' AND comment <> '' AND $3 <> '' THEN 'ready' ELSE comment_state END,
			comment_due   = CASE WHEN $2 = 'published' AND comment <> '' AND $3 <> '' THEN now() END,
			reads = 0, read_due = CASE WHEN $2 IN ('published', 'unknown')
				AND (SELECT a.urn FROM linkedin_accounts a WHERE a.id = account_id) LIKE 'urn:li:organization:%' THEN now() + interval '10 seconds' END
		WHERE job_id = $1 AND state IN ('publishing', 'unknown', 'ready')
		RETURNING `+publicationColumns, job, string(p.State), p.URN, p.URL, p.Error, p.Simulated, p.PublishedAt, p.SettledBy)
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

// contentStatus shows on a content what became of its post. A text may have several posts: what one of them may still
// become shows before what another is, and a post that is out is not hidden by one that failed.
func (tx *Tx) contentStatus(ctx context.Context, p growth.Publication, status growth.ContentStatus) error {
	if p.ContentID == nil || status == "" {
		return nil
	}
	_, err := tx.tx.ExecContext(ctx, `
		UPDATE contents SET updated_at = now(), status = (
			SELECT s FROM (SELECT $3 AS s UNION ALL SELECT state FROM publications
				WHERE content_id = $1 AND workspace_id = $2 AND id <> $4 AND content_hash = $5 AND state IN ('publishing', 'unknown', 'published')) AS posts
			ORDER BY array_position(ARRAY['publishing', 'unknown', 'published'], s) LIMIT 1)
		WHERE id = $1 AND workspace_id = $2`, *p.ContentID, p.Workspace, string(status), p.ID, p.ContentHash)
	return wrap("content status", err)
}

// publicationLost settles what a dead worker left in flight: nobody can know whether the post was made.
func (tx *Tx) publicationLost(ctx context.Context, job growth.Job) error {
	const why = SenderLost
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
		if err := tx.mayBeSentAgain(ctx, r, verdict); err != nil {
			return err
		}
		if err := tx.mayBeIts(ctx, r, verdict, urn); err != nil {
			return err
		}
		return tx.carryOut(ctx, growth.Job{ID: r.JobID, Workspace: sc.ws}, verdict, finding{urn, url, byPerson})
	})
	if err != nil {
		return growth.Publication{}, err
	}
	return sc.Publication(ctx, id)
}

// onItsWay is how long after its claim a request may still reach LinkedIn although its worker counts as dead: longer than
// a request may take, and than a worker that stood still takes to notice.
const onItsWay = time.Minute

// mayBeSentAgain refuses a second request while the first may still be on its way: its worker was taken for dead, and may
// only have been cut off from the database.
func (tx *Tx) mayBeSentAgain(ctx context.Context, r publicationRow, verdict Settlement) error {
	if verdict != SettleSendAgain || r.Error != SenderLost {
		return nil
	}
	var left float64
	if err := tx.tx.GetContext(ctx, &left, `
		SELECT coalesce(extract(epoch FROM sent_at + $2 * interval '1 second' - clock_timestamp()), 0)::float8 FROM publications WHERE id = $1`,
		r.ID, onItsWay.Seconds()); err != nil {
		return wrap("settle", err)
	}
	if left <= 0 {
		return nil
	}
	wait := time.Duration(left*float64(time.Second)) + time.Second
	return &growth.Error{
		Code: growth.Conflict, Op: "store.Settle", RetryAfter: wait,
		Message: "the first request may still be on its way to LinkedIn: look there, and say so again in " + wait.Round(time.Second).String(),
	}
}

// mayBeIts refuses a post that another publication has. One that another may have is given by a person's word: a person
// has looked, and two unknown publications of one text could not be settled otherwise.
func (tx *Tx) mayBeIts(ctx context.Context, r publicationRow, verdict Settlement, urn string) error {
	if verdict != SettlePublished || urn == "" {
		return nil
	}
	if err := tx.lockAuthor(ctx, r.ID); err != nil {
		return err
	}
	whose, err := whosePost(ctx, tx.tx, r.Workspace, r.ID, urn)
	if err == nil && whose == PostOthers {
		err = growth.Errorf(growth.Conflict, "store.Settle", "%s is another publication's post already: say which post is this one's", urn)
	}
	return err
}

// SenderLost is the error of a publication whose worker was taken for dead while it sent the post, whoever finds that out.
const SenderLost = "the worker died while the post was being sent; look on LinkedIn whether it is there"

// Who can find out how an unknown publication ended.
const (
	byPerson   = "person"
	byReadBack = "read_back"
	byWorker   = "worker" // whose answer came after it had been taken for dead
)

// finding is what was found out about an unknown publication.
type finding struct{ urn, url, by string }

func (tx *Tx) carryOut(ctx context.Context, job growth.Job, verdict Settlement, f finding) error {
	var (
		p growth.Publication
		o Outcome
	)
	switch verdict {
	case SettlePublished:
		now := time.Now().UTC()
		p = growth.Publication{State: growth.PublicationPublished, URN: f.urn, URL: f.url, PublishedAt: &now, SettledBy: f.by}
		result, err := json.Marshal(map[string]any{"urn": f.urn, "url": f.url, "published_at": now, "settled_by": f.by})
		if err != nil {
			return wrap("settle", err)
		}
		data, err := json.Marshal(map[string]any{"job_id": job.ID, "urn": f.urn, "url": f.url})
		if err != nil {
			return wrap("settle", err)
		}
		if err := tx.AddEvent(ctx, job.Workspace, job.ID, NewEvent{Type: "post.published", Data: data}); err != nil {
			return err
		}
		o = Outcome{State: growth.JobSucceeded, Result: result}
	case SettleSendAgain:
		if _, err := tx.tx.ExecContext(ctx, `UPDATE publications SET resent = true WHERE job_id = $1`, job.ID); err != nil {
			return wrap("settle", err)
		}
		p = growth.Publication{State: growth.PublicationReady}
		o = Outcome{State: growth.JobQueued, RunAt: time.Now().Add(-time.Second), Redeliver: true}
	case SettleDrop:
		p = growth.Publication{State: growth.PublicationRejected, Error: "dropped by a person", SettledBy: f.by}
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

// Whose says whose a post on LinkedIn is that has the text of a publication.
type Whose string

// The answers.
const (
	PostIts      Whose = ""         // no other publication can have made it
	PostOthers   Whose = "others"   // another publication of the author has its URN
	PostDoubtful Whose = "doubtful" // another one with the same text may have made it, and has no URN yet
)

// WhosePost says whose a post is that was found for a publication of unknown outcome.
func (sc Scoped) WhosePost(ctx context.Context, id growth.PublicationID, urn string) (Whose, error) {
	return whosePost(ctx, sc.s.db, sc.ws, id, urn)
}

// whosePost looks at the author's publications in every workspace: a page may be connected in several.
func whosePost(ctx context.Context, q sqlx.QueryerContext, ws growth.WorkspaceID, id growth.PublicationID, urn string) (Whose, error) {
	var whose Whose
	err := sqlx.GetContext(ctx, q, &whose, `
		SELECT coalesce(max(CASE WHEN o.urn = $3 THEN 'others' ELSE 'doubtful' END), '')
		FROM publications p JOIN publications o ON o.id <> p.id AND o.author_urn = p.author_urn AND (o.urn = $3
			OR o.post->>'text' = p.post->>'text' AND (o.state IN ('publishing', 'unknown') OR o.state = 'published' AND o.urn = ''))
		WHERE p.id = $1 AND p.workspace_id = $2`, id, ws, urn)
	return whose, wrap("whose post", err)
}

// lockAuthor serialises what is decided about the posts of a publication's author.
func (tx *Tx) lockAuthor(ctx context.Context, id growth.PublicationID) error {
	_, err := tx.tx.ExecContext(ctx, `
		SELECT pg_advisory_xact_lock(hashtextextended(author_urn, 2)) FROM publications WHERE id = $1`, id)
	return wrap("lock author", err)
}
