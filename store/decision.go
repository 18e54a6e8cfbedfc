package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// ByMachine is who decides when no person does.
const ByMachine = "machine"

// Verdict is a decision on a text. Hash is of the text that was read; empty: whichever stands there.
type Verdict struct {
	Approve bool
	Hash    string
	Reason  string // of a rejection
	By      string
	Machine bool
	Late    growth.LatePolicy // of an approval: what becomes of posts whose time has passed; empty: what their plan says
	Slot    NextSlot          // for LateNextSlot
}

// ApproveContent approves the text that has this hash. The approval of a text that was edited meanwhile is a Conflict:
// nobody approves what they have not seen.
func (sc Scoped) ApproveContent(ctx context.Context, id growth.ContentID, hash, by string) (growth.Content, error) {
	a, err := sc.DecideContent(ctx, id, Verdict{Approve: true, Hash: hash, By: by})
	return a.Content, err
}

// RejectContent turns a text down, with the reason.
func (sc Scoped) RejectContent(ctx context.Context, id growth.ContentID, hash, reason string) (growth.Content, error) {
	a, err := sc.DecideContent(ctx, id, Verdict{Hash: hash, Reason: reason})
	return a.Content, err
}

// DecideContent approves or rejects a text, keeps who did it and why, and wakes the publish jobs that waited for it. A
// person's decision closes the audit of a machine's approval. The answer names the posts that an approval leaves waiting.
func (sc Scoped) DecideContent(ctx context.Context, id growth.ContentID, v Verdict) (growth.Approval, error) {
	out := growth.Approval{Held: []growth.HeldPost{}}
	before, err := sc.Content(ctx, id)
	if err != nil {
		return out, err
	}
	query, event := `
		UPDATE contents SET status = 'rejected', approved_hash = NULL, approved_by = NULL, reject_reason = $4, updated_at = now(),
			audit = CASE WHEN audit = 'open' THEN 'overturned' ELSE audit END
		WHERE id = $1 AND workspace_id = $2 AND ($3 = '' OR hash = $3) AND status IN ('draft', 'in_review', 'approved', 'rejected', 'scheduled', 'failed')`,
		"content.rejected"
	word := v.Reason
	if v.Approve {
		query, event = `
		UPDATE contents SET status = 'approved', approved_hash = hash, approved_by = $4, reject_reason = NULL, updated_at = now(),
			audit = CASE WHEN audit = 'open' THEN 'kept' ELSE audit END
		WHERE id = $1 AND workspace_id = $2 AND ($3 = '' OR hash = $3) AND status IN ('draft', 'in_review', 'rejected', 'approved', 'scheduled', 'failed')`,
			"content.approved"
		word = v.By
	}
	err = sc.s.InTx(ctx, func(tx *Tx) error {
		// Jobs before contents, as everywhere: a cancel of a waiting job takes them in this order too.
		if _, err := tx.tx.ExecContext(ctx, `
			SELECT id FROM jobs WHERE workspace_id = $1 AND type = 'linkedin-publish' AND state = 'waiting' AND waiting_reason = 'approval'
			  AND nullif(input->>'content_id', '')::uuid = $2 ORDER BY id FOR UPDATE`, sc.ws, id); err != nil {
			return wrap("decide", err)
		}
		res, err := tx.tx.ExecContext(ctx, query, id, sc.ws, v.Hash, word)
		if err != nil {
			return wrap("decide", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return growth.Errorf(growth.Conflict, "store.decide", "the content is %s and its hash is %s: read it again before you decide", before.Status, before.Hash)
		}
		if err := tx.saveDecision(ctx, sc.ws, id, v); err != nil {
			return err
		}
		if v.Approve {
			if err := tx.judgeLate(ctx, sc.ws, id, v); err != nil {
				return err
			}
			if out.Held, err = overdue(ctx, tx.tx, sc.ws, []growth.ContentID{id}, growth.PostHeld); err != nil {
				return err
			}
		}
		if err := tx.contentPlanned(ctx, sc.ws, id, ""); err != nil {
			return err
		}
		if err := tx.resumePublishing(ctx, sc.ws, id); err != nil {
			return err
		}
		data, err := json.Marshal(map[string]any{"content_id": id, "job_id": before.JobID, "campaign_id": before.CampaignID, "machine": v.Machine})
		if err != nil {
			return wrap("decide", err)
		}
		return tx.AddEvent(ctx, sc.ws, "", NewEvent{Type: event, Data: data})
	})
	if err != nil {
		return out, err
	}
	out.Content, err = sc.Content(ctx, id)
	return out, err
}

// OverduePosts lists the posts of texts that wait for an approval, or for a person, while their time has passed.
func (sc Scoped) OverduePosts(ctx context.Context, texts []growth.ContentID) ([]growth.HeldPost, error) {
	return overdue(ctx, sc.s.db, sc.ws, texts, "")
}

// overdue lists waiting posts whose time has passed; with a verdict those alone that have it.
func overdue(ctx context.Context, q selecter, ws growth.WorkspaceID, texts []growth.ContentID, verdict growth.PostVerdict) ([]growth.HeldPost, error) {
	var rows []struct {
		JobID     growth.JobID     `db:"job_id"`
		ContentID growth.ContentID `db:"content_id"`
		AccountID growth.AccountID `db:"account_id"`
		Account   string           `db:"account"`
		At        time.Time        `db:"at"`
	}
	if err := q.SelectContext(ctx, &rows, `
		SELECT t.job_id, c.id AS content_id, coalesce(t.account_id::text, '') AS account_id, coalesce(a.name, '') AS account, t.at
		FROM unnest($2::text[]) AS wanted (id)
		JOIN contents c ON c.id = wanted.id::uuid AND c.workspace_id = $1
		JOIN jobs j ON j.workspace_id = $1 AND j.type = 'linkedin-publish' AND j.state = 'waiting' AND j.waiting_reason = 'approval'
		  AND nullif(j.input->>'content_id', '')::uuid = c.id
		JOIN post_times t ON t.job_id = j.id AND t.at < now() AND (t.verdict = 'held' OR t.verdict = '' AND $3 = '')
		LEFT JOIN linkedin_accounts a ON a.id = t.account_id AND a.workspace_id = $1
		ORDER BY t.at, t.job_id`, ws, pq.Array(texts), string(verdict)); err != nil {
		return nil, wrap("overdue posts", err)
	}
	out := make([]growth.HeldPost, len(rows))
	for i, r := range rows {
		out[i] = growth.HeldPost{
			JobID: r.JobID, ContentID: r.ContentID, AccountID: r.AccountID, Account: r.Account, PlannedFor: r.At.UTC(), Reason: heldReason(time.Since(r.At)),
		}
	}
	return out, nil
}

func heldReason(late time.Duration) string {
	return fmt.Sprintf("its time passed %s ago: give it another with PATCH /v1/calendar/{job_id}, let it go with {\"now\":true}, or cancel its job", late.Round(time.Minute))
}

// judgeLate decides about the posts that waited for an approval beyond their time, by the word of who approves, else by
// their account's plan: the question whether they still go out is asked now, and not after another round of the job. The
// word of who approves also lets go what was held before.
func (tx *Tx) judgeLate(ctx context.Context, ws growth.WorkspaceID, id growth.ContentID, v Verdict) error {
	var rows []postTimeRow
	if err := tx.tx.SelectContext(ctx, &rows, `
		SELECT `+postTimeColumns+` FROM post_times t JOIN jobs j ON j.id = t.job_id
		WHERE j.workspace_id = $1 AND j.type = 'linkedin-publish' AND j.state = 'waiting' AND j.waiting_reason = 'approval'
		  AND nullif(j.input->>'content_id', '')::uuid = $2 AND (t.verdict = '' OR t.verdict = 'held' AND $3 IN ('publish', 'next_slot'))
		  AND t.at < now() ORDER BY t.job_id`, ws, id, string(v.Late)); err != nil {
		return wrap("judge late", err)
	}
	for _, r := range rows {
		if err := tx.judgeLateOne(ctx, r.postTime(), v); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) judgeLateOne(ctx context.Context, t growth.PostTime, v Verdict) error {
	if t.AccountID == "" { // whose plan holds is not known before the job runs
		return nil
	}
	plan, err := postingPlan(ctx, tx.tx, t.Workspace, t.AccountID)
	if err != nil || t.Verdict != growth.PostHeld && time.Since(t.At) <= time.Duration(max(plan.LateMinutes, 1))*time.Minute {
		return err
	}
	verdict := growth.PostHeld
	switch policy := v.Late; {
	case policy == growth.LateNextSlot:
		return tx.movePost(ctx, t.Workspace, t.JobID, PostWish{Time: growth.PostTime{AccountID: t.AccountID}, Slot: v.Slot})
	case policy == growth.LatePublish:
		verdict = growth.PostLate
	case policy == "" && plan.Late != growth.LateAsk:
		return nil // the job itself does what the plan says
	}
	if _, err := tx.tx.ExecContext(ctx, `
		UPDATE post_times SET verdict = $3, judged_at = now() WHERE job_id = $1 AND workspace_id = $2`, t.JobID, t.Workspace, string(verdict)); err != nil || verdict != growth.PostHeld {
		return wrap("judge late", err)
	}
	data, err := json.Marshal(map[string]any{"job_id": t.JobID, "planned_for": t.At, "account_id": t.AccountID})
	if err != nil {
		return wrap("judge late", err)
	}
	return tx.AddEvent(ctx, t.Workspace, t.JobID, NewEvent{Type: "post.held", Data: data})
}

// maxDecisions bounds how many decisions on one content are kept, the newest.
const maxDecisions = 200

func (tx *Tx) saveDecision(ctx context.Context, ws growth.WorkspaceID, id growth.ContentID, v Verdict) error {
	decision := growth.ContentRejected
	if v.Approve {
		decision = growth.ContentApproved
	}
	_, err := tx.tx.ExecContext(ctx, `
		INSERT INTO content_decisions (id, workspace_id, content_id, brand_id, version, hash, decision, machine, decided_by, reason)
		SELECT $3, workspace_id, id, brand_id, version, hash, $4, $5, $6, $7 FROM contents WHERE id = $1 AND workspace_id = $2`,
		id, ws, growth.NewID(), string(decision), v.Machine, v.By, v.Reason)
	if err != nil {
		return wrap("save decision", err)
	}
	_, err = tx.tx.ExecContext(ctx, `
		DELETE FROM content_decisions WHERE content_id = $1 AND workspace_id = $2 AND id <= (
			SELECT id FROM content_decisions WHERE content_id = $1 AND workspace_id = $2 ORDER BY id DESC OFFSET $3 LIMIT 1)`, id, ws, maxDecisions)
	return wrap("save decision", err)
}

// ContentDecisions lists what was decided on a content and by whom, newest first.
func (sc Scoped) ContentDecisions(ctx context.Context, id growth.ContentID, p Page) ([]growth.ContentDecision, error) {
	if _, err := sc.Content(ctx, id); err != nil {
		return nil, err
	}
	var rows []struct {
		ID        string               `db:"id"`
		Version   int                  `db:"version"`
		Hash      string               `db:"hash"`
		Decision  growth.ContentStatus `db:"decision"`
		Machine   bool                 `db:"machine"`
		By        string               `db:"decided_by"`
		Reason    string               `db:"reason"`
		CreatedAt time.Time            `db:"created_at"`
	}
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT id, version, hash, decision, machine, decided_by, reason, created_at FROM content_decisions
		WHERE workspace_id = $1 AND content_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4`, sc.ws, id, p.before(), p.limit()); err != nil {
		return nil, wrap("content decisions", err)
	}
	out := make([]growth.ContentDecision, 0, len(rows))
	for _, r := range rows {
		out = append(out, growth.ContentDecision{
			ID: r.ID, Version: r.Version, Hash: r.Hash, Decision: r.Decision, Machine: r.Machine, DecidedBy: r.By, Reason: r.Reason, CreatedAt: r.CreatedAt.UTC(),
		})
	}
	return out, nil
}

// TrustOf counts the contents of a brand that a person has approved, up to most. An empty brand stands for content that
// was written without a brand kit.
func (sc Scoped) TrustOf(ctx context.Context, brand growth.BrandID, most int) (int, error) {
	var n int
	err := sc.s.db.GetContext(ctx, &n, `
		SELECT count(*) FROM (
			SELECT DISTINCT content_id FROM content_decisions
			WHERE workspace_id = $1 AND brand_id IS NOT DISTINCT FROM $2::uuid AND decision = 'approved' AND NOT machine LIMIT $3) AS d`,
		sc.ws, nullID(brand), most)
	return n, wrap("trust", err)
}

// RejectReasons returns why people turned down a brand's newest texts, newest first.
func (sc Scoped) RejectReasons(ctx context.Context, brand growth.BrandID, n int) ([]string, error) {
	out := []string{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT reason FROM content_decisions
		WHERE workspace_id = $1 AND brand_id IS NOT DISTINCT FROM $2::uuid AND decision = 'rejected' AND reason <> ''
		ORDER BY id DESC LIMIT $3`, sc.ws, nullID(brand), n)
	return out, wrap("reject reasons", err)
}

// nullID is an id for a column that may be NULL; empty: NULL.
func nullID[ID ~string](id ID) sql.NullString { return nullString(string(id)) }
