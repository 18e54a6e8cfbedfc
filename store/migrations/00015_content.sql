-- +goose Up

-- A workspace has several brand kits. kit holds voice, samples, words and claims as they go to a model; what decides
-- about trust stands in columns of its own.
CREATE TABLE brands (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name         text NOT NULL,
    kit          jsonb NOT NULL,
    trust_after  int NOT NULL DEFAULT 5 CHECK (trust_after BETWEEN 0 AND 1000), -- posts that a person approves first
    is_default   boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX brands_name ON brands (workspace_id, lower(name));
CREATE UNIQUE INDEX brands_owned ON brands (workspace_id, id); -- what refers to a brand names its workspace too
CREATE UNIQUE INDEX brands_default ON brands (workspace_id) WHERE is_default;

ALTER TABLE contents
    ADD COLUMN brand_id       uuid,
    ADD COLUMN account_id     uuid,                        -- the account that an approval binds to; NULL: any
    ADD COLUMN media          text[] NOT NULL DEFAULT '{}', -- ids, in the order in which they are shown
    ADD COLUMN score_parts    jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN prompt_version text NOT NULL DEFAULT '',
    ADD COLUMN model          text NOT NULL DEFAULT '',
    ADD COLUMN judge_model    text NOT NULL DEFAULT '',
    ADD COLUMN audit          text NOT NULL DEFAULT '' CHECK (audit IN ('', 'open', 'kept', 'overturned')),
    ADD COLUMN sketch         bytea,                       -- digests of the body's word runs: likeness without the text
    ADD CONSTRAINT contents_brand FOREIGN KEY (workspace_id, brand_id) REFERENCES brands (workspace_id, id)
        ON DELETE SET NULL (brand_id);
CREATE INDEX contents_brand ON contents (brand_id, id DESC) WHERE brand_id IS NOT NULL;
CREATE INDEX contents_audit ON contents (workspace_id, id DESC) WHERE audit = 'open';
CREATE INDEX contents_campaign_lead ON contents (campaign_id, lead_id) WHERE campaign_id IS NOT NULL;

ALTER TABLE content_versions
    ADD COLUMN account_id    uuid,
    ADD COLUMN media         text[] NOT NULL DEFAULT '{}',
    ADD COLUMN image_prompt  text NOT NULL DEFAULT '',
    ADD COLUMN restored_from int;

-- Who approved or rejected which text, and why. Kept as long as its content.
CREATE TABLE content_decisions (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    content_id   uuid NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
    brand_id     uuid, -- as the content had it; trust outlives a change of brand
    version      int NOT NULL,
    hash         text NOT NULL,
    decision     text NOT NULL CHECK (decision IN ('approved', 'rejected')),
    machine      boolean NOT NULL,
    decided_by   text NOT NULL,
    reason       text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX content_decisions_content ON content_decisions (content_id, id DESC);
CREATE INDEX content_decisions_brand ON content_decisions (workspace_id, brand_id, id DESC);

-- The runs of a campaign: the jobs that one batch made. A run is over when all of them have ended.
CREATE TABLE content_batches (
    job_id       uuid PRIMARY KEY, -- that made the run
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    campaign_id  uuid NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz
);
CREATE INDEX content_batches_open ON content_batches (created_at) WHERE finished_at IS NULL;
CREATE INDEX content_batches_campaign ON content_batches (workspace_id, campaign_id);

CREATE TABLE content_batch_items (
    batch_id   uuid NOT NULL REFERENCES content_batches (job_id) ON DELETE CASCADE,
    job_id     uuid NOT NULL,
    lead_id    uuid REFERENCES leads (id) ON DELETE SET NULL,
    topic_hash text NOT NULL DEFAULT '',
    PRIMARY KEY (batch_id, job_id)
);
CREATE INDEX content_batch_items_lead ON content_batch_items (lead_id) WHERE lead_id IS NOT NULL;

-- +goose Down
DROP TABLE content_batch_items, content_batches, content_decisions;
ALTER TABLE content_versions DROP COLUMN account_id, DROP COLUMN media, DROP COLUMN image_prompt, DROP COLUMN restored_from;
ALTER TABLE contents DROP CONSTRAINT contents_brand, DROP COLUMN brand_id, DROP COLUMN account_id, DROP COLUMN media,
    DROP COLUMN score_parts, DROP COLUMN prompt_version, DROP COLUMN model, DROP COLUMN judge_model, DROP COLUMN audit, DROP COLUMN sketch;
DROP INDEX IF EXISTS contents_campaign_lead;
DROP TABLE brands;
