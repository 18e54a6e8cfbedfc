package tasks

import (
	"context"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/router/cache"
	"github.com/zakibelm/astrogrowth/store"
)

const (
	dueAge   = 10 * time.Second // who erased the leads asks first
	dueBatch = 200
)

// forgetLeads takes the answers about leads that are gone out of the cache. What cannot be reached now stays due: see
// ForgetDues.
func forgetLeads(ctx context.Context, s *store.Store, c Forgetter, ws growth.WorkspaceID, gone []growth.LeadID) error {
	for n, l := range gone {
		if _, err := c.Forget(ctx, ws, cache.Selection{Lead: l}); err != nil {
			gone = gone[:n]
			break
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return s.In(ws).CacheForgot(ctx, gone)
}

// ForgetDues has the cache forget the leads that went while it could not be reached.
func (r *Reconciler) ForgetDues(ctx context.Context, age time.Duration) error {
	for r.Cache != nil {
		due, err := r.Store.CacheDues(ctx, age, dueBatch)
		if err != nil || len(due) == 0 {
			return err
		}
		byWorkspace := map[growth.WorkspaceID][]growth.LeadID{}
		for _, d := range due {
			byWorkspace[d.Workspace] = append(byWorkspace[d.Workspace], d.Lead)
		}
		for ws, gone := range byWorkspace {
			if err := forgetLeads(ctx, r.Store, r.Cache, ws, gone); err != nil {
				return err
			}
		}
		left, err := r.Store.CacheDues(ctx, age, 1)
		if err != nil || len(left) == 0 || left[0] == due[0] { // the cache is still away: the next pass asks again
			return err
		}
	}
	return nil
}
