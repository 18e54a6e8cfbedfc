-- +goose Up

-- What to do next with a lead, as far as its score in force says: it was read out of the newest automated score, also
-- where a person had put another score in its place.
ALTER TABLE leads ADD COLUMN next_action text NOT NULL DEFAULT '';
UPDATE leads l SET next_action = CASE
    WHEN NOT l.overridden THEN coalesce((
        SELECT q.result ->> 'next_action' FROM qualifications q WHERE q.lead_id = l.id ORDER BY q.created_at DESC LIMIT 1), '')
    WHEN l.priority = 'high' AND coalesce(l.data ->> 'phone', '') <> '' THEN 'call'
    WHEN l.priority IN ('high', 'medium') AND coalesce(l.data ->> 'email', '') <> '' THEN 'email'
    WHEN l.priority IN ('high', 'medium') THEN 'research'
    ELSE 'nurture' END
WHERE l.score IS NOT NULL;

-- What a person's score came with.
ALTER TABLE lead_reviews ADD COLUMN grade text NOT NULL DEFAULT '', ADD COLUMN next_action text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE lead_reviews DROP COLUMN next_action, DROP COLUMN grade;
ALTER TABLE leads DROP COLUMN next_action;
