-- +goose Up

-- A post that was published can be taken off LinkedIn again.
ALTER TABLE publications DROP CONSTRAINT publications_state_check;
ALTER TABLE publications ADD CONSTRAINT publications_state_check
    CHECK (state IN ('ready', 'publishing', 'published', 'rejected', 'unknown', 'deleted'));
ALTER TABLE publications
    ADD COLUMN conflicts     int NOT NULL DEFAULT 0,      -- write conflicts that LinkedIn answered with
    ADD COLUMN settled_by    text NOT NULL DEFAULT '',    -- who found out how an unknown publication ended
    ADD COLUMN deleted_at    timestamptz,
    ADD COLUMN verified_at   timestamptz,                 -- read back from LinkedIn as it was meant
    ADD COLUMN read_due      timestamptz,                 -- when the post is looked for on LinkedIn; null: never
    ADD COLUMN reads         int NOT NULL DEFAULT 0,
    ADD COLUMN comment       text NOT NULL DEFAULT '',
    ADD COLUMN comment_state text NOT NULL DEFAULT ''
        CHECK (comment_state IN ('', 'ready', 'sending', 'posted', 'failed', 'unknown')),
    ADD COLUMN comment_urn   text NOT NULL DEFAULT '',
    ADD COLUMN comment_error text NOT NULL DEFAULT '',
    ADD COLUMN comment_tries int NOT NULL DEFAULT 0,
    ADD COLUMN comment_due   timestamptz;                 -- when it is sent; while it is being sent, when it counts as lost
CREATE INDEX publications_inflight ON publications (updated_at) WHERE state = 'publishing';
CREATE INDEX publications_read_due ON publications (read_due) WHERE read_due IS NOT NULL;
CREATE INDEX publications_comment_due ON publications (comment_due) WHERE comment_due IS NOT NULL;

-- Pictures for posts. The id is the digest of workspace and bytes, so that naming a picture is naming its content.
CREATE TABLE media (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    type         text NOT NULL CHECK (type IN ('image/jpeg', 'image/png', 'image/gif')),
    data         bytea NOT NULL CHECK (length(data) BETWEEN 1 AND 8388608),
    width        int NOT NULL,
    height       int NOT NULL,
    frames       int NOT NULL DEFAULT 1,
    alt_text     text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    used_at      timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE media ALTER COLUMN data SET STORAGE EXTERNAL; -- compressed already
CREATE INDEX media_workspace ON media (workspace_id, id DESC);
CREATE INDEX media_used ON media (used_at);

-- The calls that LinkedIn counts against a member's day. The member is LinkedIn's, whatever workspaces post as it.
CREATE TABLE linkedin_calls (
    member text NOT NULL, -- the URN of the account
    day    date NOT NULL, -- in UTC, as LinkedIn counts
    calls  int NOT NULL,
    PRIMARY KEY (member, day)
);

-- Versions of LinkedIn's API that LinkedIn has turned down: every call stops until another is configured.
CREATE TABLE linkedin_stops (
    version text PRIMARY KEY,
    since   timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE linkedin_stops, linkedin_calls, media;
ALTER TABLE publications
    DROP COLUMN conflicts, DROP COLUMN settled_by, DROP COLUMN deleted_at, DROP COLUMN verified_at, DROP COLUMN read_due,
    DROP COLUMN reads, DROP COLUMN comment, DROP COLUMN comment_state, DROP COLUMN comment_urn, DROP COLUMN comment_error,
    DROP COLUMN comment_tries, DROP COLUMN comment_due;
ALTER TABLE publications DROP CONSTRAINT publications_state_check;
ALTER TABLE publications ADD CONSTRAINT publications_state_check
    CHECK (state IN ('ready', 'publishing', 'published', 'rejected', 'unknown')) NOT VALID;
