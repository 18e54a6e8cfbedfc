-- +goose Up

-- A file of leads on its way into the workspace. position counts the leads of the file that have been taken in: who goes
-- on after a kill begins behind them.
CREATE TABLE imports (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    campaign_id  uuid,
    file_name    text NOT NULL,
    file_hash    text NOT NULL,            -- SHA-256; the same file again goes on where it stopped
    bytes        bigint NOT NULL,
    encoding     text NOT NULL,
    delimiter    text NOT NULL,
    mapping      jsonb NOT NULL,           -- what was stated and what each column was taken for
    doubts       jsonb NOT NULL,
    counts       jsonb NOT NULL,           -- of the file: rows, bad ones, leads, duplicates
    position     int NOT NULL DEFAULT 0,
    jobs         int NOT NULL DEFAULT 0,
    unchanged    int NOT NULL DEFAULT 0,
    brought      int NOT NULL DEFAULT 0,   -- leads that the workspace did not have
    merged       int NOT NULL DEFAULT 0,   -- and those that it had
    refused      int NOT NULL DEFAULT 0,   -- erased leads, which do not come back
    erased       int NOT NULL DEFAULT 0,   -- by the undoing
    restored     int NOT NULL DEFAULT 0,
    kept         int NOT NULL DEFAULT 0,
    state        text NOT NULL CHECK (state IN ('previewed', 'running', 'done', 'undoing', 'undone')),
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    undone_at    timestamptz,
    UNIQUE (workspace_id, id),
    CONSTRAINT imports_campaign FOREIGN KEY (workspace_id, campaign_id) REFERENCES campaigns (workspace_id, id)
        ON DELETE SET NULL (campaign_id)
);
CREATE INDEX imports_newest ON imports (workspace_id, id DESC);
CREATE INDEX imports_file ON imports (workspace_id, file_hash, id DESC);
CREATE INDEX imports_campaign_of ON imports (campaign_id) WHERE campaign_id IS NOT NULL;

-- The file itself, in parts, for a day. An erased lead takes the files along in which it stands.
CREATE TABLE import_parts (
    import_id  uuid NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    part       int NOT NULL,
    data       bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (import_id, part)
);
CREATE INDEX import_parts_age ON import_parts (created_at);

-- What an import did to a lead, so that it can be undone.
CREATE TABLE import_leads (
    import_id  uuid NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    lead_id    uuid NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    before     jsonb,                      -- NULL: the import brought the lead
    after      text NOT NULL,              -- MD5 of the lead as the import left it
    kept       text NOT NULL DEFAULT '',   -- why the undoing let it be
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (import_id, lead_id)
);
CREATE INDEX import_leads_lead ON import_leads (lead_id, created_at);
CREATE INDEX import_leads_age ON import_leads (created_at);

-- The receipts of erased leads: who and how much, nothing of what was there.
CREATE TABLE erasures (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    lead_id      uuid NOT NULL UNIQUE,
    asked_by     text NOT NULL,
    counts       jsonb NOT NULL,
    cache_at     timestamptz,              -- when the cache had forgotten it; NULL: not yet
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX erasures_newest ON erasures (workspace_id, id DESC);

-- Digests of the keys by which an erased lead would be recognised, bound to the workspace's secret.
CREATE TABLE tombstones (
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    kind         text NOT NULL,
    hash         bytea NOT NULL,
    lead_id      uuid NOT NULL,
    PRIMARY KEY (workspace_id, kind, hash, lead_id)
);
CREATE INDEX tombstones_lead ON tombstones (lead_id);

-- +goose Down
DROP TABLE tombstones, erasures, import_leads, import_parts, imports;
