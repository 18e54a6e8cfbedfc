-- +goose Up

-- What a member allowed on one occasion is a grant. A member's own account and the pages that were connected with it
-- share one, and are refreshed together.
ALTER TABLE linkedin_accounts
    ADD COLUMN label              text NOT NULL DEFAULT '',
    ADD COLUMN settings           jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN grant_id           uuid NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN member_urn         text NOT NULL DEFAULT '', -- whose token it is; empty: nobody said
    ADD COLUMN scopes             text[] NOT NULL DEFAULT '{}', -- empty: nobody said
    ADD COLUMN token_at           timestamptz NOT NULL DEFAULT now(), -- when this token was issued
    ADD COLUMN refresh_token      text NOT NULL DEFAULT '', -- sealed, bound to this row's id; empty: none
    ADD COLUMN refresh_expires_at timestamptz,
    ADD COLUMN refresh_error      text NOT NULL DEFAULT '', -- the code of the last failure
    ADD COLUMN refresh_failures   int NOT NULL DEFAULT 0,
    ADD COLUMN refresh_after      timestamptz, -- who refreshes holds it until then; after a failure: not before
    ADD COLUMN refresh_fence      bigint NOT NULL DEFAULT 0,
    ADD COLUMN noticed_end        timestamptz, -- the end that notices were given of, and the smallest number of days
    ADD COLUMN noticed_days       int;
UPDATE linkedin_accounts SET member_urn = urn, token_at = created_at WHERE urn LIKE 'urn:li:person:%';
CREATE INDEX linkedin_accounts_grant ON linkedin_accounts (grant_id);

-- One-time links. Of what makes a link, a state and a browser known, only hashes are kept.
CREATE TABLE linkedin_connects (
    id                uuid PRIMARY KEY,
    workspace_id      uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    link_hash         bytea NOT NULL UNIQUE,
    opens             bytea[] NOT NULL DEFAULT '{}', -- of state and browser, for each time that the link was opened
    account_id        uuid REFERENCES linkedin_accounts (id) ON DELETE CASCADE, -- to be connected again; NULL: any
    organization_urn  text NOT NULL DEFAULT '',
    organization_name text NOT NULL DEFAULT '',
    scopes            text[] NOT NULL,
    verifier          text NOT NULL DEFAULT '', -- of PKCE, sealed
    requested_by      text NOT NULL DEFAULT '',
    expires_at        timestamptz NOT NULL,
    used_at           timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX linkedin_connects_age ON linkedin_connects (created_at);
CREATE INDEX linkedin_connects_workspace ON linkedin_connects (workspace_id, expires_at);

-- +goose Down
DROP TABLE linkedin_connects;
ALTER TABLE linkedin_accounts
    DROP COLUMN label, DROP COLUMN settings, DROP COLUMN grant_id, DROP COLUMN member_urn, DROP COLUMN scopes, DROP COLUMN token_at,
    DROP COLUMN refresh_token, DROP COLUMN refresh_expires_at, DROP COLUMN refresh_error, DROP COLUMN refresh_failures,
    DROP COLUMN refresh_after, DROP COLUMN refresh_fence, DROP COLUMN noticed_end, DROP COLUMN noticed_days;
