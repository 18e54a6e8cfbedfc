-- +goose Up

-- Who posts, by LinkedIn's name: a page may be connected in several workspaces, and its limits and its repetitions are
-- the page's.
ALTER TABLE publications ADD COLUMN author_urn text GENERATED ALWAYS AS (post->>'author') STORED;

-- What was posted before is known by the same digest as what comes; see postHash.
UPDATE publications p SET post_hash = encode(sha256(
    int8send(9) || 'content/1'::bytea || int8send(octet_length(p.post->>'text')) || convert_to(p.post->>'text', 'UTF8')
    || int8send(0) || int8send(0) || int8send(octet_length(p.author_urn)) || convert_to(p.author_urn, 'UTF8')
    || (SELECT int8send(count(*)) || coalesce(string_agg(int8send(octet_length(s)) || convert_to(s, 'UTF8'), ''::bytea ORDER BY kind, n), ''::bytea)
        FROM (
            SELECT 1 AS kind, n, coalesce(p.post->'article'->>name, '') AS s
            FROM unnest(ARRAY['url', 'title', 'description']) WITH ORDINALITY AS a (name, n) WHERE p.post ? 'article'
            UNION ALL
            SELECT 2, n, i->>'media_id' FROM jsonb_array_elements(coalesce(p.post->'images', '[]')) WITH ORDINALITY AS i (i, n)
            UNION ALL
            SELECT 3, 2 * n + (name = 'urn')::int, m->>name
            FROM jsonb_array_elements(coalesce(p.post->'mentions', '[]')) WITH ORDINALITY AS m (m, n), unnest(ARRAY['name', 'urn']) AS name
        ) AS media)
), 'hex');

-- The same post on one page from two workspaces was no repetition until now: the oldest stands for them.
UPDATE publications p SET allow_repeat = true
WHERE state IN ('publishing', 'published', 'unknown') AND NOT allow_repeat AND EXISTS (
    SELECT 1 FROM publications o WHERE o.author_urn = p.author_urn AND o.post_hash = p.post_hash AND o.id < p.id
      AND o.state IN ('publishing', 'published', 'unknown') AND NOT o.allow_repeat);

DROP INDEX publications_once;
CREATE UNIQUE INDEX publications_once ON publications (author_urn, post_hash)
    WHERE state IN ('publishing', 'published', 'unknown') AND NOT allow_repeat;
DROP INDEX publications_sent;
CREATE INDEX publications_sent ON publications (author_urn, sent_at);
CREATE INDEX publications_account ON publications (account_id);

-- +goose Down
DROP INDEX publications_account;
DROP INDEX publications_sent;
DROP INDEX publications_once;
CREATE UNIQUE INDEX publications_once ON publications (account_id, post_hash)
    WHERE state IN ('publishing', 'published', 'unknown') AND NOT allow_repeat;
CREATE INDEX publications_sent ON publications (account_id, sent_at) WHERE sent_at IS NOT NULL;
ALTER TABLE publications DROP COLUMN author_urn;
