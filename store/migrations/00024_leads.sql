-- +goose Up

-- A row that is deleted is looked for in every table that refers to it; without these each look reads a whole table.
CREATE INDEX transfers_job ON transfers (job_id);
CREATE INDEX contents_lead ON contents (lead_id) WHERE lead_id IS NOT NULL;
CREATE INDEX idempotency_keys_job ON idempotency_keys (job_id);
CREATE INDEX publications_content ON publications (content_id) WHERE content_id IS NOT NULL;
CREATE INDEX linkedin_connects_account ON linkedin_connects (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX webhook_sources_campaign_index ON webhook_sources (campaign_id) WHERE campaign_id IS NOT NULL;
CREATE INDEX budgets_campaign ON budgets (campaign_id) WHERE campaign_id IS NOT NULL;
CREATE INDEX budgets_key ON budgets (key_id) WHERE key_id IS NOT NULL;
CREATE INDEX api_keys_rotated_from ON api_keys (rotated_from) WHERE rotated_from IS NOT NULL;

-- Secrets that were replaced and are valid yet, newest first: [{secret, until}]. A second rotation ends none of them.
ALTER TABLE subscriptions ADD COLUMN secrets_former jsonb NOT NULL DEFAULT '[]';
UPDATE subscriptions SET secrets_former = jsonb_build_array(jsonb_build_object(
    'secret', encode(convert_to(secret_old, 'UTF8'), 'base64'), 'until', old_until))
WHERE secret_old <> '' AND old_until > now();
ALTER TABLE workspaces ADD COLUMN signing_former jsonb NOT NULL DEFAULT '[]';
UPDATE workspaces SET signing_former = jsonb_build_array(jsonb_build_object('secret', encode(signing_old, 'base64'), 'until', signing_old_until))
WHERE signing_old IS NOT NULL AND signing_old_until > now();

-- +goose Down
ALTER TABLE workspaces DROP COLUMN signing_former;
ALTER TABLE subscriptions DROP COLUMN secrets_former;
DROP INDEX api_keys_rotated_from, budgets_key, budgets_campaign, webhook_sources_campaign_index, linkedin_connects_account,
    publications_content, idempotency_keys_job, contents_lead, transfers_job;
