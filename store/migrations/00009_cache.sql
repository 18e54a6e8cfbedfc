-- +goose Up

-- hits counts exact and near ones. saved_usd adds up what is known; unknown_saved counts the hits whose answer had a cost
-- that nobody knows. age_ms adds up how old the answers were.
ALTER TABLE cache_days
    ADD COLUMN near_hits     bigint NOT NULL DEFAULT 0,
    ADD COLUMN unknown_saved bigint NOT NULL DEFAULT 0,
    ADD COLUMN bytes         bigint NOT NULL DEFAULT 0,
    ADD COLUMN age_ms        bigint NOT NULL DEFAULT 0;

-- What people said about an answer: of a call, or of a job.
CREATE TABLE feedback (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    call_id      uuid,
    job_id       uuid REFERENCES jobs (id) ON DELETE CASCADE,
    wrong_answer boolean NOT NULL,
    message      text NOT NULL DEFAULT '',
    key_id       text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(call_id, job_id) = 1)
);
CREATE INDEX feedback_newest ON feedback (workspace_id, id DESC);
CREATE INDEX feedback_job ON feedback (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX feedback_when ON feedback (created_at);

-- +goose Down
DROP TABLE feedback;
ALTER TABLE cache_days DROP COLUMN near_hits, DROP COLUMN unknown_saved, DROP COLUMN bytes, DROP COLUMN age_ms;
