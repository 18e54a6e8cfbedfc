package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// maxImport is what a file of leads may measure: a million rows of the usual size, three times over.
const maxImport = 512 << 20

func (a *api) imports(h huma.API) {
	upload := op(http.MethodPost, "/v1/imports", "imports", "Upload a file of leads and see what it is taken for", auth.ScopeEnqueue, 201)
	upload.Description = "Nothing is taken in yet: see run. The file is held for a day; the same file again goes on where its import was."
	upload.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"text/csv": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}}
	register(h, upload, a.postImport)
	register(h, op(http.MethodGet, "/v1/imports", "imports", "List imports, newest first", auth.ScopeRead, 200), a.listImports)
	register(h, op(http.MethodGet, "/v1/imports/{id}", "imports", "Read an import", auth.ScopeRead, 200), a.getImport)
	register(h, op(http.MethodPost, "/v1/imports/{id}/preview", "imports", "Look at the file again, or in another way", auth.ScopeEnqueue, 200), a.previewImport)
	run := op(http.MethodPost, "/v1/imports/{id}/run", "imports", "Take the leads in and have them qualified", auth.ScopeEnqueue, 200)
	run.Description = "Works for up to 20 seconds and answers how far it is; call it again while the state is running. Stopping anywhere is safe."
	register(h, run, a.runImport)
	undo := op(http.MethodPost, "/v1/imports/{id}/undo", "imports", "Take an import back", auth.ScopeEnqueue, 200)
	undo.Description = "Leads that it brought and nobody touched since are erased, others get back what they were, or are named with the " +
		"reason; one whose score a person contested or answered for stays. Call it again while the state is undoing."
	register(h, undo, a.undoImport)
	register(h, op(http.MethodGet, "/v1/imports/{id}/bad-rows.csv", "imports", "The rows that cannot be read as leads, with the reason", auth.ScopeRead, 200), a.badRows)
}

func (a *api) importer() tasks.Importer {
	return tasks.Importer{Store: a.Store, Queue: a.Queue, Cache: a.Cache}
}

// ImportPreview is an import with what its file was taken for.
type ImportPreview struct {
	store.Import
	Undecided  bool              `json:"undecided" doc:"The encoding, or the order of day and month, cannot be told from the file: name it"`
	Explained  []string          `json:"explained" doc:"What the file and each column were taken for"`
	Sample     []growth.Lead     `json:"sample"`
	Duplicates []ImportDuplicate `json:"duplicate_rows" doc:"The first 100"`
	BadRows    []ImportBadRow    `json:"bad_rows" doc:"The first 100; all are in bad-rows.csv"`
}

// ImportDuplicate is a row that stands for a lead of an earlier row.
type ImportDuplicate struct {
	Line          int    `json:"line"`
	OfLine        int    `json:"of_line"`
	Key           string `json:"key" doc:"What they share"`
	Name          string `json:"name"`
	ByFoldingOnly bool   `json:"by_folding_only" doc:"Only case, accents or punctuation differ"`
}

// ImportBadRow is a row that was set aside.
type ImportBadRow struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

func previewOf(p tasks.ImportPreview) ImportPreview {
	out := ImportPreview{
		Import: p.Import, Undecided: p.Undecided, Explained: p.Explained, Sample: p.Sample,
		Duplicates: []ImportDuplicate{}, BadRows: []ImportBadRow{},
	}
	for _, d := range p.Duplicates {
		out.Duplicates = append(out.Duplicates, ImportDuplicate{Line: d.Line, OfLine: d.OfLine, Key: string(d.Key), Name: d.Name, ByFoldingOnly: d.ByFoldingOnly})
	}
	for _, r := range p.BadRows {
		out.BadRows = append(out.BadRows, ImportBadRow{Line: r.Line, Reason: r.Bad})
	}
	return out
}

// uploadInput streams its body: a file is never held as a whole.
type uploadInput struct {
	FileName  string `query:"file_name" maxLength:"200" default:"leads.csv"`
	Encoding  string `query:"encoding" doc:"utf-8, utf-16le, utf-16be, windows-1252, iso-8859-15, macintosh; default: found out"`
	Delimiter string `query:"delimiter" doc:"comma, semicolon, tab, bar, one character, or none for a list of one column; default: found out"`
	Mapping   string `query:"map" doc:"heading=field,…; default: found out"`
	Header    string `query:"header" doc:"yes, no, or the number of the line that names the columns; default: found out"`
	Dates     string `query:"dates" doc:"dmy or mdy: the order of day and month in dates such as 03/04/2026; default: found out"`
	body      io.Reader
}

// Resolve takes the body over from the framework, which would read it into memory.
func (in *uploadInput) Resolve(ctx huma.Context) []error {
	in.body = &limitedBody{r: ctx.BodyReader(), left: maxImport}
	return nil
}

// limitedBody refuses what is longer than left instead of cutting it.
type limitedBody struct {
	r    io.Reader
	left int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, growth.Errorf(growth.TooLarge, "api.postImport", "the file is larger than %d MiB; cut it into several", maxImport>>20)
	}
	return n, err
}

func (a *api) postImport(ctx context.Context, in *uploadInput) (*struct{ Body ImportPreview }, error) {
	p, err := a.importer().Upload(ctx, who(ctx).Workspace, in.FileName, who(ctx).KeyID, in.body,
		tasks.ImportStated{Encoding: in.Encoding, Delimiter: in.Delimiter, Mapping: in.Mapping, Header: in.Header, Dates: in.Dates})
	return &struct{ Body ImportPreview }{previewOf(p)}, err
}

func (a *api) listImports(ctx context.Context, in *PageParams) (*struct{ Body List[store.Import] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	all, err := a.Store.In(who(ctx).Workspace).Imports(ctx, p)
	return &struct{ Body List[store.Import] }{listOf(all, in.Limit, func(i store.Import) string { return string(i.ID) })}, err
}

// ImportView is an import with the leads that its undoing let be.
type ImportView struct {
	store.Import
	KeptLeads []store.KeptLead `json:"kept_leads" doc:"At most 1,000"`
}

func (a *api) importView(ctx context.Context, i store.Import, err error) (*struct{ Body ImportView }, error) {
	if err != nil {
		return nil, err
	}
	kept, err := a.Store.In(who(ctx).Workspace).KeptLeads(ctx, i.ID)
	return &struct{ Body ImportView }{ImportView{Import: i, KeptLeads: kept}}, err
}

func (a *api) getImport(ctx context.Context, in *IDInput) (*struct{ Body ImportView }, error) {
	i, err := a.Store.In(who(ctx).Workspace).Import(ctx, growth.ImportID(in.ID))
	return a.importView(ctx, i, err)
}

type previewInput struct {
	IDInput
	Body *ImportReading
}

// ImportReading is what somebody says about a file; what is empty is found out.
type ImportReading struct {
	Encoding  string `json:"encoding,omitempty"`
	Delimiter string `json:"delimiter,omitempty"`
	Mapping   string `json:"map,omitempty" doc:"heading=field,…"`
	Header    string `json:"header,omitempty" doc:"yes, no, or the number of the line that names the columns"`
	Dates     string `json:"dates,omitempty" doc:"dmy or mdy"`
}

func (a *api) previewImport(ctx context.Context, in *previewInput) (*struct{ Body ImportPreview }, error) {
	stated := tasks.ImportStated{}
	if in.Body != nil {
		stated = tasks.ImportStated(*in.Body)
	}
	p, err := a.importer().Look(ctx, who(ctx).Workspace, growth.ImportID(in.ID), stated)
	return &struct{ Body ImportPreview }{previewOf(p)}, err
}

type runInput struct {
	IDInput
	Body *ImportRunBody
}

// ImportRunBody says how a file is taken in.
type ImportRunBody struct {
	Campaign     growth.CampaignID `json:"campaign_id,omitempty" format:"uuid" doc:"Counts at the first run"`
	AcceptDoubts bool              `json:"accept_doubts,omitempty" doc:"Somebody has read the doubts"`
}

func (a *api) runImport(ctx context.Context, in *runInput) (*struct{ Body ImportView }, error) {
	o := tasks.ImportRun{By: who(ctx).KeyID, TraceID: daemon.RequestID(ctx)}
	if in.Body != nil {
		o.Campaign, o.AcceptDoubts = in.Body.Campaign, in.Body.AcceptDoubts
	}
	i, err := a.importer().Run(ctx, who(ctx).Workspace, growth.ImportID(in.ID), o)
	return a.importView(ctx, i, err)
}

func (a *api) undoImport(ctx context.Context, in *IDInput) (*struct{ Body ImportView }, error) {
	i, err := a.importer().Undo(ctx, who(ctx).Workspace, growth.ImportID(in.ID))
	return a.importView(ctx, i, err)
}

func (a *api) badRows(ctx context.Context, in *IDInput) (*huma.StreamResponse, error) {
	sc := a.Store.In(who(ctx).Workspace)
	if _, err := sc.ImportFile(ctx, growth.ImportID(in.ID)); err != nil { // what can be refused is, before the first byte
		return nil, err
	}
	return download("bad-rows.csv", func(ctx context.Context, w io.Writer) error { //nolint:contextcheck // the download bounds its own time
		return a.importer().BadRows(ctx, who(ctx).Workspace, growth.ImportID(in.ID), w)
	}), nil
}

// downloadTime is how long a file may take to be sent.
const downloadTime = 10 * time.Minute

// download sends a CSV file as it is made. A fault on the way breaks the connection: half a file must not look whole.
func download(name string, write func(context.Context, io.Writer) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(h huma.Context) {
		ctx, cancel := context.WithTimeout(h.Context(), downloadTime)
		defer cancel()
		h.SetHeader("Content-Type", "text/csv; charset=utf-8")
		h.SetHeader("Content-Disposition", `attachment; filename="`+name+`"`)
		h.SetHeader("Cache-Control", "no-store")
		_, err := io.WriteString(h.BodyWriter(), "\ufeff") // spreadsheets need the mark to see that it is UTF-8
		if err == nil {
			err = write(ctx, h.BodyWriter())
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}}
}
