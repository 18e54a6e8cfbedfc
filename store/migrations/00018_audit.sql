-- +goose Up

-- What was done with the scopes admin and approve: who, what and when. No bodies, no personal data. A key's id outlives
-- the key on purpose.
CREATE TABLE audit_log (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    key_id       uuid,                          -- NULL: the user of this machine, without keys
    actor        text NOT NULL,                 -- the key's name at that time
    operation    text NOT NULL,
    target       text NOT NULL DEFAULT '',      -- the id in the path
    request_id   text NOT NULL DEFAULT '',
    status       int,                           -- NULL: begun, and never ended
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_log_workspace ON audit_log (workspace_id, id);
CREATE INDEX audit_log_age ON audit_log (created_at);

-- Which key a key took the place of.
ALTER TABLE api_keys ADD COLUMN rotated_from uuid REFERENCES api_keys (id) ON DELETE SET NULL;

-- +goose Down
ALTER TABLE api_keys DROP COLUMN rotated_from;
DROP TABLE audit_log;
