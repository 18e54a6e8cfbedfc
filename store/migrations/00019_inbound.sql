-- +goose Up

-- Who sends leads by webhook. The id is the address that they call; a secret is what proves them.
CREATE TABLE webhook_sources (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name          text NOT NULL,
    kind          text NOT NULL,
    enabled       boolean NOT NULL DEFAULT true,
    settings      jsonb NOT NULL,           -- header, tolerance, paths, events, mapping
    campaign_id   uuid,
    qualify       boolean NOT NULL DEFAULT true,
    secrets       jsonb NOT NULL DEFAULT '[]', -- [{sealed, created_at, expires_at}], newest first; sealed to this row's id
    last_at       timestamptz,
    refused_at    timestamptz,
    refused_why   text NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_sources_name UNIQUE (workspace_id, name),
    UNIQUE (workspace_id, id),
    CONSTRAINT webhook_sources_campaign FOREIGN KEY (workspace_id, campaign_id) REFERENCES campaigns (workspace_id, id)
        ON DELETE SET NULL (campaign_id)
);

-- What they sent. The digest makes a message that comes again the same message; it outlives the body.
CREATE TABLE webhook_deliveries (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL,
    source_id     uuid NOT NULL,
    dedup         bytea NOT NULL,
    event         text NOT NULL DEFAULT '',
    state         text NOT NULL CHECK (state IN ('received', 'processed', 'failed', 'dropped', 'refused', 'erased')),
    body          text,                     -- NULL: past its time, or erased with its lead
    plain         text,                     -- the body without escapes, where it has any, so that what it says can be found
    attempts      int NOT NULL DEFAULT 0,
    next_at       timestamptz NOT NULL DEFAULT now(),
    reason        text NOT NULL DEFAULT '',
    lead_id       uuid,                     -- no reference: a delivery may outlive its lead and its job
    job_id        uuid,
    received_at   timestamptz NOT NULL DEFAULT now(),
    processed_at  timestamptz,
    FOREIGN KEY (workspace_id, source_id) REFERENCES webhook_sources (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT webhook_deliveries_once UNIQUE (source_id, dedup)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_at, id) WHERE state = 'received';
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (workspace_id, id DESC);
CREATE INDEX webhook_deliveries_lead ON webhook_deliveries (lead_id) WHERE lead_id IS NOT NULL;
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (received_at);

-- +goose Down
DROP TABLE webhook_deliveries, webhook_sources;
