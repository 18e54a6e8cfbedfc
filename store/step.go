package store

import (
	"context"
	"encoding/json"

	growth "github.com/zakibelm/astrogrowth"
)

// deposit is what a worker puts down in the middle of a job: a finished step with the ends of the calls that it made,
// or, without a name, the start of a call.
type deposit struct {
	id     growth.JobID
	fence  int64
	name   string // empty: no step
	result json.RawMessage
	calls  []growth.Call
}

// SaveStep keeps a step's result and the ends of the calls that it made, in one commit. A result that is there already
// stays, as after a commit whose answer was lost.
func (s *Store) SaveStep(ctx context.Context, id growth.JobID, fence int64, name string, result json.RawMessage, calls []growth.Call) error {
	err := s.deposit(ctx, deposit{id, fence, name, result, calls})
	if err == nil {
		s.committed(calls)
	}
	return err
}

func (s *Store) deposit(ctx context.Context, d deposit) error {
	owned, err := s.deposits.do(ctx, d)
	if err == nil && !owned {
		return ErrLeaseLost
	}
	return wrap("save step", err)
}

// stepRecord is a step's result as a statement reads it, or no more than the hold on the job when the name is empty.
type stepRecord struct {
	ID     growth.JobID    `json:"id"`
	Fence  int64           `json:"fence"`
	Name   string          `json:"name"`
	Result json.RawMessage `json:"result,omitempty"`
}

// depositAll keeps what many workers put down, and says for each whether it still owned its job.
func (s *Store) depositAll(ctx context.Context, ds []deposit) ([]bool, error) {
	var calls []callRecord
	steps := make([]stepRecord, len(ds))
	for i, d := range ds {
		steps[i] = stepRecord{ID: d.id, Fence: d.fence, Name: d.name, Result: withoutNUL(d.result)}
		calls = append(calls, callRecords(d.calls, d.fence)...)
	}
	args, err := records(calls, steps)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		ID    growth.JobID `db:"id"`
		Fence int64        `db:"fence"`
	}
	if err := s.query(ctx, &rows, depositQuery, args...); err != nil {
		return nil, wrap("save step", err)
	}
	holds := make(map[hold]bool, len(rows))
	for _, r := range rows {
		holds[hold{r.ID, r.Fence}] = true
	}
	out := make([]bool, len(ds))
	for i, d := range ds {
		out[i] = holds[hold{d.id, d.fence}]
	}
	return out, nil
}

// depositQuery locks the jobs first: who has lost one writes nothing, and who has it cannot lose it before the commit.
// The state is compared as an expression, so that the rows are found by their ids and not by the index of running jobs.
const depositQuery = `
	WITH steps AS MATERIALIZED (
		SELECT * FROM json_to_recordset($2::json) AS s (id uuid, fence bigint, name text, result jsonb)
	), owned AS MATERIALIZED (
		SELECT j.id, j.fence FROM (SELECT DISTINCT id, fence FROM steps) s JOIN jobs j ON j.id = s.id
		WHERE j.fence = s.fence AND j.state || '' = 'running'
		ORDER BY j.id FOR NO KEY UPDATE OF j
	), kept AS (
		INSERT INTO job_steps (job_id, name, result, fence)
		SELECT s.id, s.name, s.result, s.fence FROM steps s JOIN owned o ON o.id = s.id AND o.fence = s.fence WHERE s.name <> ''
		ON CONFLICT (job_id, name) DO NOTHING
	), ledger AS (
		INSERT INTO calls (` + callInsertColumns + `) SELECT ` + callRecordColumns + ` FROM (` + callsFrom + `) c
		JOIN owned o ON o.id = c.job_id AND o.fence = c.fence ` + callConflict + `
	)
	SELECT id, fence FROM owned`

// records encodes lists of rows as the JSON arrays that statements read; what is empty is an empty array.
func records(lists ...any) ([]any, error) {
	out := make([]any, len(lists))
	for i, l := range lists {
		b, err := json.Marshal(l)
		if err != nil {
			return nil, growth.Errorf(growth.Invalid, "store.records", "a result or an event is not valid JSON")
		}
		if string(b) == "null" {
			b = []byte("[]")
		}
		out[i] = string(b)
	}
	return out, nil
}
