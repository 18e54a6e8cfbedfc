package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// importView is an import as the API shows it.
type importView struct {
	store.Import
	KeptLeads []store.KeptLead `json:"kept_leads"`
}

// uploadTime is how long a file of half a gigabyte may take to be sent and read on the other side.
const uploadTime = time.Hour

// upload sends a file as it is. The same file again is safe: it goes on where it was.
func (c *client) upload(ctx context.Context, name string, r reading, file io.Reader) (importView, error) {
	q := url.Values{"file_name": {name}}
	for k, v := range map[string]string{"encoding": r.encoding, "delimiter": r.delimiter, "map": r.mapping, "header": r.header, "dates": r.dates} {
		if v != "" {
			q.Set(k, v)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, uploadTime)
	defer cancel()
	slow := *c
	slow.http = &http.Client{} // the context bounds it
	var out importView
	err := slow.send(ctx, http.MethodPost, "/v1/imports?"+q.Encode(), "text/csv", file, &out)
	return out, err
}

func (c *client) importAt(ctx context.Context, id growth.ImportID) (importView, error) {
	var out importView
	err := c.get(ctx, "/v1/imports/"+url.PathEscape(string(id)), &out)
	return out, err
}

// importStep has the API take in, or take back, for as long as a step lasts.
func (c *client) importStep(ctx context.Context, id growth.ImportID, what string, in any) (importView, error) {
	var out importView
	path := "/v1/imports/" + url.PathEscape(string(id)) + "/" + what
	var err error
	if in == nil {
		err = c.call(ctx, http.MethodPost, path, nil, &out)
	} else {
		err = c.post(ctx, path, in, &out)
	}
	return out, err
}

// runStep says how a file is taken in.
type runStep struct {
	Campaign     growth.CampaignID `json:"campaign_id,omitempty"`
	AcceptDoubts bool              `json:"accept_doubts"`
}

// sent says what became of the leads so far.
type sent struct {
	ImportID  growth.ImportID `json:"import_id,omitempty"`
	Taken     int             `json:"taken"`     // leads of the file that are in
	Created   int             `json:"created"`   // leads that were not known
	Updated   int             `json:"updated"`   // leads that were
	Accepted  int             `json:"accepted"`  // jobs
	Unchanged int             `json:"unchanged"` // scored already on the same grounds
	Rejected  int             `json:"rejected"`  // erased once: they do not come back
}

func sentOf(v importView) sent {
	return sent{
		ImportID: v.ID, Taken: v.Position, Created: v.Created, Updated: v.Updated, Accepted: v.Jobs, Unchanged: v.Unchanged, Rejected: v.Refused,
	}
}

// patient makes a call again for as long as that may help. Every call of an import can be made again.
func (i *importer) patient(ctx context.Context, call func() (importView, error)) (importView, error) {
	for try := 0; ; try++ {
		v, err := call()
		if err == nil || !growth.CodeOf(err).Retryable() || try >= len(i.pauses) {
			return v, err
		}
		say(i.err, "%s; trying again", explain(err))
		if err := pause(ctx, i.pauses[try]); err != nil {
			return v, err
		}
	}
}

// upload sends the file.
func (i *importer) upload(ctx context.Context, api *client) (importView, error) {
	return i.patient(ctx, func() (importView, error) {
		file, err := i.file.again()
		if err != nil {
			return importView{}, err
		}
		return api.upload(ctx, filepath.Base(i.file.path), i.flags.reading, file)
	})
}

// takeIn has the API take in what is left, step by step.
func (i *importer) takeIn(ctx context.Context, api *client, v importView, accept bool, began time.Time) (importView, error) {
	m := newMeter(i.err, "taken in", began, 0)
	defer m.end()
	before := v.Position
	for {
		next, err := i.patient(ctx, func() (importView, error) {
			return api.importStep(ctx, v.ID, "run", runStep{Campaign: i.report.Campaign.ID, AcceptDoubts: accept})
		})
		if err != nil {
			return v, err
		}
		v = next
		i.report.sent = sentOf(v)
		m.set(v.Position-before, v.Counts.Leads-before, "")
		if v.State != store.ImportRunning {
			return v, nil
		}
	}
}

// setBadRowsAside writes the rows that could not be read into a file of their own, as the API has them.
func (i *importer) setBadRowsAside(ctx context.Context, api *client, v importView, path string) error {
	if v.Counts.Bad == 0 || path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // G304: the person at the terminal names the file
	if err != nil {
		return fmt.Errorf("file of bad rows: %w (name another one with --bad-rows)", err)
	}
	err = api.send(ctx, http.MethodGet, "/v1/imports/"+string(v.ID)+"/bad-rows.csv", "", nil, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("file of bad rows: %w", err)
	}
	i.report.BadRowsFile = path
	return nil
}

// goOn takes an import up again, or only looks on.
func (i *importer) goOn(ctx context.Context, api *client) error {
	id := growth.ImportID(cmp.Or(i.flags.resume, i.flags.watch))
	v, err := api.importAt(ctx, id)
	if err != nil {
		return err
	}
	i.report = continuedReport(v)
	who, err := api.me(ctx)
	if err != nil {
		return err
	}
	i.report.Simulated = who.Simulated
	var start progress
	if v.CampaignID != nil {
		if start, err = api.progress(ctx, *v.CampaignID); err != nil {
			return err
		}
	}
	began := time.Now()
	switch {
	case i.flags.watch != "":
		v, err = i.watch(ctx, api, v, began)
	case v.State == store.ImportPreviewed || v.State == store.ImportRunning:
		v, err = i.takeIn(ctx, api, v, i.flags.yes, began)
	}
	if err != nil {
		return i.stopped(v, err)
	}
	if v.State != store.ImportDone {
		return fmt.Errorf("the import %s is %s: there is nothing to go on with", v.ID, v.State)
	}
	i.report.sent = sentOf(v)
	if err := i.setBadRowsAside(ctx, api, v, i.flags.badRows); err != nil {
		return err
	}
	i.report.sending(i.text())
	if v.CampaignID == nil || i.flags.detach {
		return i.finish(nil)
	}
	i.report.Campaign.ID = *v.CampaignID
	return i.follow(ctx, api, progress{}, start.ended(), began)
}

// watch follows an import that somebody else runs.
func (i *importer) watch(ctx context.Context, api *client, v importView, began time.Time) (importView, error) {
	m := newMeter(i.err, "taken in", began, 0)
	defer m.end()
	first := v.Position
	for v.State == store.ImportRunning {
		m.set(v.Position-first, v.Counts.Leads-first, "")
		if err := pause(ctx, i.poll); err != nil {
			return v, err
		}
		next, err := i.patient(ctx, func() (importView, error) { return api.importAt(ctx, v.ID) })
		if err != nil {
			return v, err
		}
		v = next
	}
	return v, nil
}

// stopped reports an import that is not all in.
func (i *importer) stopped(v importView, err error) error {
	if errors.Is(err, context.Canceled) || growth.CodeOf(err) == growth.Canceled {
		err = errors.New("interrupted")
	}
	if i.report.sent = sentOf(v); i.report.Taken > 0 {
		i.report.sending(i.text())
	}
	code := exitPartial // a step that was on its way may have taken leads in: that is no "nothing"
	if v.State == store.ImportPreviewed && growth.CodeOf(err) == growth.Invalid {
		code = exitNothing
	}
	return i.finish(&codedError{code, fmt.Errorf("stopped after taking in %s of %s: %s; to go on: astrogrowth import --resume %s",
		count(v.Position), plural(v.Counts.Leads, "lead"), explain(err), v.ID)})
}

// pause waits, or ends with what it waits for.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &growth.Error{Code: growth.Canceled, Message: "interrupted", Err: context.Cause(ctx)}
	}
}
