-- +goose Up

-- A workspace's own rubrics. A version is never changed: scores say by which one they were made.
CREATE TABLE rubrics (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name         text NOT NULL,
    version      text NOT NULL,
    source       text NOT NULL,            -- YAML
    created_by   text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT rubrics_once UNIQUE (workspace_id, name, version)
);
CREATE INDEX rubrics_newest ON rubrics (workspace_id, id DESC);

-- completed_at: when all jobs were final for the first time since the campaign was opened, which is told once.
ALTER TABLE campaigns
    ADD COLUMN status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
    ADD COLUMN completed_at timestamptz,
    ADD COLUMN closed_at timestamptz,
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
UPDATE campaigns c SET completed_at = now()
    WHERE EXISTS (SELECT 1 FROM jobs j WHERE j.campaign_id = c.id)
      AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.campaign_id = c.id AND j.state NOT IN ('succeeded', 'failed', 'canceled'));
CREATE INDEX campaigns_untold ON campaigns (id) WHERE completed_at IS NULL;

-- ready_at: when every lead of the import had its score, which is told once.
ALTER TABLE imports ADD COLUMN ready_at timestamptz;
UPDATE imports SET ready_at = now() WHERE state = 'done';
CREATE INDEX imports_untold ON imports (id) WHERE ready_at IS NULL AND state = 'done';

-- Which lead went into which. No reference: the trail outlives both, and holds ids only.
CREATE TABLE lead_merges (
    from_id      uuid PRIMARY KEY,
    into_id      uuid NOT NULL,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    merged_by    text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX lead_merges_into ON lead_merges (into_id);

-- What became other about a lead, field by field, each with its value before and after. It goes with the lead.
CREATE TABLE lead_changes (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id uuid NOT NULL,
    lead_id      uuid NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    fields       jsonb NOT NULL,
    changed_by   text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX lead_changes_lead ON lead_changes (lead_id, created_at DESC);
CREATE INDEX lead_changes_age ON lead_changes (created_at);

-- Every way by which a lead changes leads here, so that none can forget to write it down.
-- +goose StatementBegin
CREATE FUNCTION remember_lead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO lead_changes (workspace_id, lead_id, fields, changed_by)
	SELECT NEW.workspace_id, NEW.id, jsonb_object_agg(key, jsonb_build_object('old', o.value, 'new', n.value)),
		coalesce(current_setting('astrogrowth.actor', true), '')
	FROM jsonb_each(OLD.data) AS o FULL JOIN jsonb_each(NEW.data) AS n USING (key)
	WHERE key <> 'id' AND o.value IS DISTINCT FROM n.value
	HAVING count(*) > 0;
	RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER leads_remember AFTER UPDATE OF data ON leads FOR EACH ROW WHEN (OLD.data IS DISTINCT FROM NEW.data)
	EXECUTE FUNCTION remember_lead();

-- Leads whose consent ends.
CREATE INDEX leads_consent ON leads (workspace_id, (data -> 'consent' ->> 'expires_at')) WHERE data -> 'consent' ->> 'expires_at' IS NOT NULL;

-- A tombstone that a person lifted, and why.
ALTER TABLE erasures
    ADD COLUMN lifted_at timestamptz,
    ADD COLUMN lifted_by text NOT NULL DEFAULT '',
    ADD COLUMN lift_reason text NOT NULL DEFAULT '';

-- Leads with the levels that people found in them, to hold models against. They keep no private field; hashes are the
-- digests of the keys that they had, by which erasing a lead finds them.
CREATE TABLE golden_sets (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name         text NOT NULL,
    rubric       text NOT NULL,            -- name@version
    language     text NOT NULL DEFAULT '',
    created_by   text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT golden_sets_name UNIQUE (workspace_id, name)
);
CREATE INDEX golden_sets_newest ON golden_sets (workspace_id, id DESC);
CREATE TABLE golden_leads (
    set_id   uuid NOT NULL REFERENCES golden_sets (id) ON DELETE CASCADE,
    position int NOT NULL,
    lead     jsonb NOT NULL,
    expected jsonb NOT NULL,
    hashes   bytea[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (set_id, position)
);

-- +goose Down
DROP TABLE golden_leads, golden_sets;
ALTER TABLE erasures DROP COLUMN lifted_at, DROP COLUMN lifted_by, DROP COLUMN lift_reason;
DROP INDEX leads_consent;
DROP TRIGGER leads_remember ON leads;
DROP FUNCTION remember_lead();
DROP TABLE lead_changes, lead_merges;
DROP INDEX imports_untold;
ALTER TABLE imports DROP COLUMN ready_at;
DROP INDEX campaigns_untold;
ALTER TABLE campaigns DROP COLUMN status, DROP COLUMN completed_at, DROP COLUMN closed_at, DROP COLUMN updated_at;
DROP TABLE rubrics;
