-- +goose Up

-- A queue that stands still: for one workspace, or for all when workspace_id is NULL.
CREATE TABLE pauses (
    queue        text NOT NULL,
    workspace_id uuid REFERENCES workspaces (id) ON DELETE CASCADE,
    paused_by    text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX pauses_once ON pauses (queue, workspace_id) NULLS NOT DISTINCT;

-- +goose Down
DROP TABLE pauses;
