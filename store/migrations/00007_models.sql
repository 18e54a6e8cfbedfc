-- +goose Up

-- What a provider served when its list was last read, for starts in which it cannot be read. source tells apart several
-- addresses of one provider (the simulator's, say), whose lists have nothing to do with each other.
CREATE TABLE model_lists (
    provider text NOT NULL,
    source   text NOT NULL,
    models   jsonb NOT NULL,
    read_at  timestamptz NOT NULL,
    PRIMARY KEY (provider, source)
);

-- Models that a provider called gone, for every process, and those whose end was announced. One row for each, so that
-- each is told once.
CREATE TABLE model_notices (
    kind       text NOT NULL CHECK (kind IN ('gone', 'expiring')),
    provider   text NOT NULL,
    source     text NOT NULL,
    model      text NOT NULL,
    expires_at timestamptz NOT NULL DEFAULT 'infinity', -- an end that is put off is a new notice
    noticed_at timestamptz NOT NULL,
    PRIMARY KEY (provider, source, kind, model, expires_at)
);

-- The walk over a route that a request belonged to.
ALTER TABLE calls ADD COLUMN walk_id uuid;
CREATE INDEX calls_walk ON calls (walk_id) WHERE walk_id IS NOT NULL;

-- +goose Down
DROP INDEX calls_walk;
ALTER TABLE calls DROP COLUMN walk_id;
DROP TABLE model_notices, model_lists;
