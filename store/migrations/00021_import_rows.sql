-- +goose Up

-- The leads of a file as they were read: each once, in the order of the file, some hundred to a row, packed. Who takes
-- them in, and who goes on after a kill, reads from where it is and not from the beginning. A reading is what one look
-- at the file made; the import says which one counts.
ALTER TABLE imports ADD COLUMN reading uuid;
CREATE TABLE import_chunks (
    import_id  uuid NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    reading    uuid NOT NULL,
    first      int NOT NULL,               -- the place of its first lead
    data       bytea NOT NULL,             -- JSON, one lead to a line, deflated
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (import_id, reading, first)
);
ALTER TABLE import_chunks ALTER COLUMN data SET STORAGE EXTERNAL; -- it is packed already
CREATE INDEX import_chunks_age ON import_chunks (created_at);

-- Leads that are gone and of which the cache may still hold answers.
CREATE TABLE cache_dues (
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    lead_id      uuid NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, lead_id)
);
CREATE INDEX cache_dues_age ON cache_dues (created_at);

-- +goose Down
DROP TABLE cache_dues, import_chunks;
ALTER TABLE imports DROP COLUMN reading;
