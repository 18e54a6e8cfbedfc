package tasks

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/router/cache"
	"github.com/zakibelm/astrogrowth/store"
)

const (
	importChunk  = 500 // leads that share a commit
	importExtent = 100 // duplicates and bad rows that a preview lists
	// DefaultStep is how long one call of Run or Undo works before it answers.
	DefaultStep = 20 * time.Second
)

// Forgetter forgets cached answers.
type Forgetter interface {
	Forget(ctx context.Context, ws growth.WorkspaceID, s cache.Selection) (int, error)
}

// Importer brings files of leads in, takes them out again, and erases leads. Every step of it can be cut off at any
// point and done again.
type Importer struct {
	Store *store.Store
	Queue *Queue
	Cache Forgetter
	Step  time.Duration // how long a call works before it answers; 0 means DefaultStep
}

// ImportStated is what somebody says about a file, as they write it; what is empty is found out.
type ImportStated struct {
	Encoding, Delimiter, Mapping string
}

func (s ImportStated) parse() (out lead.Stated, err error) {
	out.Mapping = s.Mapping
	if s.Encoding != "" {
		if out.Encoding, err = lead.ParseEncoding(s.Encoding); err != nil {
			return out, err
		}
	}
	out.Delimiter, err = lead.ParseDelimiter(s.Delimiter)
	return out, err
}

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
	if found && earlier.State == store.ImportDone {
		p.Import.Doubts = append(p.Import.Doubts, "this very file was imported on "+earlier.CreatedAt.Format(time.DateOnly))
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
		s = ImportStated{Encoding: i.Encoding, Delimiter: i.Delimiter, Mapping: i.Mapping.Stated}
	}
	stated, err := s.parse()
	if err != nil {
		return ImportPreview{}, err
	}
	plan, err := planOf(ctx, sc, id, stated)
	if err != nil {
		return ImportPreview{}, err
	}
	p, err := preview(ctx, sc, i, plan)
	if err != nil || begun {
		return p, err
	}
	p.Import.Encoding, p.Import.Delimiter = string(plan.Format.Encoding), string(plan.Format.Delimiter)
	p.Import.Mapping, p.Import.Doubts = store.ImportMapping{Stated: s.Mapping, Columns: plan.Mapping.Fields()}, plan.Doubts()
	if p.Undecided = plan.Format.Decided() != nil; p.Undecided {
		p.Import.Encoding = "" // as long as nobody names it, it is found out again, and refused
	}
	p.Import, err = sc.LookAgain(ctx, p.Import)
	return p, err
}

func planOf(ctx context.Context, sc store.Scoped, id growth.ImportID, s lead.Stated) (lead.Plan, error) {
	file, err := sc.ImportFile(ctx, id)
	if err != nil {
		return lead.Plan{}, err
	}
	return lead.NewPlan(file, s)
}

// statedOf is how an import that was looked at is read from then on.
func statedOf(i store.Import) (lead.Stated, error) {
	return ImportStated{Encoding: i.Encoding, Delimiter: i.Delimiter, Mapping: i.Mapping.Stated}.parse()
}

func preview(ctx context.Context, sc store.Scoped, i store.Import, plan lead.Plan) (ImportPreview, error) {
	p := ImportPreview{Import: i, Explained: append(plan.Format.Explain(), plan.Mapping.Explain()...), Sample: []growth.Lead{}, BadRows: []lead.Row{}}
	rubric, err := lead.Load(lead.DefaultRubric)
	if err != nil {
		return p, err
	}
	closed := 0
	file, err := sc.ImportFile(ctx, i.ID)
	if err != nil {
		return p, err
	}
	t, err := plan.Scan(ctx, file, lead.Sinks{
		Leads: func(ls []growth.Lead) error {
			for _, l := range ls {
				if len(lead.Gates(rubric, l)) > 0 {
					closed++
				}
			}
			p.Sample = append(p.Sample, ls[:min(len(ls), lead.SomeLines-min(len(p.Sample), lead.SomeLines))]...)
			return nil
		},
		Bad: func(r lead.Row) error {
			if len(p.BadRows) < importExtent {
				p.BadRows = append(p.BadRows, r)
			}
			return nil
		},
	})
	p.Duplicates = t.Duplicates[:min(len(t.Duplicates), importExtent)]
	p.Import.Counts = store.ImportCounts{Rows: t.Rows, Bad: t.Bad, Leads: t.Leads, Duplicates: t.Repeated, Closed: closed}
	return p, err
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
	_, err = plan.Scan(ctx, file, lead.Sinks{Bad: func(r lead.Row) error {
		return out.Write(lead.Harmless(append([]string{strconv.Itoa(r.Line), r.Bad}, r.Fields...)))
	}})
	out.Flush()
	return errors.Join(err, out.Error())
}

// ImportRun says how a file that was looked at is taken in.
type ImportRun struct {
	Campaign     growth.CampaignID
	AcceptDoubts bool // somebody has read them
	By           string
	TraceID      string
}

// errPause ends a scan whose time is up.
var errPause = errors.New("the step is over")

// Run takes leads in for as long as a step lasts, and answers how far it is: whoever wants more calls again while the
// state is running. It refuses a file with doubts that nobody has read.
func (im Importer) Run(ctx context.Context, ws growth.WorkspaceID, id growth.ImportID, o ImportRun) (store.Import, error) {
	const op = "tasks.Import"
	sc := im.Store.In(ws)
	i, err := sc.Import(ctx, id)
	if err != nil {
		return i, err
	}
	if i.State == store.ImportPreviewed && i.Counts.Leads == 0 {
		return i, growth.Errorf(growth.Conflict, op, "the file holds no lead that could be read")
	}
	stated, err := statedOf(i)
	if err != nil {
		return i, err
	}
	if i.State == store.ImportPreviewed && len(i.Doubts) > 0 && !o.AcceptDoubts {
		return i, growth.InvalidField(op, "accept_doubts", "%d doubts are to be decided: read them, then send true, or look at the file in another way", len(i.Doubts))
	}
	plan, err := planOf(ctx, sc, id, stated)
	if err != nil {
		return i, err
	}
	if err := plan.Format.Decided(); err != nil {
		return i, err
	}
	if i, err = sc.BeginImport(ctx, id, o.Campaign); err != nil {
		return i, err
	}
	w, err := sc.Workspace(ctx)
	if err != nil {
		return i, err
	}
	rubric, err := RubricOf(ctx, sc, w.Settings.Rubric)
	if err != nil {
		return i, err
	}
	rubric = rubric.In(first(w.Settings.Language, "fr-CA"))
	r := &importRun{Importer: im, ImportRun: o, ws: w, rubric: rubric, sc: sc, i: i, until: time.Now().Add(im.step())}
	switch err := r.scan(ctx, plan); {
	case errors.Is(err, errPause):
		return sc.Import(ctx, id)
	case err != nil:
		return i, err
	}
	return sc.FinishImport(ctx, id)
}

func (im Importer) step() time.Duration {
	if im.Step > 0 {
		return im.Step
	}
	return DefaultStep
}

// importRun is one step of one import.
type importRun struct {
	Importer
	ImportRun
	ws     growth.Workspace
	rubric lead.Rubric // of the workspace, read once: reading it takes longer than a hundred leads
	sc     store.Scoped
	i      store.Import
	seen   int // leads that came by in this reading
	until  time.Time
}

func (r *importRun) scan(ctx context.Context, plan lead.Plan) error {
	file, err := r.sc.ImportFile(ctx, r.i.ID)
	if err != nil {
		return err
	}
	_, err = plan.Scan(ctx, file, lead.Sinks{Leads: func(ls []growth.Lead) error {
		for len(ls) > 0 {
			n := min(importChunk, len(ls))
			skip := r.i.Position - r.seen
			if skip > 0 {
				n = min(skip, len(ls))
			} else if err := r.take(ctx, ls[:n]); err != nil {
				return err
			}
			r.seen += n
			ls = ls[n:]
			if skip <= 0 && time.Now().After(r.until) { // each step takes something in
				return errPause
			}
		}
		return nil
	}})
	return err
}

// take stores leads and asks for their scores. A kill between the commits repeats them: both know what is there.
func (r *importRun) take(ctx context.Context, ls []growth.Lead) error {
	campaign := growth.CampaignID("")
	if r.i.CampaignID != nil {
		campaign = *r.i.CampaignID
	}
	puts := make([]store.LeadPut, len(ls))
	for n, l := range ls {
		puts[n] = store.LeadPut{Lead: l, Keys: LeadKeys(l), Campaign: campaign}
	}
	saved, err := r.sc.ImportLeads(ctx, r.i.ID, puts, lead.Alike, lead.Update)
	if err != nil {
		return err
	}
	step := store.ImportStep{From: r.seen, To: r.seen + len(ls)}
	var subs []Submission
	for _, s := range saved {
		args := QualifyArgs{LeadID: s.Lead.ID}
		if s.Refused {
			step.Refused++
			continue
		}
		if s.Lead.Barred(time.Now()) != nil { // stored, and not scored: its consent has ended
			continue
		}
		fp := lead.Fingerprint(s.Lead, r.rubric, r.ws.Settings.ICP)
		if fp == s.Fingerprint {
			step.Unchanged++
			continue
		}
		subs = append(subs, Submission{
			Args: args, Options: growth.JobOptions{CampaignID: campaign}, LeadID: s.Lead.ID, UniqueKey: string(s.Lead.ID) + " " + fp,
			TraceID: r.TraceID, KeyID: r.By,
		})
	}
	if len(subs) > 0 {
		if _, err := r.Queue.Enqueue(ctx, r.ws.ID, subs...); err != nil {
			return err
		}
	}
	step.Jobs = len(subs)
	return r.sc.AdvanceImport(ctx, r.i.ID, step)
}

// Undo takes an import back for as long as a step lasts: see store.UndoLeads.
func (im Importer) Undo(ctx context.Context, ws growth.WorkspaceID, id growth.ImportID) (store.Import, error) {
	sc := im.Store.In(ws)
	if i, err := sc.BeginUndo(ctx, id); err != nil {
		return i, err
	}
	for until := time.Now().Add(im.step()); ; {
		erased, done, err := sc.UndoLeads(ctx, id, importChunk, LeadKeys)
		if err != nil {
			return store.Import{}, err
		}
		for _, l := range erased {
			if _, err := im.Cache.Forget(ctx, ws, cache.Selection{Lead: l}); err != nil {
				return store.Import{}, err
			}
		}
		if done {
			return sc.FinishImport(ctx, id)
		}
		if time.Now().After(until) {
			return sc.Import(ctx, id)
		}
	}
}

// Erase takes a lead out of everything, with those that were merged into it. It can be asked for again, and must be when the cache could not be reached.
func (im Importer) Erase(ctx context.Context, ws growth.WorkspaceID, id growth.LeadID, by string) (store.Erasure, error) {
	sc := im.Store.In(ws)
	if into, err := sc.MergedInto(ctx, id); err != nil {
		return store.Erasure{}, err
	} else if into != "" {
		id = into
	}
	files, err := im.filesWith(ctx, sc, id)
	if err != nil {
		return store.Erasure{}, err
	}
	e, err := sc.EraseLead(ctx, id, by, files)
	if err != nil || e.CacheAt != nil {
		return e, err
	}
	if err := im.forget(ctx, sc, ws, id); err != nil {
		return e, err
	}
	return sc.CacheForgotLead(ctx, id)
}

// forget takes a lead, and those that went into it, out of the cache.
func (im Importer) forget(ctx context.Context, sc store.Scoped, ws growth.WorkspaceID, id growth.LeadID) error {
	merged, err := sc.MergedFrom(ctx, id)
	if err != nil {
		return err
	}
	for _, l := range append(merged, id) {
		if _, err := im.Cache.Forget(ctx, ws, cache.Selection{Lead: l}); err != nil {
			return err
		}
	}
	return nil
}

// filesWith finds the held files in which a lead stands. A file that cannot be read to its end counts: it may.
func (im Importer) filesWith(ctx context.Context, sc store.Scoped, id growth.LeadID) ([]growth.ImportID, error) {
	stored, err := sc.KeysOfLead(ctx, id)
	if err != nil || len(stored) == 0 {
		return nil, err
	}
	keys := make([]lead.Key, len(stored))
	for i, k := range stored {
		keys[i] = lead.Key{Kind: lead.KeyKind(k.Kind), Value: k.Value}
	}
	imports, err := sc.ImportsWithFile(ctx)
	var out []growth.ImportID
	for _, i := range imports {
		if holds(ctx, sc, i, keys) {
			out = append(out, i.ID)
		}
	}
	return out, errors.Join(err, ctx.Err())
}

func holds(ctx context.Context, sc store.Scoped, i store.Import, keys []lead.Key) bool {
	stated, err := statedOf(i)
	if err != nil {
		return true
	}
	plan, err := planOf(ctx, sc, i.ID, stated)
	if err != nil {
		return true
	}
	file, err := sc.ImportFile(ctx, i.ID)
	if err != nil {
		return true
	}
	for row, err := range lead.Open(file, plan.Format, plan.Mapping).Rows() {
		if err != nil || row.Names(keys) {
			return true
		}
	}
	return false
}

// LeadKeys are the keys of a lead as the store takes them.
func LeadKeys(l growth.Lead) []store.LeadKey {
	keys := lead.Keys(l)
	out := make([]store.LeadKey, len(keys))
	for i, k := range keys {
		out[i] = store.LeadKey{Kind: string(k.Kind), Value: k.Value, Sure: k.Sure()}
	}
	return out
}
