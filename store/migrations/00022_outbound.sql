-- +goose Up

-- Who is told of a workspace's events. The cursor is the last event that it was told of, or passed by.
CREATE TABLE subscriptions (
    id              uuid PRIMARY KEY,
    workspace_id    uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    url             text NOT NULL,
    types           text[] NOT NULL,         -- empty: all
    form            text NOT NULL CHECK (form IN ('standard', 'slack')),
    active          boolean NOT NULL DEFAULT true,
    disabled_reason text NOT NULL DEFAULT '',
    secret          text NOT NULL,           -- sealed to this row's id, as is the one before
    secret_old      text NOT NULL DEFAULT '',
    old_until       timestamptz,
    cursor_tx       xid8 NOT NULL,
    cursor_id       bigint NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (workspace_id, id)
);
CREATE INDEX subscriptions_newest ON subscriptions (workspace_id, id DESC);

-- Each event once for each subscription, with the bytes that every attempt sends.
CREATE TABLE subscription_deliveries (
    id              uuid PRIMARY KEY,
    workspace_id    uuid NOT NULL,
    subscription_id uuid NOT NULL,
    event_id        bigint NOT NULL,
    type            text NOT NULL,
    body            text NOT NULL,
    event_job_id    uuid,                    -- whom the event is about, so that it goes with them
    event_lead_id   text NOT NULL DEFAULT '',
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts        int NOT NULL DEFAULT 0,
    status          int,
    code            text NOT NULL DEFAULT '',
    error           text NOT NULL DEFAULT '',
    next_at         timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz,
    FOREIGN KEY (workspace_id, subscription_id) REFERENCES subscriptions (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT subscription_deliveries_once UNIQUE (subscription_id, event_id)
);
CREATE INDEX subscription_deliveries_newest ON subscription_deliveries (subscription_id, id DESC);
CREATE INDEX subscription_deliveries_age ON subscription_deliveries (created_at);
CREATE INDEX subscription_deliveries_job ON subscription_deliveries (event_job_id) WHERE event_job_id IS NOT NULL;

-- Callbacks are signed with their own secret from the first rotation on. workspaces.secret stays: erased leads are
-- recognised by digests that it is part of.
ALTER TABLE workspaces ADD COLUMN signing_secret bytea, ADD COLUMN signing_old bytea, ADD COLUMN signing_old_until timestamptz;

-- +goose Down
ALTER TABLE workspaces DROP COLUMN signing_old_until, DROP COLUMN signing_old, DROP COLUMN signing_secret;
DROP TABLE subscription_deliveries, subscriptions;
