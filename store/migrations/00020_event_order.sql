-- +goose Up

-- Events are read in the order of (tx, id), and only those of transactions that have ended with all before them. Ids
-- alone are handed out before the commit, so that a reader who goes by them can pass one that is still to come.
ALTER TABLE events ADD COLUMN tx xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX events_order ON events (workspace_id, tx, id);
CREATE INDEX events_all_order ON events (tx, id);
DROP INDEX events_workspace;

-- +goose Down
CREATE INDEX events_workspace ON events (workspace_id, id);
DROP INDEX events_all_order;
DROP INDEX events_order;
ALTER TABLE events DROP COLUMN tx;
