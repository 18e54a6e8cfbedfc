-- +goose Up

CREATE TABLE workspaces (
    id         uuid PRIMARY KEY,
    slug       text NOT NULL UNIQUE,
    name       text NOT NULL,
    settings   jsonb NOT NULL DEFAULT '{}',
    secret     bytea NOT NULL,             -- signs callbacks
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    workspace_id uuid REFERENCES workspaces (id) ON DELETE CASCADE, -- NULL: an agency key, for every workspace
    name         text NOT NULL,
    prefix       text NOT NULL,            -- the first characters, to recognise a key by
    hash         bytea NOT NULL UNIQUE,    -- SHA-256; the key itself is never kept
    scopes       text[] NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE campaigns (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    number       bigint GENERATED ALWAYS AS IDENTITY UNIQUE, -- the numeric id that older clients send
    name         text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX campaigns_name ON campaigns (workspace_id, name);
CREATE UNIQUE INDEX campaigns_owned ON campaigns (workspace_id, id); -- what refers to a campaign names its workspace too

-- A job exists when its row is committed; the queue entry is derived from the row and can be made again at any time.
CREATE TABLE jobs (
    id               uuid PRIMARY KEY,
    workspace_id     uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    type             text NOT NULL,
    lane             text NOT NULL,        -- the asynq queue: queue, or queue:high, queue:low
    priority         text NOT NULL,
    state            text NOT NULL CHECK (state IN
                     ('scheduled', 'queued', 'running', 'retrying', 'waiting', 'succeeded', 'failed', 'canceled')),
    input            jsonb NOT NULL,
    result           jsonb,
    error_code       text,
    error_message    text,
    waiting_reason   text,
    waiting_until    timestamptz,
    attempts         int NOT NULL DEFAULT 0,
    max_attempts     int NOT NULL,
    timeout_s        int NOT NULL,
    run_at           timestamptz NOT NULL, -- not before; infinity while a person decides
    fence            bigint NOT NULL DEFAULT 0, -- grows with every claim; a late worker's writes carry an old one
    lease_until      timestamptz,
    worker           text,
    epoch            int NOT NULL DEFAULT 0, -- grows with every new hand-over; part of the task id
    dispatched_at    timestamptz,          -- NULL: the relay has yet to hand the job to Redis
    cancel_requested boolean NOT NULL DEFAULT false,
    unique_key       text,
    callback_url     text,
    metadata         jsonb,
    campaign_id      uuid,
    lead_id          uuid,
    trace_id         text NOT NULL DEFAULT '',
    simulated        boolean NOT NULL DEFAULT false,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    finished_at      timestamptz,
    CONSTRAINT jobs_campaign FOREIGN KEY (workspace_id, campaign_id) REFERENCES campaigns (workspace_id, id)
        ON DELETE SET NULL (campaign_id)
) WITH (fillfactor = 80);

CREATE INDEX jobs_outbox ON jobs (lane, workspace_id, run_at, id)
    WHERE dispatched_at IS NULL AND state IN ('scheduled', 'queued', 'retrying', 'waiting');
CREATE INDEX jobs_dispatched ON jobs (lane, workspace_id, dispatched_at)
    WHERE dispatched_at IS NOT NULL AND state IN ('queued', 'running', 'retrying', 'waiting');
CREATE INDEX jobs_leases ON jobs (lease_until) WHERE state = 'running';
CREATE UNIQUE INDEX jobs_unique ON jobs (workspace_id, type, unique_key)
    WHERE unique_key IS NOT NULL AND state NOT IN ('succeeded', 'failed', 'canceled');
CREATE INDEX jobs_newest ON jobs (workspace_id, id DESC);
CREATE INDEX jobs_campaign ON jobs (campaign_id, id DESC) WHERE campaign_id IS NOT NULL;
CREATE INDEX jobs_lead ON jobs (lead_id) WHERE lead_id IS NOT NULL;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE job_steps (
    job_id     uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    name       text NOT NULL,
    result     jsonb NOT NULL,
    fence      bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, name)
);

CREATE TABLE idempotency_keys (
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    key          text NOT NULL,
    body_hash    bytea NOT NULL,
    job_id       uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, key)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

-- The ledger: one row a request to a provider, and one a candidate that was skipped and why.
CREATE TABLE calls (
    id                uuid PRIMARY KEY,
    workspace_id      uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    job_id            uuid REFERENCES jobs (id) ON DELETE SET NULL,
    fence             bigint NOT NULL DEFAULT 0,
    step              text NOT NULL DEFAULT '',
    task_type         text NOT NULL,
    provider          text NOT NULL,
    model             text NOT NULL,
    status            text NOT NULL CHECK (status IN ('started', 'ok', 'failed', 'unknown', 'skipped')),
    code              text NOT NULL DEFAULT '',
    detail            text NOT NULL DEFAULT '',
    decision          text NOT NULL DEFAULT '',
    prompt_tokens     int NOT NULL DEFAULT 0,
    completion_tokens int NOT NULL DEFAULT 0,
    cached_tokens     int NOT NULL DEFAULT 0,
    reasoning_tokens  int NOT NULL DEFAULT 0,
    cost_usd          numeric(20, 12),     -- NULL: nobody knows
    provenance        text NOT NULL DEFAULT 'unknown',
    price_version     text NOT NULL DEFAULT '',
    wait_ms           bigint NOT NULL DEFAULT 0,
    latency_ms        bigint NOT NULL DEFAULT 0,
    generation_id     text NOT NULL DEFAULT '',
    simulated         boolean NOT NULL DEFAULT false,
    started_at        timestamptz NOT NULL DEFAULT now(),
    CHECK ((cost_usd IS NULL) = (provenance = 'unknown'))
);
CREATE INDEX calls_when ON calls (workspace_id, started_at);
CREATE INDEX calls_job ON calls (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX calls_open ON calls (started_at) WHERE status = 'started';

CREATE TABLE cache_days (
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    day          date NOT NULL,
    task_type    text NOT NULL,
    hits         bigint NOT NULL DEFAULT 0,
    misses       bigint NOT NULL DEFAULT 0,
    saved_usd    numeric(20, 12) NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, day, task_type)
);

CREATE TABLE leads (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    campaign_id  uuid,
    number       bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    data         jsonb NOT NULL,
    fingerprint  text NOT NULL DEFAULT '', -- of what the stored score rests on
    score        int,
    grade        text NOT NULL DEFAULT '',
    priority     text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT leads_campaign FOREIGN KEY (workspace_id, campaign_id) REFERENCES campaigns (workspace_id, id)
        ON DELETE SET NULL (campaign_id)
);
CREATE INDEX leads_newest ON leads (workspace_id, id DESC);
CREATE INDEX leads_campaign ON leads (campaign_id, id DESC) WHERE campaign_id IS NOT NULL;

-- Under which keys a lead is recognised when it comes again.
CREATE TABLE lead_keys (
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    kind         text NOT NULL,
    value        text NOT NULL,
    lead_id      uuid NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    PRIMARY KEY (workspace_id, kind, value, lead_id) -- two branches of a chain may share a website
);
CREATE INDEX lead_keys_lead ON lead_keys (lead_id);

CREATE TABLE qualifications (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    lead_id      uuid NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    job_id       uuid NOT NULL UNIQUE REFERENCES jobs (id) ON DELETE CASCADE,
    fingerprint  text NOT NULL,
    score        int NOT NULL,
    result       jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX qualifications_lead ON qualifications (lead_id, created_at DESC);

-- Which of a lead's fields went to which provider.
CREATE TABLE transfers (
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    lead_id      uuid NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    job_id       uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    provider     text NOT NULL,
    model        text NOT NULL,
    fields       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX transfers_lead ON transfers (lead_id, created_at);

CREATE TABLE contents (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    number        bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    job_id        uuid REFERENCES jobs (id) ON DELETE SET NULL,
    lead_id       uuid REFERENCES leads (id) ON DELETE SET NULL,
    campaign_id   uuid,
    variant       int NOT NULL DEFAULT 1,
    version       int NOT NULL DEFAULT 1,
    title         text NOT NULL DEFAULT '',
    body          text NOT NULL,
    hashtags      text[] NOT NULL DEFAULT '{}',
    image_prompt  text NOT NULL DEFAULT '',
    language      text NOT NULL DEFAULT '',
    score         int NOT NULL DEFAULT 0,
    checks        jsonb NOT NULL DEFAULT '[]',
    status        text NOT NULL CHECK (status IN ('draft', 'in_review', 'approved', 'rejected', 'scheduled',
                  'publishing', 'published', 'unknown', 'failed')),
    hash          text NOT NULL,           -- of the present text
    approved_hash text,                    -- of the text that was approved; publishing needs both to be equal
    approved_by   text,
    reject_reason text,
    simulated     boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (job_id, variant),
    CONSTRAINT contents_campaign FOREIGN KEY (workspace_id, campaign_id) REFERENCES campaigns (workspace_id, id)
        ON DELETE SET NULL (campaign_id)
);
CREATE INDEX contents_newest ON contents (workspace_id, id DESC);
CREATE INDEX contents_review ON contents (workspace_id, status, id DESC);

CREATE TABLE content_versions (
    content_id uuid NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
    version    int NOT NULL,
    title      text NOT NULL,
    body       text NOT NULL,
    hashtags   text[] NOT NULL,
    hash       text NOT NULL,
    edited_by  text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (content_id, version)
);

CREATE TABLE linkedin_accounts (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    urn          text NOT NULL,
    name         text NOT NULL,
    status       text NOT NULL DEFAULT 'active',
    token        text NOT NULL,            -- sealed, bound to this row's id
    expires_at   timestamptz,
    simulated    boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (workspace_id, urn)
);

-- The one post that a publish job may make. Only 'ready' can be claimed; 'unknown' is settled by a person.
CREATE TABLE publications (
    id           uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    job_id       uuid NOT NULL UNIQUE REFERENCES jobs (id) ON DELETE CASCADE,
    content_id   uuid REFERENCES contents (id) ON DELETE SET NULL,
    account_id   uuid NOT NULL REFERENCES linkedin_accounts (id) ON DELETE CASCADE,
    state        text NOT NULL CHECK (state IN ('ready', 'publishing', 'published', 'rejected', 'unknown')),
    post         jsonb NOT NULL,
    content_hash text NOT NULL DEFAULT '', -- of the content's text that was approved; empty: no content
    post_hash    text NOT NULL,            -- of what LinkedIn would show
    allow_repeat boolean NOT NULL DEFAULT false,
    resent       boolean NOT NULL DEFAULT false, -- a person said: not published, send again
    fence        bigint NOT NULL DEFAULT 0, -- the job's fence at the claim
    urn          text NOT NULL DEFAULT '',
    url          text NOT NULL DEFAULT '',
    error        text NOT NULL DEFAULT '',
    simulated    boolean NOT NULL DEFAULT false,
    sent_at      timestamptz,
    published_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX publications_once ON publications (account_id, post_hash)
    WHERE state IN ('publishing', 'published', 'unknown') AND NOT allow_repeat;
CREATE INDEX publications_newest ON publications (workspace_id, id DESC);
CREATE INDEX publications_sent ON publications (account_id, sent_at) WHERE sent_at IS NOT NULL;

CREATE TABLE events (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    type         text NOT NULL,
    job_id       uuid,
    data         jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_workspace ON events (workspace_id, id);
CREATE INDEX events_age ON events (created_at);

CREATE TABLE rates (
    currency   text NOT NULL,
    day        date NOT NULL,
    per_usd    numeric(20, 10) NOT NULL CHECK (per_usd > 0),
    source     text NOT NULL,
    PRIMARY KEY (currency, day)
);

-- +goose Down
DROP TABLE rates, events, publications, linkedin_accounts, content_versions, contents, transfers, qualifications,
    lead_keys, leads, cache_days, calls, idempotency_keys, job_steps, jobs, campaigns, api_keys, workspaces;
