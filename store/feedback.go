package store

import (
	"context"

	growth "github.com/zakibelm/astrogrowth"
)

// Feedback is what somebody said about the answer of a call or of a job.
type Feedback struct {
	Call        growth.CallID // this or Job
	Job         growth.JobID
	WrongAnswer bool
	Message     string
	By          string // the API key's id
}

// AddFeedback keeps a word about a call or a job of the workspace; it is NotFound when there is no such thing.
func (sc Scoped) AddFeedback(ctx context.Context, f Feedback) (id string, err error) {
	id = growth.NewID()
	res, err := sc.s.db.ExecContext(ctx, `
		INSERT INTO feedback (id, workspace_id, call_id, job_id, wrong_answer, message, key_id)
		SELECT $1, $2, nullif($3, '')::uuid, nullif($4, '')::uuid, $5, $6, $7
		WHERE EXISTS (SELECT 1 FROM calls WHERE id = nullif($3, '')::uuid AND workspace_id = $2)
			OR EXISTS (SELECT 1 FROM jobs WHERE id = nullif($4, '')::uuid AND workspace_id = $2)`,
		id, sc.ws, string(f.Call), string(f.Job), f.WrongAnswer, f.Message, f.By)
	if err != nil {
		return "", wrap("add feedback", err)
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return "", growth.Errorf(growth.NotFound, "store.AddFeedback", "there is no such call or job in this workspace")
	}
	return id, wrap("add feedback", err)
}
