-- +goose Up

-- A heartbeat changes no indexed column any more, so it writes no index. The running jobs are few: the sweep reads all.
DROP INDEX jobs_leases;
CREATE INDEX jobs_running ON jobs (id) WHERE state = 'running';

-- What is written for each job is not checked row by row against the table that it was written from: the statements
-- themselves write only for jobs that they hold. What remains of the foreign keys is their cascade, once a statement.
ALTER TABLE job_steps DROP CONSTRAINT job_steps_job_id_fkey;
ALTER TABLE events DROP CONSTRAINT events_workspace_id_fkey;

-- +goose StatementBegin
CREATE FUNCTION forget_steps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM job_steps USING gone WHERE job_steps.job_id = gone.id;
	RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER jobs_forget_steps AFTER DELETE ON jobs REFERENCING OLD TABLE AS gone
	FOR EACH STATEMENT EXECUTE FUNCTION forget_steps();

-- +goose StatementBegin
CREATE FUNCTION forget_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM events USING gone WHERE events.workspace_id = gone.id;
	RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER workspaces_forget_events AFTER DELETE ON workspaces REFERENCING OLD TABLE AS gone
	FOR EACH STATEMENT EXECUTE FUNCTION forget_events();

-- +goose Down
DROP TRIGGER workspaces_forget_events ON workspaces;
DROP FUNCTION forget_events();
DROP TRIGGER jobs_forget_steps ON jobs;
DROP FUNCTION forget_steps();
ALTER TABLE events ADD CONSTRAINT events_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE;
ALTER TABLE job_steps ADD CONSTRAINT job_steps_job_id_fkey FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE;
DROP INDEX jobs_running;
CREATE INDEX jobs_leases ON jobs (lease_until) WHERE state = 'running';
