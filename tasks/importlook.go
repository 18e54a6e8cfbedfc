package tasks

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/store"
)

// ImportPreview is what a file was taken for, and the first of what is odd about it.
type ImportPreview struct {
	Import     store.Import
	Undecided  bool     // only a person can name the encoding
	Explained  []string // what the file and each column were taken for
	Sample     []growth.Lead
	Duplicates []lead.Duplicate
	BadRows    []lead.Row
}

// Upload keeps a file and looks at it. A file that is on its way in already, by its hash, goes on where it was.
func (im Importer) Upload(ctx context.Context, ws growth.WorkspaceID, name, by string, file io.Reader, s ImportStated) (ImportPreview, error) {
	if _, err := s.parse(); err != nil {
		return ImportPreview{}, err
	}
	sc := im.Store.In(ws)
	i, err := sc.AddImport(ctx, store.Import{FileName: name, CreatedBy: by}, file)
	if err != nil {
		return ImportPreview{}, err
	}
	if i.Bytes == 0 {
		return ImportPreview{}, errors.Join(growth.InvalidField("tasks.Upload", "file", "the file is empty"),
			sc.DropImport(context.WithoutCancel(ctx), i.ID))
	}
	earlier, found, err := sc.EarlierImport(ctx, i)
	if err != nil {
		return ImportPreview{}, err
	}
	if found && (earlier.State == store.ImportPreviewed || earlier.State == store.ImportRunning) {
		if i, err = sc.AdoptFile(ctx, i.ID, earlier.ID); err != nil {
			return ImportPreview{}, err
		}
	}
	p, err := im.Look(ctx, ws, i.ID, s)
	if err != nil && i.Counts.Rows == 0 { // no file of leads
		err = errors.Join(err, sc.DropImport(context.WithoutCancel(ctx), i.ID))
	}
	return p, err
}

// Look reads a file that is held and says what it would bring. It writes nothing but what it took the file for, and not
// even that once leads have been taken in: the way in which a file is read does not change under way.
func (im Importer) Look(ctx context.Context, ws growth.WorkspaceID, id growth.ImportID, s ImportStated) (ImportPreview, error) {
	sc := im.Store.In(ws)
	i, err := sc.Import(ctx, id)
	if err != nil {
		return ImportPreview{}, err
	}
	begun := i.State != store.ImportPreviewed
	if begun {
		s = heldReading(i)
	}
	stated, err := s.parse()
	if err != nil {
		return ImportPreview{}, err
	}
	plan, err := planOf(ctx, sc, id, stated)
	if err != nil {
		return ImportPreview{}, err
	}
	r := &importReading{store: im.Store, sc: sc, id: id}
	if !begun {
		r.name = growth.NewID()
	}
	p, err := r.preview(ctx, i, plan)
	if err != nil || begun {
		return p, errors.Join(err, r.forget(ctx, err))
	}
	p.Import.Encoding, p.Import.Delimiter = string(plan.Format.Encoding), lead.DelimiterText(plan.Format.Delimiter)
	p.Import.Mapping = store.ImportMapping{
		Stated: s.Mapping, Columns: plan.Mapping.Fields(), Header: plan.Format.Heading().String(), Dates: string(plan.Mapping.Dates),
	}
	p.Import.Reading, p.Undecided = r.name, plan.Decided() != nil
	if plan.Format.Decided() != nil {
		p.Import.Encoding = "" // as long as nobody names it, it is found out again, and refused
	}
	if p.Import.Doubts, err = doubtsOf(ctx, sc, p.Import, plan); err != nil {
		return p, errors.Join(err, r.forget(ctx, err))
	}
	if p.Import, err = sc.LookAgain(ctx, p.Import); err != nil {
		return p, errors.Join(err, r.forget(ctx, err))
	}
	return p, sc.DropReading(ctx, id, i.Reading)
}

// doubtsOf are the doubts about a file, and about taking it in once more.
func doubtsOf(ctx context.Context, sc store.Scoped, i store.Import, plan lead.Plan) ([]string, error) {
	doubts := plan.Doubts()
	before, found, err := sc.FinishedImport(ctx, i)
	if err != nil || !found {
		return doubts, err
	}
	again := fmt.Sprintf("this very file was imported on %s as %s", before.CreatedAt.Format(time.DateOnly), before.ID)
	if n := i.Counts.NoIdentity; n > 0 {
		again += fmt.Sprintf("; %d of its leads cannot be recognised, and would be there once more", n)
	}
	return append(doubts, again), nil
}

func planOf(ctx context.Context, sc store.Scoped, id growth.ImportID, s lead.Stated) (lead.Plan, error) {
	return lead.NewPlan(func() (io.Reader, error) { return sc.ImportFile(ctx, id) }, s)
}

// statedOf is how an import that was looked at is read from then on.
func statedOf(i store.Import) (lead.Stated, error) {
	return heldReading(i).parse()
}

func heldReading(i store.Import) ImportStated {
	return ImportStated{
		Encoding: i.Encoding, Delimiter: i.Delimiter, Mapping: i.Mapping.Stated, Header: i.Mapping.Header, Dates: i.Mapping.Dates,
	}
}

// BadRows writes the rows that could not be read as leads: their line, the reason, and the fields as they stood in the
// file, so that they can be mended and imported.
func (im Importer) BadRows(ctx context.Context, ws growth.WorkspaceID, id growth.ImportID, w io.Writer) error {
	sc := im.Store.In(ws)
	i, err := sc.Import(ctx, id)
	if err != nil {
		return err
	}
	stated, err := statedOf(i)
	if err != nil {
		return err
	}
	plan, err := planOf(ctx, sc, id, stated)
	if err != nil {
		return err
	}
	file, err := sc.ImportFile(ctx, id)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write(lead.Harmless(append([]string{"line", "reason"}, plan.Format.Headers...))); err != nil {
		return err
	}
	for row, err := range lead.Open(file, plan.Format, plan.Mapping).Rows() {
		if err == nil && row.Bad != "" {
			err = out.Write(lead.Harmless(append([]string{strconv.Itoa(row.Line), row.Bad}, row.Fields...)))
		}
		if err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
