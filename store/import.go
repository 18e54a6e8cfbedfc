package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// The states of an import.
const (
	ImportPreviewed = "previewed"
	ImportRunning   = "running"
	ImportDone      = "done"
	ImportUndoing   = "undoing"
	ImportUndone    = "undone"
)

// filePart is how much of a file one row holds.
const filePart = 1 << 20

// Import is a file of leads on its way into a workspace.
type Import struct {
	ID         growth.ImportID    `json:"id"`
	CampaignID *growth.CampaignID `json:"campaign_id"`
	FileName   string             `json:"file_name"`
	FileHash   string             `json:"file_hash" doc:"SHA-256; the same file again goes on where it stopped"`
	Bytes      int64              `json:"bytes"`
	Encoding   string             `json:"encoding"`
	Delimiter  string             `json:"delimiter"`
	Mapping    ImportMapping      `json:"mapping"`
	Doubts     []string           `json:"doubts"`
	Counts     ImportCounts       `json:"counts"`
	Position   int                `json:"position" doc:"Leads of the file that have been taken in"`
	Created    int                `json:"created" doc:"Leads that the workspace did not have"`
	Updated    int                `json:"updated" doc:"Leads that it had"`
	Jobs       int                `json:"jobs" doc:"Qualifications that were asked for"`
	Unchanged  int                `json:"unchanged" doc:"Leads whose score would rest on the same as before"`
	Refused    int                `json:"refused" doc:"Leads that were erased and do not come back"`
	Erased     int                `json:"erased" doc:"By the undoing"`
	Restored   int                `json:"restored"`
	Kept       int                `json:"kept"`
	State      string             `json:"state" enum:"previewed,running,done,undoing,undone"`
	HasFile    bool               `json:"has_file" doc:"false: send the file again to go on"`
	CreatedBy  string             `json:"created_by"`
	CreatedAt  time.Time          `json:"created_at"`
	UpdatedAt  time.Time          `json:"updated_at"`
	UndoneAt   *time.Time         `json:"undone_at"`
	Reading    string             `json:"-"` // whose chunks count; empty: the file has to be read
}

// ImportMapping is what was stated about the columns and what they were taken for.
type ImportMapping struct {
	Stated  string            `json:"stated" doc:"heading=field,…; empty: everything was found out"`
	Columns map[string]string `json:"columns" doc:"Field by heading; - is left out"`
	Header  string            `json:"header" doc:"yes, no, or the number of the line that names the columns"`
	Dates   string            `json:"dates" doc:"The order of day and month: dmy, mdy; empty: no date needs one"`
}

// ImportCounts is what a file holds.
type ImportCounts struct {
	Rows       int `json:"rows" doc:"The bad ones too"`
	Bad        int `json:"bad"`
	Leads      int `json:"leads"`
	Duplicates int `json:"duplicates" doc:"Rows that stand for a lead of an earlier row"`
	Closed     int `json:"closed" doc:"Leads that a gate of the default rubric turns down"`
	NoIdentity int `json:"without_identity" doc:"Leads that are not recognised when they come again: they have no external_id, email, linkedin_url, website with a name or address with a name"`
}

type importRow struct {
	ID        growth.ImportID `db:"id"`
	Campaign  sql.NullString  `db:"campaign_id"`
	FileName  string          `db:"file_name"`
	FileHash  string          `db:"file_hash"`
	Bytes     int64           `db:"bytes"`
	Encoding  string          `db:"encoding"`
	Delimiter string          `db:"delimiter"`
	Mapping   []byte          `db:"mapping"`
	Doubts    []byte          `db:"doubts"`
	Counts    []byte          `db:"counts"`
	Position  int             `db:"position"`
	Created   int             `db:"created"`
	Updated   int             `db:"updated"`
	Jobs      int             `db:"jobs"`
	Unchanged int             `db:"unchanged"`
	Refused   int             `db:"refused"`
	Erased    int             `db:"erased"`
	Restored  int             `db:"restored"`
	Kept      int             `db:"kept"`
	State     string          `db:"state"`
	HasFile   bool            `db:"has_file"`
	CreatedBy string          `db:"created_by"`
	CreatedAt time.Time       `db:"created_at"`
	UpdatedAt time.Time       `db:"updated_at"`
	UndoneAt  *time.Time      `db:"undone_at"`
	Reading   string          `db:"reading"`
}

const importColumns = `i.id, i.campaign_id, i.file_name, i.file_hash, i.bytes, i.encoding, i.delimiter, i.mapping, i.doubts, i.counts,
	i.position, i.jobs, i.unchanged, i.refused, i.erased, i.restored, i.kept, i.state, i.created_by, i.created_at, i.updated_at, i.undone_at,
	EXISTS (SELECT 1 FROM import_parts p WHERE p.import_id = i.id) AS has_file, i.brought AS created, i.merged AS updated,
	coalesce(i.reading::text, '') AS reading`

func (r importRow) imported() (Import, error) {
	i := Import{
		ID: r.ID, FileName: r.FileName, FileHash: r.FileHash, Bytes: r.Bytes, Encoding: r.Encoding, Delimiter: r.Delimiter,
		Position: r.Position, Created: r.Created, Updated: r.Updated, Jobs: r.Jobs, Unchanged: r.Unchanged, Refused: r.Refused,
		Erased: r.Erased, Restored: r.Restored, Kept: r.Kept, State: r.State, HasFile: r.HasFile, CreatedBy: r.CreatedBy,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), UndoneAt: r.UndoneAt,
		Reading: r.Reading,
	}
	if r.Campaign.Valid {
		id := growth.CampaignID(r.Campaign.String)
		i.CampaignID = &id
	}
	for _, part := range []struct {
		from []byte
		to   any
	}{{r.Mapping, &i.Mapping}, {r.Doubts, &i.Doubts}, {r.Counts, &i.Counts}} {
		if err := json.Unmarshal(part.from, part.to); err != nil {
			return i, wrap("read import", err)
		}
	}
	return i, nil
}

// AddImport keeps a file that nobody has looked at yet; see LookAgain. What the file is taken for is not part of i.
func (sc Scoped) AddImport(ctx context.Context, i Import, file io.Reader) (Import, error) {
	i.ID = growth.ImportID(growth.NewID())
	if _, err := sc.s.db.ExecContext(ctx, `
		INSERT INTO imports (id, workspace_id, file_name, file_hash, bytes, encoding, delimiter, mapping, doubts, counts, state, created_by)
		VALUES ($1, $2, $3, '', 0, '', '', '{}', '[]', '{}', 'previewed', $4)`, i.ID, sc.ws, i.FileName, i.CreatedBy); err != nil {
		return Import{}, wrap("add import", err)
	}
	hash := sha256.New()
	n, err := sc.s.putFile(ctx, i.ID, io.TeeReader(file, hash))
	if err == nil {
		i.FileHash = hex.EncodeToString(hash.Sum(nil))
		_, err = sc.s.db.ExecContext(ctx, `UPDATE imports SET file_hash = $3, bytes = $4 WHERE workspace_id = $1 AND id = $2`, sc.ws, i.ID, i.FileHash, n)
	}
	if err != nil {
		return Import{}, errors.Join(wrap("add import", err), sc.DropImport(context.WithoutCancel(ctx), i.ID))
	}
	return sc.Import(ctx, i.ID)
}

// DropImport forgets an import that has taken nothing in.
func (sc Scoped) DropImport(ctx context.Context, id growth.ImportID) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := sc.s.db.ExecContext(ctx, `DELETE FROM imports WHERE workspace_id = $1 AND id = $2 AND state = 'previewed'`, sc.ws, id)
	return wrap("drop import", err)
}

// AdoptFile gives the file of one import to another that has the same file, and forgets the first.
func (sc Scoped) AdoptFile(ctx context.Context, from, to growth.ImportID) (Import, error) {
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.dropFiles(ctx, sc.ws, []growth.ImportID{to}); err != nil {
			return err
		}
		if _, err := tx.tx.ExecContext(ctx, `
			UPDATE import_parts SET import_id = $3 FROM imports a, imports b
			WHERE import_parts.import_id = $2 AND a.id = $2 AND b.id = $3 AND a.workspace_id = $1 AND b.workspace_id = $1`, sc.ws, from, to); err != nil {
			return wrap("adopt file", err)
		}
		_, err := tx.tx.ExecContext(ctx, `DELETE FROM imports WHERE workspace_id = $1 AND id = $2 AND state = 'previewed'`, sc.ws, from)
		return wrap("adopt file", err)
	})
	if err != nil {
		return Import{}, err
	}
	return sc.Import(ctx, to)
}

func importParts(i Import) (mapping, doubts, counts []byte, err error) {
	if mapping, err = json.Marshal(i.Mapping); err != nil {
		return nil, nil, nil, wrap("write import", err)
	}
	if i.Doubts == nil {
		i.Doubts = []string{}
	}
	if doubts, err = json.Marshal(i.Doubts); err != nil {
		return nil, nil, nil, wrap("write import", err)
	}
	counts, err = json.Marshal(i.Counts)
	return withoutNUL(mapping), withoutNUL(doubts), counts, wrap("write import", err)
}

// putFile keeps a file in parts, so that neither end ever holds all of it, and says how long it is.
func (s *Store) putFile(ctx context.Context, id growth.ImportID, file io.Reader) (int64, error) {
	buf, total := make([]byte, filePart), int64(0)
	for part := 0; ; part++ {
		n, err := io.ReadFull(file, buf)
		if n > 0 {
			total += int64(n)
			if _, err := s.db.ExecContext(ctx, `INSERT INTO import_parts (import_id, part, data) VALUES ($1, $2, $3)`, id, part, buf[:n]); err != nil {
				return total, wrap("keep file", err)
			}
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return total, nil
		case err != nil:
			return total, err
		}
	}
}

// Import returns one import.
func (sc Scoped) Import(ctx context.Context, id growth.ImportID) (Import, error) {
	var r importRow
	err := sc.s.db.GetContext(ctx, &r, `SELECT `+importColumns+` FROM imports i WHERE i.workspace_id = $1 AND i.id = $2`, sc.ws, id)
	if none(err) {
		return Import{}, growth.Errorf(growth.NotFound, "store.Import", "there is no import %s in this workspace", id)
	}
	if err != nil {
		return Import{}, wrap("import", err)
	}
	return r.imported()
}

// EarlierImport finds the newest other import of the same file.
func (sc Scoped) EarlierImport(ctx context.Context, of Import) (i Import, found bool, err error) {
	var r importRow
	err = sc.s.db.GetContext(ctx, &r, `
		SELECT `+importColumns+` FROM imports i WHERE i.workspace_id = $1 AND i.file_hash = $2 AND i.id < $3
		ORDER BY i.id DESC LIMIT 1`, sc.ws, of.FileHash, of.ID)
	if none(err) {
		return Import{}, false, nil
	}
	if err != nil {
		return Import{}, false, wrap("import of file", err)
	}
	i, err = r.imported()
	return i, err == nil, err
}

// FinishedImport finds the newest import that has taken the same file in, and was not undone.
func (sc Scoped) FinishedImport(ctx context.Context, of Import) (Import, bool, error) {
	found, err := sc.imports(ctx, `i.file_hash = $2 AND i.id <> $3 AND i.state = 'done' ORDER BY i.id DESC LIMIT 1`, of.FileHash, of.ID)
	if err != nil || len(found) == 0 {
		return Import{}, false, err
	}
	return found[0], true, nil
}

// Imports lists imports, newest first.
func (sc Scoped) Imports(ctx context.Context, p Page) ([]Import, error) {
	return sc.imports(ctx, `i.id < $2 ORDER BY i.id DESC LIMIT $3`, p.before(), p.limit())
}

// ImportsWithFile lists the imports whose file is still held.
func (sc Scoped) ImportsWithFile(ctx context.Context) ([]Import, error) {
	return sc.imports(ctx, `EXISTS (SELECT 1 FROM import_parts p WHERE p.import_id = i.id) ORDER BY i.id`)
}

func (sc Scoped) imports(ctx context.Context, which string, args ...any) ([]Import, error) {
	var rows []importRow
	if err := sc.s.db.SelectContext(ctx, &rows, `SELECT `+importColumns+` FROM imports i WHERE i.workspace_id = $1 AND `+which,
		append([]any{sc.ws}, args...)...); err != nil {
		return nil, wrap("imports", err)
	}
	out := make([]Import, 0, len(rows))
	for _, r := range rows {
		i, err := r.imported()
		if err != nil {
			return nil, err
		}
		out = append(out, i)
	}
	return out, nil
}

// LookAgain keeps what a file is taken for now. It is a Conflict once leads of it have been taken in.
func (sc Scoped) LookAgain(ctx context.Context, i Import) (Import, error) {
	mapping, doubts, counts, err := importParts(i)
	if err != nil {
		return Import{}, err
	}
	return sc.changeImport(ctx, i.ID, "only a file of which no lead has been taken in can be read in another way", `
		UPDATE imports SET encoding = $3, delimiter = $4, mapping = $5, doubts = $6, counts = $7, reading = nullif($8, '')::uuid, updated_at = now()
		WHERE workspace_id = $1 AND id = $2 AND state = 'previewed'`, i.Encoding, i.Delimiter, mapping, doubts, counts, i.Reading)
}

// BeginImport makes an import run into a campaign. An import that runs already goes on.
func (sc Scoped) BeginImport(ctx context.Context, id growth.ImportID, campaign growth.CampaignID) (Import, error) {
	return sc.changeImport(ctx, id, "an import runs once; upload the file again to import it again", `
		UPDATE imports SET state = 'running', campaign_id = coalesce(campaign_id, nullif($3, '')::uuid), updated_at = now()
		WHERE workspace_id = $1 AND id = $2 AND state IN ('previewed', 'running')`, string(campaign))
}

// FinishImport ends a run that has come to the end of the file, or an undoing that has come through all leads.
func (sc Scoped) FinishImport(ctx context.Context, id growth.ImportID) (Import, error) {
	return sc.changeImport(ctx, id, "the import does not run", `
		UPDATE imports SET state = CASE state WHEN 'running' THEN 'done' ELSE 'undone' END, updated_at = now(),
			undone_at = CASE state WHEN 'undoing' THEN now() END
		WHERE workspace_id = $1 AND id = $2 AND state IN ('running', 'undoing')`)
}

// BeginUndo stops an import for good. An import that is being undone goes on with that.
func (sc Scoped) BeginUndo(ctx context.Context, id growth.ImportID) (Import, error) {
	return sc.changeImport(ctx, id, "only an import that has run can be undone, and once", `
		UPDATE imports SET state = 'undoing', updated_at = now()
		WHERE workspace_id = $1 AND id = $2 AND state IN ('running', 'done', 'undoing')`)
}

func (sc Scoped) changeImport(ctx context.Context, id growth.ImportID, otherwise, query string, args ...any) (Import, error) {
	if _, err := sc.Import(ctx, id); err != nil {
		return Import{}, err
	}
	res, err := sc.s.db.ExecContext(ctx, query, append([]any{sc.ws, id}, args...)...)
	if err != nil {
		return Import{}, acceptFault(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		if err != nil {
			return Import{}, wrap("change import", err)
		}
		return Import{}, growth.Errorf(growth.Conflict, "store.changeImport", "%s", otherwise)
	}
	return sc.Import(ctx, id)
}

// ImportFile reads the file of an import, a part at a time.
func (sc Scoped) ImportFile(ctx context.Context, id growth.ImportID) (io.Reader, error) {
	i, err := sc.Import(ctx, id)
	if err != nil {
		return nil, err
	}
	if !i.HasFile {
		return nil, growth.Errorf(growth.Conflict, "store.ImportFile", "the file is not held any more; upload it again")
	}
	return &importFile{ctx: ctx, sc: sc, id: id, left: i.Bytes}, nil
}

// importFile reads parts as they are asked for. It lives as long as one reading: the context is that reading's.
type importFile struct {
	ctx  context.Context //nolint:containedctx // a Reader has nowhere else to take it from
	sc   Scoped
	id   growth.ImportID
	part int
	data []byte
	left int64
}

func (f *importFile) Read(p []byte) (int, error) {
	if len(f.data) == 0 {
		err := f.sc.s.db.GetContext(f.ctx, &f.data, `
			SELECT p.data FROM import_parts p JOIN imports i ON i.id = p.import_id
			WHERE i.workspace_id = $1 AND p.import_id = $2 AND p.part = $3`, f.sc.ws, f.id, f.part)
		switch {
		case none(err) && f.left == 0:
			return 0, io.EOF
		case none(err): // an erased lead took it along: its end is not the file's
			return 0, growth.Errorf(growth.Conflict, "store.ImportFile", "the file is not held any more; upload it again")
		case err != nil:
			return 0, wrap("read file", err)
		}
		f.part++
	}
	n := copy(p, f.data)
	f.data, f.left = f.data[n:], f.left-int64(n)
	return n, nil
}
