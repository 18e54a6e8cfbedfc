package store

import (
	"context"
	"database/sql"
	"encoding/hex"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Past keeps what one reading of a file has to know and memory shall not hold, in tables of its own connection that
// nobody else sees and that are gone with it. It is for one goroutine.
type Past struct {
	tx   *sqlx.Tx
	room func() // gives the place of this past back
	seq  int64
}

// PastLead is what is to be known of a lead. There are no personal data in it.
type PastLead struct {
	Number int32
	Data   []byte
	Fresh  bool // it was not kept before
}

// PastKey says that a lead has shown a key.
type PastKey struct {
	Key  [16]byte
	Lead int32
}

// maxPasts is how many readings may have a past at once: each holds a connection for as long as it lasts. Others wait.
const maxPasts = 2

// NewPast opens a past. Close it.
func (s *Store) NewPast(ctx context.Context) (*Past, error) {
	select {
	case s.pasts <- struct{}{}:
	case <-ctx.Done():
		return nil, wrap("past", ctx.Err())
	}
	p := &Past{room: func() { <-s.pasts }}
	var err error
	if p.tx, err = s.db.BeginTxx(ctx, nil); err != nil {
		p.room()
		return nil, wrap("past", err)
	}
	if _, err := p.tx.ExecContext(ctx, `
		CREATE TEMPORARY TABLE past_leads (number int PRIMARY KEY, data bytea NOT NULL) ON COMMIT DROP;
		CREATE TEMPORARY TABLE past_keys (key uuid NOT NULL, seq bigint NOT NULL, lead int NOT NULL) ON COMMIT DROP;
		SET LOCAL synchronous_commit = off`); err != nil {
		p.Close()
		return nil, wrap("past", err)
	}
	return p, nil
}

// Close forgets everything.
func (p *Past) Close() {
	_ = p.tx.Rollback() // there was nothing to be kept
	p.room()
}

// Keep takes leads, and keys under which they can be asked for from now on.
func (p *Past) Keep(ctx context.Context, leads []PastLead, keys []PastKey) error {
	var numbers []int64
	var data [][]byte
	for _, l := range leads {
		if !l.Fresh {
			numbers, data = append(numbers, int64(l.Number)), append(data, l.Data)
		}
	}
	if _, err := p.tx.ExecContext(ctx, `
		UPDATE past_leads SET data = g.data FROM unnest($1::int[], $2::bytea[]) AS g (number, data)
		WHERE past_leads.number = g.number`, pq.Array(numbers), pq.Array(data)); err != nil {
		return wrap("keep past", err)
	}
	err := p.copyIn(ctx, `COPY past_leads (number, data) FROM STDIN`, func(row *sql.Stmt) error {
		for _, l := range leads {
			if l.Fresh {
				if _, err := row.ExecContext(ctx, l.Number, l.Data); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.copyIn(ctx, `COPY past_keys (key, seq, lead) FROM STDIN`, func(row *sql.Stmt) error {
		for _, k := range keys {
			p.seq++
			if _, err := row.ExecContext(ctx, hex.EncodeToString(k.Key[:]), p.seq, k.Lead); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *Past) copyIn(ctx context.Context, into string, rows func(*sql.Stmt) error) error {
	stmt, err := p.tx.PrepareContext(ctx, into)
	if err != nil {
		return wrap("keep past", err)
	}
	defer func() { _ = stmt.Close() }() // what could go wrong is said below
	if err = rows(stmt); err == nil {
		_, err = stmt.ExecContext(ctx) // sends what is left, and hears whether all of it was taken
	}
	return wrap("keep past", err)
}

// Recall gives the leads behind any of the keys, and which key led to which lead, in the order in which they were kept.
func (p *Past) Recall(ctx context.Context, keys [][16]byte) ([]PastLead, []PastKey, error) {
	asked := make([]string, len(keys))
	for i, k := range keys {
		asked[i] = hex.EncodeToString(k[:])
	}
	var found []struct {
		Key  string `db:"key"`
		Lead int32  `db:"lead"`
	}
	if err := p.tx.SelectContext(ctx, &found, `
		SELECT replace(k.key::text, '-', '') AS key, k.lead FROM past_keys k JOIN unnest($1::uuid[]) AS g (key) ON g.key = k.key
		ORDER BY k.seq`, pq.Array(asked)); err != nil {
		return nil, nil, wrap("recall past", err)
	}
	out := make([]PastKey, len(found))
	numbers := make([]int64, len(found))
	for i, f := range found {
		out[i].Lead, numbers[i] = f.Lead, int64(f.Lead)
		if _, err := hex.Decode(out[i].Key[:], []byte(f.Key)); err != nil {
			return nil, nil, wrap("recall past", err)
		}
	}
	var rows []struct {
		Number int32  `db:"number"`
		Data   []byte `db:"data"`
	}
	if err := p.tx.SelectContext(ctx, &rows, `
		SELECT l.number, l.data FROM past_leads l WHERE l.number = ANY($1::int[]) ORDER BY l.number`, pq.Array(numbers)); err != nil {
		return nil, nil, wrap("recall past", err)
	}
	leads := make([]PastLead, len(rows))
	for i, r := range rows {
		leads[i] = PastLead{Number: r.Number, Data: r.Data}
	}
	return leads, out, nil
}
