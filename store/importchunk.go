package store

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"io"

	growth "github.com/zakibelm/astrogrowth"
)

// maxChunk is what one chunk may unpack to: some hundred leads of the largest size that is taken in.
const maxChunk = 256 << 20

// AddChunk keeps leads of a file as a reading found them; first is the place of the first one in the file's sequence.
func (sc Scoped) AddChunk(ctx context.Context, id growth.ImportID, reading string, first int, leads []growth.Lead) error {
	data, err := packLeads(leads)
	if err != nil {
		return wrap("keep chunk", err)
	}
	res, err := sc.s.db.ExecContext(ctx, `
		INSERT INTO import_chunks (import_id, reading, first, data)
		SELECT id, $3, $4, $5 FROM imports WHERE workspace_id = $1 AND id = $2`, sc.ws, id, reading, first, data)
	if err != nil {
		return wrap("keep chunk", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return growth.Errorf(growth.NotFound, "store.AddChunk", "there is no import %s in this workspace", id)
	}
	return nil
}

// Chunk gives the leads of an import from the place at on, as many as were kept together; none when its reading is not
// held.
func (sc Scoped) Chunk(ctx context.Context, id growth.ImportID, at int) ([]growth.Lead, error) {
	var row struct {
		First int    `db:"first"`
		Data  []byte `db:"data"`
	}
	err := sc.s.db.GetContext(ctx, &row, `
		SELECT c.first, c.data FROM imports i JOIN import_chunks c ON c.import_id = i.id AND c.reading = i.reading
		WHERE i.workspace_id = $1 AND i.id = $2 AND c.first <= $3 ORDER BY c.first DESC LIMIT 1`, sc.ws, id, at)
	if none(err) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap("chunk", err)
	}
	leads, err := unpackLeads(row.Data)
	if err != nil {
		return nil, wrap("chunk", err)
	}
	return leads[min(at-row.First, len(leads)):], nil
}

// UseReading makes a reading the one that counts for an import that runs: what it had is not held any more.
func (sc Scoped) UseReading(ctx context.Context, id growth.ImportID, reading string) error {
	_, err := sc.changeImport(ctx, id, "the import does not run", `
		UPDATE imports SET reading = $3 WHERE workspace_id = $1 AND id = $2 AND state = 'running'`, reading)
	return err
}

// DropReading forgets a reading that does not count any more, or never did; empty: there is none.
func (sc Scoped) DropReading(ctx context.Context, id growth.ImportID, reading string) error {
	if reading == "" {
		return nil
	}
	_, err := sc.s.db.ExecContext(ctx, `
		DELETE FROM import_chunks c USING imports i
		WHERE i.id = c.import_id AND i.workspace_id = $1 AND i.id = $2 AND c.reading = $3`, sc.ws, id, reading)
	return wrap("drop reading", err)
}

func packLeads(leads []growth.Lead) ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	enc := json.NewEncoder(w)
	for _, l := range leads {
		if err := enc.Encode(l); err != nil {
			return nil, err
		}
	}
	err = w.Close() // the last bytes come with it
	return b.Bytes(), err
}

func unpackLeads(data []byte) ([]growth.Lead, error) {
	r := flate.NewReader(bytes.NewReader(data))
	dec := json.NewDecoder(io.LimitReader(r, maxChunk))
	var out []growth.Lead
	for {
		var l growth.Lead
		switch err := dec.Decode(&l); {
		case errors.Is(err, io.EOF):
			return out, r.Close()
		case err != nil:
			return nil, err
		}
		out = append(out, l)
	}
}
