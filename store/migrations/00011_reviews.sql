-- +goose Up

-- What people say about a lead's score: the lead itself, who contests it, and the person who answers or overrides it.
-- score_before is the score in force when it was said, automated_score the one that was made without a person.
CREATE TABLE lead_reviews (
    id              uuid PRIMARY KEY,
    workspace_id    uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    lead_id         uuid NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    kind            text NOT NULL CHECK (kind IN ('contest', 'override', 'upheld', 'lifted')),
    message         text NOT NULL,
    score_before    int,
    automated_score int,
    score           int CHECK (score BETWEEN 0 AND 100), -- of an override
    priority        text NOT NULL DEFAULT '',
    said_by         text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT now(),
    CHECK ((kind = 'override') = (score IS NOT NULL))
);
CREATE INDEX lead_reviews_lead ON lead_reviews (lead_id, id DESC);
CREATE INDEX lead_reviews_newest ON lead_reviews (workspace_id, id DESC);

-- A person's score stays until a person lifts it: later scores are kept beside it.
ALTER TABLE leads ADD COLUMN overridden boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE leads DROP COLUMN overridden;
DROP TABLE lead_reviews;
