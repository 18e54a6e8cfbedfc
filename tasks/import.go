package tasks

import (
	"context"
	"errors"
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
	Encoding, Delimiter, Mapping, Header, Dates string
}

func (s ImportStated) parse() (out lead.Stated, err error) {
	out.Mapping = s.Mapping
	if s.Encoding != "" {
		if out.Encoding, err = lead.ParseEncoding(s.Encoding); err != nil {
			return out, err
		}
	}
	if out.Header, err = lead.ParseHeading(s.Header); err != nil {
		return out, err
	}
	if out.Dates, err = lead.ParseDateOrder(s.Dates); err != nil {
		return out, err
	}
	out.Delimiter, err = lead.ParseDelimiter(s.Delimiter)
	return out, err
}

// ImportRun says how a file that was looked at is taken in.
type ImportRun struct {
	Campaign     growth.CampaignID
	AcceptDoubts bool // somebody has read them
	By           string
	TraceID      string
}

// Run takes leads in for as long as a step lasts, and answers how far it is: whoever wants more calls again while the
// state is running. It refuses a file with doubts that nobody has read.
func (im Importer) Run(ctx context.Context, ws growth.WorkspaceID, id growth.ImportID, o ImportRun) (store.Import, error) {
	const op = "tasks.Import"
	sc := im.Store.In(ws)
	i, err := sc.Import(ctx, id)
	if err != nil {
		return i, err
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
	if err := plan.Decided(); err != nil {
		return i, err
	}
	if i.State == store.ImportPreviewed && i.Counts.Leads == 0 {
		return i, growth.Errorf(growth.Conflict, op, "the file holds no lead that could be read")
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
	if done, err := r.all(ctx, plan); err != nil || !done {
		return r.soFar(ctx, err)
	}
	if i, err = sc.FinishImport(ctx, id); err != nil {
		return i, err
	}
	return i, sc.DropReading(ctx, id, i.Reading)
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
	until  time.Time
}

// soFar is how far an import is whose step ended early.
func (r *importRun) soFar(ctx context.Context, err error) (store.Import, error) {
	if err != nil {
		return r.i, err
	}
	return r.sc.Import(ctx, r.i.ID)
}

// all takes in what is left, and says whether that was all or the step is over. Each step takes something in.
func (r *importRun) all(ctx context.Context, plan lead.Plan) (done bool, err error) {
	for read := false; ; {
		ls, err := r.sc.Chunk(ctx, r.i.ID, r.i.Position)
		switch {
		case err != nil:
			return false, err
		case len(ls) > 0:
			if err := r.take(ctx, ls); err != nil {
				return false, err
			}
			if r.i.Position += len(ls); time.Now().After(r.until) {
				return r.i.Position >= r.i.Counts.Leads, nil
			}
		case read || r.i.Position >= r.i.Counts.Leads:
			return true, nil
		default:
			if err := r.readAgain(ctx, plan); err != nil {
				return false, err
			}
			read = true
		}
	}
}

// readAgain makes the chunks of a file anew: they are held for a day only, and an older version made none.
func (r *importRun) readAgain(ctx context.Context, plan lead.Plan) error {
	again := &importReading{store: r.Store, sc: r.sc, id: r.i.ID, name: growth.NewID()}
	_, err := again.scan(ctx, plan, func([]growth.Lead) {}, func(lead.Row) {})
	if err == nil {
		err = r.sc.UseReading(ctx, r.i.ID, again.name)
	}
	if err != nil {
		return errors.Join(err, again.forget(ctx, err))
	}
	return r.sc.DropReading(ctx, r.i.ID, r.i.Reading)
}

// take stores leads and asks for their scores, with low priority: a lead that a form brings in the meantime does not wait
// behind a file. A kill between the commits repeats them: both know what is there.
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
	step := store.ImportStep{From: r.i.Position, To: r.i.Position + len(ls)}
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
			Args: args, Options: growth.JobOptions{CampaignID: campaign, Priority: growth.PriorityLow}, LeadID: s.Lead.ID, UniqueKey: string(s.Lead.ID) + " " + fp,
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
		undone, err := sc.UndoLeads(ctx, id, importChunk, LeadKeys)
		if err != nil {
			return store.Import{}, err
		}
		_, _ = im.Queue.Refresh(ctx, ws, Rescore{}, undone.Restored...) // see there
		if err := forgetLeads(ctx, im.Store, im.Cache, ws, undone.Erased); err != nil {
			return store.Import{}, err
		}
		if undone.Done {
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
