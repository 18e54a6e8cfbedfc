package store

import (
	"context"

	growth "github.com/zakibelm/astrogrowth"
)

// ContentFilter narrows a list of content; the zero value lists all.
type ContentFilter struct {
	Status   growth.ContentStatus
	Brand    growth.BrandID
	Campaign growth.CampaignID
	Job      growth.JobID
	Lead     growth.LeadID
	Audit    growth.AuditState
	MinScore *int
	MaxScore *int
}

// Contents lists content, newest first; an empty status lists all.
func (sc Scoped) Contents(ctx context.Context, status growth.ContentStatus, p Page) ([]growth.Content, error) {
	return sc.FindContents(ctx, ContentFilter{Status: status}, p)
}

// FindContents lists the content that a filter leaves, newest first.
func (sc Scoped) FindContents(ctx context.Context, f ContentFilter, p Page) ([]growth.Content, error) {
	var rows []contentRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+contentColumns+` FROM contents
		WHERE workspace_id = $1 AND id < $2 AND ($3 = '' OR status = $3) AND ($4 = '' OR brand_id = nullif($4, '')::uuid)
		  AND ($5 = '' OR campaign_id = nullif($5, '')::uuid) AND ($6 = '' OR job_id = nullif($6, '')::uuid)
		  AND ($7 = '' OR lead_id = nullif($7, '')::uuid) AND ($8 = '' OR audit = $8)
		  AND ($9::int IS NULL OR score >= $9) AND ($10::int IS NULL OR score <= $10)
		ORDER BY id DESC LIMIT $11`, sc.ws, p.before(), string(f.Status), string(f.Brand), string(f.Campaign), string(f.Job),
		string(f.Lead), string(f.Audit), f.MinScore, f.MaxScore, p.limit()); err != nil {
		return nil, wrap("contents", err)
	}
	out := make([]growth.Content, 0, len(rows))
	for _, r := range rows {
		c, err := r.content()
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// RecentBodies returns the texts of the workspace's newest content, against which new text is compared.
func (sc Scoped) RecentBodies(ctx context.Context, n int) ([]string, error) {
	return sc.RecentBodiesBut(ctx, "", n)
}

// RecentBodiesBut is RecentBodies without one content, for a new text of that one.
func (sc Scoped) RecentBodiesBut(ctx context.Context, but growth.ContentID, n int) ([]string, error) {
	out := []string{}
	err := sc.s.db.SelectContext(ctx, &out, recentBodies, sc.ws, string(but), n)
	return out, wrap("recent bodies", err)
}

const recentBodies = `
	SELECT body FROM contents WHERE workspace_id = $1 AND status NOT IN ('rejected', 'failed') AND ($2 = '' OR id <> nullif($2, '')::uuid)
	ORDER BY id DESC LIMIT $3`

// maxSketches bounds how many texts of other workspaces a new one is compared with.
const maxSketches = 2000

// SketchesElsewhere returns digests of the newest texts of the agency's other workspaces, up to each of each and 2,000
// in all. It is the one look across workspaces besides sums of cost: digests tell how close two texts are, and nothing
// of what they say or whose they are.
func (sc Scoped) SketchesElsewhere(ctx context.Context, each int) ([][]byte, error) {
	out := [][]byte{}
	err := sc.s.db.SelectContext(ctx, &out, sketchesElsewhere, sc.ws, each, maxSketches)
	return out, wrap("sketches elsewhere", err)
}

const sketchesElsewhere = `
	SELECT s.sketch FROM workspaces w CROSS JOIN LATERAL (
		SELECT c.id, c.sketch FROM contents c
		WHERE c.workspace_id = w.id AND c.status NOT IN ('rejected', 'failed') AND c.sketch IS NOT NULL
		ORDER BY c.id DESC LIMIT $2) AS s
	WHERE w.id <> $1 ORDER BY s.id DESC LIMIT $3`

// TextsNow is RecentBodies and SketchesElsewhere once more, right before new content is saved. Until the transaction
// ends nobody else gets them, in any workspace, so that of two jobs that wrote the same at once the second one sees the
// first one's text. Whoever calls holds no lock but that of the job's own row: the others wait while they hold theirs.
func (tx *Tx) TextsNow(ctx context.Context, ws growth.WorkspaceID, n int) (bodies []string, elsewhere [][]byte, err error) {
	if _, err = tx.tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('contents', 5))`); err != nil {
		return nil, nil, wrap("lock contents", err)
	}
	if err = tx.tx.SelectContext(ctx, &bodies, recentBodies, ws, "", n); err != nil {
		return nil, nil, wrap("recent bodies", err)
	}
	err = tx.tx.SelectContext(ctx, &elsewhere, sketchesElsewhere, ws, n, maxSketches)
	return bodies, elsewhere, wrap("sketches elsewhere", err)
}
