-- +goose Up

-- Which UTC days of a workspace's ledger are summed up in the three tables below. A day is marked a while before it is
-- summed up, and any later change of the day's calls takes the mark away: what has no mark is counted in the ledger.
CREATE TABLE ledger_days (
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    day          date NOT NULL,
    ready        boolean NOT NULL DEFAULT false,
    marked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, day)
);
CREATE INDEX ledger_days_marked ON ledger_days (marked_at) WHERE NOT ready;

CREATE TABLE ledger_sums (
    workspace_id      uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    day               date NOT NULL,
    provider          text NOT NULL,
    model             text NOT NULL,
    task_type         text NOT NULL,
    campaign_id       uuid,
    purpose           text NOT NULL,
    waste             text NOT NULL,       -- empty: the answer was used
    calls             bigint NOT NULL,
    failed            bigint NOT NULL,
    answered          bigint NOT NULL,
    unknown           bigint NOT NULL,     -- calls whose cost nobody knows
    simulated         bigint NOT NULL,
    prompt_tokens     bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    latency_ms        bigint NOT NULL,
    cost_usd          numeric NOT NULL,
    reported_usd      numeric NOT NULL,
    priced_usd        numeric NOT NULL,
    settled_usd       numeric NOT NULL,
    last_ok           timestamptz
);
CREATE INDEX ledger_sums_day ON ledger_sums (workspace_id, day);

-- How many answered calls took so long: calls[i] of them took ms[i]. Times are kept to three significant digits.
CREATE TABLE ledger_latencies (
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    day          date NOT NULL,
    provider     text NOT NULL,
    model        text NOT NULL,
    task_type    text NOT NULL,
    campaign_id  uuid,
    ms           bigint[] NOT NULL,
    calls        bigint[] NOT NULL
);
CREATE INDEX ledger_latencies_day ON ledger_latencies (workspace_id, day);

CREATE TABLE ledger_health (
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    day          date NOT NULL,
    minutes      bigint NOT NULL,
    up_minutes   bigint NOT NULL,
    failovers    bigint NOT NULL,
    failovers_ok bigint NOT NULL,
    PRIMARY KEY (workspace_id, day)
);

-- +goose StatementBegin
CREATE FUNCTION ledger_day_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP <> 'INSERT' THEN
		DELETE FROM ledger_days WHERE workspace_id = OLD.workspace_id AND day = (OLD.started_at AT TIME ZONE 'UTC')::date;
	END IF;
	IF TG_OP <> 'DELETE' THEN
		DELETE FROM ledger_days WHERE workspace_id = NEW.workspace_id AND day = (NEW.started_at AT TIME ZONE 'UTC')::date;
	END IF;
	RETURN NULL;
END $$;
-- +goose StatementEnd

-- Calls of the present day, which is what nearly all changes are about, do not even enter the function. A walk that goes
-- over midnight counts for the day on which it began, so a day is not summed up before an hour of the next has gone.
CREATE TRIGGER calls_late AFTER INSERT ON calls FOR EACH ROW
	WHEN (NEW.started_at < date_trunc('day', now(), 'UTC')) EXECUTE FUNCTION ledger_day_changed();
CREATE TRIGGER calls_changed AFTER UPDATE ON calls FOR EACH ROW
	WHEN (OLD.started_at < date_trunc('day', now(), 'UTC') AND
		(OLD.status, OLD.decision, OLD.code, OLD.model, OLD.cost_usd, OLD.provenance, OLD.prompt_tokens, OLD.completion_tokens, OLD.latency_ms,
			OLD.campaign_id, OLD.started_at) IS DISTINCT FROM
		(NEW.status, NEW.decision, NEW.code, NEW.model, NEW.cost_usd, NEW.provenance, NEW.prompt_tokens, NEW.completion_tokens, NEW.latency_ms,
			NEW.campaign_id, NEW.started_at))
	EXECUTE FUNCTION ledger_day_changed();
CREATE TRIGGER calls_gone AFTER DELETE ON calls FOR EACH ROW
	WHEN (OLD.started_at < date_trunc('day', now(), 'UTC')) EXECUTE FUNCTION ledger_day_changed();

-- A breaker that stays open is looked for every minute.
CREATE INDEX events_breakers ON events (workspace_id, id) WHERE type = 'breaker.changed';

-- What is wrong, from when to when. At most one alert of a kind about a subject is open.
CREATE TABLE alert_states (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    kind         text NOT NULL,
    subject      text NOT NULL,
    severity     text NOT NULL CHECK (severity IN ('warning', 'critical')),
    message      text NOT NULL,
    data         jsonb NOT NULL,
    opened_at    timestamptz NOT NULL,
    seen_at      timestamptz NOT NULL,     -- when it was last found to hold
    resolved_at  timestamptz
);
CREATE UNIQUE INDEX alert_states_open ON alert_states (workspace_id, kind, subject) WHERE resolved_at IS NULL;
CREATE INDEX alert_states_newest ON alert_states (workspace_id, id DESC);
CREATE INDEX alert_states_resolved ON alert_states (resolved_at) WHERE resolved_at IS NOT NULL;

-- Work that one process does for all: who moves the time on has the turn.
CREATE TABLE turns (
    name     text PRIMARY KEY,
    taken_at timestamptz NOT NULL
);

-- +goose Down
DROP TABLE turns, alert_states;
DROP INDEX events_breakers;
DROP TRIGGER calls_gone ON calls;
DROP TRIGGER calls_changed ON calls;
DROP TRIGGER calls_late ON calls;
DROP FUNCTION ledger_day_changed();
DROP TABLE ledger_health, ledger_latencies, ledger_sums, ledger_days;
