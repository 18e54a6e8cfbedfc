-- +goose Up

-- Grows with every change of a workspace's budgets, so that a process sees that what it holds of them is old.
ALTER TABLE workspaces ADD COLUMN budgets_version bigint NOT NULL DEFAULT 0;

-- Which API key asked for a job: budgets can be per key.
ALTER TABLE jobs ADD COLUMN key_id uuid;

-- A row with reserved_usd and no cost is money that is held: in flight, or of unknown cost and counted at the estimate.
-- asked and ask_after pace the questions to the provider about what such a call has cost.
ALTER TABLE calls
    ADD COLUMN reserved_usd numeric(20, 12),
    ADD COLUMN campaign_id uuid,
    ADD COLUMN key_id uuid,
    ADD COLUMN settled_by text NOT NULL DEFAULT '',
    ADD COLUMN asked int NOT NULL DEFAULT 0,
    ADD COLUMN ask_after timestamptz;
CREATE INDEX calls_unknown ON calls (started_at) WHERE cost_usd IS NULL;

CREATE TABLE budgets (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name         text NOT NULL,
    campaign_id  uuid,                     -- NULL: every campaign
    task_type    text NOT NULL DEFAULT '', -- empty: every task type
    key_id       uuid REFERENCES api_keys (id) ON DELETE CASCADE, -- NULL: every key
    period       text NOT NULL CHECK (period IN ('day', 'month')),
    limit_usd    numeric(20, 12) NOT NULL CHECK (limit_usd >= 0 AND limit_usd <= 1000000),
    policy       text NOT NULL CHECK (policy IN ('free_only', 'wait', 'stop')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (workspace_id, name),
    CONSTRAINT budgets_campaign FOREIGN KEY (workspace_id, campaign_id) REFERENCES campaigns (workspace_id, id)
        ON DELETE CASCADE
);

-- What was said already: each alert is an event once.
CREATE TABLE alerts (
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    kind         text NOT NULL,
    subject      text NOT NULL,
    since        timestamptz NOT NULL,     -- of the window that it is about
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, kind, subject, since)
);
CREATE INDEX alerts_age ON alerts (created_at);

-- The providers' prices as they were read, one row a change. A priced call names the instant of the list that was used:
-- its price is the newest row that is not younger.
CREATE TABLE prices (
    provider   text NOT NULL,
    model      text NOT NULL,
    read_at    timestamptz NOT NULL,
    price      jsonb NOT NULL,             -- US dollars per million tokens
    PRIMARY KEY (provider, model, read_at)
);

-- +goose Down
DROP TABLE prices, alerts, budgets;
DROP INDEX calls_unknown;
ALTER TABLE calls DROP COLUMN reserved_usd, DROP COLUMN campaign_id, DROP COLUMN key_id, DROP COLUMN settled_by,
    DROP COLUMN asked, DROP COLUMN ask_after;
ALTER TABLE jobs DROP COLUMN key_id;
ALTER TABLE workspaces DROP COLUMN budgets_version;
