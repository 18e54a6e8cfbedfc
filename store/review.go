package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// ReviewKind says what a review of a score is.
type ReviewKind string

// The kinds of reviews: the lead's own observations, and what a person made of the score.
const (
	ReviewContest  ReviewKind = "contest"  // the lead, or who speaks for it, disagrees
	ReviewOverride ReviewKind = "override" // a person put another score in its place
	ReviewUpheld   ReviewKind = "upheld"   // a person looked and left the score
	ReviewLifted   ReviewKind = "lifted"   // a person took an override back
)

// Review is what somebody said about a lead's score.
type Review struct {
	ID             string        `json:"id" db:"id"`
	LeadID         growth.LeadID `json:"lead_id" db:"lead_id"`
	Kind           ReviewKind    `json:"kind" db:"kind" enum:"contest,override,upheld,lifted"`
	Message        string        `json:"message" db:"message"`                 // the observations, or the reason
	ScoreBefore    *int          `json:"score_before" db:"score_before"`       // in force when it was said
	AutomatedScore *int          `json:"automated_score" db:"automated_score"` // the newest one that no person made
	Score          *int          `json:"score" db:"score"`                     // that an override put in its place
	Grade          string        `json:"grade,omitempty" db:"grade"`           // likewise
	Priority       string        `json:"priority,omitempty" db:"priority"`     // likewise
	NextAction     string        `json:"next_action,omitempty" db:"next_action"`
	By             string        `json:"by" db:"said_by"`
	At             time.Time     `json:"at" db:"created_at"`
}

const reviewColumns = `id, lead_id, kind, message, score_before, automated_score, score, grade, priority, next_action, said_by, created_at`

// maxReviews is how many reviews a lead can have: the explanation shows them all.
const maxReviews = 200

// AddReview keeps a review and lets it take effect: an override sets the lead's score, and lifting one brings the newest
// automated score back. LeadID, Kind, Message, Score, Grade, Priority, NextAction and By are read.
func (sc Scoped) AddReview(ctx context.Context, r Review) (Review, error) {
	const op = "store.AddReview"
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		var l struct {
			Score      sql.NullInt64 `db:"score"`
			Overridden bool          `db:"overridden"`
			Reviews    int           `db:"reviews"`
		}
		err := tx.tx.GetContext(ctx, &l, `
			SELECT score, overridden, (SELECT count(*) FROM lead_reviews WHERE lead_id = $1) AS reviews
			FROM leads WHERE id = $1 AND workspace_id = $2 FOR UPDATE`, r.LeadID, sc.ws)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return growth.Errorf(growth.NotFound, op, "there is no lead %s in this workspace", r.LeadID)
		case err != nil:
			return wrap("add review", err)
		case !l.Score.Valid:
			return growth.Errorf(growth.Conflict, op, "this lead has no score yet")
		case r.Kind == ReviewLifted && !l.Overridden:
			return growth.Errorf(growth.Conflict, op, "no person has set the score of this lead")
		case l.Reviews >= maxReviews:
			return growth.Errorf(growth.Conflict, op, "a lead can have %d reviews", maxReviews)
		}
		if r, err = tx.insertReview(ctx, sc.ws, r); err != nil {
			return err
		}
		return tx.applyReview(ctx, sc.ws, r)
	})
	return r, err
}

func (tx *Tx) insertReview(ctx context.Context, ws growth.WorkspaceID, r Review) (Review, error) {
	var out Review
	err := tx.tx.GetContext(ctx, &out, `
		INSERT INTO lead_reviews (id, workspace_id, lead_id, kind, message, score_before, automated_score, score, priority, said_by, grade, next_action)
		SELECT $1, $2, l.id, $4, $5, l.score,
			(SELECT q.score FROM qualifications q WHERE q.lead_id = l.id ORDER BY q.created_at DESC LIMIT 1), $6, $7, $8, $9, $10
		FROM leads l WHERE l.id = $3 AND l.workspace_id = $2
		RETURNING `+reviewColumns, growth.NewID(), ws, r.LeadID, r.Kind, r.Message, r.Score, r.Priority, r.By, r.Grade, r.NextAction)
	out.At = out.At.UTC()
	return out, wrap("add review", err)
}

func (tx *Tx) applyReview(ctx context.Context, ws growth.WorkspaceID, r Review) error {
	var err error
	switch r.Kind {
	case ReviewOverride:
		_, err = tx.tx.ExecContext(ctx, `
			UPDATE leads SET score = $3, priority = $4, grade = $5, next_action = $6, overridden = true, updated_at = now()
			WHERE id = $1 AND workspace_id = $2`, r.LeadID, ws, *r.Score, r.Priority, r.Grade, r.NextAction)
	case ReviewLifted:
		_, err = tx.tx.ExecContext(ctx, `
			UPDATE leads SET score = q.score, grade = q.grade, priority = q.priority, next_action = q.next_action, overridden = false, updated_at = now()
			FROM (SELECT score, result->>'grade' AS grade, result->>'priority' AS priority, coalesce(result->>'next_action', '') AS next_action
				FROM qualifications WHERE lead_id = $1 AND workspace_id = $2 ORDER BY created_at DESC LIMIT 1) AS q
			WHERE leads.id = $1 AND leads.workspace_id = $2`, r.LeadID, ws)
	default: // words change no score
	}
	if err != nil {
		return wrap("apply review", err)
	}
	data, err := json.Marshal(map[string]any{"lead_id": r.LeadID, "kind": r.Kind, "score": r.Score})
	if err != nil {
		return wrap("apply review", err)
	}
	return tx.AddEvent(ctx, ws, "", NewEvent{Type: "lead.reviewed", Data: data})
}

// Reviews lists what was said about a lead's score, newest first.
func (sc Scoped) Reviews(ctx context.Context, lead growth.LeadID) ([]Review, error) {
	out := []Review{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT `+reviewColumns+` FROM lead_reviews WHERE workspace_id = $1 AND lead_id = $2 ORDER BY id DESC LIMIT $3`,
		sc.ws, lead, maxReviews)
	return reviewsInUTC(out), wrap("reviews", err)
}

// OpenContests lists the contested scores to which no person has answered since, newest first.
func (sc Scoped) OpenContests(ctx context.Context, p Page) ([]Review, error) {
	out := []Review{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT `+reviewColumns+` FROM lead_reviews r WHERE workspace_id = $1 AND id < $2 AND kind = 'contest'
		  AND NOT EXISTS (SELECT 1 FROM lead_reviews a WHERE a.lead_id = r.lead_id AND a.id > r.id AND a.kind <> 'contest')
		ORDER BY id DESC LIMIT $3`, sc.ws, p.before(), p.limit())
	return reviewsInUTC(out), wrap("open contests", err)
}

func reviewsInUTC(rs []Review) []Review {
	for i := range rs {
		rs[i].At = rs[i].At.UTC()
	}
	return rs
}

// NewestQualification returns the newest automated score of a lead and when it was made; ok is false when there is none.
func (sc Scoped) NewestQualification(ctx context.Context, lead growth.LeadID) (q growth.Qualification, at time.Time, ok bool, err error) {
	var r struct {
		Result []byte    `db:"result"`
		At     time.Time `db:"created_at"`
	}
	err = sc.s.db.GetContext(ctx, &r, `
		SELECT result, created_at FROM qualifications WHERE workspace_id = $1 AND lead_id = $2
		ORDER BY created_at DESC LIMIT 1`, sc.ws, lead)
	if errors.Is(err, sql.ErrNoRows) {
		return q, at, false, nil
	}
	if err != nil {
		return q, at, false, wrap("newest qualification", err)
	}
	return q, r.At.UTC(), true, wrap("newest qualification", json.Unmarshal(r.Result, &q))
}
