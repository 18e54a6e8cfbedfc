package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// DueComment is a first comment that was claimed and has to be sent, once.
type DueComment struct {
	ID        growth.PublicationID `db:"id"`
	Workspace growth.WorkspaceID   `db:"workspace_id"`
	Account   growth.AccountID     `db:"account_id"`
	URN       string               `db:"urn"` // of the post
	Text      string               `db:"comment"`
	Tries     int                  `db:"comment_tries"`
}

// ClaimComments commits that the comments that it returns are about to be sent. Those that were claimed two minutes ago
// and never came to an end have lost their sender: nobody knows whether they are there, and they are not sent again.
func (s *Store) ClaimComments(ctx context.Context, limit int) ([]DueComment, error) {
	if _, err := s.db.ExecContext(ctx, `
		UPDATE publications SET comment_state = 'unknown', comment_due = NULL, updated_at = now(),
			comment_error = 'the worker died while the comment was being sent; look on LinkedIn whether it is there'
		WHERE comment_state = 'sending' AND comment_due <= now()`); err != nil {
		return nil, wrap("claim comments", err)
	}
	var out []DueComment
	err := s.db.SelectContext(ctx, &out, `
		UPDATE publications SET comment_state = 'sending', comment_tries = comment_tries + 1, comment_due = now() + interval '2 minutes', updated_at = now()
		WHERE id IN (SELECT id FROM publications WHERE comment_state = 'ready' AND comment_due <= now() AND state = 'published' AND urn <> ''
			ORDER BY comment_due LIMIT $1 FOR UPDATE SKIP LOCKED)
		RETURNING id, workspace_id, account_id, urn, comment, comment_tries`, limit)
	return out, wrap("claim comments", err)
}

// EndComment writes what became of a comment that was claimed. A ready one is sent again after a pause.
func (s *Store) EndComment(ctx context.Context, id growth.PublicationID, c growth.Comment, pause time.Duration) error {
	_, err := s.db.ExecContext(ctx, `
		UPDATE publications SET comment_state = $2, comment_urn = $3, comment_error = $4, updated_at = now(),
			comment_due = CASE WHEN $2 = 'ready' THEN now() + $5 * interval '1 second' END
		WHERE id = $1 AND comment_state = 'sending'`, id, string(c.State), c.URN, c.Error, pause.Seconds())
	return wrap("end comment", err)
}

// DueRead is a publication to be looked for on LinkedIn.
type DueRead struct {
	ID        growth.PublicationID
	Workspace growth.WorkspaceID
	Account   growth.AccountID
	State     growth.PublicationState
	URN       string
	Post      growth.Post
	CreatedAt time.Time // when it was first sent, as far as is known: a post that is older is not its
}

// maxReads is how often a publication is looked for: with the growing pauses, over three days.
const maxReads = 20

// ClaimReads returns publications whose time to be looked for has come, and sets the next time: 30 s, 1 min, 2 min … 6 h.
func (s *Store) ClaimReads(ctx context.Context, limit int) ([]DueRead, error) {
	var rows []struct {
		ID        growth.PublicationID    `db:"id"`
		Workspace growth.WorkspaceID      `db:"workspace_id"`
		Account   growth.AccountID        `db:"account_id"`
		State     growth.PublicationState `db:"state"`
		URN       string                  `db:"urn"`
		Post      []byte                  `db:"post"`
		CreatedAt time.Time               `db:"since"`
	}
	if err := s.db.SelectContext(ctx, &rows, `
		UPDATE publications SET reads = reads + 1, read_due = CASE WHEN reads + 1 < $2
			THEN now() + least(interval '30 seconds' * power(2, reads), interval '6 hours') END
		WHERE id IN (SELECT id FROM publications WHERE read_due <= now() AND state IN ('published', 'unknown')
			ORDER BY read_due LIMIT $1 FOR UPDATE SKIP LOCKED)
		RETURNING id, workspace_id, account_id, state, urn, post, CASE WHEN resent OR sent_at IS NULL THEN created_at ELSE sent_at END AS since`, limit, maxReads); err != nil {
		return nil, wrap("claim reads", err)
	}
	out := make([]DueRead, 0, len(rows))
	for _, r := range rows {
		d := DueRead{ID: r.ID, Workspace: r.Workspace, Account: r.Account, State: r.State, URN: r.URN, CreatedAt: r.CreatedAt.UTC()}
		if err := json.Unmarshal(r.Post, &d.Post); err != nil {
			return nil, wrap("claim reads", err)
		}
		out = append(out, d)
	}
	return out, nil
}

// EndReads has a publication looked for no more: it was read as it was meant, or it cannot be read.
func (sc Scoped) EndReads(ctx context.Context, id growth.PublicationID, verified bool) error {
	_, err := sc.s.db.ExecContext(ctx, `
		UPDATE publications SET read_due = NULL, verified_at = CASE WHEN $3 THEN now() ELSE verified_at END, updated_at = now()
		WHERE id = $1 AND workspace_id = $2`, id, sc.ws, verified)
	return wrap("end reads", err)
}

// FoundOnLinkedIn settles an unknown publication whose post was read back. A post that another publication of the same
// author has already, or may have, is not surely this one: found is false, and nothing changes.
func (sc Scoped) FoundOnLinkedIn(ctx context.Context, id growth.PublicationID, urn, url string) (found bool, err error) {
	return sc.found(ctx, id, urn, url, byReadBack)
}

// AnsweredByLinkedIn settles a publication that was taken for unknown before its worker could commit LinkedIn's answer,
// even when a person has said since that it is to be sent again, as long as nobody is sending it.
func (sc Scoped) AnsweredByLinkedIn(ctx context.Context, id growth.PublicationID, urn, url string) (found bool, err error) {
	return sc.found(ctx, id, urn, url, byWorker)
}

func (sc Scoped) found(ctx context.Context, id growth.PublicationID, urn, url, by string) (found bool, err error) {
	err = sc.s.InTx(ctx, func(tx *Tx) error {
		var r publicationRow
		err := tx.tx.GetContext(ctx, &r, `
			SELECT `+publicationColumns+` FROM publications WHERE id = $1 AND workspace_id = $2
				AND (state = 'unknown' OR $3 AND state = 'ready' AND resent) FOR UPDATE`, id, sc.ws, by == byWorker)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return wrap("found", err)
		}
		if err := tx.lockAuthor(ctx, id); err != nil {
			return err
		}
		whose, err := whosePost(ctx, tx.tx, sc.ws, id, urn)
		if err != nil || whose == PostOthers || whose == PostDoubtful && by != byWorker { // LinkedIn named it to the worker
			return err
		}
		found = true
		if err := tx.carryOut(ctx, growth.Job{ID: r.JobID, Workspace: sc.ws}, SettlePublished, finding{urn, url, by}); err != nil {
			return err
		}
		_, err = tx.tx.ExecContext(ctx, `UPDATE publications SET verified_at = CASE WHEN $2 THEN now() END, read_due = CASE WHEN $2 THEN NULL ELSE read_due END WHERE id = $1`, id, by == byReadBack)
		return wrap("found", err)
	})
	return found, err
}

// MarkDeleted notes that a post was taken off LinkedIn. One that is marked already stays as it is.
func (sc Scoped) MarkDeleted(ctx context.Context, id growth.PublicationID) (growth.Publication, error) {
	_, err := sc.s.db.ExecContext(ctx, `
		UPDATE publications SET state = 'deleted', deleted_at = now(), read_due = NULL, updated_at = now(),
			comment_state = CASE WHEN comment_state = 'ready' THEN 'failed' ELSE comment_state END,
			comment_error = CASE WHEN comment_state = 'ready' THEN 'the post was deleted' ELSE comment_error END,
			comment_due   = CASE WHEN comment_state = 'ready' THEN NULL ELSE comment_due END
		WHERE id = $1 AND workspace_id = $2 AND state = 'published'`, id, sc.ws)
	if err != nil {
		return growth.Publication{}, wrap("mark deleted", err)
	}
	return sc.Publication(ctx, id)
}
