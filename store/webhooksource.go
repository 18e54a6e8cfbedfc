package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// MaxSources is how many sources of webhooks a workspace may have.
const MaxSources = 100

// SealedSecret is a secret of a source as the store keeps it.
type SealedSecret struct {
	Sealed    string     `json:"sealed"` // to the source's id
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"` // nil: it is the newest
}

// sourceSettings are what a source's row keeps in one column.
type sourceSettings struct {
	Header     string            `json:"header,omitempty"`
	ToleranceS int               `json:"tolerance_s,omitempty"`
	DedupPath  string            `json:"dedup_path,omitempty"`
	EventPath  string            `json:"event_path,omitempty"`
	Events     []string          `json:"events,omitempty"`
	Mapping    map[string]string `json:"mapping,omitempty"`
}

type sourceRow struct {
	ID         growth.SourceID    `db:"id"`
	Workspace  growth.WorkspaceID `db:"workspace_id"`
	Name       string             `db:"name"`
	Kind       string             `db:"kind"`
	Enabled    bool               `db:"enabled"`
	Settings   []byte             `db:"settings"`
	CampaignID sql.NullString     `db:"campaign_id"`
	Qualify    bool               `db:"qualify"`
	Secrets    []byte             `db:"secrets"`
	LastAt     *time.Time         `db:"last_at"`
	RefusedAt  *time.Time         `db:"refused_at"`
	RefusedWhy string             `db:"refused_why"`
	CreatedAt  time.Time          `db:"created_at"`
	UpdatedAt  time.Time          `db:"updated_at"`
}

const sourceColumns = `id, workspace_id, name, kind, enabled, settings, campaign_id, qualify, secrets, last_at, refused_at, refused_why, created_at, updated_at`

// source gives the source and those of its secrets that are valid now.
func (r sourceRow) source() (growth.WebhookSource, []SealedSecret, error) {
	s := growth.WebhookSource{
		ID: r.ID, Workspace: r.Workspace, Name: r.Name, Kind: r.Kind, Enabled: r.Enabled, CampaignID: growth.CampaignID(r.CampaignID.String),
		Qualify: r.Qualify, LastAt: inUTC(r.LastAt), RefusedAt: inUTC(r.RefusedAt), RefusedWhy: r.RefusedWhy,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), Events: []string{}, Mapping: map[string]string{}, Secrets: []growth.SecretView{},
	}
	var set sourceSettings
	var all, valid []SealedSecret
	if err := errors.Join(json.Unmarshal(r.Settings, &set), json.Unmarshal(r.Secrets, &all)); err != nil {
		return s, nil, wrap("read webhook source", &growth.Error{Code: growth.Internal, Op: "store.source", Err: err})
	}
	s.Header, s.ToleranceS, s.DedupPath, s.EventPath = set.Header, set.ToleranceS, set.DedupPath, set.EventPath
	if set.Events != nil {
		s.Events = set.Events
	}
	if set.Mapping != nil {
		s.Mapping = set.Mapping
	}
	for _, k := range all {
		if k.ExpiresAt != nil && k.ExpiresAt.Before(time.Now()) {
			continue
		}
		valid = append(valid, k)
		s.Secrets = append(s.Secrets, growth.SecretView{CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt})
	}
	return s, valid, nil
}

func settingsOf(s growth.WebhookSource) ([]byte, error) {
	b, err := json.Marshal(sourceSettings{
		Header: s.Header, ToleranceS: s.ToleranceS, DedupPath: s.DedupPath, EventPath: s.EventPath, Events: s.Events, Mapping: s.Mapping,
	})
	return withoutNUL(b), wrap("write webhook source", err)
}

// AddSource stores a source. seal makes its secret fit for the row; an empty result is no secret.
func (sc Scoped) AddSource(ctx context.Context, s growth.WebhookSource, seal func(growth.SourceID) string) (growth.WebhookSource, error) {
	settings, err := settingsOf(s)
	if err != nil {
		return s, err
	}
	id := growth.SourceID(growth.NewID())
	only, err := newest(nil, seal(id), time.Time{})
	if err != nil {
		return s, err
	}
	secrets, err := json.Marshal(only)
	if err != nil {
		return s, wrap("add webhook source", err)
	}
	err = sc.s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockNames(ctx, sc.ws, []string{"webhook_sources"}); err != nil {
			return err
		}
		var n int
		if err := tx.tx.GetContext(ctx, &n, `SELECT count(*) FROM webhook_sources WHERE workspace_id = $1`, sc.ws); err != nil {
			return wrap("count webhook sources", err)
		}
		if n >= MaxSources {
			return growth.Errorf(growth.Conflict, "store.AddSource", "this workspace has %d sources; delete one first", n)
		}
		var r sourceRow
		err := tx.tx.GetContext(ctx, &r, `
			INSERT INTO webhook_sources (id, workspace_id, name, kind, enabled, settings, campaign_id, qualify, secrets)
			VALUES ($1, $2, $3, $4, $5, $6, nullif($7, '')::uuid, $8, $9) RETURNING `+sourceColumns,
			id, sc.ws, s.Name, s.Kind, s.Enabled, settings, string(s.CampaignID), s.Qualify, secrets)
		if err != nil {
			return sourceFault(err)
		}
		s, _, err = r.source()
		return err
	})
	return s, err
}

// newest puts a secret in front of those that are there. The one before ends at until, older ones when it was said; a
// rotation without a grace ends them all at once.
func newest(old []SealedSecret, sealed string, until time.Time) ([]SealedSecret, error) {
	out := []SealedSecret{}
	if sealed != "" {
		out = append(out, SealedSecret{Sealed: sealed, CreatedAt: time.Now().UTC().Truncate(time.Second)})
	}
	if len(old) == 0 || !until.After(time.Now()) {
		return out, nil
	}
	end := until.UTC().Truncate(time.Second)
	if e := old[0].ExpiresAt; e != nil && e.Before(end) {
		end = *e
	}
	old[0].ExpiresAt = &end
	if out = append(out, old...); len(out) > MaxSecrets {
		if e := old[len(old)-1].ExpiresAt; e != nil {
			end = *e
		}
		return nil, tooManySecrets(end)
	}
	return out, nil
}

func sourceFault(err error) error {
	switch {
	case violates(err, "webhook_sources_name"):
		return &growth.Error{Code: growth.Conflict, Op: "store.source", Field: "name", Message: "another source of this workspace has this name", Err: err}
	case violates(err, "webhook_sources_campaign"):
		return growth.InvalidField("store.source", "campaign_id", "there is no such campaign in this workspace")
	case none(err):
		return growth.Errorf(growth.NotFound, "store.Source", "there is no such webhook source in this workspace")
	}
	return wrap("webhook source", err)
}

// Source returns one source.
func (sc Scoped) Source(ctx context.Context, id growth.SourceID) (growth.WebhookSource, error) {
	var r sourceRow
	if err := sc.s.db.GetContext(ctx, &r, `
		SELECT `+sourceColumns+` FROM webhook_sources WHERE workspace_id = $1 AND id = $2`, sc.ws, id); err != nil {
		return growth.WebhookSource{}, sourceFault(err)
	}
	s, _, err := r.source()
	return s, err
}

// Sources lists sources, newest first.
func (sc Scoped) Sources(ctx context.Context, p Page) ([]growth.WebhookSource, error) {
	var rows []sourceRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+sourceColumns+` FROM webhook_sources WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`,
		sc.ws, p.before(), p.limit()); err != nil {
		return nil, wrap("webhook sources", err)
	}
	out := make([]growth.WebhookSource, 0, len(rows))
	for _, r := range rows {
		s, _, err := r.source()
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// CalledSource is the source that somebody outside calls, with its valid secrets: the caller has yet to prove himself,
// and knows of no workspace.
func (s *Store) CalledSource(ctx context.Context, id growth.SourceID) (growth.WebhookSource, []SealedSecret, error) {
	var r sourceRow
	if err := s.points.GetContext(ctx, &r, `SELECT `+sourceColumns+` FROM webhook_sources WHERE id = $1 AND enabled`, id); err != nil {
		return growth.WebhookSource{}, nil, sourceFault(err)
	}
	return r.source()
}

// ChangeSource changes a source; its kind and its secrets stay.
func (sc Scoped) ChangeSource(ctx context.Context, id growth.SourceID, change func(*growth.WebhookSource) error) (growth.WebhookSource, error) {
	var out growth.WebhookSource
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		r, err := tx.lockSource(ctx, sc.ws, id)
		if err != nil {
			return err
		}
		s, _, err := r.source()
		if err != nil {
			return err
		}
		if err := change(&s); err != nil {
			return err
		}
		settings, err := settingsOf(s)
		if err != nil {
			return err
		}
		if err := tx.tx.GetContext(ctx, &r, `
			UPDATE webhook_sources SET name = $3, enabled = $4, settings = $5, campaign_id = nullif($6, '')::uuid, qualify = $7, updated_at = now()
			WHERE workspace_id = $1 AND id = $2 RETURNING `+sourceColumns,
			sc.ws, id, s.Name, s.Enabled, settings, string(s.CampaignID), s.Qualify); err != nil {
			return sourceFault(err)
		}
		out, _, err = r.source()
		return err
	})
	return out, err
}

func (tx *Tx) lockSource(ctx context.Context, ws growth.WorkspaceID, id growth.SourceID) (sourceRow, error) {
	var r sourceRow
	err := tx.tx.GetContext(ctx, &r, `
		SELECT `+sourceColumns+` FROM webhook_sources WHERE workspace_id = $1 AND id = $2 FOR UPDATE`, ws, id)
	if err != nil {
		return r, sourceFault(err)
	}
	return r, nil
}

// RotateSource gives a source a new secret. The one before stays valid until then, older ones until it was
// said of them.
func (sc Scoped) RotateSource(ctx context.Context, id growth.SourceID, sealed string, until time.Time) (growth.WebhookSource, error) {
	var out growth.WebhookSource
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		r, err := tx.lockSource(ctx, sc.ws, id)
		if err != nil {
			return err
		}
		_, old, err := r.source()
		if err != nil {
			return err
		}
		all, err := newest(old, sealed, until)
		if err != nil {
			return err
		}
		secrets, err := json.Marshal(all)
		if err != nil {
			return wrap("rotate secret", err)
		}
		if err := tx.tx.GetContext(ctx, &r, `
			UPDATE webhook_sources SET secrets = $3, updated_at = now() WHERE workspace_id = $1 AND id = $2 RETURNING `+sourceColumns,
			sc.ws, id, secrets); err != nil {
			return sourceFault(err)
		}
		out, _, err = r.source()
		return err
	})
	return out, err
}

// DeleteSource ends a source and forgets what it sent. The leads that came of it stay.
func (sc Scoped) DeleteSource(ctx context.Context, id growth.SourceID) error {
	res, err := sc.s.db.ExecContext(ctx, `DELETE FROM webhook_sources WHERE workspace_id = $1 AND id = $2`, sc.ws, id)
	if err != nil {
		return wrap("delete webhook source", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return sourceFault(errors.Join(err, sql.ErrNoRows))
	}
	return nil
}

// SourceRefused notes why a call was turned away, at most once a minute: who calls without a secret must not be able to
// make us write.
func (s *Store) SourceRefused(ctx context.Context, id growth.SourceID, why string) error {
	_, err := s.points.ExecContext(ctx, `
		UPDATE webhook_sources SET refused_at = now(), refused_why = $2
		WHERE id = $1 AND (refused_at IS NULL OR refused_at < now() - interval '1 minute')`, id, why)
	return wrap("note refusal", err)
}
