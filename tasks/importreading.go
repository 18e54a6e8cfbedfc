package tasks

import (
	"context"
	"slices"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/store"
)

// importReading is one reading of an import's file. What it finds is kept in chunks under its name, so that the leads can
// be taken in from any place on without reading the file again.
type importReading struct {
	store *store.Store
	sc    store.Scoped
	id    growth.ImportID
	name  string // empty: nothing is kept
	next  int    // the place of the first lead that waits
	wait  []growth.Lead
}

// scan reads the file to its end; see lead.Plan.Scan.
func (r *importReading) scan(ctx context.Context, plan lead.Plan, leads func([]growth.Lead), bad func(lead.Row)) (lead.Tally, error) {
	file, err := r.sc.ImportFile(ctx, r.id)
	if err != nil {
		return lead.Tally{}, err
	}
	p := &past{store: r.store}
	defer p.close()
	t, err := plan.Scan(ctx, file, lead.Sinks{
		Leads: func(ls []growth.Lead) error {
			leads(ls)
			return r.keep(ctx, ls)
		},
		Bad: func(row lead.Row) error {
			bad(row)
			return nil
		},
		Erased: r.erased,
		Past:   p,
	})
	if err == nil && len(r.wait) > 0 {
		err = r.flush(ctx, r.wait)
	}
	return t, err
}

func (r *importReading) erased(ctx context.Context, ls []growth.Lead) (map[int]bool, error) {
	puts := make([]store.LeadPut, len(ls))
	for i, l := range ls {
		puts[i] = store.LeadPut{Keys: LeadKeys(l)}
	}
	return r.sc.Buried(ctx, puts)
}

func (r *importReading) keep(ctx context.Context, ls []growth.Lead) error {
	if r.name == "" {
		return nil
	}
	r.wait = append(r.wait, ls...)
	for len(r.wait) >= importChunk {
		if err := r.flush(ctx, r.wait[:importChunk]); err != nil {
			return err
		}
	}
	r.wait = slices.Clone(r.wait)
	return nil
}

func (r *importReading) flush(ctx context.Context, ls []growth.Lead) error {
	if err := r.sc.AddChunk(ctx, r.id, r.name, r.next, ls); err != nil {
		return err
	}
	r.next, r.wait = r.next+len(ls), r.wait[len(ls):]
	return nil
}

// forget drops what a reading kept that came to nothing.
func (r *importReading) forget(ctx context.Context, why error) error {
	if why == nil {
		return nil
	}
	return r.sc.DropReading(context.WithoutCancel(ctx), r.id, r.name)
}

// preview reads the file for a person.
func (r *importReading) preview(ctx context.Context, i store.Import, plan lead.Plan) (ImportPreview, error) {
	p := ImportPreview{Import: i, Explained: plan.Explain(), Sample: []growth.Lead{}, BadRows: []lead.Row{}}
	rubric, err := lead.Load(lead.DefaultRubric)
	if err != nil {
		return p, err
	}
	closed, anonymous := 0, 0
	t, err := r.scan(ctx, plan, func(ls []growth.Lead) {
		for _, l := range ls {
			if len(lead.Gates(rubric, l)) > 0 {
				closed++
			}
			if len(lead.Keys(l)) == 0 {
				anonymous++
			}
		}
		p.Sample = append(p.Sample, ls[:min(len(ls), lead.SomeLines-min(len(p.Sample), lead.SomeLines))]...)
	}, func(row lead.Row) {
		if len(p.BadRows) < importExtent {
			p.BadRows = append(p.BadRows, row)
		}
	})
	p.Duplicates = t.Duplicates[:min(len(t.Duplicates), importExtent)]
	p.Import.Counts = store.ImportCounts{Rows: t.Rows, Bad: t.Bad, Leads: t.Leads, Duplicates: t.Repeated, Closed: closed, NoIdentity: anonymous}
	return p, err
}

// past is a lead.Past in the store, opened when the first rows leave memory: most files are smaller than that.
type past struct {
	store *store.Store
	kept  *store.Past
}

func (p *past) close() {
	if p.kept != nil {
		p.kept.Close()
	}
}

// Keep implements lead.Past.
func (p *past) Keep(ctx context.Context, leads []lead.KeptLead, keys []lead.KeptKey) error {
	if p.kept == nil {
		var err error
		if p.kept, err = p.store.NewPast(ctx); err != nil {
			return err
		}
	}
	ls := make([]store.PastLead, len(leads))
	for i, l := range leads {
		ls[i] = store.PastLead(l)
	}
	ks := make([]store.PastKey, len(keys))
	for i, k := range keys {
		ks[i] = store.PastKey{Key: k.Key, Lead: k.Lead}
	}
	return p.kept.Keep(ctx, ls, ks)
}

// Recall implements lead.Past.
func (p *past) Recall(ctx context.Context, keys []lead.Digest) ([]lead.KeptLead, []lead.KeptKey, error) {
	asked := make([][16]byte, len(keys))
	for i, k := range keys {
		asked[i] = k
	}
	ls, ks, err := p.kept.Recall(ctx, asked)
	if err != nil {
		return nil, nil, err
	}
	leads := make([]lead.KeptLead, len(ls))
	for i, l := range ls {
		leads[i] = lead.KeptLead(l)
	}
	found := make([]lead.KeptKey, len(ks))
	for i, k := range ks {
		found[i] = lead.KeptKey{Key: k.Key, Lead: k.Lead}
	}
	return leads, found, nil
}
