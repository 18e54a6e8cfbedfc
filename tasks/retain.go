package tasks

import (
	"context"
	"errors"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// retainStep is how many leads of a workspace one pass erases.
const retainStep = 200

// Retain erases the leads that their workspaces keep no longer, as far as one pass goes. Where the cache cannot be
// reached the receipt says so, and nothing more is erased: what it holds ends by itself.
func (im Importer) Retain(ctx context.Context, now time.Time) (int, error) {
	all, err := im.Store.Workspaces(ctx)
	if err != nil {
		return 0, err
	}
	gone := 0
	var faults []error
	for _, ws := range all {
		if ws.Settings.Retain == (growth.LeadRetention{}) {
			continue
		}
		n, err := im.retain(ctx, ws, now)
		gone += n
		faults = append(faults, err)
	}
	return gone, errors.Join(faults...)
}

func (im Importer) retain(ctx context.Context, ws growth.Workspace, now time.Time) (int, error) {
	sc := im.Store.In(ws.ID)
	stale, err := sc.StaleLeads(ctx, ws.Settings.Retain, now, retainStep)
	if err != nil {
		return 0, err
	}
	for n, id := range stale {
		if err := im.drop(ctx, sc, ws.ID, id); err != nil {
			return n, err
		}
	}
	return len(stale), nil
}

func (im Importer) drop(ctx context.Context, sc store.Scoped, ws growth.WorkspaceID, id growth.LeadID) error {
	files, err := im.filesWith(ctx, sc, id)
	if err != nil {
		return err
	}
	if _, err := sc.DropLead(ctx, id, "retention", files); err != nil {
		return err
	}
	if err := im.forget(ctx, sc, ws, id); err != nil {
		return err
	}
	_, err = sc.CacheForgotLead(ctx, id)
	return err
}
