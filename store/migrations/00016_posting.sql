-- +goose Up

-- When an account posts, and what becomes of posts that were missed.
CREATE TABLE posting_plans (
    account_id        uuid PRIMARY KEY REFERENCES linkedin_accounts (id) ON DELETE CASCADE,
    workspace_id      uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    zone              text NOT NULL,
    slots             jsonb NOT NULL,
    late              text NOT NULL CHECK (late IN ('ask', 'publish', 'next_slot')),
    late_minutes      int NOT NULL CHECK (late_minutes BETWEEN 0 AND 1440),
    catch_up_per_hour int NOT NULL CHECK (catch_up_per_hour BETWEEN 1 AND 60),
    updated_at        timestamptz NOT NULL DEFAULT now()
);

-- When the post of a publish job is to go out. What the clock shows and the zone are what was asked for; the instant
-- follows from them.
CREATE TABLE post_times (
    job_id       uuid PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    account_id   uuid REFERENCES linkedin_accounts (id) ON DELETE CASCADE, -- NULL: the only one that there will be
    source       text NOT NULL CHECK (source IN ('instant', 'wall', 'slot')),
    local        timestamp NOT NULL,
    zone         text NOT NULL,
    at           timestamptz NOT NULL,
    clock_change text NOT NULL DEFAULT '',
    verdict      text NOT NULL DEFAULT '' CHECK (verdict IN ('', 'on_time', 'late', 'held')),
    judged_at    timestamptz,
    released_at  timestamptz, -- when a late post was let go; so many an hour
    moved_from   timestamptz  -- the missed time, when the post was given another
);
CREATE INDEX post_times_calendar ON post_times (workspace_id, at);
CREATE INDEX post_times_account ON post_times (account_id, at);
CREATE INDEX post_times_moved ON post_times (workspace_id, moved_from) WHERE moved_from IS NOT NULL;
CREATE INDEX post_times_released ON post_times (account_id, released_at) WHERE released_at IS NOT NULL;

-- +goose Down
DROP TABLE post_times;
DROP TABLE posting_plans;
