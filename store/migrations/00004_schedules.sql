-- +goose Up

CREATE TABLE schedules (
    id               uuid PRIMARY KEY,
    workspace_id     uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name             text NOT NULL,
    cron             text NOT NULL,
    zone             text NOT NULL,
    type             text NOT NULL,
    input            jsonb NOT NULL,
    options          jsonb NOT NULL,
    campaign_id      uuid,                 -- of the jobs; kept apart from the options so that it goes when the campaign goes
    lead_id          uuid REFERENCES leads (id) ON DELETE CASCADE, -- an erased lead takes its schedules along
    enabled          boolean NOT NULL DEFAULT true,
    overlap          text NOT NULL CHECK (overlap IN ('skip', 'allow')),
    catch_up         text NOT NULL CHECK (catch_up IN ('none', 'last', 'all')),
    catch_up_within  int NOT NULL CHECK (catch_up_within >= 0), -- seconds
    catch_up_limit   int NOT NULL CHECK (catch_up_limit >= 0),
    starts_at        timestamptz,
    ends_at          timestamptz,
    last_tick        timestamptz,
    next_tick        timestamptz,          -- NULL: nothing will come due
    problem          text NOT NULL DEFAULT '',
    created_by       text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT schedules_name UNIQUE (workspace_id, name),
    UNIQUE (workspace_id, id),
    CONSTRAINT schedules_campaign FOREIGN KEY (workspace_id, campaign_id) REFERENCES campaigns (workspace_id, id)
        ON DELETE SET NULL (campaign_id)
);
CREATE INDEX schedules_due ON schedules (next_tick, id) WHERE enabled AND next_tick IS NOT NULL;
CREATE INDEX schedules_lead ON schedules (lead_id) WHERE lead_id IS NOT NULL;
CREATE INDEX schedules_campaign_of ON schedules (campaign_id) WHERE campaign_id IS NOT NULL;

-- What was made of each time of a schedule. The key is what makes a tick happen once, however many schedulers look.
CREATE TABLE schedule_ticks (
    workspace_id uuid NOT NULL,
    schedule_id  uuid NOT NULL,
    tick         timestamptz NOT NULL,
    manual       boolean NOT NULL DEFAULT false, -- a person asked for it; it is never taken for the clock's
    state        text NOT NULL CHECK (state IN ('enqueued', 'skipped', 'missed')),
    job_id       uuid,                     -- no reference: a tick may outlive its job
    until        timestamptz,              -- of missed ones, which share a row: up to, and without, this time
    detail       text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (schedule_id, tick, manual),
    FOREIGN KEY (workspace_id, schedule_id) REFERENCES schedules (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX schedule_ticks_age ON schedule_ticks (created_at);

-- +goose Down
DROP TABLE schedule_ticks, schedules;
